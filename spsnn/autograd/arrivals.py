"""When and how strongly a delayed spike arrives on the grid: per-synapse coefficients and their derivatives.

A spike at step ``k`` with delay ``d`` arrives at ``a = k dt + d``.

    round   at step k + rint(d / dt):  I += w
    exact   at step k + ceil(d / dt), ``s`` ms after the arrival:
            I += w exp(-s / tau_syn),  V += w kappa(s),
            kappa(s) = tau_syn / (tau_mem - tau_syn) (exp(-s / tau_mem) - exp(-s / tau_syn))

In both, the derivative to the delay is that of the continuous equations (with s = 0 for `round`):
``dL/dd = w (b_0 dL/dI + b_1 dL/dV)`` at the arrival's step.  For an adaptive neuron the effect of the part step on A,
of second order in ``s``, is left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Arrivals:
    """Coefficients ``[I, J]`` of one projection: ``x_c += w c_c`` and ``dL/dd = w sum_c b_c dL/dx_c``."""

    lag: np.ndarray
    c_0: np.ndarray | float
    c_1: np.ndarray | None
    b_0: np.ndarray | float
    b_1: np.ndarray | float


def kappa(s, tau_mem, tau_syn):
    """Potential ``s`` ms after a unit arrival, and its derivative to ``s``."""
    if np.isclose(tau_mem, tau_syn, rtol=1e-6):
        tau = 0.5 * (tau_mem + tau_syn)
        return s / tau * np.exp(-s / tau), (1 - s / tau) / tau * np.exp(-s / tau)
    e_m, e_s = np.exp(-s / tau_mem), np.exp(-s / tau_syn)
    return tau_syn / (tau_mem - tau_syn) * (e_m - e_s), (e_s - tau_syn / tau_mem * e_m) / (tau_mem - tau_syn)


def arrivals(delay, dt, n_steps, mode, tau_mem, tau_syn, least_lag):
    """Coefficients for delays ``[I, J]`` in ms.

    ``least_lag`` is 1 for recurrent synapses: a spike cannot act within its own step.  Lags are cut at ``n_steps``:
    such an arrival lies outside the window.
    """
    delay = np.asarray(delay, np.float64)  # kappa loses digits in float32 as tau_mem approaches tau_syn
    if mode == "round":
        lag = np.clip(np.rint(delay / dt), least_lag, n_steps).astype(np.uint32)
        return Arrivals(lag, 1.0, None, 1 / tau_syn, -1 / tau_mem)
    # A delay that is a whole number of steps must not be pushed to the next by the last bit of a float32.
    lag = np.clip(np.ceil(delay / dt - 1e-5), least_lag, n_steps)
    s = np.maximum(lag * dt - delay, -1e-5 * dt)
    c_0 = np.exp(-s / tau_syn)
    c_1, slope = kappa(s, tau_mem, tau_syn)
    return Arrivals(lag.astype(np.uint32), c_0, c_1, c_0 / tau_syn, -slope)
