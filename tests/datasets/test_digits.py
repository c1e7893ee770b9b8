"""The embedded digits."""

import hashlib

import numpy as np
import pytest
from sklearn.datasets import load_digits

from spsnn.datasets import Digits, stratified_split
from spsnn.errors import ConfigError

SPLITS = ("train", "validation", "test")


def test_split_is_fixed_disjoint_complete_and_stratified():
    parts = [Digits(s) for s in SPLITS]
    assert [len(p) for p in parts] == [1079, 359, 359]
    assert np.sort(np.concatenate([p.indices for p in parts])).tolist() == list(range(1797))
    total = np.bincount(load_digits().target)
    for part, share in zip(parts, (0.6, 0.2, 0.2), strict=True):
        assert np.abs(np.bincount(part.events.labels) - share * total).max() <= 1
    # Drift guard: the split must never change between versions.
    digest = hashlib.sha256(np.concatenate([p.indices for p in parts]).astype("<i8").tobytes()).hexdigest()
    assert digest == "6edc5eb9350d8b581743efa58303b7fa3f6e47a43bff833a29e3c301e1b97ca7"


def test_time_to_first_spike_brighter_is_earlier():
    data, source = Digits("test"), load_digits()
    assert (data.events.n_units, data.n_classes, data.class_names[3]) == (64, 10, "3")
    for i in (0, 17, 358):
        pixels = source.data[data.indices[i]]
        one = data[i]
        assert one.labels[0] == source.target[data.indices[i]]
        assert sorted(one.units) == np.flatnonzero(pixels).tolist()
        np.testing.assert_array_equal(one.times, np.float32(10 + 30 * (1 - pixels[one.units] / 16)))
    assert data.events.times.min() == 10.0


def test_black_pixels_and_bias():
    data = Digits("validation", silence_zero=False, bias=True, bias_time=5.0)
    assert data.events.n_units == 65 and data.events.n_events == 359 * 65
    assert (data.events.times[data.events.units == 64] == 5).all()
    assert data.events.times.max() == 40.0


def test_rate_code_is_reproducible_and_leaves_black_silent():
    a, b, c = (Digits("test", encoding="rate", seed=s) for s in (0, 0, 1))
    np.testing.assert_array_equal(a.events.times, b.events.times)
    assert not np.array_equal(a.events.times, c.events.times)
    assert not (a.events.to_dense(100.0)[:, 0] * (a.samples == 0)).any()


def test_stratified_split_of_uneven_classes():
    labels = np.array([0] * 10 + [1] * 3 + [2])
    parts = stratified_split(labels, seed=3)
    assert np.sort(np.concatenate(list(parts.values()))).tolist() == list(range(14))
    assert np.bincount(labels[parts["test"]], minlength=3).tolist() == [2, 1, 0]
    assert np.bincount(labels[parts["validation"]], minlength=3).tolist() == [2, 1, 0]


def test_bad_options():
    with pytest.raises(ConfigError, match="digits: split must be one of train"):
        Digits("all")
    with pytest.raises(ConfigError, match="'ttfs' or 'rate'"):
        Digits("test", encoding="latency")
