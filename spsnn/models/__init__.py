"""Models."""

from spsnn.models.config import ModelConfig
from spsnn.models.files import load, save
from spsnn.models.graph import from_graph, to_graph
from spsnn.models.local import LocalNetwork
from spsnn.models.neural_field import NeuralField
from spsnn.models.resonant import ResonantSparseGeometryNetwork
from spsnn.models.resonant_sparse import SparseResonantNetwork
from spsnn.models.resonant_tuned import TunedResonantNetwork
from spsnn.models.spsnn import Output, SpSNN

__all__ = [
    "LocalNetwork",
    "ModelConfig",
    "NeuralField",
    "Output",
    "ResonantSparseGeometryNetwork",
    "SpSNN",
    "SparseResonantNetwork",
    "TunedResonantNetwork",
    "from_graph",
    "load",
    "save",
    "to_graph",
]
