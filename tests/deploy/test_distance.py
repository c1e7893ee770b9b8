"""Spike-train distance: by hand, against numerical integration, and as a distance."""

import numpy as np
import pytest
from scipy.integrate import trapezoid

from spsnn.deploy import spike_distance
from spsnn.errors import ConfigError, DataError


def train(*times):
    return np.array([len(times)]), np.array(times, float)


def test_by_hand():
    assert spike_distance(train(3.0), train(), 5.0) == pytest.approx([0.5])
    assert spike_distance(train(3.0), train(3.0), 5.0) == pytest.approx([0.0])
    assert spike_distance(train(3.0), train(7.0), 5.0) == pytest.approx([1 - np.exp(-4 / 5)])
    assert spike_distance(train(), train(), 5.0).tolist() == [0.0]
    # far apart: every spike counts one half
    assert spike_distance(train(0.0, 1000.0), train(500.0), 5.0) == pytest.approx([1.5])


@pytest.mark.parametrize("tau", [1.0, 7.0])
def test_against_the_integral(tau):
    rng = np.random.default_rng(0)
    a, b = np.sort(rng.uniform(0, 30, 9)), np.sort(rng.uniform(0, 30, 6))
    t = np.linspace(0, 30 + 15 * tau, 400_001)
    f = sum((t >= s) * np.exp(-np.maximum(t - s, 0) / tau) for s in a)
    g = sum((t >= s) * np.exp(-np.maximum(t - s, 0) / tau) for s in b)
    want = trapezoid((f - g) ** 2, t) / tau
    assert spike_distance(train(*a), train(*b), tau) == pytest.approx([want], rel=1e-3)


def test_many_trains_at_once_and_the_triangle():
    rng = np.random.default_rng(1)
    sets = []
    for _ in range(3):
        counts = rng.integers(0, 6, 20)
        times = np.concatenate([np.sort(rng.uniform(0, 20, c)) for c in counts])
        sets.append((counts, times))
    d = {(i, j): spike_distance(sets[i], sets[j], 4.0) for i in range(3) for j in range(3)}
    np.testing.assert_allclose(d[0, 1], d[1, 0], rtol=1e-12)
    assert np.all(np.sqrt(d[0, 2]) <= np.sqrt(d[0, 1]) + np.sqrt(d[1, 2]) + 1e-12)
    at = np.cumsum([0, *sets[0][0]]), np.cumsum([0, *sets[1][0]])
    for k in range(20):
        one = spike_distance(
            train(*sets[0][1][at[0][k] : at[0][k + 1]]), train(*sets[1][1][at[1][k] : at[1][k + 1]]), 4.0
        )
        assert one == pytest.approx([d[0, 1][k]])


def test_refusals():
    with pytest.raises(ConfigError, match="tau of a spike-train distance must be a positive number of ms, got 0"):
        spike_distance(train(), train(), 0)
    with pytest.raises(DataError, match="as many trains on either side, got 1 and 2"):
        spike_distance(train(), (np.zeros(2, int), np.zeros(0)), 1.0)
