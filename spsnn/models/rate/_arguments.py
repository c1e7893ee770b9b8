"""What the constructors of rate models share: checks of arguments, and initial values from a seed."""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace

import torch

from spsnn import checks
from spsnn.errors import ConfigError, DataError


def sizes(**values):
    """Each must be a whole number of at least 1.

    Raises:
        ConfigError: names the argument and its value.
    """
    settings = SimpleNamespace(**values)
    checks.whole(settings, *values)
    checks.positive(settings, *values)


def positive(**values):
    """Each must be a finite number above zero.

    Raises:
        ConfigError: names the argument and its value.
    """
    checks.positive(SimpleNamespace(**values), *values)


def one_of(name, value, known):
    """``value`` must be among ``known``.

    Raises:
        ConfigError: names the argument, what is known and the value.
    """
    if value not in known:
        raise ConfigError(f"{name} must be one of {', '.join(map(str, known))}, got {value!r}")


def as_sequence(x, n_features):
    """``x [B, F]`` as ``[B, 1, F]``; ``[B, T, F]`` as it is.

    Raises:
        DataError: for another shape or number of features.
    """
    if x.dim() not in (2, 3) or x.shape[-1] != n_features or 0 in x.shape[:-1]:
        raise DataError(f"features must be [B, {n_features}] or [B, T, {n_features}], got shape {list(x.shape)}")
    return x[:, None] if x.dim() == 2 else x


@contextmanager
def seeded(seed):
    """Let torch draw from ``seed`` and afterwards go on where it was; None changes nothing."""
    if seed is None:
        yield
        return
    state = torch.get_rng_state()
    torch.manual_seed(seed)
    try:
        yield
    finally:
        torch.set_rng_state(state)


def dropped(model, x):
    """``x`` after ``model.dropout`` with numbers from ``model.rng``, so that a resumed run goes on with the same."""
    if not (model.training and model.dropout.p):
        return x
    with seeded(int(model.rng.integers(2**31))):
        return model.dropout(x)
