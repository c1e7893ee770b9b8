"""The queueing model against theory, a plain simulation of one queue, and the simulated network on the chip."""

import math

import numpy as np
import pytest

from spsnn.hwmap.noc import NocModel, run_messages, run_trace
from spsnn.hwmap.noc.model import NocSettings
from spsnn.hwmap.noc.queueing import bridge_table, estimate_trace
from spsnn.hwmap.traffic.trace import Trace
from spsnn.kernels.cpu.queueing import SPACING, _wait

from .noc_nets import place_by_hand, spikes

DEEP = {"hop_ew_ns": 4, "hop_ns_ns": 6, "buffer_depth": 1000, "receive_depth": 1000}


def test_the_table_at_zero_and_far_out():
    table = bridge_table()
    # d = 0: int sqrt(t (1 - t)) dt / sqrt(2 pi) = sqrt(2 pi) / 16, and sqrt(pi / 8) (1/2 + odd part) = sqrt(2 pi) / 8.
    assert table[0] == pytest.approx(3 / 16 * math.sqrt(2 * math.pi), rel=1e-6)
    far = SPACING * (len(table) - 1)
    assert table[-1] == pytest.approx((1 - 1.5 / far**2) / (2 * far), rel=1e-3)
    assert (np.diff(table) < 0).all()


@pytest.mark.parametrize("rho", [0.1, 0.5, 0.9])
def test_many_random_messages_wait_as_in_m_d_1(rho):
    n, s = 1e7, 4.0
    wait, _ = _wait(n, s, s * s, 1.0, n * s / rho, bridge_table())
    assert wait == pytest.approx(rho * s / (2 * (1 - rho)), rel=2e-3)  # Pollaczek-Khinchine


def test_unequal_service_waits_as_in_m_g_1():
    first, second, rho, n = 3.0, 20.0, 0.6, 1e7
    wait, _ = _wait(n, first, second, 1.0, n * first / rho, bridge_table())
    assert wait == pytest.approx(rho * second / first / (2 * (1 - rho)), rel=2e-3)


def test_a_batch_and_an_overload():
    wait, left = _wait(50, 4.0, 16.0, 50, 0.0, bridge_table())
    assert (wait, left) == (pytest.approx(49 * 4 / 2), pytest.approx(49 * 4))
    # Twice as much as can be served: a backlog that grows to 5000 messages.
    wait, left = _wait(1e4, 4.0, 16.0, 1.0, 2e4, bridge_table())
    assert (wait, left) == (pytest.approx(1e4, rel=0.01), pytest.approx(2e4, rel=0.01))


@pytest.mark.parametrize("n", [5, 30, 200])
@pytest.mark.parametrize("rho", [0.3, 0.8, 1.0, 1.5])
def test_random_messages_of_one_window(n, rho):
    # Lindley's recursion over sorted uniform times.
    rng = np.random.default_rng(0)
    window = n / rho
    times = np.sort(rng.uniform(0, window, (4000, n)), 1)
    wait, total = np.zeros(4000), 0.0
    for k in range(1, n):
        wait = np.maximum(wait + 1 - (times[:, k] - times[:, k - 1]), 0)
        total += wait.mean()
    found, _ = _wait(n, 1.0, 1.0, 1.0, window, bridge_table())
    # Messages are whole: the continuous process waits too long for few of them, by less than a third of a service.
    assert n >= 30 or total / n - 0.02 <= found <= total / n + 0.35
    assert n < 30 or found == pytest.approx(total / n, rel=0.08)


