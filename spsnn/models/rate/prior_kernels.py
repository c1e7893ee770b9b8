"""Kernels of the spatial weight prior, and the places and distances that they are taken over."""

from __future__ import annotations

import math

import torch

from spsnn.errors import ConfigError
from spsnn.space import Line

KERNELS = ("none", "linear", "linear_floor", "exponential", "gaussian", "inverse")


def kernel(name, distance, k=3.0):
    """Strength of a synapse over a distance in [0, 1].

        none          1
        linear        1 - d
        linear_floor  .1 + .9 (1 - d)
        exponential   .05 + .95 exp(-k d)
        gaussian      .05 + .95 exp(-d^2 / .18)
        inverse       .1 + .9 d

    Raises:
        ConfigError: on an unknown name.
    """
    d = distance
    if name == "none":
        return torch.ones_like(d)
    if name == "linear":
        return 1 - d
    if name == "linear_floor":
        return 0.1 + 0.9 * (1 - d)
    if name == "exponential":
        return 0.05 + 0.95 * torch.exp(-k * d)
    if name == "gaussian":
        return 0.05 + 0.95 * torch.exp(-d * d / 0.18)
    if name == "inverse":
        return 0.1 + 0.9 * d
    raise ConfigError(f"kernel must be one of {', '.join(KERNELS)}, got {name!r}")


def index_distance(n_pre, n_post):
    """``|i / (n_pre - 1) - j / (n_post - 1)|``, ``[n_pre, n_post]``: two layers spread over the same line."""
    line = Line()
    return line.distance(line.initial(n_pre), line.initial(n_post))


def plane_places(n, image=None):
    """``n`` places ``[n, 2]`` in the unit square: the pixels of an ``image [channels, rows, columns]``, alike for all
    channels, or row by row on the grid with ``ceil(sqrt(n))`` columns."""
    columns = math.isqrt(n - 1) + 1
    channels, rows, columns = image or (1, -(-n // columns), columns)
    grid = torch.cartesian_prod((torch.arange(rows) + 0.5) / rows, (torch.arange(columns) + 0.5) / columns)
    return grid.repeat(channels, 1)[:n]
