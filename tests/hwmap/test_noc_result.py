"""Latency, energy and headroom of spike traces; traces of trained models."""

import json
from dataclasses import replace

import numpy as np
import pytest

import spsnn
from spsnn.errors import ConfigError, DataError
from spsnn.hwmap import NocSettings, Trace, compile, load_target, simulate_noc
from spsnn.hwmap.cost import cost, cost_of_trace

from .noc_nets import place_by_hand, spikes

HOPS = NocSettings(hop_ew_ns=4, hop_ns_ns=6)


def with_cost(chip):
    chip.cost = cost(chip.flat, chip.target, chip.partition, chip.routing)
    return chip


@pytest.mark.parametrize("multicast", [False, True])
@pytest.mark.parametrize("timing", ["noc", "queue"])
def test_events_are_those_of_the_cost_model(build, multicast, timing):
    rng = np.random.default_rng(3)
    network = build()
    trains = {"in": rng.random((20, 6)) < 0.3, "hidden": rng.random((20, 12)) < 0.2}
    populations = tuple(
        replace(p, rates=trains[p.name].sum(0).astype(float)) if p.name in trains else p for p in network.populations
    )
    target = load_target("mesh", multicast=multicast, neurons_per_core=3, energy_spike_out_pj=7, energy_axon_out_pj=11)
    chip = compile(replace(network, populations=populations), target, partition="geometric")
    found = simulate_noc(chip, [Trace.of(chip.flat, trains)], timing=timing).report()
    simple = chip.report()
    result = simulate_noc(chip, [Trace.of(chip.flat, trains)], timing=timing)
    links = result.served[: result.model.eject].reshape(-1, 4)
    assert links[:, :2].sum() == simple["count_hop_ew"] and links[:, 2:].sum() == simple["count_hop_ns"]
    assert result.deliveries.sum() == simple["count_axon_in"]
    generation = cost_of_trace(chip, Trace.of(chip.flat, trains))["step_generation_ns"]
    assert result.floor_ns.mean() == pytest.approx(generation)
    same = [n for n in simple if n.startswith("count_") and not n.startswith("count_neuron")]
    assert len(same) == 7 and {n: found[n] for n in same} == {n: pytest.approx(simple[n]) for n in same}
    # `simple` has every event at a neuron in a step of its own; the trace knows.
    assert found["count_neuron_active"] <= simple["count_neuron_active"]
    assert found["count_neuron_active"] + found["count_neuron_inactive"] == 20 * 16
    less = (simple["count_neuron_active"] - found["count_neuron_active"]) * (81 - 52) * 1e-3
    dynamic = simple["energy_dynamic_nj_per_inference"] - less
    assert found["energy_dynamic_nj_per_inference"] == pytest.approx(dynamic)
    static = target.static_power_mw * found["latency_us_per_inference"]
    assert found["energy_static_nj"] == pytest.approx(static)
    assert found["energy_nj_per_inference"] == pytest.approx(dynamic + static)
    assert found["edp_nj_us"] == pytest.approx((dynamic + static) * found["latency_us_per_inference"])
    assert found["throughput_inferences_per_s"] == pytest.approx(1e6 / found["latency_us_per_inference"])


def test_headroom_by_hand():
    # Core 0 takes 5 x 20 ns to update its neurons; all five send a message of 4 ns on the link, 1 + 10 at synapses.
    chip = place_by_hand(
        [(0, 0), (1, 0)], [(i, 5) for i in range(5)], core=[0] * 5 + [1], time_neuron_inactive_ns=20,
        time_neuron_active_ns=20,
    )  # fmt: skip
    trace = spikes(2, (0, 0), *((1, i) for i in range(5)))
    report = simulate_noc(with_cost(chip), [trace], HOPS).report()
    assert report["headroom_link_factor"] == pytest.approx(100 / (5 * 4))
    assert report["headroom_core_factor"] == pytest.approx(100 / (5 * 11)) == report["headroom_factor"]
    assert (report["headroom_link"], report["headroom_bottleneck"]) == ("link (0, 0) east", "core 1 synapses")
    assert report["headroom_of"] == "generation of the slowest core"
    assert report["headroom_realtime_factor"] == pytest.approx((1e6 - 100) / 55)
    assert report["headroom_realtime_bottleneck"] == "core 1 synapses"
    report = simulate_noc(chip, [trace], HOPS, step_ns=1100).report()
    assert report["headroom_core_factor"] == pytest.approx(1000 / 55) and "step of 1100 ns" in report["headroom_of"]
    silent = simulate_noc(chip, [spikes(2)], HOPS).report()
    assert (silent["headroom_factor"], silent["headroom_bottleneck"]) == (None, "none")


