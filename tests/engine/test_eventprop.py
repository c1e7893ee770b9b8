"""EventProp on the grid against central differences of the continuous-time oracle."""

import numpy as np
import pytest
import torch

from spsnn.autograd.population import Grid, run_population
from spsnn.kernels.reference.events import leaky_potential, simulate_events
from spsnn.neurons.linear import LIF, AdaptiveLIF

from .continuous import DURATION, N_HIDDEN, grid_run, network, oracle, oracle_gradients
from .nets import fixed, relative

STEPS = 0.05 / 2.0 ** np.arange(5)  # four halvings
LIF_12 = {"tau_mem": 12.0, "tau_syn": 4.0}
AD = {**LIF_12, "tau_adapt": 25.0, "a": 0.6, "b": 0.4}
NEURONS = {
    "zero": LIF(**LIF_12),
    "v_reset": LIF(**LIF_12, v_reset=-0.4),
    "subtract": LIF(**LIF_12, reset="subtract"),
    "refractory": LIF(**LIF_12, v_reset=0.2, refractory=1.6),
    "adaptive": AdaptiveLIF(**AD, v_reset=-0.2),
    "adaptive-refractory": AdaptiveLIF(**AD, v_reset=-0.2, refractory=1.6),
}


def flat(grads, names):
    return np.concatenate([np.ravel(grads[k]) for k in names])


def by_neuron(spikes):
    return sorted(spikes, key=lambda s: (s[1], s[0]))


def order(errors):
    """Slope of log error over log dt."""
    return np.polyfit(np.log(STEPS), np.log(errors), 1)[0]


@pytest.mark.parametrize("kind", NEURONS)
@pytest.mark.parametrize("seed", [2])
def test_gradients_converge_to_the_continuous_ones(kind, seed):
    """Weights, delays, coordinates and alpha, through hidden spikes, recurrence with self-loops, and spike times."""
    spikes, p = network(seed)
    want = oracle_gradients(NEURONS[kind], spikes, p)
    runs = [grid_run(NEURONS[kind], spikes, p, dt)[2] for dt in STEPS]
    assert set(want) <= set(runs[-1])
    errors = [np.linalg.norm(flat(g, want) - flat(want, want)) / np.linalg.norm(flat(want, want)) for g in runs]
    assert order(errors) > 0.8, errors
    worst = {k: relative(runs[-1][k], want[k]) for k in want}
    assert max(worst.values()) < 0.015, worst


@pytest.mark.parametrize("kind", NEURONS)
def test_spike_times_converge_to_the_oracle(kind):
    errors = []
    for seed in (0, 2, 4):
        spikes, p = network(seed)
        _, want = oracle(NEURONS[kind], spikes, p)
        assert len(want) >= 12
        runs = [by_neuron(grid_run(NEURONS[kind], spikes, p, dt)[1]) for dt in STEPS]
        for run in runs:
            assert [u for _, u in run] == [u for _, u in by_neuron(want)]
        errors.append([np.mean([abs(x[0] - y[0]) for x, y in zip(r, by_neuron(want), strict=True)]) for r in runs])
    mean = np.mean(errors, axis=0)
    assert order(mean) > 0.9, mean
    assert mean[-1] < 0.02


def test_round_mode_converges_too():
    spikes, p = network(2)
    want = oracle_gradients(NEURONS["zero"], spikes, p)
    errors = []
    for dt in STEPS:
        g = grid_run(NEURONS["zero"], spikes, p, dt, "round")[2]
        errors.append(np.linalg.norm(flat(g, want) - flat(want, want)) / np.linalg.norm(flat(want, want)))
    assert order(errors) > 0.6 and errors[-1] < 0.02, errors


