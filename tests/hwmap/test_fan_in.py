"""Fan-in split over cores: relays keep the spikes, limits hold, and what they cost is counted."""

from dataclasses import replace

import numpy as np
import pytest

from spsnn.errors import CapacityError, ConfigError, ExportError
from spsnn.graph.network import Network, Population, Projection
from spsnn.hwmap import IntegerNetwork, compile, cost_of_trace, load_target, read_layout
from spsnn.hwmap.cost.steps import cost_by_step
from spsnn.hwmap.remap import remap
from spsnn.hwmap.traffic.events import Wiring
from spsnn.hwmap.traffic.trace import Trace
from spsnn.pictures import chip_pictures

STEPS = 40
TIGHT = {"fan_in_per_neuron": 20, "axons_in_per_core": 24}
LIF = {"tau_mem": 20.0, "tau_syn": 5.0, "threshold": 1.0}


def large_fan_in(seed=0, least_delay=1):
    """30 inputs and 8 recurrent neurons into each of 8 neurons, and 4 that read them out."""
    rng = np.random.default_rng(seed)
    sizes = {"in": 30, "hidden": 8, "out": 4}
    kinds = {"in": ("input", {}), "hidden": ("lif", LIF), "out": ("li", {"tau_mem": 20.0, "tau_syn": 5.0})}
    populations = tuple(
        Population(name, n, kinds[name][0], rng.random((n, 2)), kinds[name][1],
                   None if name == "out" else rng.uniform(1, 4, n))
        for name, n in sizes.items()
    )  # fmt: skip

    def connect(pre, post, spread):
        shape = sizes[pre], sizes[post]
        delay = rng.integers(least_delay, 9, shape).astype(float)
        delay[:2] = 0.0
        return Projection.from_dense(pre, post, rng.normal(0.15, spread, shape), delay)

    links = connect("in", "hidden", 0.3), connect("hidden", "hidden", 0.2), connect("hidden", "out", 0.3)
    return Network(populations, links, 1.0, float(STEPS), "random spikes")


def split(network=None, **options):
    return compile(network or large_fan_in(), load_target("loihi2", **TIGHT), split_fan_in=True, **options)


def run_on_cores(chip, spikes):
    """Spikes ``{population: [T, N]}`` of the chip's integers with relays as neurons of their own, in plain loops."""
    network, flat, part = IntegerNetwork.of(chip.integers), chip.flat, chip.partition.part
    weight, delay = (np.concatenate([getattr(p, name) for p in network.projections]) for name in ("weight", "delay"))
    constants = [p for p in network.populations for _ in range(p.size)]
    out = np.zeros((STEPS, flat.n), int)
    for name, train in spikes.items():
        out[:, flat.members(name)] = train
    at_neuron, at_relay, u, v = {}, {}, [0] * flat.n, [0] * flat.n

    def kept(x, share):
        return (abs(x) * share >> 12) * (1 if x >= 0 else -1)

    for t in range(STEPS):
        sums = {key: value for (step, key), value in at_relay.items() if step == t}
        for (neuron, _), value in sums.items():
            at_neuron[t + 1, neuron] = at_neuron.get((t + 1, neuron), 0) + value
        for i, p in enumerate(constants):
            if p.kind == "input":
                continue
            u[i] = kept(u[i], 4095 - p.du) + (at_neuron.get((t, i), 0) << 6)
            v[i] = kept(v[i], 4096 - p.dv) + u[i]
            out[t, i] = v[i] > p.vth << 6
            v[i] = 0 if out[t, i] else v[i]
        for s in np.flatnonzero(out[t, flat.pre]):
            post, d, w = int(flat.post[s]), int(delay[s]), int(weight[s])
            if part[s]:
                key = t + 1 + d - 1, (post, int(part[s]))
                at_relay[key] = at_relay.get(key, 0) + w
            else:
                at_neuron[t + 1 + d, post] = at_neuron.get((t + 1 + d, post), 0) + w
    return {p.name: out[:, flat.members(p.name)] for p in network.populations}


@pytest.mark.parametrize("seed", range(3))
def test_spikes_are_those_of_the_integer_network(seed):
    network = large_fan_in(seed)
    chip, whole = split(network), compile(network, "loihi2")
    assert (chip.partition.part > 0).any()
    spikes = {"in": (np.random.default_rng(seed).random((STEPS, 30)) < 0.15).astype(np.uint8)}
    expected = IntegerNetwork.of(whole.integers).run(spikes, backend="reference").spikes
    assert expected["hidden"].sum() > 10
    found = run_on_cores(chip, spikes)
    for name, train in expected.items():
        assert np.array_equal(found[name], train[0]), name


