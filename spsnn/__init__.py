"""Networks whose neurons live in space: learned coordinates are synaptic delays.

model = spsnn.SpSNN([5, 45, 3], spsnn.Euclidean(2), spsnn.LIF(tau_mem=20, tau_syn=5))
spsnn.fit(model, train.events, validation.events)
spsnn.save(model, "yinyang.h5")
"""

import importlib

from spsnn._version import __version__
from spsnn.autograd.population import Grid
from spsnn.errors import (
    CapacityError,
    ConfigError,
    DataError,
    ExportError,
    ModelFileError,
    SpsnnError,
    TrainingError,
)
from spsnn.kernels.events import SpikeBatch
from spsnn.memory import keep_freed_memory
from spsnn.models import (
    GatedField,
    LocalNetwork,
    ModelConfig,
    NeuralField,
    ResonantSparseGeometryNetwork,
    SparseResonantNetwork,
    SpatialContextNetwork,
    SpatialPriorLinear,
    SpatialPriorMLP,
    SpSNN,
    TunedResonantNetwork,
    from_graph,
    join,
    load,
    save,
    to_graph,
)
from spsnn.neurons import LIF, AdaptiveLIF, AdEx, CustomNeuron, LeakyIntegrator
from spsnn.space import Euclidean, Points
from spsnn.synapses import AxonalDelaySynapse, FreeDelaySynapse, NoDelaySynapse, SpatialSynapse
from spsnn.training import SparsityConfig, TrainingConfig, evaluate, fit

__all__ = [
    "LIF",
    "AdEx",
    "AdaptiveLIF",
    "AxonalDelaySynapse",
    "CapacityError",
    "ConfigError",
    "CustomNeuron",
    "DataError",
    "Euclidean",
    "ExportError",
    "FreeDelaySynapse",
    "GatedField",
    "Grid",
    "LeakyIntegrator",
    "LocalNetwork",
    "ModelConfig",
    "ModelFileError",
    "NeuralField",
    "NoDelaySynapse",
    "Points",
    "ResonantSparseGeometryNetwork",
    "SpSNN",
    "SparseResonantNetwork",
    "SparsityConfig",
    "SpatialContextNetwork",
    "SpatialPriorLinear",
    "SpatialPriorMLP",
    "SpatialSynapse",
    "SpikeBatch",
    "SpsnnError",
    "TrainingConfig",
    "TrainingError",
    "TunedResonantNetwork",
    "__version__",
    "datasets",
    "deploy",
    "evaluate",
    "fit",
    "from_graph",
    "functional",
    "hwmap",
    "join",
    "keep_freed_memory",
    "load",
    "pictures",
    "record_trace",
    "save",
    "to_graph",
]


def __getattr__(name):
    # Rooms with heavy or optional dependencies are opened when first used.
    if name in ("datasets", "deploy", "functional", "hwmap", "pictures"):
        return importlib.import_module(f"spsnn.{name}")
    if name == "record_trace":
        return importlib.import_module("spsnn.recording").record_trace
    raise AttributeError(f"module 'spsnn' has no attribute {name!r}")