def crowd(rho, cores=40, neurons=500, rate=0.01, steps=40):
    """Many cores on one tile send over one link of 4 ns at random; the last core receives."""
    n = cores * neurons
    gap = cores * rate * 4 / rho / (1 + 0.7 * rate)  # a spike takes its core out of step with the others
    chip = place_by_hand(
        [(0, 0)] * cores + [(1, 0)] * cores, [(i, n + i // neurons) for i in range(n)],
        core=np.concatenate([np.repeat(np.arange(cores), neurons), cores + np.arange(cores)]), size=(2, 1),
        cores_per_tile=cores, time_neuron_active_ns=gap, time_neuron_inactive_ns=gap, time_spike_out_ns=0.7 * gap,
        time_synaptic_op_ns=0, time_axon_in_ns=0, time_within_tile_ns=0.5,
    )  # fmt: skip
    step, neuron = np.nonzero(np.random.default_rng(0).random((steps, n)) < rate)
    return chip, Trace(step, neuron, steps)


@pytest.mark.parametrize("rho", [0.3, 0.6, 0.9])
def test_the_simulation_agrees_with_theory_on_a_shared_link(rho):
    chip, trace = crowd(rho)
    model = NocModel(chip, NocSettings(**DEEP))
    run = run_trace(model, trace)
    wait = run.waited_ns[0] / run.served[0]
    steady = rho * 4 / (2 * (1 - rho))
    if rho < 0.9:
        assert wait == pytest.approx(steady, rel=0.15)
    else:  # 240 messages do not reach the steady state
        assert wait < steady
    queues = estimate_trace(model, run.messages)
    assert queues.waited_ns[0] / queues.served[0] == pytest.approx(wait, rel=0.15)
    assert queues.step_ns.mean() == pytest.approx(run.step_ns.mean(), rel=0.02)
    assert queues.network_ns == pytest.approx(run.network_ns.mean(), rel=0.1)


@pytest.mark.parametrize("rho", [0.4, 0.8, 1.5])
def test_the_simulation_agrees_with_theory_on_a_busy_core(rho, cores=40, neurons=500, rate=0.01, steps=40):
    # All send to one core, whose synaptic unit takes 4 or 8 ns a message, over links of 0.1 ns.
    n = cores * neurons
    second = (4**2 + 8**2) / 2 / 6
    gap = cores * rate * 6 / rho / (1 + 0.7 * rate)
    synapses = [(i, n) for i in range(n)] + [(i, n + 1) for i in range(0, n, 2)]
    chip = place_by_hand(
        [(0, 0)] * cores + [(1, 0)], synapses, core=np.append(np.repeat(np.arange(cores), neurons), [cores, cores]),
        size=(2, 1), cores_per_tile=cores, time_neuron_active_ns=gap, time_neuron_inactive_ns=gap,
        time_spike_out_ns=0.7 * gap, time_synaptic_op_ns=4, time_axon_in_ns=0, time_within_tile_ns=0.1,
    )  # fmt: skip
    step, neuron = np.nonzero(np.random.default_rng(0).random((steps, n)) < rate)
    model = NocModel(chip, NocSettings(hop_ew_ns=0.1, hop_ns_ns=0.1, buffer_depth=1000, receive_depth=1000))
    run = run_trace(model, Trace(step, neuron, steps))
    wait = run.waited_ns[model.engine + cores] / len(run.pair)
    if rho < 0.5:
        assert wait == pytest.approx(rho * second / (2 * (1 - rho)), rel=0.1)  # M/G/1
    queues = estimate_trace(model, run.messages)
    assert queues.waited_ns[model.engine + cores] / len(run.pair) == pytest.approx(wait, rel=0.12)
    assert queues.latency_ns == pytest.approx(run.latency_ns.mean(), rel=0.12)
    assert queues.step_ns.mean() == pytest.approx(run.step_ns.mean(), rel=0.02)


def test_no_contention_no_wait():
    chip = place_by_hand([(0, 0), (2, 1)], [(0, 1)])
    model = NocModel(chip, NocSettings(**DEEP))
    run = run_trace(model, spikes(2, (0, 0)))
    queues = estimate_trace(model, run.messages)
    assert queues.step_ns.tolist() == run.step_ns.tolist() == [127, 100]
    assert (queues.network_ns, queues.latency_ns) == (16, 27)
    assert np.array_equal(queues.served[: model.engine], run.served[: model.engine]) and not queues.waited_ns.any()


def test_a_chain_of_equal_links_makes_messages_wait_only_once():
    core = [0] * 20 + [1]
    chip = place_by_hand([(0, 0), (3, 0)], [(i, 20) for i in range(20)], core=core, time_synaptic_op_ns=0)
    model = NocModel(chip, NocSettings(**DEEP))
    run = run_messages(model, model.messages(spikes(1, *((0, i) for i in range(20)))))
    queues = estimate_trace(model, run.messages)
    assert run.waited_ns[:8].tolist() == queues.waited_ns[:8].tolist() == [4 * 190, 0, 0, 0, 0, 0, 0, 0]
    assert queues.step_ns[0] == pytest.approx(run.step_ns[0])


def test_a_silent_trace():
    chip = place_by_hand([(0, 0), (1, 0)], [(0, 1)])
    model = NocModel(chip, NocSettings(**DEEP))
    queues = estimate_trace(model, model.messages(spikes(2)))
    assert queues.step_ns.tolist() == [100, 100] and queues.latency_ns == 0