@pytest.mark.parametrize("method", ["mtkahypar", "geometric"])
def test_limits_hold_with_relays_as_neurons(method):
    chip = split(partition=method)
    flat, parts = chip.flat, chip.partition
    synapses, axons, held = {}, {}, {}
    for s in range(len(flat.pre)):
        core, piece = parts.synapse_core[s], (flat.post[s], parts.part[s])
        assert parts.part[s] or core == parts.core[flat.post[s]]
        synapses.setdefault(piece, []).append(s)
        axons.setdefault(core, set()).add(flat.pre[s])
        held.setdefault(core, set()).add(piece)
    for neuron, part in list(synapses):
        if part:
            synapses[neuron, 0].append("relay")
            axons.setdefault(parts.core[neuron], set()).add((neuron, part))
    assert max(map(len, synapses.values())) <= 20
    assert {c: len(a) for c, a in axons.items()} == {c: n for c, n in enumerate(parts.use["axons_in"]) if n}
    assert parts.use["axons_in"].max() <= 24
    assert {c: len(a) for c, a in held.items()} == {c: n for c, n in enumerate(parts.use["neurons"]) if n}
    report = chip.report()
    assert (report["fan_in_split_neurons"], report["fan_in_relays"], report["fan_in_parts_max"]) == (8, 8, 2)
    assert report["neurons_on_chip"] == 12 and parts.use["neurons"].sum() == 20


def test_cost_by_hand():
    # Four inputs into one neuron that takes three synapses: two stay, two go to a relay on another core.
    populations = (Population("in", 4, "input", None, {}, np.ones(4)), Population("out", 1, "li"))
    synapses = Projection.from_dense("in", "out", np.ones((4, 1)), np.full((4, 1), 3.0))
    network = Network(populations, (synapses,), 1.0, 10.0)
    target = load_target("loihi2", fan_in_per_neuron=3, axons_in_per_core=3)
    chip = compile(network, target, split_fan_in=True, placement="row_major")
    assert chip.partition.n_cores == 2 and chip.partition.part.tolist() == [0, 0, 1, 1]
    trace = Trace.of(chip.flat, {"in": np.arange(10)[:, None] == np.array([0, 0, 0, 0])})
    traced = cost_of_trace(chip, trace)
    # Five messages (two to each core, one from the relay), each with one synaptic operation; two updates by events.
    for name, count in {"synaptic_op": 5, "axon_in": 5, "within_tile": 5, "spike_out": 1, "axon_out": 1,
                        "neuron_active": 2, "neuron_inactive": 18}.items():  # fmt: skip
        assert traced[f"count_{name}"] == count, name
    mean = chip.report()
    # Means do not know that the sources of the relay spike together: two events, so two sums.
    assert (mean["count_spike_out"], mean["count_synaptic_op"], mean["count_axon_in"]) == (2, 6, 6)
    # The relay is updated one step before the neuron.
    counts = Wiring.of(chip.flat, target, chip.partition, chip.bits).traced(trace, np.full(4, 3)).counts
    relay = 1 - chip.partition.core[4]
    assert np.argwhere(counts["neuron_active"]).tolist() == [[2, relay], [3, 1 - relay]]
    assert np.argwhere(counts["spike_out"]).tolist() == [[2, relay]]


def test_noc_takes_the_time_of_relays():
    chip = split()
    rng = np.random.default_rng(1)
    trace = Trace.of(chip.flat, {"in": rng.random((STEPS, 30)) < 0.2, "hidden": rng.random((STEPS, 8)) < 0.2})
    result, target = chip.simulate([trace]), chip.target
    events = Wiring.of(chip.flat, target, chip.partition, chip.bits).traced(trace, np.concatenate(chip.integers.delays))
    times = ("neuron_active", "neuron_inactive", "spike_out", "axon_out")
    generation = sum(events.counts[name] * getattr(target, f"time_{name}_ns") for name in times)
    np.testing.assert_allclose(result.floor_ns[0], generation.max(1))
    assert result.deliveries.sum() == events.counts["axon_in"].sum()
    by_step, whole = cost_by_step(chip, trace), cost_of_trace(chip, trace)
    assert by_step["energy_dynamic_nj"].sum() == pytest.approx(whole["energy_dynamic_nj_per_inference"])
    assert whole["hops_per_inference"] > 0


