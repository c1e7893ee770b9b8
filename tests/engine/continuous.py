"""One small network and one loss, in continuous time by the oracle and on the grid by the engine."""

import numpy as np
import torch

from spsnn.autograd.population import Grid, run_population
from spsnn.autograd.spikes import Spikes
from spsnn.kernels.reference.events import leaky_integral, leaky_potential, simulate_events
from spsnn.neurons.linear import LeakyIntegrator

from .nets import batch_of, settings

N_PRE, N_HIDDEN, N_OUT, DURATION = 5, 4, 2, 32.0
READOUT = LeakyIntegrator(tau_mem=10.0, tau_syn=3.0)
LI = {"tau_mem": 10.0, "tau_syn": 3.0}
PROBES = np.array([8.0, 14.0, 21.0, 30.0])  # ms


def network(seed):
    """Input spikes ``[(ms, unit)]`` on the coarsest grid, and parameters (coordinates give the delays)."""
    rng = np.random.default_rng([seed, 11])
    spikes = sorted({(float(rng.integers(0, 100)) * 0.2, int(u)) for u in rng.integers(0, N_PRE, 18)})
    return spikes, {
        "w": rng.normal(1.5, 1.0, (N_PRE, N_HIDDEN)), "w_loop": rng.normal(0.0, 0.8, (N_HIDDEN, N_HIDDEN)),
        "w_out": rng.normal(0.0, 1.0, (N_HIDDEN, N_OUT)), "p_in": rng.normal(0, 2, (N_PRE, 2)),
        "p_hidden": rng.normal(0, 2, (N_HIDDEN, 2)), "p_out": rng.normal(0, 2, (N_OUT, 2)), "alpha": np.array(0.9),
        "c_probe": rng.normal(0, 1, (len(PROBES), N_OUT)), "c_mean": rng.normal(0, 0.2, N_OUT),
        "c_first": rng.normal(0, 0.1, N_HIDDEN), "c_last": rng.normal(0, 0.1, N_HIDDEN),
    }  # fmt: skip


def delays_of(p, xp=np):
    """``d_min + alpha r`` with self-loops at ``d_min + alpha eps``."""
    r = lambda a, b: xp.sqrt(((p[a][:, None] - p[b][None]) ** 2).sum(-1) + 0.3)  # noqa: E731
    pairs = {"d": ("p_in", "p_hidden"), "d_loop": ("p_hidden", "p_hidden"), "d_out": ("p_hidden", "p_out")}
    return {k: 1.3137 + p["alpha"] * r(*ab) for k, ab in pairs.items()}


def oracle(neuron, spikes, p, d=None):
    """``(loss, hidden spikes)`` in continuous time."""
    d = delays_of(p) if d is None else d
    keys = settings(neuron)
    keys.pop("reset")
    hidden = simulate_events([(spikes, p["w"], d["d"])], N_HIDDEN, DURATION, (p["w_loop"], d["d_loop"]), **keys)
    out = [(hidden, p["w_out"], d["d_out"])]
    loss = (p["c_probe"] * leaky_potential(PROBES, out, N_OUT, **LI)).sum()
    loss += p["c_mean"] @ leaky_integral(DURATION, out, N_OUT, **LI)
    for j in range(N_HIDDEN):
        times = [t for t, u in hidden if u == j]
        if times:
            loss += p["c_first"][j] * times[0] + p["c_last"][j] * times[-1]
    return loss, hidden


def oracle_gradients(neuron, spikes, p, h=1e-6):
    """Central differences of the oracle's loss for every parameter and every delay."""
    base, count = delays_of(p), len(oracle(neuron, spikes, p)[1])
    grads = {}
    for name in ("w", "w_loop", "w_out", "p_in", "p_hidden", "p_out", "alpha", *base):
        on_delay = name in base
        value = base[name] if on_delay else p[name]
        g = np.zeros(value.shape)
        for k in np.ndindex(value.shape):
            ends = []
            for step in (h, -h):
                moved = value.copy()
                moved[k] += step
                loss, hidden = (
                    oracle(neuron, spikes, p, {**base, name: moved})
                    if on_delay
                    else oracle(neuron, spikes, {**p, name: moved})
                )
                assert len(hidden) == count, "a spike appeared or vanished"
                ends.append(loss)
            g[k] = (ends[0] - ends[1]) / (2 * h)
        grads[name] = g
    return grads


def grid_run(neuron, spikes, p, dt, delays="exact", estimator="eventprop"):
    """``(loss, hidden spikes [(ms, unit)], gradients)`` on the grid."""
    names = ("w", "w_loop", "w_out", "p_in", "p_hidden", "p_out", "alpha")
    q = {k: torch.tensor(x, dtype=torch.float64, requires_grad=k in names) for k, x in p.items()}
    d = delays_of(q, torch)
    for x in d.values():
        x.retain_grad()
    grid = Grid(dt=dt, delays=delays, estimator=estimator, min_slope=1e-6)
    source = Spikes.from_batch(batch_of(spikes, N_PRE, DURATION), dt)
    z, _ = run_population(neuron, [(source, q["w"], d["d"])], grid, (q["w_loop"], d["d_loop"]))
    _, v = run_population(READOUT, [(z, q["w_out"], d["d_out"])], grid)
    steps = torch.as_tensor(np.rint(PROBES / dt).astype(int))
    loss = (q["c_probe"] * v[0, steps]).sum() + dt * (q["c_mean"] * v[0]).sum()
    at_time = torch.zeros_like(z.dense)  # dL/dt_k of the terms that read spike times
    total = loss.detach().clone()
    hidden = []
    for j in range(N_HIDDEN):
        k = z.steps[z.ptr[0, j] : z.ptr[0, j + 1]].astype(int)
        hidden += [(float(x) * dt, j) for x in k]
        if len(k):
            at_time[0, k[0], j] += q["c_first"][j]
            at_time[0, k[-1], j] += q["c_last"][j]
            total += (q["c_first"][j] * float(k[0]) + q["c_last"][j] * float(k[-1])) * dt
    torch.autograd.backward([loss, z.dense], [None, at_time])
    return float(total), sorted(hidden), {k: x.grad.numpy() for k, x in {**q, **d}.items() if x.grad is not None}
