"""Partition laws: one core for each neuron, every limit kept, errors that name limit and amount."""

from dataclasses import replace
from math import ceil, log2

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spsnn.errors import CapacityError, ConfigError, DataError
from spsnn.graph.network import Network, Population, Projection
from spsnn.hwmap import compile, load_target
from spsnn.hwmap.delays import DelayBits
from spsnn.hwmap.partition import cores as core_partition
from spsnn.hwmap.partition import partition
from spsnn.hwmap.partition.resources import Resources
from spsnn.hwmap.traffic.flat import Flat

from .conftest import make_network

TIGHT = {"neurons_per_core": 5, "synapse_memory_bits_per_core": 900, "axons_in_per_core": 19, "axons_out_per_core": 17}


def count_use(flat, target, bits, core, k):
    """Use of every core in plain loops, from the definitions."""
    cell = target.weight_bits + bits.per_synapse
    use = {name: [0] * k for name in ("neurons", "synapse_memory_bits", "axons_in", "axons_out")}
    for c in range(k):
        here = {n for n in range(flat.n) if core[n] == c}
        axons = {a for a, b in zip(flat.pre, flat.post, strict=True) if b in here}
        use["neurons"][c] = len(here)
        use["axons_in"][c] = len(axons)
        memory = len(here) * bits.per_neuron + len(axons) * bits.per_axon
        index = max(target.index_bits, ceil(log2(max(len(here), 1))))
        for p in flat.network.projections:
            pairs = [(a, b) for a, b in zip(p.sources, p.indices, strict=True) if b + flat.offsets[p.post] in here]
            members = flat.members(p.post)
            posts = len([n for n in here if members.start <= n < members.stop])
            memory += min(len({a for a, _ in pairs}) * posts * cell, len(pairs) * (cell + index))
        use["synapse_memory_bits"][c] = memory
        for n in here:
            ends = {core[b] for a, b in zip(flat.pre, flat.post, strict=True) if a == n}
            use["axons_out"][c] += min(len(ends), 1) if target.multicast else len(ends)
    return use


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), multicast=st.booleans(), k=st.integers(1, 5))
def test_resources_match_plain_loops_after_moves(seed, multicast, k):
    flat, rng = Flat.of(make_network(seed)), np.random.default_rng(seed)
    target, bits = load_target("mesh", multicast=multicast, index_bits=3), DelayBits(6, 16, 16)
    core = np.where(flat.is_input, -1, rng.integers(0, k, flat.n))
    resources = Resources(flat, target, bits, core, k)
    for _ in range(4):
        neuron, to = rng.choice(flat.on_chip), rng.integers(k)
        if to != resources.core[neuron]:
            resources.move(neuron, to)
    assert {n: u.tolist() for n, u in resources.use().items()} == count_use(flat, target, bits, resources.core, k)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), method=st.sampled_from(["mtkahypar", "geometric"]), multicast=st.booleans())
def test_every_neuron_on_one_core_within_limits(seed, method, multicast):
    flat = Flat.of(make_network(seed))
    target, bits = load_target("mesh", multicast=multicast, **TIGHT), DelayBits(6)
    found = partition(flat, target, bits, method=method)
    assert (found.core[flat.is_input] == -1).all()
    assert sorted(np.unique(found.core[flat.on_chip])) == list(range(found.n_cores))
    use = count_use(flat, target, bits, found.core, found.n_cores)
    for name, limit in TIGHT.items():
        assert max(use[name.removesuffix("_per_core")]) <= limit
    assert {n: u.tolist() for n, u in found.use.items()} == use


@pytest.mark.parametrize("method", ["mtkahypar", "geometric"])
def test_smallest_number_of_cores(network, method):
    flat = Flat.of(network)  # 16 neurons on chip
    for limit, cores in ((16, 1), (8, 2), (4, 4), (1, 16)):
        found = partition(flat, load_target("mesh", neurons_per_core=limit), DelayBits(6), method=method)
        assert found.n_cores == cores


@pytest.mark.parametrize("method", ["mtkahypar", "geometric"])
@pytest.mark.parametrize("cores", [1, 3, 16])
def test_cores_option_spreads(network, method, cores):
    found = partition(Flat.of(network), load_target("mesh"), DelayBits(), method=method, cores=cores)
    assert np.unique(found.core).size == cores + 1  # and -1 of the input units


