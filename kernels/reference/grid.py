"""The grid engine in plain loops and float64: slow, obvious, and what the fast kernels are tested against.

Nothing is shared with the kernels: the flow between grid points is integrated from the differential equations, and
every arriving spike is kept in a list until its step comes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.integrate import solve_ivp


@dataclass(frozen=True)
class GridRun:
    """Record of one run; all arrays ``[B, T, J]``.

    Attributes:
        spikes: 0 or 1.
        potential: before the reset; NaN while refractory.
        current: after the step's arrivals.
        adaptation: before the jump at a spike.
    """

    spikes: np.ndarray
    potential: np.ndarray
    current: np.ndarray
    adaptation: np.ndarray


def simulate_grid(
    inputs, recurrent=None, *, n_samples, n_steps, n_post, dt, delays, tau_mem, tau_syn, threshold, v_reset=0.0,
    reset="zero", refractory=0.0, tau_adapt=None, a=0.0, b=0.0,
):  # fmt: skip
    """Simulate one population of linear neurons with a threshold.

        tau_mem dV/dt = -V + I - A        tau_syn dI/dt = -I        tau_adapt dA/dt = -A + a V
        V > threshold:  spike, V -> v_reset (``zero``) or V - threshold (``subtract``), A -> A + b

    Threshold and reset act at the grid points ``t = k dt``.  For ``refractory`` ms after a spike V is put back to
    ``v_reset`` at every grid point and cannot spike.  A spike at step ``k`` with delay ``d`` arrives at ``k dt + d``:
    with ``delays="round"`` at the nearest grid point, half to even; with ``"exact"`` the state at the first grid point
    not before the arrival, ``s`` ms later, receives ``w exp(-s / tau_syn)`` in I and, in V, the potential that a unit
    current leaves after ``s`` ms.  A recurrent arrival acts at the next step at the earliest.

    Args:
        inputs: list of ``(events, weight [I, J], delay [I, J] ms)``; ``events[b]`` lists ``(step, unit)``.
        recurrent: ``(weight [J, J], delay [J, J] ms)`` or None.
        n_samples, n_steps, n_post: B, T, J.
        dt: step in ms.
        delays: ``round`` or ``exact``.
        tau_mem, tau_syn, tau_adapt, refractory: in ms; no adaptation where ``tau_adapt`` is None.
        threshold: dimensionless; None for a population that never spikes.
        v_reset, a, b: dimensionless.
        reset: ``zero`` or ``subtract``.

    Returns:
        `GridRun`.
    """
    shape = (n_samples, n_steps, n_post)
    out = GridRun(np.zeros(shape), np.full(shape, np.nan), np.zeros(shape), np.zeros(shape))
    flow = integrate_flow(dt, tau_mem, tau_syn, tau_adapt, a)
    hold = round(refractory / dt)

    def arrive(pending, step, delay, weight, least):
        if delays == "round":
            at, s = step + max(int(np.rint(delay / dt)), least), 0.0
        else:
            whole = max(int(np.ceil(delay / dt)), least)
            at, s = step + whole, whole * dt - delay
        if at < n_steps:
            pending[at].append((weight * np.exp(-s / tau_syn), weight * unit_potential(s, tau_mem, tau_syn)))

    for sample in range(n_samples):
        pending = [[[] for _ in range(n_steps)] for _ in range(n_post)]
        for events, weight, delay in inputs:
            for step, unit in events[sample]:
                for j in range(n_post):
                    arrive(pending[j], step, float(delay[unit, j]), float(weight[unit, j]), 0)
        state = np.zeros((n_post, 3))  # V, I, A
        held = [0] * n_post
        for k in range(n_steps):
            fired = []
            for j in range(n_post):
                v, i, w = flow @ state[j] if k else state[j]
                for to_i, to_v in pending[j][k]:
                    i += to_i
                    v += to_v
                out.current[sample, k, j], out.adaptation[sample, k, j] = i, w
                if held[j]:
                    held[j] -= 1
                    v = v_reset
                else:
                    out.potential[sample, k, j] = v
                    if threshold is not None and v > threshold:
                        out.spikes[sample, k, j] = 1
                        fired.append(j)
                        v = v - threshold if reset == "subtract" else v_reset
                        w += b
                        held[j] = hold
                state[j] = v, i, w
            if recurrent is not None:
                weight, delay = recurrent
                for pre in fired:
                    for j in range(n_post):
                        arrive(pending[j], k, float(delay[pre, j]), float(weight[pre, j]), 1)
    return out


def unit_potential(s, tau_mem, tau_syn):
    """Potential ``s`` ms after a unit jump of the current, from rest: ``int_0^s e^{-(s-u)/tau_mem} e^{-u/tau_syn} du
    / tau_mem``."""
    if abs(tau_mem - tau_syn) < 1e-9 * tau_mem:
        return s / tau_mem * np.exp(-s / tau_mem)
    rate = 1 / tau_mem - 1 / tau_syn
    return np.exp(-s / tau_mem) * np.expm1(s * rate) / (rate * tau_mem)


def integrate_flow(dt, tau_mem, tau_syn, tau_adapt=None, a=0.0):
    """Matrix that carries (V, I, A) over ``dt`` ms without arrivals, by integrating the equations numerically."""

    def derivative(_, x):
        v, i, w = x
        return [(-v + i - w) / tau_mem, -i / tau_syn, 0.0 if tau_adapt is None else (-w + a * v) / tau_adapt]

    unit = np.eye(3)[: 2 if tau_adapt is None else 3]
    columns = [solve_ivp(derivative, (0, dt), x, "DOP853", rtol=1e-13, atol=1e-16).y[:, -1] for x in unit]
    return np.stack([*columns, *[np.zeros(3)] * (3 - len(columns))], axis=1)
