"""Checks that settings classes share."""

from __future__ import annotations

import math
from numbers import Integral, Real

from spsnn.errors import ConfigError


def positive(settings, *names):
    """Each named field must be a finite number above zero.

    Raises:
        ConfigError: names the field and its value.
    """
    _each(settings, names, lambda v: v > 0, "be positive")


def not_negative(settings, *names):
    """Each named field must be a finite number of at least zero.

    Raises:
        ConfigError: names the field and its value.
    """
    _each(settings, names, lambda v: v >= 0, "not be negative")


def finite(settings, *names):
    """Each named field must be a finite number.

    Raises:
        ConfigError: names the field and its value.
    """
    for name in names:
        value = getattr(settings, name)
        if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
            raise ConfigError(f"{name} must be a finite number, got {value!r}")


def whole(settings, *names):
    """Each named field must be an integer.

    Raises:
        ConfigError: names the field and its value.
    """
    for name in names:
        value = getattr(settings, name)
        if isinstance(value, bool) or not isinstance(value, Integral):
            raise ConfigError(f"{name} must be a whole number, got {value!r}")


def whole_number(name, value, least=0):
    """``value`` must be an integer of at least ``least``.

    Raises:
        ConfigError: names ``name`` and the value.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise ConfigError(f"{name} must be a whole number of at least {least}, got {value!r}")


def seed(name, value):
    """``value`` must be an integer that every generator of random numbers takes, in [0, 2^32).

    Raises:
        ConfigError: names ``name`` and the value.
    """
    whole_number(name, value)
    if value >= 2**32:
        raise ConfigError(f"{name} must be below 2^32, got {value}")


def _each(settings, names, rule, words):
    for name in names:
        value = getattr(settings, name)
        number = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
        if not number or not rule(value):
            raise ConfigError(f"{name} must {words}{'' if number else ' and a finite number'}, got {value!r}")