def test_auto_takes_the_geometric_partition_of_many_neurons(network, monkeypatch):
    assert compile(network).report()["partition"] == "mtkahypar"
    monkeypatch.setattr(core_partition, "MOST_NEURONS", 15)  # of 16
    assert compile(network).report()["partition"] == "geometric"
    assert compile(network, partition="mtkahypar").report()["partition"] == "mtkahypar"
    placeless = replace(network, populations=tuple(replace(p, positions=None) for p in network.populations))
    assert compile(placeless, placement="row_major").report()["partition"] == "mtkahypar"


def test_deterministic(network):
    flat, target = Flat.of(network), load_target("mesh")
    first, second = (partition(flat, target, DelayBits(), cores=5, seed=3).core for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("seed", range(3))
def test_hypergraph_cut_separates_what_is_not_connected(seed):
    # Two groups of 8, all connected inside, nothing between: two cores can hold them without a message between cores.
    group = np.random.default_rng(seed).permutation(np.repeat([0, 1], 8))
    mask = group[:, None] == group[None]
    population = Population("net", 16, "lif", None, {}, np.ones(16))
    network = Network((population,), (Projection.from_dense("net", "net", mask * 1.0, mask * 1.0, mask),), 1.0, 5.0)
    core = partition(Flat.of(network), load_target("mesh"), DelayBits(6), cores=2, seed=seed).core
    assert (core == group).all() or (core == 1 - group).all()


@pytest.mark.parametrize("seed", range(3))
def test_a_sample_of_axons_finds_the_cut(seed, monkeypatch):
    # Two groups of 20 with ring-like links inside; a third of the pins is enough to see that nothing joins them.
    rng = np.random.default_rng(seed)
    group = rng.permutation(np.repeat([0, 1], 20))
    mask = (group[:, None] == group[None]) & (rng.random((40, 40)) < 0.5)
    population = Population("net", 40, "lif", None, {}, rng.uniform(0.5, 2, 40))
    network = Network((population,), (Projection.from_dense("net", "net", mask * 1.0, mask * 1.0, mask),), 1.0, 5.0)
    assert "partition_axons_percent" not in compile(network, "mesh", cores=2, placement="random").report()
    pins = sum(len(neurons) for neurons, _, _ in Flat.of(network).axons)
    monkeypatch.setattr(core_partition, "MOST_PINS", pins // 3)
    found = [compile(network, "mesh", cores=2, placement="random", seed=seed) for _ in range(2)]
    core = found[0].partition.core
    assert (core == group).all() or (core == 1 - group).all()
    np.testing.assert_array_equal(core, found[1].partition.core)
    assert 10 < found[0].report()["partition_axons_percent"] <= 34


def test_drawn_axons_weigh_what_all_do(monkeypatch):
    flat = Flat.of(make_network(3, sizes=(60, 80, 20)))
    (every, weight), share = core_partition._hyperedges(flat, 0)
    assert share == 1 and len(every) == len(weight) == len(flat.axons)
    monkeypatch.setattr(core_partition, "MOST_PINS", sum(map(len, every)) // 4)
    total = np.zeros(len(every))
    number = {pins.tobytes(): at for at, pins in enumerate(every)}
    for seed in range(400):
        pins, times = core_partition._hyperedges(flat, seed)[0]
        total[[number[p.tobytes()] for p in pins]] += times
    # Systematic sampling: every axon is drawn in proportion to its weight.
    wanted = weight / weight.sum()
    np.testing.assert_allclose(total / total.sum(), wanted, rtol=0, atol=0.15 * wanted.max())


def test_seeds_give_different_partitions(build):
    flat, target = Flat.of(build(sizes=(20, 60, 10), density=0.1)), load_target("mesh")
    found = [partition(flat, target, DelayBits(), cores=6, seed=seed).core for seed in range(3)]
    apart = [f[flat.on_chip][:, None] != f[flat.on_chip][None] for f in found]
    assert (apart[0] != apart[1]).any() and (apart[0] != apart[2]).any()


def test_repair_moves_a_neuron_off_a_full_core():
    # Neurons of weight 1 to 1, but axons differ: two hubs with 6 sources each do not fit together under 8 axons.
    mask = np.zeros((12, 4), bool)
    mask[:6, 0] = mask[6:, 1] = True
    mask[0, 2] = mask[6, 3] = True
    positions = np.array([[0.0], [0.1], [10.0], [10.1]])
    populations = (Population("in", 12, "input", None, {}, np.ones(12)), Population("out", 4, "li", positions))
    network = Network(populations, (Projection.from_dense("in", "out", mask * 1.0, 0.0 * mask, mask),), 1.0, 5.0)
    found = partition(
        Flat.of(network), load_target("mesh", axons_in_per_core=8), DelayBits(), method="geometric", cores=2
    )
    assert found.moves >= 1 and found.core[12] != found.core[13]


def test_axons_are_grouped(network):
    flat = Flat.of(network)
    axons = sum(count for _, _, count in flat.axons)
    spans = [
        len({b for a, b in zip(flat.pre, flat.post, strict=True) if a == n} | ({n} if n >= 6 else set()))
        for n in range(18)
    ]
    assert axons == sum(s > 1 for s in spans)
    for neurons, _, _ in flat.axons:
        assert len(neurons) == len(set(neurons.tolist())) > 1


@pytest.mark.parametrize(
    ("overrides", "options", "error", "message"),
    [
        ({"neurons_per_core": 1, "n_cores": 8}, {}, CapacityError, r"16 neurons.*at least 16"),
        ({"synapse_memory_bits_per_core": 100}, {}, CapacityError, "alone needs .* synapse_memory_bits_per_core"),
        ({"fan_in_per_neuron": 3}, {}, CapacityError, "fan_in_per_neuron, mesh has 3"),
        ({"axons_in_per_core": 3}, {}, CapacityError, "axons_in_per_core, mesh has 3"),
        ({"axons_out_per_core": 1, "multicast": False}, {}, CapacityError, "axons_out.* >= "),
        ({"n_cores": 1, "axons_out_per_core": 11}, {}, CapacityError, "needs 12 axons_out"),
        ({"neurons_per_core": 4}, {"cores": 2}, CapacityError, "2 cores as asked for"),
        ({"n_cores": 4}, {"cores": 5}, CapacityError, "n_cores 4"),
        ({}, {"cores": 17}, ConfigError, "16 neurons"),
        ({}, {"cores": 0}, ConfigError, ">= 1, got 0"),
        ({}, {"cores": 2.0}, ConfigError, "whole number"),
        ({}, {"partition": "metis"}, ConfigError, "mtkahypar, geometric"),
        ({}, {"seed": -1}, ConfigError, "seed"),
        ({}, {"placement": "sorted"}, ConfigError, "learned, random, row_major"),
        ({}, {"delay_mode": "mesh"}, ConfigError, "stored, computed, hop"),
    ],
)
def test_errors(build, overrides, options, error, message):
    with pytest.raises(error, match=message):
        compile(build(density=1.0), load_target("mesh", **overrides), **options)


def test_networks_that_cannot_be_mapped(network):
    unmeasured = tuple(replace(p, rates=None) for p in network.populations)
    with pytest.raises(DataError, match=r"no measured rates.*to_graph\(activity\)"):
        compile(replace(network, populations=unmeasured))
    negative = tuple(replace(p, rates=-np.ones(p.size)) for p in network.populations)
    with pytest.raises(DataError, match=">= 0 spikes"):
        compile(replace(network, populations=negative))
    with pytest.raises(ConfigError, match="only input units"):
        compile(Network((network.populations[0],), (), 1.0, 5.0))
    backwards = Projection.from_dense("hidden", "in", np.ones((12, 6)), np.ones((12, 6)))
    with pytest.raises(ConfigError, match="ends in input units"):
        compile(replace(network, projections=(backwards,)))
    with pytest.raises(ConfigError, match="at least one step"):
        compile(replace(network, duration=0.0))
    placeless = tuple(replace(p, positions=None) for p in network.populations)
    with pytest.raises(ConfigError, match="'random' or 'row_major'"):
        compile(replace(network, populations=placeless))
    with pytest.raises(ConfigError, match="partition='mtkahypar'"):
        compile(replace(network, populations=placeless), partition="geometric")
