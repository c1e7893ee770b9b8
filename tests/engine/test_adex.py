"""AdEx against its differential equations."""

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from spsnn import AdEx, ConfigError
from spsnn.autograd.population import Grid, run_population

from .nets import fixed


def spikes_and_potential(neuron, dt, weight, times, duration):
    """Spike times and the potential at the grid points of one neuron, by the compiled kernel in float64."""
    z = np.zeros((1, round(duration / dt) + 1, 1))
    z[0, np.rint(np.array(times) / dt).astype(int), 0] = 1
    w = torch.tensor([[weight]], dtype=torch.float64)
    spikes, u = run_population(neuron, [(fixed(z), w, torch.zeros_like(w))], Grid(dt=dt), keep_potential=True)
    return np.flatnonzero(spikes.dense.numpy()) * dt, u[0, :, 0].numpy() + neuron.v_peak


def solve_adex(n, weight, times, duration):
    """The same by `solve_ivp`, stopped at every arrival and every spike."""

    def rates(_, y):
        v, a, i = y
        e = n.delta_t * np.exp(min((v - n.threshold) / n.delta_t, 20))
        return [(-v + e + i - a) / n.tau_mem, (-a + n.a * v) / n.tau_adapt, -i / n.tau_syn]

    def peak(_, y):
        return y[0] - n.v_peak

    peak.terminal, peak.direction = True, 1
    t, y, spikes = 0.0, np.zeros(3), []
    for stop, arrives in [*((s, True) for s in times), (duration, False)]:
        while t < stop:
            run = solve_ivp(rates, (t, stop), y, "DOP853", events=peak, rtol=1e-10, atol=1e-12)
            t, y = run.t[-1], run.y[:, -1]
            if run.status == 1:
                spikes.append(t)
                y = np.array([n.v_reset, y[1] + n.b, y[2]])
        y[2] += weight * arrives
    return np.array(spikes), y[0]


def test_adex_converges_to_its_equations_at_first_order():
    """Against `solve_ivp`: below the peak halving dt halves the error, and spikes come within a few steps."""
    neuron = AdEx(tau_adapt=30.0, a=0.4, b=0.3, v_reset=-0.2)
    times = [2.0, 5.0, 6.0, 11.0, 14.0, 22.0, 30.0, 31.0]
    none, v_end = solve_adex(neuron, 2.5, times[:4], 12.0)
    want, _ = solve_adex(neuron, 6.0, times, 48.0)
    assert len(none) == 0 and v_end > neuron.threshold and len(want) >= 4
    errors = []
    for dt in (0.05, 0.025, 0.0125, 0.00625):
        errors.append(abs(spikes_and_potential(neuron, dt, 2.5, times[:4], 12.0)[1][-1] - v_end))
        spikes, _ = spikes_and_potential(neuron, dt, 6.0, times, 48.0)
        assert len(spikes) == len(want) and np.abs(spikes - want).max() < 8 * dt
    ratios = np.divide(errors[:-1], errors[1:])
    assert (ratios > 1.9).all() and (ratios < 2.1).all(), errors


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"tau_mem": 0.0}, "tau_mem must be positive"),
        ({"delta_t": -0.1}, "delta_t must be positive"),
        ({"v_peak": 0.9}, "v_peak must lie between the threshold 1.0 and"),
        ({"v_peak": 3.1}, "v_peak must lie between .* = 3, or the exponential"),
        ({"v_reset": 1.5}, "v_reset must lie below v_peak"),
        ({"a": -1.0}, "a must be above -1"),
    ],
)
def test_settings_out_of_range_are_named(settings, words):
    with pytest.raises(ConfigError, match=words):
        AdEx(**settings)
