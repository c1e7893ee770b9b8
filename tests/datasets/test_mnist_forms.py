"""MNIST behind frozen convolutions, and as times to first spike, on tiny made files."""

import numpy as np
import pytest
from scipy.signal import correlate2d

from spsnn.datasets import load
from spsnn.datasets.mnist_features import frozen_features

from .test_dense import mnist_dir  # noqa: F401


def test_features_are_two_convolutions_with_pooling():
    images = np.random.default_rng(1).random((3, 28, 28)).astype(np.float32)
    rng = np.random.default_rng(4)
    first = rng.normal(0, np.sqrt(2 / 9), (8, 1, 3, 3))
    second = rng.normal(0, np.sqrt(2 / 72), (1, 8, 3, 3))
    pool = lambda x: x.reshape(len(x) // 2, 2, -1, 2).max((1, 3))  # noqa: E731
    for image, made in zip(images, frozen_features(images, seed=4), strict=True):
        maps = [pool(np.maximum(correlate2d(image, k[0], "same"), 0)) for k in first]
        total = sum(correlate2d(m, k, "same") for m, k in zip(maps, second[0], strict=True))
        np.testing.assert_allclose(made, pool(np.maximum(total, 0)).ravel(), rtol=1e-4, atol=1e-5)


def test_all_splits_pass_the_same_kernels(mnist_dir):  # noqa: F811
    splits = {
        s: load("mnist_features", s, data_dir=mnist_dir, n_validation=10) for s in ("train", "validation", "test")
    }
    assert {s: d.features.shape for s, d in splits.items()} == {
        "train": (30, 49),
        "validation": (10, 49),
        "test": (6, 49),
    }
    pixels = load("mnist", "test", data_dir=mnist_dir)
    again = frozen_features(pixels.features.reshape(-1, 28, 28))
    np.testing.assert_array_equal(splits["test"].features, again)
    other = load("mnist_features", "test", data_dir=mnist_dir, seed=1)
    assert not np.allclose(other.features, again)


def test_bright_pixels_spike_first_and_dark_ones_not_at_all(mnist_dir):  # noqa: F811
    data = load("mnist_spikes", "test", data_dir=mnist_dir, t_min=3.0, scale=20.0, threshold=0.5, duration=30.0)
    pixels = load("mnist", "test", data_dir=mnist_dir).features
    e = data.events
    assert e.n_units == 784 and e.duration == 30 and data.n_classes == 10
    assert np.array_equal(e.labels, np.arange(6))
    for k in range(6):
        part = slice(e.offsets[k], e.offsets[k + 1])
        assert set(e.units[part]) == set(np.flatnonzero(pixels[k] > 0.5))
        assert e.times[part] == pytest.approx(3 + 20 * (1 - pixels[k][e.units[part]]), abs=1e-4)
