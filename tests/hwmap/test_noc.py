"""The simulated network on the chip, every nanosecond counted by hand; then what must hold for any traffic."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spsnn.errors import ConfigError
from spsnn.hwmap.cost import barrier_ns
from spsnn.hwmap.cost.route import route
from spsnn.hwmap.noc import NocModel, run_trace
from spsnn.hwmap.noc.model import NocSettings
from spsnn.hwmap.traffic.trace import Trace

from .noc_nets import place_by_hand, spikes
from .noc_plain import plain_step

HOPS = {"hop_ew_ns": 4, "hop_ns_ns": 6}


def simulate(chip, trace, **how):
    model = NocModel(chip, NocSettings(**(HOPS | how)))
    return model, run_trace(model, trace)


def link(chip, x, y, direction):
    return 4 * (y * chip.target.mesh_width + x) + "ewns".index(direction)


def test_one_message_over_three_hops():
    chip = place_by_hand([(0, 0), (2, 1)], [(0, 1)])
    _, run = simulate(chip, spikes(1, (0, 0)))
    assert run.arrived_ns.tolist() == [4 + 4 + 6 + 2]
    assert run.done_ns.tolist() == [16 + 1 + 10]
    assert run.step_ns.tolist() == [27 + 100]
    assert [run.busy_ns[link(chip, *at)] for at in ((0, 0, "e"), (1, 0, "e"), (2, 0, "n"))] == [4, 4, 6]
    assert run.served[:64].sum() == 3 and not run.waited_ns.any()


def test_flits_follow_at_the_pace_of_the_slowest_link():
    chip = place_by_hand([(0, 0), (2, 1)], [(0, 1)])
    _, run = simulate(chip, spikes(1, (0, 0)), flits=3)
    assert run.arrived_ns.tolist() == [16 + 2 * 6]
    assert run.done_ns.tolist() == [28 + 11]
    # The port to the core takes 2 ns a flit but waits for flits that come every 6 ns.
    assert run.busy_ns[link(chip, 2, 0, "n")] == 3 * 6
    assert run.busy_ns[64 + 1] == 2 + 2 * 6


def test_two_messages_contend_for_one_link():
    # From the west and from the south to (1, 1), both there at 4 ns, on to (1, 2) over the same link.
    chip = place_by_hand([(0, 1), (1, 0), (1, 2)], [(0, 2), (1, 2)])
    _, run = simulate(chip, spikes(1, (0, 0), (0, 1)), hop_ns_ns=4)
    first, second = sorted(run.arrived_ns.tolist())
    assert (first, second) == (4 + 4 + 2, 8 + 4 + 2)
    assert run.waited_ns[link(chip, 1, 1, "n")] == 4
    assert run.occupancy[[link(chip, 0, 1, "e"), link(chip, 1, 0, "n")]].tolist() == [1, 1]
    # Synapses are served one message at a time: 10 + 11, then 14 + 11 has to wait for 21.
    assert sorted(run.done_ns.tolist()) == [21, 32]


def test_links_are_shared_in_turn():
    # Four messages of the core at (1, 0) stand at the link to (2, 0) when two from (0, 0) come along.
    core = [0, 0, 1, 1, 1, 1, 2]
    chip = place_by_hand([(0, 0), (1, 0), (2, 0)], [(i, 6) for i in range(6)], core=core)
    _, run = simulate(chip, spikes(1, *((0, i) for i in range(6))), receive_depth=9)
    order = [core[run.pair[k]] for k in np.argsort(run.arrived_ns)]
    assert order == [1, 0, 1, 0, 1, 1]
    assert sorted(run.arrived_ns.tolist()) == [6, 10, 14, 18, 22, 26]


def test_backpressure_with_buffers_of_one():
    core = [0, 0, 0, 1]
    chip = place_by_hand([(0, 0), (2, 0)], [(0, 3), (1, 3), (2, 3)], core=core, time_axon_in_ns=90)
    _, run = simulate(chip, spikes(1, (0, 0), (0, 1), (0, 2)), buffer_depth=1, receive_depth=1)
    # 1st: links 0-4-8, port 8-10, synapses 10-110.  2nd: first link 8-12 (its buffer is free at 8), second 12-16, and
    # the core has room at 110: port 110-112, synapses 112-212.  3rd: 16-20, second link 112-116, port 212-214.
    assert run.arrived_ns.tolist() == [10, 112, 214]
    assert run.done_ns.tolist() == [110, 212, 314]
    # The core comes to its 3rd neuron at 4, when the 2nd message has entered, and is held up until 12.
    assert run.ready_ns.tolist() == run.due_ns.tolist() == [0, 0, 4]
    assert run.network_ns.tolist() == [10, 112, 210]
    assert run.waited_ns[-3] == 4 + 8
    assert run.occupancy.max() == 1
    _, deep = simulate(chip, spikes(1, (0, 0), (0, 1), (0, 2)), buffer_depth=3, receive_depth=3)
    assert deep.arrived_ns.tolist() == [10, 14, 18] and deep.done_ns.tolist() == [110, 210, 310]


def test_messages_of_one_spike_are_due_at_once():
    synapses = [(0, 2), (0, 3), (0, 4), (1, 2)]
    chip = place_by_hand([(0, 0), (1, 0), (2, 0), (3, 0)], synapses, core=[0, 0, 1, 2, 3], multicast=False,
                         time_axon_out_ns=1)  # fmt: skip
    _, run = simulate(chip, spikes(1, (0, 0), (0, 1)), buffer_depth=1)
    # The first link starts when the one before has left the buffer behind it: to the port at 7, to the next link at 15
    # and at 23.  So messages leave the core at 1-5, 7-11, 15-19 and 23-27, each enters when the one before has left,
    # and the core goes on with the next, which takes 1 ns.
    assert run.ready_ns.tolist() == [1, 2, 5 + 1, 11 + 1] and run.due_ns.tolist() == [1, 2, 3, 12]
    assert run.arrived_ns.tolist() == [5 + 2, 11 + 4 + 2, 19 + 8 + 2, 27 + 2]
    assert run.network_ns.tolist() == [6, 15, 26, 17]


def test_a_multicast_message_forks():
    chip = place_by_hand([(0, 0), (1, 0), (2, 0), (1, 1)], [(0, 1), (0, 2), (0, 3)], multicast=True)
    model, run = simulate(chip, spikes(1, (0, 0)))
    assert dict(zip(model.pair_core[run.pair].tolist(), run.arrived_ns.tolist(), strict=True)) == {1: 6, 2: 10, 3: 12}
    assert run.served[:64].sum() == 3 and len(run.ready_ns) == 1
    # Unicast sends three messages over the first link.
    chip = place_by_hand([(0, 0), (1, 0), (2, 0), (1, 1)], [(0, 1), (0, 2), (0, 3)], multicast=False)
    model, run = simulate(chip, spikes(1, (0, 0)))
    assert dict(zip(model.pair_core[run.pair].tolist(), run.arrived_ns.tolist(), strict=True)) == {1: 6, 2: 14, 3: 20}
    assert run.served[:64].sum() == 1 + 2 + 2


def test_a_held_up_branch_does_not_hold_up_the_other():
    # The core at (1, 0) is busy with a first message; the second goes on to (2, 0) at once.
    synapses = [(0, 2), (1, 2), (1, 3)]
    chip = place_by_hand([(0, 0), (1, 0), (2, 0)], synapses, core=[0, 0, 1, 2], multicast=True, time_axon_in_ns=90)
    model, run = simulate(chip, spikes(1, (0, 0), (0, 1)), receive_depth=1)
    arrived = {(int(model.pair_neuron[p]), int(model.pair_core[p])): t for p, t in zip(run.pair, run.arrived_ns)}  # noqa: B905
    assert arrived == {(0, 1): 6, (1, 1): 106 + 2, (1, 2): 8 + 4 + 2}


def test_generation_in_the_order_of_neurons():
    figures = {
        "time_neuron_active_ns": 3,
        "time_neuron_inactive_ns": 2,
        "time_spike_out_ns": 4,
        "time_axon_out_ns": 5,
        "barrier_all_tiles_ns": 130,
    }
    chip = place_by_hand([(0, 0), (1, 0)], [(0, 3), (2, 3), (1, 0)], core=[0, 0, 0, 1], size=(4, 1), **figures)
    # Neuron 1 spikes in step 0 and reaches neuron 0 of its own core, which step 1 updates as active.
    model, run = simulate(chip, spikes(3, (0, 1), (1, 0), (1, 2)))
    # Step 0: neuron 0 2, neuron 1 2 + 4 + 5 = ready at 13, neuron 2 2.
    # Step 1: neuron 0 3 + 4 + 5 = ready at 12, neuron 1 2, neuron 2 2 + 4 + 5 = ready at 25; neuron 3 on core 1.
    assert run.ready_ns.tolist() == [13, 12, 25]
    assert run.arrived_ns.tolist() == [13 + 2, 12 + 6, 25 + 6]
    assert run.messages.floor.tolist() == [15, 25, 6]
    barrier = 100 + 30 / 3
    assert barrier_ns(model.target, 2) == barrier
    # Step 2: both spikes of step 1 have reached neuron 3, but three idle updates take longest.
    assert run.step_ns.tolist() == [26 + barrier, 42 + barrier, 6 + barrier]
    assert run.step_end_ns.tolist() == [136, 136 + 152, 136 + 152 + 116]


def test_delays_move_the_active_update():
    chip = place_by_hand([(0, 0), (1, 0)], [(0, 1)], delay=2, time_neuron_active_ns=50, time_neuron_inactive_ns=1)
    _, run = simulate(chip, spikes(5, (1, 0)))
    assert run.messages.floor.tolist() == [1, 1, 1, 50, 1]


def test_the_host_sends_through_its_port():
    chip = place_by_hand([(1, 0)], [(0, 2), (1, 2)], inputs=2)
    _, run = simulate(chip, spikes(1, (0, 0), (0, 1)))
    assert run.ready_ns.tolist() == [0, 0] and run.arrived_ns.tolist() == [6, 10]
    _, run = simulate(chip, spikes(1, (0, 0), (0, 1)), buffer_depth=1)
    assert run.ready_ns.tolist() == [0, 0] and run.due_ns.tolist() == [0, 0] and run.arrived_ns.tolist() == [6, 12]
    _, run = simulate(chip, spikes(1, (0, 0), (0, 1)), host_gap_ns=7)
    assert run.ready_ns.tolist() == [7, 14] and run.arrived_ns.tolist() == [13, 20]


def test_a_silent_trace():
    chip = place_by_hand([(0, 0), (1, 0)], [(0, 1)], time_neuron_inactive_ns=3)
    _, run = simulate(chip, spikes(2))
    assert run.step_ns.tolist() == [103, 103] and run.events == 0


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"flits": 0}, "flits must be a whole number >= 1, got 0"),
        ({"buffer_depth": 1.5}, "buffer_depth must be a whole number"),
        ({"hop_ew_ns": -1.0}, "hop_ew_ns must be a finite time >= 0"),
        ({"hop_ew_ns": 0.0}, "gives no time of a hop"),
    ],
)
def test_settings_are_checked(how, words):
    chip = place_by_hand([(0, 0)], [(0, 0)])
    with pytest.raises(ConfigError, match=words):
        simulate(chip, spikes(1), **how)


@st.composite
def traffic(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    width, height = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    per_tile = draw(st.integers(1, 3))
    n_cores = draw(st.integers(1, min(8, width * height * per_tile)))
    slots = rng.permutation(width * height * per_tile)[:n_cores]
    tiles = sorted((int(s // per_tile % width), int(s // per_tile // width)) for s in slots)
    inputs, n = draw(st.integers(0, 4)), draw(st.integers(n_cores, 20))
    core = np.concatenate([np.arange(n_cores), rng.integers(0, n_cores, n - n_cores)])
    synapses = np.argwhere(rng.random((inputs + n, n)) < draw(st.sampled_from([0.05, 0.3, 1.0])))
    synapses[:, 1] += inputs
    n_steps = draw(st.integers(1, 4))
    step, neuron = np.nonzero(rng.random((n_steps, inputs + n)) < draw(st.sampled_from([0.1, 0.5, 1.0])))
    trace = Trace(step, neuron, n_steps)
    chip = place_by_hand(
        tiles, synapses, core=core, inputs=inputs, size=(width, height), cores_per_tile=per_tile,
        rates=trace.counts(inputs + n).astype(float), multicast=draw(st.booleans()), delay=draw(st.integers(0, 2)),
        time_neuron_active_ns=draw(st.integers(0, 9)), time_axon_in_ns=draw(st.integers(0, 40)),
    )  # fmt: skip
    how = {name: draw(st.integers(1, 3)) for name in ("flits", "buffer_depth", "receive_depth")}
    return chip, trace, how, slots


@settings(max_examples=80, deadline=None)
@given(traffic())
def test_any_traffic(case):
    chip, trace, how, _ = case
    model, run = simulate(chip, trace, **how)
    flat, partition = chip.flat, chip.partition
    # Each message is delivered exactly once to each core that its neuron reaches, and nobody else.
    sent = {}
    for step, neuron in zip(trace.step.tolist(), trace.neuron.tolist(), strict=True):
        for core in np.flatnonzero(partition.reached[neuron]).tolist():
            sent[step, neuron, core] = sent.get((step, neuron, core), 0) + 1
    steps = run.messages.step[run.message].tolist()
    got = list(zip(steps, model.pair_neuron[run.pair].tolist(), model.pair_core[run.pair].tolist(), strict=True))
    assert len(got) == len(set(got)) and set(got) == set(sent) and set(sent.values()) <= {1}
    assert np.isfinite(run.done_ns).all() and np.isfinite(run.arrived_ns).all() and np.isfinite(run.ready_ns).all()
    engines = run.served[model.engine : model.inject]
    assert np.array_equal(engines, trace.counts(flat.n) @ partition.reached)
    # Links carry what the routes of the mapper say.
    assert np.array_equal(run.served[: model.eject], chip.routing.link_load.ravel())
    # Never faster than an empty network, never more in a buffer than it holds, never busier than the time there is.
    assert (run.network_ns >= model.travel[run.pair] - 1e-9).all()
    assert (run.done_ns >= run.arrived_ns + model.service[run.pair] - 1e-9).all()
    assert (run.occupancy <= model.net[1]).all()
    assert (run.busy_ns <= run.step_ns.sum() + 1e-6).all()
    assert (run.waited_ns >= 0).all()
    flits = how["flits"]
    assert (run.busy_ns[: model.eject] >= flits * model.net[0][: model.eject] * run.served[: model.eject] - 1e-6).all()
    # Steps end when all is done.
    last = run.messages.floor.copy()
    np.maximum.at(last, np.array(steps, int), run.done_ns)
    assert (run.step_ns - barrier_ns(model.target, len(np.unique(model.core_tile))) >= last - 1e-9).all()


@settings(max_examples=40, deadline=None)
@given(traffic())
def test_without_contention_a_message_takes_the_sum_of_its_way(case):
    chip, trace, how, _ = case
    if not len(trace.step):
        return
    alone = Trace(trace.step[:1], trace.neuron[:1], trace.n_steps)
    chip.target = chip.target.model_copy(update={"multicast": True})
    model, run = simulate(chip, alone, **how)
    tile = model.core_tile[model.pair_core[run.pair]]
    x, y = tile % chip.target.mesh_width, tile // chip.target.mesh_width
    neuron = int(trace.neuron[0])
    core = chip.partition.core[neuron]
    at = chip.routing.core_tile[core] if core >= 0 else np.array(chip.target.port)
    ew, ns = abs(x - at[0]), abs(y - at[1])
    slowest = np.where(ns > 0, 6, np.where(ew > 0, 4, 2))
    assert run.network_ns == pytest.approx(4 * ew + 6 * ns + 2 + (how["flits"] - 1) * slowest)


@settings(max_examples=15, deadline=None)
@given(traffic())
def test_runs_are_repeated_exactly(case):
    chip, trace, how, _ = case
    first, second = (simulate(chip, trace, **how)[1] for _ in range(2))
    assert np.array_equal(first.done_ns, second.done_ns) and np.array_equal(first.step_ns, second.step_ns)


def test_routes_are_those_of_the_mapper():
    rng = np.random.default_rng(1)
    synapses = np.argwhere(rng.random((12, 12)) < 0.4)
    tiles = [(x, y) for y in range(3) for x in range(4)]
    for multicast in (False, True):
        chip = place_by_hand(tiles, synapses, rates=np.ones(12), multicast=multicast)
        model = NocModel(chip, NocSettings(**HOPS))
        slots = [y * 4 + x for x, y in tiles]
        loads = route(chip.flat, chip.target, chip.partition, slots).link_load.ravel()
        found = np.zeros(model.eject)
        for root, end in zip(model.entry_root, model.entry_end, strict=True):
            channels = model.tree[0][root + 1 : end]
            np.add.at(found, channels[channels < model.eject], 1)
        assert np.array_equal(found, loads)


@settings(max_examples=60, deadline=None)
@given(traffic())
def test_the_plain_simulation_agrees(case):
    chip, trace, how, _ = case
    model, run = simulate(chip, trace, **how)
    steps = run.messages.step[run.message]
    barrier = barrier_ns(model.target, len(np.unique(model.core_tile)))
    waits = np.zeros(model.inject)
    for t in range(trace.n_steps):
        spiking = set(trace.neuron[trace.step == t].tolist())
        active = set()
        for neuron, delay, post in zip(chip.flat.pre, model.delays, chip.flat.post, strict=True):
            if (t - max(delay, 1), neuron) in set(zip(trace.step.tolist(), trace.neuron.tolist(), strict=True)):
                active.add(int(post))
        results, length, flow = plain_step(chip, model.settings, (4, 6), spiking, active)
        assert run.step_ns[t] - barrier == pytest.approx(length)
        at = np.flatnonzero(steps == t)
        keys = zip(model.pair_neuron[run.pair[at]].tolist(), model.pair_core[run.pair[at]].tolist(), strict=True)
        found = {key: (run.arrived_ns[k], run.done_ns[k]) for key, k in zip(keys, at, strict=True)}
        assert found.keys() == results.keys()
        for key, times in results.items():
            assert found[key] == pytest.approx(times)
        waits += [wait for wait, _ in flow.values()]
    assert run.waited_ns[: model.inject] == pytest.approx(waits)


def test_partial_sums_travel_in_the_step_of_their_arrival():
    # The synapses of neuron 2 from 0 lie on core 1, a helper two tiles away from its home, core 2.
    chip = place_by_hand(
        [(0, 0), (1, 0), (3, 0)], [(0, 2), (1, 2)], synapse_core={(0, 2): 1, (1, 2): 2}, delay=2, time_merge_ns=5,
        multicast=True,
    )  # fmt: skip
    model, run = simulate(chip, spikes(4, (0, 0), (0, 1)))
    assert model.pair_neuron[run.pair].tolist() == [0, 1, 3] and model.pair_core[run.pair].tolist() == [1, 2, 2]
    assert run.messages.step[run.message].tolist() == [0, 0, 2]
    assert run.arrived_ns.tolist() == [4 + 2, 8 + 2, 8 + 2]
    assert run.done_ns.tolist() == [6 + 11, 10 + 11, 10 + 5]
    assert run.step_ns.tolist() == [121, 100, 115, 100]


def test_links_between_chips_have_their_own_time():
    chip = place_by_hand([(0, 0), (3, 0)], [(0, 1)], chips=(2, 1), size=(4, 4), time_chip_link_ns=50,
                         energy_chip_link_pj=1)  # fmt: skip
    _, run = simulate(chip, spikes(1, (0, 0)))
    assert run.arrived_ns.tolist() == [4 + 50 + 4 + 2]
