"""The event engine forward: spike times against the oracle and closed forms, ties, limits, buffers."""

import math

import numba
import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.special import lambertw

import spsnn
from spsnn import CapacityError, ConfigError
from spsnn.autograd import events as engine
from spsnn.autograd.population import Grid, run_population
from spsnn.autograd.spikes import Spikes
from spsnn.functional import nth_spike, potential_integral, simulate_events
from spsnn.kernels.cpu.lif import next_crossing
from spsnn.kernels.reference import events as reference

from .nets import batch_of

LIF = {"tau_mem": 12.0, "tau_syn": 4.0, "threshold": 1.0, "v_reset": 0.0}


def double(x):
    return torch.as_tensor(np.array(x), dtype=torch.float64)


def network(seed, n_inputs=4, n=6, shortest=1e-3):
    """``(times, units, weight, delay)`` of a recurrent network with self-loops."""
    rng = np.random.default_rng([seed, 5])
    weight = np.concatenate([rng.normal(1.5, 1.2, (n_inputs, n)), rng.normal(0, 0.8, (n, n))])
    delay = rng.uniform(shortest, 4, (n_inputs + n, n))
    return rng.uniform(0, 30, 14), rng.integers(0, n_inputs, 14), weight, delay


def single(weight, delay=0.0, times=(0.0,), t_end=40.0, **changes):
    """Spike times of one neuron that has one input unit and no self-loop."""
    w, d = double([[weight], [0.0]]), double([[delay], [0.0]])
    t = double(times)
    return simulate_events(t, torch.zeros(len(t), dtype=torch.int64), w, d, **{**LIF, **changes}, t_end=t_end)[0]


@pytest.mark.parametrize("taus", [(12.0, 4.0), (5.0, 15.0), (8.0, 4.0)])
@pytest.mark.parametrize("v_reset", [0.0, -0.4])
def test_spike_times_are_those_of_the_oracle(taus, v_reset):
    total = 0
    for seed in range(3):
        t, u, w, d = network(seed)
        keys = {"tau_mem": taus[0], "tau_syn": taus[1], "threshold": 1.0, "v_reset": v_reset}
        inputs = [(list(zip(t, u, strict=True)), w[:4], d[:4])]
        want = reference.simulate_events(inputs, 6, 45.0, (w[4:], d[4:]), **keys)
        times, units = simulate_events(double(t), torch.from_numpy(u), double(w), double(d), **keys, t_end=45.0)
        assert units.tolist() == [j for _, j in want]
        assert np.allclose(times, [x for x, _ in want], rtol=0, atol=1e-9)
        total += len(want)
    assert total > 20


def test_first_spike_in_closed_form():
    """One arrival at ``d``, weight 5: y - y^2 = 1 / 5 for tau_mem = 2 tau_syn, s exp(-s) = 1 / 5 for equal ones."""
    y = (1 + math.sqrt(1 - 4 / 5.0)) / 2
    assert single(5.0, 3.0, tau_mem=12.0, tau_syn=6.0)[0].item() == pytest.approx(3 - 12 * math.log(y), rel=1e-13)
    s = -lambertw(-1 / 5.0).real
    assert single(5.0, 3.0, tau_mem=9.0, tau_syn=9.0)[0].item() == pytest.approx(3 + 9 * s, rel=1e-13)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    v=st.one_of(st.floats(-50, 0.999), st.just(0.0)),
    i=st.floats(0.5, 60),
    tau_mem=st.floats(0.5, 50),
    ratio=st.one_of(st.floats(0.05, 0.99), st.floats(1.01, 20)),
)
def test_no_crossing_is_missed_or_invented(v, i, tau_mem, ratio):
    """Against the oracle's search, which splits intervals until V is provably below the threshold or rising."""
    tau_syn = ratio * tau_mem
    share = tau_syn / (tau_mem - tau_syn) * i
    terms = [(v + share, complex(-1 / tau_mem)), (-share, complex(-1 / tau_syn))]
    high = 60 * max(tau_mem, tau_syn)
    above, want, below = (reference._first_root(terms, 1 + e, 0.0, high) for e in (1e-7, 0, -1e-7))
    assume((above is None) == (below is None))  # not grazing
    found = next_crossing(v, i, tau_mem, tau_syn, 1.0)
    assert found == (math.inf if want is None else pytest.approx(want, rel=1e-7, abs=1e-12))


