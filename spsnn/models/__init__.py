"""Models."""

from spsnn.models.config import ModelConfig
from spsnn.models.files import load, save
from spsnn.models.graph import from_graph, to_graph
from spsnn.models.integer import IntegerModel
from spsnn.models.local import LocalNetwork
from spsnn.models.spsnn import Output, SpSNN

__all__ = ["IntegerModel", "LocalNetwork", "ModelConfig", "Output", "SpSNN", "from_graph", "load", "save", "to_graph"]