@pytest.mark.parametrize("mode", ["round", "exact"])
def test_first_spike_of_one_neuron_in_closed_form(mode):
    """V(t) = w kappa(t - d), so dt/dd = 1 and dt/dw = -kappa / (w kappa')."""
    dt, w, d = 0.002, 8.0, 3.0
    tau_m, tau_s = 12.0, 4.0
    (t, _), *_ = simulate_events([([(0.0, 0)], np.array([[w]]), np.array([[d]]))], 1, 20.0, **LIF_12)
    s = t - d
    kappa = tau_s / (tau_m - tau_s) * (np.exp(-s / tau_m) - np.exp(-s / tau_s))
    slope = tau_s / (tau_m - tau_s) * (-np.exp(-s / tau_m) / tau_m + np.exp(-s / tau_s) / tau_s)
    z = np.zeros((1, 5000, 1))
    z[0, 0, 0] = 1
    leaves = [torch.tensor([[x]], dtype=torch.float64, requires_grad=True) for x in (w, d)]
    spikes, _ = run_population(LIF(**LIF_12), [(fixed(z), *leaves)], Grid(dt=dt, delays=mode, estimator="eventprop"))
    at = torch.zeros_like(spikes.dense)
    at[0, int(spikes.steps[0]), 0] = 1
    spikes.dense.backward(at)
    assert abs(float(leaves[1].grad) - 1) < 2e-3
    assert abs(float(leaves[0].grad) / (-kappa / (w * slope)) - 1) < 2e-3


def test_a_grazing_crossing_is_bounded_by_min_slope():
    tau_m, tau_s = 12.0, 4.0
    z = np.zeros((1, 200, 1))
    z[0, 0, 0] = 1
    peak = LIF(**LIF_12).psp_peak()
    grads = {}
    for least in (0.01, 0.1):
        w = torch.tensor([[1.00001 / peak]], dtype=torch.float64, requires_grad=True)
        grid = Grid(dt=0.1, delays="exact", estimator="eventprop", min_slope=least)
        spikes, _ = run_population(LIF(**LIF_12), [(fixed(z), w, torch.zeros_like(w))], grid)
        assert len(spikes.steps) == 1
        s = float(spikes.steps[0]) * 0.1
        at = torch.zeros_like(spikes.dense)
        at[0, int(spikes.steps[0]), 0] = 1
        spikes.dense.backward(at)
        grads[least] = float(w.grad)
        kappa = tau_s / (tau_m - tau_s) * (np.exp(-s / tau_m) - np.exp(-s / tau_s))
        assert np.isclose(grads[least], -tau_m / least * kappa, rtol=1e-9)
    assert np.isclose(grads[0.01], 10 * grads[0.1])


def test_a_network_without_spikes_has_no_gradient():
    spikes, p = network(2)
    p = {**p, "w": p["w"] * 0.01}
    loss, hidden, grads = grid_run(NEURONS["zero"], spikes, p, 0.2)
    assert loss == 0 and hidden == [] and all((g == 0).all() for g in grads.values())


def test_later_samples_do_not_leak_into_earlier_ones():
    """The adjoint of a sample alone equals its part of the batch."""
    rng = np.random.default_rng(4)
    z = (rng.random((3, 60, 5)) < 0.15).astype(float)
    w, d = torch.tensor(rng.normal(1, 1, (5, 4))), torch.tensor(rng.uniform(0, 9, (5, 4)))
    loop = torch.tensor(rng.normal(0, 0.5, (4, 4))), torch.tensor(rng.uniform(1, 9, (4, 4)))
    c = torch.tensor(rng.normal(size=(3, 60, 4)))

    def grad(rows):
        leaf = w.clone().requires_grad_()
        spikes, _ = run_population(
            NEURONS["adaptive-refractory"], [(fixed(z[rows]), leaf, d)], Grid(estimator="eventprop"), loop
        )
        (spikes.dense * c[rows]).sum().backward()
        return leaf.grad

    total = sum(grad([b]) for b in range(3))
    assert total.abs().max() > 1
    assert torch.allclose(grad([0, 1, 2]), total, rtol=1e-10)


def test_oracle_matches_the_equations_between_spikes():
    """The oracle's spikes, put back into V(t) = sum of potentials from arrivals, reach the threshold there first."""
    spikes, p = network(2)
    w, d = p["w"], np.full(p["w"].shape, 1.5)
    found = simulate_events([(spikes, w, d)], N_HIDDEN, DURATION, **LIF_12)
    assert len(found) >= 8
    for j in range(N_HIDDEN):
        first = min((t for t, u in found if u == j), default=None)
        if first is None:
            continue
        v = leaky_potential(np.linspace(0, first, 400), [(spikes, w, d)], N_HIDDEN, **LIF_12)[:, j]
        assert abs(v[-1] - 1) < 1e-10 and (v[:-1] < 1).all()
