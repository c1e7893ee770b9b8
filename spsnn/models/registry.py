"""Models by the name that configurations and files use."""

from __future__ import annotations

import difflib

from spsnn.errors import ConfigError
from spsnn.models.rate.baselines import MLP, Logistic, Recurrent, Transformer
from spsnn.models.rate.gated_field import GatedField
from spsnn.models.rate.neural_field import NeuralField
from spsnn.models.rate.spatial_context import SpatialContextNetwork
from spsnn.models.rate.spatial_prior import SpatialPriorMLP
from spsnn.models.rate.spatial_prior_tasks import SpatialPriorTasks
from spsnn.models.resonant.network import ResonantSparseGeometryNetwork
from spsnn.models.resonant.sparse import SparseResonantNetwork
from spsnn.models.resonant.tuned import TunedResonantNetwork
from spsnn.models.spiking.spsnn import SpSNN

RATE_MODELS = {
    cls.kind: cls
    for cls in (
        SpatialContextNetwork, SpatialPriorMLP, SpatialPriorTasks,
        ResonantSparseGeometryNetwork, SparseResonantNetwork, TunedResonantNetwork, NeuralField, GatedField,
        MLP, Transformer, Recurrent, Logistic,
    )
}  # fmt: skip
MODELS = {"SpSNN": SpSNN, **RATE_MODELS}


def rate_model(kind):
    """Class of a rate-coded model.

    Raises:
        ConfigError: on an unknown kind; names the nearest.
    """
    if not isinstance(kind, str) or kind not in RATE_MODELS:
        near = difflib.get_close_matches(str(kind), RATE_MODELS, 1, 0.0)[0]
        raise ConfigError(
            f"there is no model of kind {kind!r}; did you mean {near!r}? known: spsnn, {', '.join(RATE_MODELS)}"
        )
    return RATE_MODELS[kind]


def from_config(config):
    """Model with fresh starting values from the ``config()`` of any model.

    Raises:
        ConfigError: on an unknown kind or setting.
    """
    kind = config.get("kind", "SpSNN")
    return (SpSNN if kind == "SpSNN" else rate_model(kind)).from_config(config)