def test_sparse_storage_is_that_of_the_partition():
    # A target that prices sparse synapses apart, with room that makes them sparse.
    target = load_target("loihi1_silicon", graded_spike_bits=24, index_bits=1, **TIGHT)
    network = large_fan_in()
    thin = [
        Projection.from_dense(p.pre, p.post, *p.to_dense((n, m))[:2], np.random.default_rng(3).random((n, m)) < 0.7)
        for p, n, m in zip(network.projections, (30, 8, 8), (8, 8, 4), strict=True)
    ]
    chip = compile(replace(network, projections=tuple(thin)), target, split_fan_in=True)
    sparse = Wiring.of(chip.flat, target, chip.partition, chip.bits).sparse
    bits = target.weight_bits + target.delay_bits
    flat, parts, memory = chip.flat, chip.partition, np.zeros(chip.partition.n_cores)
    for at, p in enumerate(chip.network.projections):
        here = np.zeros(len(flat.pre), bool)
        here[flat.bounds[at] : flat.bounds[at + 1]] = True
        members = flat.members(p.post)
        for core in range(parts.n_cores):
            for relayed in (False, True):
                own = np.flatnonzero(here & (parts.synapse_core == core) & ((parts.part > 0) == relayed))
                if not len(own):
                    continue
                assert len(set(sparse[own])) == 1
                relays = (parts.synapse_core == core) & (parts.part > 0)
                relays &= (flat.post >= members.start) & (flat.post < members.stop)
                held = len(set(zip(flat.post[relays], parts.part[relays], strict=True))) if relayed else (
                    (parts.core[members] == core).sum()
                )  # fmt: skip
                index = max(target.index_bits, np.ceil(np.log2(parts.use["neurons"][core])))
                dense = len(set(flat.pre[own])) * held * bits
                memory[core] += len(own) * (bits + index) if sparse[own[0]] else dense
                assert sparse[own[0]] == (len(own) * (bits + index) < dense)
    assert 0 < sparse.sum() < len(sparse)
    # What is left is one synapse for each relay.
    rest = parts.use["synapse_memory_bits"] - memory
    assert (rest >= 0).all() and rest.sum() >= chip.report()["fan_in_relays"] * bits


def test_layout_and_exports(tmp_path):
    chip = split()
    chip.export(tmp_path / "chip.h5")
    arrays = read_layout(tmp_path / "chip.h5").arrays
    assert np.array_equal(arrays["synapse_part"], chip.partition.part)
    assert np.array_equal(arrays["synapse_core"], chip.partition.synapse_core)
    with pytest.raises(ExportError, match="partial sums"):
        chip.export_sanafe(tmp_path / "sanafe")
    assert set(chip_pictures(chip)) >= {"mesh", "placement", "links", "delays", "energy"}


def test_networks_that_fit_have_no_relays():
    chip = compile(large_fan_in(), "loihi2", split_fan_in=True)
    assert chip.partition.part is None and chip.partition.synapse_core is None


def test_computed_delays():
    network = large_fan_in()
    spatial = [
        replace(p, delay=2 + 9 * np.linalg.norm(
            network[p.pre].positions[p.sources] - network[p.post].positions[p.indices], axis=1))
        for p in network.projections
    ]  # fmt: skip
    chip = split(replace(network, projections=tuple(spatial)), delay_mode="computed")
    assert chip.report()["fan_in_relays"] == 8


def test_refusals():
    network = large_fan_in()
    with pytest.raises(CapacityError, match="split_fan_in=True, --split-fan-in"):
        compile(network, load_target("loihi2", **TIGHT))
    with pytest.raises(CapacityError, match=r"has 38 synapses.*holds 20.*spikes carry no number"):
        compile(network, load_target("loihi1_davies", **TIGHT), split_fan_in=True)
    with pytest.raises(CapacityError, match="graded_spike_bits 4"):
        compile(network, load_target("loihi2", graded_spike_bits=4, **TIGHT), split_fan_in=True)
    with pytest.raises(ConfigError, match="hop"):
        split(delay_mode="hop")
    at_once = [replace(p, delay=0 * p.delay) for p in network.projections]
    with pytest.raises(CapacityError, match="38 synapses, 30 of them without delay"):
        split(replace(network, projections=tuple(at_once)))
    with pytest.raises(CapacityError, match="synapses with relays have no delay"):
        remap(split(), replace(network, projections=tuple(at_once)))