def test_activity_beyond_the_headroom_makes_the_step_longer():
    def step(copies, n=8):
        chip = place_by_hand(
            [(0, 0), (1, 0)], [(i, n * copies) for i in range(n * copies)], core=[0] * n * copies + [1],
            time_neuron_inactive_ns=200 / copies, time_neuron_active_ns=200 / copies,
        )  # fmt: skip
        report = simulate_noc(with_cost(chip), [spikes(1, *((0, i) for i in range(n * copies)))], HOPS).report()
        return report["step_ns_mean"] - 100 - 1600, report["headroom_factor"]

    # 1600 ns of updates whatever the activity; each message takes 11 ns at the receiving core.
    assert step(1)[1] == pytest.approx(1600 / 88)
    assert step(16) == (pytest.approx(4 + 2 + 11), pytest.approx(1600 / (16 * 88)))
    late, room = step(40)
    assert room < 1 and late > 40 * 88 - 1600


def test_distribution_over_inferences_and_messages():
    chip = with_cost(place_by_hand([(0, 0), (3, 0)], [(0, 1)]))
    traces = [spikes(4, *((t, 0) for t in range(k))) for k in range(5)]
    result = simulate_noc(chip, traces, HOPS)
    report = result.report()
    way = 3 * 4 + 2 + 11
    assert result.inference_us.tolist() == pytest.approx([(400 + way * k) * 1e-3 for k in range(5)])
    assert report["latency_us_per_inference_p50"] == pytest.approx(0.4 + 2e-3 * way)
    assert report["latency_us_per_inference_max"] == pytest.approx(0.4 + 4e-3 * way)
    assert report["latency_us_without_network"] == pytest.approx(0.4)
    assert report["message_latency_ns_p99"] == report["message_latency_ns_mean"] == way
    assert report["message_network_ns_max"] == way - 11
    assert [row["link"] for row in result.links()] == [f"link ({x}, 0) east" for x in range(3)]
    assert result.links()[0]["messages_per_inference"] == 2
    assert result.links()[0]["utilisation"] == pytest.approx(10 * 4 / result.step_ns.sum())
    json.dumps(report, allow_nan=False)
    estimate = simulate_noc(chip, traces, HOPS, timing="queue").report()
    assert estimate["latency_us_per_inference"] == pytest.approx(report["latency_us_per_inference"])
    assert estimate["message_latency_ns_mean"] == pytest.approx(way)
    json.dumps(estimate, allow_nan=False)


def test_figures_name_their_sources():
    chip = compile(_network(), "loihi2")
    report = chip.simulate([Trace.of(chip.flat, {"in": np.ones((20, 6), bool)})]).report()
    assert report["energy_source"].startswith("inherited") and report["time_source"].startswith("inherited")
    assert report["noc_hop_source"].startswith("inherited: Davies 2018")
    assert (report["noc_hop_ew_ns"], report["noc_hop_ns_ns"], report["noc_buffer_depth"]) == (4.1, 6.5, 4)
    settings = NocSettings(hop_ew_ns=1.0, hop_ns_ns=1.0)
    report = chip.simulate([Trace.of(chip.flat, {"in": np.ones((20, 6), bool)})], settings).report()
    assert report["noc_hop_source"] == "user"


def _network():
    from .conftest import make_network

    return make_network()


