"""Encodings: equations, and refusal of bad input."""

import numpy as np
import pytest

from spsnn.datasets import encode_rate, encode_ttfs
from spsnn.errors import ConfigError, DataError


def test_ttfs_by_hand():
    e = encode_ttfs([[0.5, 0.0, 1.0]], t_min=2.0, scale=4.0, duration=8.0, bias_time=3.0, labels=[2])
    assert e.times.tolist() == [2, 3, 4, 6]
    assert e.units.tolist() == [1, 3, 0, 2]
    assert (e.n_units, e.duration, e.labels.tolist()) == (4, 8.0, [2])


def test_ttfs_time_that_rounds_up_to_the_window_end_stays_inside():
    e = encode_ttfs([[1.0]], t_min=0.0, scale=59.9999999, duration=60.0)
    assert 59.99 < e.times[0] < 60


def test_silent_features_and_a_sample_with_no_spikes():
    e = encode_ttfs(np.zeros((2, 2)), silent=np.array([[True, False], [True, True]]))
    assert np.diff(e.offsets).tolist() == [1, 0]
    with pytest.raises(ConfigError, match="silent must have the shape"):
        encode_ttfs(np.zeros((2, 2)), silent=np.zeros(2, bool))


def test_poisson_mean_and_variance():
    e = encode_rate(np.full((4000, 1), 0.5), max_rate=80.0, min_rate=20.0, duration=200.0, seed=3)
    n = np.diff(e.offsets)  # rate 50 Hz in 200 ms: Poisson(10)
    assert abs(n.mean() - 10) < 5 * np.sqrt(10 / 4000)
    assert 9 < n.var() < 11
    assert abs(e.times.mean() - 100) < 1


def test_regular_trains_are_even_and_keep_the_mean():
    e = encode_rate(np.full((500, 1), 0.25), max_rate=100.0, duration=1000.0, regular=True)  # 25 Hz: every 40 ms
    assert set(np.diff(e.offsets)) == {25}
    np.testing.assert_allclose(np.diff(e.times.reshape(500, 25)), 40, atol=1e-3)
    few = encode_rate(np.full((4000, 1), 0.3), max_rate=1.0, duration=1000.0, regular=True)  # 0.3 spikes expected
    assert abs(few.n_events / 4000 - 0.3) < 5 * np.sqrt(0.21 / 4000)


def test_rate_zero_gives_silent_samples_and_bias_fires():
    assert encode_rate(np.zeros((3, 2))).n_events == 0
    assert encode_rate(np.zeros((3, 2)), regular=True).n_events == 0
    e = encode_rate(np.zeros((3, 2)), regular=True, bias=True, max_rate=100.0, duration=100.0)
    assert e.units.tolist() == [2] * 30


@pytest.mark.parametrize("encode", [encode_ttfs, encode_rate])
@pytest.mark.parametrize(
    "values, words",
    [
        ([[0.5, np.nan]], "got nan at sample 0, feature 1"),
        ([[0.5, 0.1], [0.0, 1.5]], "got 1.5 at sample 1, feature 1"),
        ([[-0.1, 0.0]], "got -0.1"),
        ([[np.inf, 0.0]], "got inf"),
        ([0.5, 0.5], r"shape \[B, F\]"),
        (np.zeros((0, 3)), "nothing to encode"),
        (np.zeros((3, 0)), "nothing to encode"),
    ],
)
def test_bad_values(encode, values, words):
    with pytest.raises(DataError, match=words):
        encode(values)


@pytest.mark.parametrize(
    "encode, options",
    [
        (encode_ttfs, {"t_min": -1.0}),
        (encode_ttfs, {"scale": np.nan}),
        (encode_ttfs, {"t_min": 30.0, "scale": 30.0}),
        (encode_ttfs, {"duration": np.inf}),
        (encode_ttfs, {"bias_time": 60.0}),
        (encode_rate, {"min_rate": 300.0}),
        (encode_rate, {"max_rate": np.nan}),
        (encode_rate, {"duration": 0.0}),
    ],
)
def test_bad_options(encode, options):
    with pytest.raises(ConfigError):
        encode([[0.5]], **options)