def test_a_grazing_crossing_is_found_and_a_near_miss_is_not():
    peak = spsnn.LIF(12.0, 4.0).psp_peak()
    top = math.log(3) * 6  # of exp(-s / 12) - exp(-s / 4)
    (found,) = single((1 + 1e-12) / peak)
    assert found.item() == pytest.approx(top, rel=1e-5)
    assert len(single((1 - 1e-12) / peak)) == 0


def test_order_at_one_time():
    """Equal neurons spike together, lower first; a spike comes before an inhibitory arrival at its time."""
    w, d = torch.zeros(5, 3, dtype=torch.float64), torch.ones(5, 3, dtype=torch.float64)
    w[0] = 8.0
    run = lambda t, u: simulate_events(double(t), torch.tensor(u), w, d, **LIF, t_end=30.0)  # noqa: E731
    times, units = run([2.0], [0])
    assert units.tolist()[:3] == [0, 1, 2]
    assert times[0] == times[1] == times[2]
    w[1] = -100.0
    d[1] = 0.0
    when = times[0].item()
    assert torch.equal(run([2.0, when], [0, 1])[0], times[:3])
    assert len(run([2.0, when - 1e-9], [0, 1])[0]) == 0


def test_zero_delays_and_self_loops_act_at_once():
    weight = double([[9.0, 0.0], [3.0, 6.0], [0.0, -2.0]])
    at_once, short = (
        simulate_events(double([1.0]), torch.tensor([0]), weight, torch.full_like(weight, d), **LIF, t_end=40.0)
        for d in (0.0, 1e-10)
    )
    assert len(at_once[0]) > 4
    assert torch.equal(at_once[1], short[1])
    assert torch.allclose(at_once[0], short[0], rtol=0, atol=1e-8)


def test_both_ends_of_the_window():
    (first, *_) = single(8.0)
    assert single(8.0, t_end=first.item()).tolist() == [first.item()]  # a spike at t_end counts
    assert len(single(8.0, t_end=np.nextafter(first.item(), 0))) == 0
    w, d, t, u = double([[3.0], [0.0]]), double([[5.0], [0.0]]), double([2.0]), torch.tensor([0])
    assert potential_integral(t, u, w, d, **LIF, t_end=7.0).item() == 0  # an arrival at t_end has no effect
    assert potential_integral(t, u, w, d, **LIF, t_end=7.5).item() > 0


def test_no_input_and_no_neuron_that_can_spike():
    none = double([]), torch.zeros(0, dtype=torch.int64)
    w = torch.ones(3, 2, dtype=torch.float64)
    times, units = simulate_events(*none, w, w, **LIF, t_end=10.0)
    assert times.shape == units.shape == (0,)
    assert units.dtype == torch.int64
    never = {**LIF, "threshold": math.inf}
    assert len(simulate_events(double([0.0]), torch.tensor([0]), 99 * w, w, **never, t_end=10.0)[0]) == 0


def test_integral_of_the_potential():
    """Without spikes it is that of a leaky integrator; with them, a sum over a fine grid of window ends."""
    t, u, w, d = network(1)
    args = double(t), torch.from_numpy(u), double(w), double(d)
    inputs = [(list(zip(t, u, strict=True)), w[:4], d[:4])]
    taus = {"tau_mem": 12.0, "tau_syn": 4.0}
    want = reference.leaky_integral(45.0, inputs, 6, **taus)
    assert np.allclose(potential_integral(*args, **{**LIF, "threshold": math.inf}, t_end=45.0), want, rtol=1e-12)
    # From tau_mem int dV = -int V + int I, by the oracle's spikes: each adds a jump of v_reset - threshold to V.
    spikes = reference.simulate_events(inputs, 6, 45.0, (w[4:], d[4:]), **LIF)
    want = reference.leaky_integral(45.0, [*inputs, (spikes, w[4:], d[4:])], 6, **taus)
    for time, j in spikes:
        want[j] -= 12.0 * (1 - math.exp(-(45.0 - time) / 12.0))
    assert np.allclose(potential_integral(*args, **LIF, t_end=45.0), want, rtol=1e-11)


