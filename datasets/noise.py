"""Noise with labels drawn at random: nothing can be learned from it, only remembered."""

from __future__ import annotations

import numpy as np

from spsnn.checks import whole_number
from spsnn.datasets.base import SPLITS, check_split
from spsnn.datasets.dense import DenseSet


def noise(split, *, n=256, dim=10, n_classes=4, seed=42):
    """``n`` samples of N(0, I) in ``dim`` dimensions with uniformly random labels.

    The splits are independent draws from ``(seed, split)``.  A model that is better than chance on "validation" or
    "test" has a fault.

    Source: the proof of concept of the Spatial Context Network.
    """
    check_split(split, "noise")
    for name, value, least in (("n", n, 1), ("dim", dim, 1), ("n_classes", n_classes, 2), ("seed", seed, 0)):
        whole_number(f"noise: {name}", value, least=least)
    rng = np.random.default_rng([seed, SPLITS.index(split)])
    features, labels = rng.standard_normal((n, dim)), rng.integers(0, n_classes, n)
    return DenseSet(features, labels, range(n_classes), "noise", split, {"source": "drawn", "seed": seed})
