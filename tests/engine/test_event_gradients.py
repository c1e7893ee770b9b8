"""Gradients of the event engine against central differences and closed forms; wrong inputs of the functional form."""

import math

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

import spsnn
from spsnn import ConfigError, DataError
from spsnn.functional import nth_spike, potential_integral, simulate_events

from .test_event_engine import LIF, double, network, single

T_END = 45.0


def constants(n=6, **changes):
    """Per-neuron constants, all different, as leaves."""
    spread = np.linspace(-0.1, 0.1, n)
    given = {"tau_mem": 12.0, "tau_syn": 4.0, "threshold": 1.0, "v_reset": -0.3, **changes}
    return {k: double(x + spread).requires_grad_() for k, x in given.items()}


def losses(times, units, weight, delay, keys, c):
    """A loss of all spike times and of the potential's integral."""
    spikes, _ = simulate_events(times, units, weight, delay, **keys, t_end=T_END)
    integral = potential_integral(times, units, weight, delay, **keys, t_end=T_END)
    return (spikes * c[: len(spikes)]).sum() + (integral * c[:6]).sum()


@pytest.mark.parametrize(
    ("gain", "changes"),
    [
        (1.0, {}),
        (1.0, {"v_reset": 0.0}),
        (1.0, {"tau_mem": 8.0, "tau_syn": 8.0}),
        (1.0, {"tau_mem": 10.0, "tau_syn": 5.0}),
        (0.4, {"tau_mem": 5.0, "tau_syn": 14.0}),
        (15.0, {"tau_mem": 60.0, "tau_syn": 1.0}),
    ],
)
def test_every_gradient_is_that_of_central_differences(gain, changes):
    """Weights, delays, input times and all constants per neuron, through recurrence with self-loops."""
    spikes = 0
    for seed in (0, 2):
        t, u, w, d = network(seed)
        c = double(np.random.default_rng(seed).normal(size=200))
        keys = constants(**changes)
        leaves = [double(x).requires_grad_() for x in (t, gain * w, d)]
        spikes += len(simulate_events(leaves[0], torch.from_numpy(u), *leaves[1:], **keys, t_end=T_END)[0])

        def run(t, w, d, *values, u=u, keys=keys, c=c):
            return losses(t, torch.from_numpy(u), w, d, dict(zip(keys, values, strict=True)), c)

        assert gradcheck(run, (*leaves, *keys.values()), eps=1e-6, atol=1e-6, rtol=1e-5)
    assert spikes > 15


def test_equal_constants_have_the_gradient_of_nearly_equal_ones():
    """The per-neuron case with tau_mem exactly equal to tau_syn for some neurons, on both sides for others."""
    t, u, w, d = network(0)
    c = double(np.random.default_rng(0).normal(size=200))
    taus = double([9.0, 9.0, 9.0, 9.0 + 1e-9, 9.0 - 1e-9, 10.5])
    keys = {**constants(), "tau_mem": taus.requires_grad_(), "tau_syn": double([9.0] * 6).requires_grad_()}

    def run(mem, syn):
        at = {**keys, "tau_mem": mem, "tau_syn": syn}
        return losses(double(t), torch.from_numpy(u), double(w), double(d), at, c)

    assert gradcheck(run, (keys["tau_mem"], keys["tau_syn"]), eps=1e-6, atol=1e-6, rtol=1e-5)


def test_one_value_for_all_neurons_gets_the_sum_and_float32_works():
    t, u, w, d = network(1)
    each = constants()
    each = {k: v.detach().mean().repeat(6).requires_grad_() for k, v in each.items()}
    one = {k: v.detach()[0].clone().requires_grad_() for k, v in each.items()}
    for keys in (each, one):
        simulate_events(double(t), torch.from_numpy(u), double(w), double(d), **keys, t_end=T_END)[0].sum().backward()
    for k in one:
        assert one[k].grad.item() == pytest.approx(each[k].grad.sum().item(), rel=1e-12)
    w32 = torch.tensor(w, dtype=torch.float32, requires_grad=True)
    times, _ = simulate_events(double(t).float(), torch.from_numpy(u), w32, double(d).float(), **LIF, t_end=T_END)
    times.sum().backward()
    assert times.dtype == w32.grad.dtype == torch.float32


def test_coordinates_learn_through_the_delays():
    t, u, w, _ = network(2)
    place = double(np.random.default_rng(3).normal(0, 2, (10, 2))).requires_grad_()
    alpha = double(0.9).requires_grad_()

    def first(place, alpha):
        delay = alpha * spsnn.Euclidean(2, eps=0.5).distance(place, place[4:])
        times, units = simulate_events(double(t), torch.from_numpy(u), double(w), delay, **LIF, t_end=T_END)
        return nth_spike(times, units, 6, n=1, silent=T_END)

    assert (first(place, alpha) < T_END).sum() >= 3
    assert gradcheck(first, (place, alpha), eps=1e-6, atol=1e-6, rtol=1e-5)