def test_samples_of_a_batch_are_independent_of_each_other_and_of_threads():
    _, _, w, d = network(3)
    rng = np.random.default_rng(7)
    sizes = [5, 0, 12, 9] * 5
    t, u = rng.uniform(0, 30, sum(sizes)), rng.integers(0, 4, sum(sizes))
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    pre, post = np.divmod(np.arange(60), 6)
    constants = [torch.full((6,), x, dtype=torch.float64) for x in LIF.values()]

    def run():
        leaves = [double(x.ravel()).requires_grad_() for x in (w, d)]
        wiring = engine.Wiring(offsets, u, 4, pre, post, 45.0)
        times, sample, unit, integral = engine.run_events(wiring, double(t), *leaves, *constants)
        (times.square().sum() + integral.sum()).backward()
        return times.detach(), sample, unit, integral.detach(), *[x.grad for x in leaves]

    threads = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        one = run()
    finally:
        numba.set_num_threads(threads)
    assert all(torch.equal(x, y) for x, y in zip(one, run(), strict=True))
    for b in range(len(sizes)):
        mine = slice(offsets[b], offsets[b + 1])
        times, units = simulate_events(
            double(t[mine]), torch.from_numpy(u[mine]), double(w), double(d), **LIF, t_end=45.0
        )
        assert torch.equal(times, one[0][one[1] == b])
        assert torch.equal(units, one[2][one[1] == b])


def test_buffers_grow_and_runaway_activity_is_an_error(monkeypatch):
    drive = np.arange(0, 200, 1.0)
    spikes = single(40.0, times=drive, t_end=400.0)
    want = reference.simulate_events([([(x, 0) for x in drive], np.array([[40.0]]), np.zeros((1, 1)))], 1, 400.0, **LIF)
    assert len(want) > 2 * (200 + 2 + 1)  # more than the first buffer holds
    assert np.allclose(spikes, [x for x, _ in want], rtol=0, atol=1e-9)
    monkeypatch.setattr(engine, "MAX_EVENTS", 3000)
    weight = double([[9.0], [9.0]])
    with pytest.raises(CapacityError, match=r"more than 3000 events.*lower weights"):
        simulate_events(double([0.0]), torch.tensor([0]), weight, 0 * weight, **LIF, t_end=40.0)


def test_nth_spike():
    times, units = double([1.0, 2.0, 3.0, 5.0]), torch.tensor([2, 0, 2, 2])
    assert nth_spike(times, units, 4).tolist() == [2, math.inf, 1, math.inf]
    assert nth_spike(times, units, 4, n=1, silent=9.0).tolist() == [9, 9, 3, 9]


def test_the_grid_engine_converges_to_it():
    t, u, w, d = network(2, shortest=1.0)
    t = np.round(t / 0.2) * 0.2
    times, units = simulate_events(double(t), torch.from_numpy(u), double(w), double(d), **LIF, t_end=45.0)
    want = sorted(zip(units.tolist(), times.tolist(), strict=True))
    errors = []
    steps = 0.05 / 2.0 ** np.arange(4)
    for dt in steps:
        source = Spikes.from_batch(batch_of(list(zip(t, u, strict=True)), 4, 45.0), dt)
        grid = Grid(dt=dt, delays="exact", estimator="eventprop")
        z, _ = run_population(
            spsnn.LIF(**LIF), [(source, double(w[:4]), double(d[:4]))], grid, (double(w[4:]), double(d[4:]))
        )
        found = [(j, k * dt) for j in range(6) for k in z.steps[z.ptr[0, j] : z.ptr[0, j + 1]]]
        assert [j for j, _ in found] == [j for j, _ in want]
        errors.append(np.mean([abs(x - y) for (_, x), (_, y) in zip(found, want, strict=True)]))
    assert np.polyfit(np.log(steps), np.log(errors), 1)[0] > 0.9, errors
    assert errors[-1] < 0.01


def test_numbers_that_overflow_end_without_a_crash():
    """Where the potential is no number any more, no crossing is found."""
    times, _ = simulate_events(
        torch.zeros(3, dtype=torch.float64), torch.zeros(3, dtype=torch.int64),
        torch.full((3, 2), 1.7e308, dtype=torch.float64), torch.zeros(3, 2, dtype=torch.float64),
        tau_mem=20.0, tau_syn=5.0, threshold=1e308, v_reset=0.0, t_end=10.0,
    )  # fmt: skip
    assert torch.isfinite(times).all()


@pytest.mark.parametrize(
    ("n", "n_neurons", "words"), [(-1, 3, "whole number"), (1.5, 3, "whole number"), (0, 2, "exceed")]
)
def test_nth_spike_refuses_what_it_cannot_find(n, n_neurons, words):
    with pytest.raises(ConfigError, match=words):
        nth_spike(torch.tensor([1.0, 2.0]), torch.tensor([0, 2]), n_neurons, n)
