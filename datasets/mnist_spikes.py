"""MNIST as times to first spike."""

from __future__ import annotations

from spsnn.datasets.base import EventSet
from spsnn.datasets.encodings import encode_ttfs
from spsnn.datasets.mnist import mnist


class MNISTSpikes(EventSet):
    """MNIST, 28 x 28 pixels, brighter pixels first: ``t = t_min + scale * (1 - v)``; dark pixels send nothing.

    Unit ``28 * row + column``.

    Args:
        split, data_dir, n_validation: as in `spsnn.datasets.mnist.mnist`.
        t_min: time of a white pixel, ms.
        scale: time between white and black, ms.
        threshold: brightness in [0, 1) up to which a pixel counts as dark.
        duration: window, ms.
    """

    name = "mnist_spikes"

    def __init__(self, split, *, data_dir=None, n_validation=5000, t_min=2.0, scale=30.0, threshold=0.0, duration=60.0):
        data = mnist(split, data_dir=data_dir, n_validation=n_validation)
        events = encode_ttfs(
            1 - data.features,
            t_min=t_min,
            scale=scale,
            duration=duration,
            silent=data.features <= threshold,
            labels=data.labels,
        )
        super().__init__(split, events, data.class_names)
