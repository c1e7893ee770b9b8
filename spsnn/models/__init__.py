"""Models."""

from spsnn.models.config import ModelConfig
from spsnn.models.files import load, save
from spsnn.models.gated_field import GatedField
from spsnn.models.graph import from_graph, to_graph
from spsnn.models.integer import IntegerModel
from spsnn.models.local import LocalNetwork
from spsnn.models.neural_field import NeuralField
from spsnn.models.rate import RateModel, RateOutput
from spsnn.models.registry import MODELS, RATE_MODELS, from_config
from spsnn.models.resonant import ResonantSparseGeometryNetwork
from spsnn.models.resonant_sparse import SparseResonantNetwork
from spsnn.models.resonant_tuned import TunedResonantNetwork
from spsnn.models.spatial_context import SpatialContextNetwork
from spsnn.models.spatial_prior import SpatialPriorLinear, SpatialPriorMLP, weight_similarity
from spsnn.models.spatial_prior_tasks import SpatialPriorTasks
from spsnn.models.spsnn import Output, SpSNN

__all__ = [
    "MODELS",
    "RATE_MODELS",
    "GatedField",
    "IntegerModel",
    "LocalNetwork",
    "ModelConfig",
    "NeuralField",
    "Output",
    "RateModel",
    "RateOutput",
    "ResonantSparseGeometryNetwork",
    "SpSNN",
    "SparseResonantNetwork",
    "SpatialContextNetwork",
    "SpatialPriorLinear",
    "SpatialPriorMLP",
    "SpatialPriorTasks",
    "TunedResonantNetwork",
    "from_config",
    "from_graph",
    "load",
    "save",
    "to_graph",
    "weight_similarity",
]
