"""Recorded spikes and their cost against a plain count, spike by spike."""

import numpy as np
import pytest

from spsnn.errors import DataError
from spsnn.hwmap import compile, load_target
from spsnn.hwmap.cost import cost_of_trace
from spsnn.hwmap.traffic.events import Wiring
from spsnn.hwmap.traffic.flat import Flat
from spsnn.hwmap.traffic.trace import Trace


def spikes_of(network, rng, share=0.2, steps=20):
    return {p.name: rng.random((steps, p.size)) < share for p in network.populations if p.kind != "li"}


def test_trace_is_sorted_and_complete(network, rng=None):
    flat = Flat.of(network)
    trains = spikes_of(network, np.random.default_rng(0))
    trace = Trace.of(flat, trains)
    assert (np.diff(trace.step * flat.n + trace.neuron) > 0).all()
    for name, train in trains.items():
        own = (trace.neuron >= flat.offsets[name]) & (trace.neuron < flat.offsets[name] + train.shape[1])
        back = np.zeros(train.shape, bool)
        back[trace.step[own], trace.neuron[own] - flat.offsets[name]] = True
        assert (back == train).all()
    assert trace.counts(flat.n).sum() == len(trace.step)


@pytest.mark.parametrize(
    ("trains", "message"),
    [
        ({"nobody": np.ones((3, 6))}, "unknown population 'nobody'"),
        ({"in": np.ones((3, 5))}, "shape"),
        ({"in": np.ones((3, 6)), "hidden": np.ones((4, 12))}, r"\[3, 12\]"),
        ({}, "none"),
    ],
)
def test_bad_traces(network, trains, message):
    with pytest.raises(DataError, match=message):
        Trace.of(Flat.of(network), trains)


def test_trace_of_another_network(network):
    chip = compile(network, "mesh")
    with pytest.raises(DataError, match="neuron 22"):
        cost_of_trace(chip, Trace(np.array([0]), np.array([22]), 5))


def test_spikes_of_neurons_that_never_spike(network):
    chip = compile(network, "loihi2")
    silent = next(p for p in network.populations if p.kind == "li")
    trains = spikes_of(network, np.random.default_rng(0)) | {silent.name: np.ones((20, silent.size), bool)}
    with pytest.raises(DataError, match=f"trace has spikes of {silent.name}, whose neurons .li. never spike"):
        cost_of_trace(chip, Trace.of(chip.flat, trains))


@pytest.mark.parametrize("name", ["loihi2", "mesh", "loihi1_silicon", "crossbar"])
@pytest.mark.parametrize("seed", [0, 1])
def test_events_against_a_plain_count(build, name, seed):
    network = build(seed=seed, sizes=(6, 20, 4))
    more = {"energy_synaptic_op_pj": 1.0, "crossbar_rows": 10, "mesh_width": 12} if name == "crossbar" else {}
    target = load_target(name, **more)
    chip = compile(network, target, cores=4, placement="random", seed=seed)
    trace = Trace.of(chip.flat, spikes_of(network, np.random.default_rng(seed)))
    parts, flat, delays = chip.partition, chip.flat, np.concatenate(chip.integers.delays)
    wiring = Wiring.of(flat, target, parts, chip.bits)
    got = wiring.traced(trace, delays).counts
    home = parts.core[flat.post]
    tile = home if parts.synapse_core is None else parts.synapse_core
    want = {kind: np.zeros((trace.n_steps, parts.n_cores)) for kind in got}
    updated, summed = set(), set()
    for step, neuron in zip(trace.step, trace.neuron, strict=True):
        reached = set(tile[flat.pre == neuron].tolist())
        if parts.core[neuron] >= 0:
            want["spike_out"][step, parts.core[neuron]] += 1
            want["axon_out"][step, parts.core[neuron]] += bool(reached) if target.multicast else len(reached)
        for core in reached:
            want["axon_in"][step, core] += 1
        for s in np.flatnonzero(flat.pre == neuron):
            kind = "synaptic_op_sparse" if wiring.sparse[s] else "synaptic_op"
            want[kind][step, tile[s]] += 1
            then = step + max(delays[s], 1)
            if then < trace.n_steps:
                updated.add((then, flat.post[s]))
                if tile[s] != home[s]:
                    summed.add((then, tile[s], flat.post[s]))
    for step, neuron in updated:
        want["neuron_active"][step, parts.core[neuron]] += 1
    for step, _, neuron in summed:
        want["merge"][step, parts.core[neuron]] += 1
    held = np.bincount(parts.core[flat.on_chip], minlength=parts.n_cores)
    want["neuron_inactive"] = held - want["neuron_active"]
    for kind in want:
        assert np.array_equal(got[kind], want[kind]), kind
    assert bool(summed) == (name == "crossbar")


def test_storage_decides_the_price_of_a_synapse(build):
    network = build(sizes=(6, 40, 4), density=0.1)
    report = compile(network, "loihi1_silicon", cores=1).report()
    assert report["count_synaptic_op_sparse"] > 0
    synapse = report["energy_synaptic_op_nj"] + report["energy_synaptic_op_sparse_nj"]
    assert synapse == pytest.approx(
        (35.5 * report["count_synaptic_op"] + 33.6 * report["count_synaptic_op_sparse"]) * 1e-3
    )
    dense = compile(build(sizes=(6, 40, 4), density=1.1), "loihi1_silicon", cores=1).report()
    assert dense["count_synaptic_op_sparse"] == 0
    assert "count_synaptic_op_sparse" not in compile(network, "loihi2").report()
