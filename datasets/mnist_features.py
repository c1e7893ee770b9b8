"""MNIST behind a frozen convolutional network: 7 x 7 features."""

from __future__ import annotations

import numpy as np

from spsnn.datasets.dense import DenseSet
from spsnn.datasets.mnist import mnist

PIECE = 2000  # images at once


def frozen_features(images, seed=0, n_maps=8):
    """Random convolutions that nothing trains.

        h = maxpool(relu(3 x 3 kernels, n_maps maps)),   y = maxpool(relu(3 x 3 kernels, one map))

    with zero padding and kernels ~ N(0, 2 / fan_in), so that 28 x 28 pixels become 7 x 7 features.

    Args:
        images: float32 ``[N, 28, 28]``.
        seed: of the kernels.
        n_maps: maps of the first layer.

    Returns:
        float32 ``[N, 49]``.
    """
    import torch
    from torch.nn.functional import conv2d, max_pool2d

    rng = np.random.default_rng(seed)
    first, second = (
        torch.from_numpy(rng.normal(0, np.sqrt(2 / fan_in), shape).astype(np.float32))
        for fan_in, shape in ((9, (n_maps, 1, 3, 3)), (9 * n_maps, (1, n_maps, 3, 3)))
    )
    made = []
    with torch.no_grad():
        for start in range(0, len(images), PIECE):
            x = torch.from_numpy(images[start : start + PIECE])[:, None]
            for kernels in (first, second):
                x = max_pool2d(torch.relu(conv2d(x, kernels, padding=1)), 2)
            made.append(x.flatten(1))
    return torch.cat(made).numpy()


def mnist_features(split, *, data_dir=None, n_validation=5000, seed=0):
    """`mnist` behind `frozen_features`: ``[N, 49]``, the same kernels for all splits.

    Args:
        split, data_dir, n_validation: as in `mnist`.
        seed: of the kernels.
    """
    data = mnist(split, data_dir=data_dir, n_validation=n_validation, rows=True)
    features = frozen_features(data.features, seed)
    notes = {**data.provenance, "features": f"two frozen random convolutions, seed {seed}"}
    return DenseSet(features, data.labels, data.class_names, "mnist_features", split, notes)
