"""A bias in the graph: units that spike at a steady rate."""

from __future__ import annotations

import numpy as np

from spsnn.graph import Projection

BIAS = "bias of "  # and the name of the population that the units drive


def bias_units(bias, largest, post):
    """``(number of units, projection)`` that bring a bias ``[J]`` to ``post``, with no weight above ``largest``: the
    weights of a population share one scale."""
    units = max(int(np.ceil(np.abs(bias).max() / largest - 1e-6)), 1) if largest > 0 else 1
    weight = np.tile(bias / units, (units, 1))
    return units, Projection.from_dense(BIAS + post, post, weight, np.zeros_like(weight))