@pytest.mark.parametrize(
    ("error", "words", "traces", "how"),
    [
        (ConfigError, "unknown timing 'flits'; known: noc, queue", [spikes(2)], {"timing": "flits"}),
        (DataError, "at least one and of one length, got lengths \\[\\]", [], {}),
        (DataError, "got lengths \\[2, 3\\]", [spikes(2), spikes(3)], {}),
        (DataError, "names neuron 1, the network has neurons 0 to 0", [spikes(2, (0, 1))], {}),
        (ConfigError, "longer than the barrier of 100 ns, got 99", [spikes(2)], {"step_ns": 99}),
    ],
)
def test_refusals(error, words, traces, how):
    with pytest.raises(error, match=words):
        simulate_noc(with_cost(place_by_hand([(0, 0)], [(0, 0)])), traces, HOPS, **how)


def small(**settings):
    model = spsnn.SpSNN([5, 9, 3], spsnn.Euclidean(2), grid=spsnn.Grid(dt=1.0), weight_mean=2.0, **settings)
    rng = np.random.default_rng(0)
    samples = [(rng.permutation(30)[:8].astype(float), rng.integers(0, 5, 8)) for _ in range(7)]
    return model, spsnn.SpikeBatch.from_samples(samples, 5, 30.0)


@pytest.mark.parametrize(
    "settings", [{}, {"recurrent": True}, {"bias": True}, {"engine": "event", "readout": "first_spike"}]
)
def test_recorded_traces_have_the_measured_rates(settings):
    model, events = small(**settings)
    network = spsnn.to_graph(model, events)
    chip = compile(network, "mesh")
    traces = spsnn.record_trace(model, events, chip.flat, batch_size=3)
    assert len(traces) == 7 and {t.n_steps for t in traces} == {30}
    rates = np.mean([t.counts(chip.flat.n) for t in traces], 0)
    # In continuous time a neuron may spike twice within a step.
    assert (rates <= chip.flat.rates + 1e-6).all() and rates.sum() > 0.95 * chip.flat.rates.sum()
    assert "engine" in settings or rates == pytest.approx(chip.flat.rates)
    assert rates[chip.flat.members("hidden1")].sum() > 1
    assert chip.simulate(traces).report()["traces"] == 7


def test_recorded_steps_are_those_of_the_spikes():
    model, events = small()
    chip = compile(spsnn.to_graph(model, events), "mesh")
    trace = spsnn.record_trace(model, events, chip.flat)[2]
    spikes = model.eval()(events[2]).spikes[0]
    member = chip.flat.members("hidden1")
    for i in range(9):
        found = trace.step[trace.neuron == member.start + i]
        assert np.array_equal(found, spikes.steps[spikes.ptr[0, i] : spikes.ptr[0, i + 1]])
    inputs = trace.neuron < 5
    assert np.array_equal(trace.step[inputs], np.sort(events[2].times.astype(int)))


def test_traces_of_another_graph_are_refused():
    model, events = small()
    other = spsnn.SpSNN([5, 8, 3], spsnn.Euclidean(2), grid=spsnn.Grid(dt=1.0))
    chip = compile(spsnn.to_graph(other, events), "mesh")
    with pytest.raises(DataError, match="not that of the model"):
        spsnn.record_trace(model, events, chip.flat)


def test_partial_sums_of_split_crossbars_are_delivered(build):
    target = load_target(
        "crossbar", energy_synaptic_op_pj=1.0, energy_merge_pj=1.0, crossbar_rows=8, crossbar_columns=4
    )
    chip = compile(build(), target)
    rng = np.random.default_rng(1)
    trace = Trace.of(chip.flat, {"in": rng.random((20, 6)) < 0.3, "hidden": rng.random((20, 12)) < 0.2})
    result = chip.simulate([trace])
    report = result.report()
    assert report["count_merge"] > 0
    assert result.deliveries.sum() == report["count_axon_in"] + report["count_merge"]
    assert report["latency_us_per_inference"] > report["latency_us_without_network"]