def test_a_synapse_of_weight_zero_has_its_gradient():
    """kappa(t - d) at the spike over -V'; its delay has none."""
    w, d = double([[6.0], [0.0], [0.0]]).requires_grad_(), double([[0.0], [1.0], [0.0]]).requires_grad_()
    t, u = double([1.0, 0.5]), torch.tensor([0, 1])
    times, _ = simulate_events(t, u, w, d, **LIF, t_end=40.0)
    times[0].backward()
    s = times[0].item() - 1
    kappa = lambda h: 0.5 * (math.exp(-h / 12) - math.exp(-h / 4))  # noqa: E731
    slope = 6 * 0.5 * (-math.exp(-s / 12) / 12 + math.exp(-s / 4) / 4)
    assert w.grad[1].item() == pytest.approx(-kappa(s - 0.5) / slope, rel=1e-10)
    assert d.grad[1].item() == 0


def test_a_grazing_crossing_is_bounded_by_min_slope():
    kappa = lambda h: 0.5 * (math.exp(-h / 12) - math.exp(-h / 4))  # noqa: E731
    for least in (0.01, 0.1):
        w = double([[(1 + 1e-8) / spsnn.LIF(12.0, 4.0).psp_peak()], [0.0]]).requires_grad_()
        times, _ = simulate_events(
            double([0.0]), torch.tensor([0]), w, torch.zeros_like(w), **LIF, t_end=40.0, min_slope=least
        )
        times[0].backward()
        assert w.grad[0].item() == pytest.approx(-12.0 / least * kappa(times[0].item()), rel=1e-9)


def test_silence_has_no_gradient():
    w = double([[0.1], [0.0]]).requires_grad_()
    times, units = simulate_events(double([1.0]), torch.tensor([0]), w, torch.ones_like(w), **LIF, t_end=9.0)
    assert len(times) == 0
    nth_spike(times, units, 1, silent=9.0).sum().backward()
    assert w.grad.abs().sum() == 0


GOOD = {
    "input_times": double([1.0, 2.0]), "input_units": torch.tensor([0, 1]),
    "weight": torch.ones(5, 3, dtype=torch.float64), "delay": torch.ones(5, 3, dtype=torch.float64), **LIF,
    "t_end": 10.0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value", "error", "words"),
    [
        ("input_times", double([1.0]), DataError, "one length"),
        ("input_times", double([[1.0, 2.0]]), DataError, "input_times must be"),
        ("input_times", torch.tensor([1, 2]), DataError, "floating-point"),
        ("input_times", [1.0, 2.0], DataError, "got list"),
        ("input_times", double([1.0, 10.0]), DataError, r"\[0, 10.0\) ms, got 10.0"),
        ("input_times", double([-0.1, 1.0]), DataError, "got -0.1"),
        ("input_times", double([1.0, math.nan]), DataError, "got nan"),
        ("input_units", torch.tensor([0, 2]), DataError, r"\[0, 2\), got 2"),
        ("input_units", torch.tensor([0, -1]), DataError, "got -1"),
        ("input_units", double([0.0, 1.0]), DataError, "integers"),
        ("input_units", [0, 1], DataError, "integers"),
        ("weight", torch.ones(2, 3, dtype=torch.float64), ConfigError, r"\[I \+ J, J\]"),
        ("weight", torch.ones(5, 3, dtype=torch.int64), ConfigError, "floating-point"),
        ("weight", torch.full((5, 3), math.inf), ConfigError, "weights must be finite"),
        ("weight", np.ones((5, 3)), ConfigError, "got ndarray"),
        ("weight", torch.ones(5, 0), ConfigError, "got"),
        ("delay", torch.ones(4, 3), ConfigError, "weight and delay must both"),
        ("delay", -torch.ones(5, 3), ConfigError, "not negative"),
        ("delay", torch.full((5, 3), math.nan), ConfigError, "finite"),
        ("tau_mem", 0.0, ConfigError, "tau_mem must be positive"),
        ("tau_syn", math.inf, ConfigError, "tau_syn must be finite"),
        ("tau_syn", double([4.0, 4.0]), ConfigError, "each of 3 neurons, got 2"),
        ("tau_syn", torch.ones(3, 3), ConfigError, "tau_syn must be"),
        ("tau_mem", "12", ConfigError, "number or a tensor"),
        ("tau_mem", math.nan, ConfigError, "tau_mem must be positive"),
        ("threshold", 0.0, ConfigError, "threshold must be positive"),
        ("threshold", double([1.0, 1.0, -1.0]), ConfigError, "threshold must be positive"),
        ("v_reset", 1.0, ConfigError, "below the threshold"),
        ("v_reset", math.nan, ConfigError, "v_reset must be finite"),
        ("t_end", 0.0, ConfigError, "t_end"),
        ("t_end", math.inf, ConfigError, "t_end"),
        ("min_slope", 0.0, ConfigError, "min_slope"),
    ],
)
def test_wrong_inputs_are_named(name, value, error, words):
    assert len(simulate_events(**GOOD)[0]) == 0
    for call in (simulate_events, potential_integral):
        with pytest.raises(error, match=words):
            call(**{**GOOD, name: value})


def test_input_spikes_in_any_order():
    assert torch.equal(single(9.0, times=[3.0, 1.0, 2.0]), single(9.0, times=[1.0, 2.0, 3.0]))
