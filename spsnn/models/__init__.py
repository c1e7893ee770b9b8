"""Models."""

from spsnn.models.config import ModelConfig
from spsnn.models.files import load, save
from spsnn.models.graph import from_graph, to_graph
from spsnn.models.integer import IntegerModel
from spsnn.models.local import LocalNetwork
from spsnn.models.rate import RateModel, RateOutput
from spsnn.models.registry import MODELS, RATE_MODELS, from_config
from spsnn.models.spatial_context import SpatialContextNetwork
from spsnn.models.spatial_prior import SpatialPriorLinear, SpatialPriorMLP, weight_similarity
from spsnn.models.spatial_prior_tasks import SpatialPriorTasks
from spsnn.models.spsnn import Output, SpSNN

__all__ = [
    "MODELS",
    "RATE_MODELS",
    "IntegerModel",
    "LocalNetwork",
    "ModelConfig",
    "Output",
    "RateModel",
    "RateOutput",
    "SpSNN",
    "SpatialContextNetwork",
    "SpatialPriorLinear",
    "SpatialPriorMLP",
    "SpatialPriorTasks",
    "from_config",
    "from_graph",
    "load",
    "save",
    "to_graph",
    "weight_similarity",
]
