"""Procedural networks against the explicit networks they stand for."""

import numpy as np
import pytest

from spsnn.errors import ConfigError
from spsnn.hwmap import load_target
from spsnn.hwmap.cost import cost
from spsnn.hwmap.cost.route import route
from spsnn.hwmap.partition import Partition
from spsnn.hwmap.synthetic import synthetic
from spsnn.hwmap.traffic.flat import Flat
from spsnn.hwmap.traffic.hyperedges import Hyperedges


@pytest.mark.parametrize(("dimension", "clusters"), [(1, 0), (2, 0), (2, 3), (3, 0)])
@pytest.mark.parametrize("multicast", [False, True])
def test_hyperedges_and_cost_are_those_of_the_explicit_network(dimension, clusters, multicast):
    net = synthetic(300, fan_out=12, dimension=dimension, clusters=clusters, length=0.1, seed=dimension)
    core = net.partition(10)
    on = net.on_cores(core, 10)
    flat = Flat.of(net.network())
    assert on.synapses == len(flat.pre) > 0.9 * 300 * 12
    reached = np.zeros((flat.n, 10), bool)
    reached[flat.pre, core[flat.post]] = True
    parts = Partition(core, 10, {}, reached, 0)
    np.testing.assert_allclose(on.edges.messages.toarray(), Hyperedges.of(flat, parts).messages.toarray(), rtol=1e-9)
    target, slots = load_target("mesh", multicast=multicast), np.random.default_rng(0).permutation(64)[:10]
    found, wanted = on.cost(target, slots, 100), cost(flat, target, parts, route(flat, target, parts, slots))
    assert set(found) == set(wanted)
    for name, value in wanted.items():
        assert found[name] == (pytest.approx(value, rel=1e-5) if isinstance(value, float) else value), name


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_connections_fall_off_with_distance(dimension):
    # Density r^(D-1) exp(-r / length) has mean D * length and variance D * length^2; cells blur it by less than 5 %.
    net = synthetic(40_000, fan_out=20, dimension=dimension, length=0.02, seed=1)
    inside = np.flatnonzero((np.abs(net.positions - 0.5) < 0.25).all(1))
    post = net.targets(inside)
    apart = np.linalg.norm(net.positions[post] - net.positions[inside][:, None], axis=-1)
    blur = (net._arrays[2] ** -2) * dimension / 6 if dimension == 3 else 0.0
    assert np.mean(apart**2) == pytest.approx((dimension + dimension**2) * 0.02**2 + blur, rel=0.05)
    assert np.corrcoef(net.positions[inside, 0], net.positions[post[:, 0], 0])[0, 1] > 0.9


def test_equal_seeds_give_equal_networks_whatever_the_threads():
    from numba import get_num_threads, set_num_threads

    threads, found = get_num_threads(), []
    for n in (1, threads):
        set_num_threads(n)
        net = synthetic(2000, fan_out=30, clusters=4, seed=3)
        found.append(net.on_cores(net.partition(16), 16))
    np.testing.assert_array_equal(found[0].edges.cores, found[1].edges.cores)
    np.testing.assert_array_equal(found[0].events, found[1].events)
    assert not np.array_equal(net.targets([0, 1]), synthetic(2000, fan_out=30, clusters=4, seed=4).targets([0, 1]))


def test_targets_are_other_neurons():
    net = synthetic(50, fan_out=40, length=0.01, seed=0)
    post = net.targets(np.arange(50))
    assert post.min() >= -1 and post.max() < 50 and (post != np.arange(50)[:, None]).all()


def test_parts_are_even():
    held = np.bincount(synthetic(1000, fan_out=1, clusters=5).partition(7), minlength=7)
    assert held.min() >= 141 and held.max() <= 145


def test_errors():
    with pytest.raises(ConfigError, match="length > 0"):
        synthetic(10, length=0.0)
    with pytest.raises(ConfigError, match="1 to 10 cores"):
        synthetic(10).partition(11)
