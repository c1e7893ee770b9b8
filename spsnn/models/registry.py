"""Models by the name that configurations and files use."""

from __future__ import annotations

import difflib

from spsnn.errors import ConfigError
from spsnn.models.rate.base import RateModel, RateSettings
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


def register(cls):
    """Make a rate-coded model of your own known by its ``kind``, for `load` and `from_config`; also as a decorator.

    Args:
        cls: child of `RateModel`.

    Returns:
        ``cls``.

    Raises:
        ConfigError: for another class, one without the methods of `RateModel`, or a kind that is taken.
    """
    if not (isinstance(cls, type) and issubclass(cls, RateModel)):
        raise ConfigError(f"only children of RateModel can be registered, got {cls!r}")
    lacking = [name for name in ("rates", "places", "wiring", "rewire") if not hasattr(cls, name)]
    if lacking or not (isinstance(cls.Settings, type) and issubclass(cls.Settings, RateSettings)):
        raise ConfigError(f"{cls.__name__} needs {', '.join(lacking) or 'Settings that are a child of RateSettings'}")
    known = MODELS.get(cls.kind, cls) if isinstance(cls.kind, str) and cls.kind.strip() else None
    same = known is not None and (known.__module__, known.__qualname__) == (cls.__module__, cls.__qualname__)
    if not same or cls.kind == "spsnn":  # the same class once more is a cell of a notebook run again
        raise ConfigError(f"{cls.__name__} needs a kind that no other model has, got {cls.kind!r}")
    RATE_MODELS[cls.kind] = MODELS[cls.kind] = cls
    return cls


def rate_model(kind):
    """Class of a rate-coded model.

    Raises:
        ConfigError: on an unknown kind; names the nearest.
    """
    if not isinstance(kind, str) or kind not in RATE_MODELS:
        near = difflib.get_close_matches(str(kind), RATE_MODELS, 1, 0.0)[0]
        raise ConfigError(
            f"there is no model of kind {kind!r}; did you mean {near!r}? known: spsnn, {', '.join(RATE_MODELS)}; "
            "a kind of your own is known once its module has called spsnn.models.register"
        )
    return RATE_MODELS[kind]


def from_config(config):
    """Model with fresh starting values from the ``config()`` of any model.

    Raises:
        ConfigError: on an unknown kind or setting.
    """
    kind = config.get("kind", "SpSNN")
    return (SpSNN if kind == "SpSNN" else rate_model(kind)).from_config(config)
