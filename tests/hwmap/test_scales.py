"""Scale search: against brute force, on weights with outliers, and on weights that are integers already."""

from dataclasses import replace

import numpy as np
import pytest

from spsnn.errors import ConfigError, DataError
from spsnn.hwmap import compile, load_target
from spsnn.hwmap.quantise import quantise
from spsnn.hwmap.quantise.scales import find_scale, to_integers


def error(weight, importance, scale, top):
    return importance @ (weight - scale * to_integers(weight, scale, top)) ** 2


@pytest.mark.parametrize("top", [1, 3, 7, 127])
@pytest.mark.parametrize("seed", range(5))
def test_the_search_comes_close_to_brute_force(top, seed):
    rng = np.random.default_rng(seed)
    weight, importance = rng.standard_t(3, 200), rng.exponential(1.0, 200)
    best = min(error(weight, importance, s, top) for s in np.abs(weight).max() / top * np.linspace(0.02, 1.2, 5000))
    found = error(weight, importance, find_scale(weight, importance, top, "spikes"), top)
    assert found <= 1.02 * best
    assert found <= error(weight, importance, np.abs(weight).max() / top, top)


def test_one_outlier_by_hand():
    # 99 weights of 1 and one of 10, integers -1..1.  Cut to s: 99 (1 - s)^2 + (10 - s)^2, least at s = 109 / 100.
    weight = np.array([1.0] * 99 + [10.0])
    assert find_scale(weight, np.ones(100), 1, "mse") == pytest.approx(1.09)
    assert find_scale(weight, np.ones(100), 1, "max") == 10.0
    # The outlier's source spikes 99 times as often: 99 (1 - s)^2 + 99 (10 - s)^2 has 5.5, where 1 / 5.5 rounds to 0, so
    # the ones are lost and s = 10 leaves 99, less than cutting (at best 99 * 2 * 4.5^2).
    assert find_scale(weight, np.array([1.0] * 99 + [99.0]), 1, "spikes") == pytest.approx(10.0)


@pytest.mark.parametrize("method", ["max", "mse", "spikes"])
def test_integers_are_kept_whatever_the_method(network, method):
    """Weights on a grid that does not use the largest integer, in float32 as a trained model holds them."""
    rng = np.random.default_rng(0)
    wanted, projections = [], []
    for p in network.projections:
        q = rng.integers(-5, 6, p.n_synapses)
        q[:2] = 5, 4
        wanted.append(q)
        projections.append(replace(p, weight=(q * np.float32(0.0371)).astype(np.float32).astype(np.float64)))
    integers = quantise(replace(network, projections=tuple(projections)), load_target("mesh", weight_bits=4), method)
    for q, w, p in zip(wanted, integers.weights, integers.network.projections, strict=True):
        np.testing.assert_array_equal(w, q)
        assert integers.scales[p.post] == pytest.approx(0.0371, rel=1e-6)


def test_search_on_a_network_and_its_errors(network):
    target = load_target("mesh", weight_bits=3)
    loss = {m: compile(network, target, scale=m).report()["weight_error_rms"] for m in ("max", "mse")}
    assert loss["mse"] < loss["max"]
    assert compile(network, target, scale="spikes").report()["weight_scale"] == "spikes"
    with pytest.raises(ConfigError, match="one of max, mse, spikes, got 'best'"):
        compile(network, target, scale="best")
    bare = replace(network, populations=tuple(replace(p, rates=None) for p in network.populations))
    with pytest.raises(DataError, match="measured rates of 'in'"):
        quantise(bare, target, "spikes")
