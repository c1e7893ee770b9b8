"""Models."""

from spsnn.models.files import load, save
from spsnn.models.graph import from_graph, to_graph
from spsnn.models.join import join
from spsnn.models.rate.base import RateModel, RateOutput
from spsnn.models.rate.gated_field import GatedField
from spsnn.models.rate.neural_field import NeuralField
from spsnn.models.rate.spatial_context import SpatialContextNetwork
from spsnn.models.rate.spatial_prior import SpatialPriorLinear, SpatialPriorMLP, weight_similarity
from spsnn.models.rate.spatial_prior_tasks import SpatialPriorTasks
from spsnn.models.registry import MODELS, RATE_MODELS, from_config, register
from spsnn.models.resonant.network import ResonantSparseGeometryNetwork
from spsnn.models.resonant.sparse import SparseResonantNetwork
from spsnn.models.resonant.tuned import TunedResonantNetwork
from spsnn.models.spiking.config import ModelConfig
from spsnn.models.spiking.integer import IntegerModel
from spsnn.models.spiking.local import LocalNetwork
from spsnn.models.spiking.spsnn import Output, SpSNN

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
    "join",
    "load",
    "register",
    "save",
    "to_graph",
    "weight_similarity",
]
