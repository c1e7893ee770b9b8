"""Delays inside the kernels: read from a matrix or computed from coordinates, and what an arrival does on the grid.

A spike at step ``k`` with delay ``d`` arrives at ``a = k dt + d``.

    round   at step k + rint(d / dt):  I += w
    exact   at step k + ceil(d / dt), ``s`` ms after the arrival:
            I += w exp(-s / tau_syn),  V += w kappa(s),
            kappa(s) = tau_syn / (tau_mem - tau_syn) (exp(-s / tau_mem) - exp(-s / tau_syn))

With ``c`` the factors of the weight in I and V and ``b`` their derivatives to the delay,
``dL/dw = c_0 dL/dI + c_1 dL/dV`` and ``dL/dd = w (b_0 dL/dI + b_1 dL/dV)``, both at the arrival's step.  In `round`
mode ``b`` is that of the continuous equations at s = 0.  For an adaptive neuron the effect of the part step on A, of
second order in ``s``, is left out.
"""

from typing import NamedTuple

import numpy as np
from numba import njit


class Delays(NamedTuple):
    """Delays in ms of one projection, from a matrix or from coordinates; the other arrays are empty.

        d_ij = min(d_min + alpha r, longest),  r = sqrt(sum_k (p_ik - q_kj)^2 + eps_2)
                                               or, with l1, sum_k sqrt((p_ik - q_kj)^2 + eps_2)

    Attributes:
        matrix: ``[I, J]``.
        pre, post: ``[I, D]`` and ``[D, J]``.
        alpha, d_min, longest, eps_2: scalars of the same dtype.
        l1: the metric.
    """

    matrix: np.ndarray
    pre: np.ndarray
    post: np.ndarray
    alpha: float
    d_min: float
    longest: float
    eps_2: float
    l1: bool


class Arrival(NamedTuple):
    """How delays become grid steps.

    Attributes:
        per_step: 1 / dt in 1/ms, in the dtype of the delays.
        dt, tau_mem, tau_syn: in ms, float64.
        exact: sub-step arrivals.
        least, most: bounds of the lag in steps; 1 at least for recurrent synapses, since a spike cannot act within
            its own step, and the window's length at most, where an arrival has no effect.
        b_0, b_1: derivatives to the delay in `round` mode.
    """

    per_step: float
    dt: float
    tau_mem: float
    tau_syn: float
    exact: bool
    least: int
    most: int
    b_0: float
    b_1: float


@njit(cache=True)
def _fill_sums(pre, post, i, start, l1, eps_2, out):
    """Distances, or with l2 their squares less ``eps_2``; ``start`` is unsigned, so that the loops vectorise."""
    for dim in range(pre.shape[1]):
        p = pre[i, dim]
        for k in range(np.uint64(len(out))):
            x = (p - post[dim, start + k]) * (p - post[dim, start + k])
            x = np.sqrt(x + eps_2) if l1 else x
            out[k] = x if dim == 0 else out[k] + x


@njit(cache=True)
def fill_delays(delays, i, start, out):
    """Delays of the synapses from ``i`` to ``start .. start + len(out)``.

    Compiled without fast mathematics: the same delay has the same bits wherever it is computed.
    """
    if delays.matrix.size:
        for k in range(len(out)):
            out[k] = delays.matrix[i, start + k]
        return
    _fill_sums(delays.pre, delays.post, i, np.uint64(start), delays.l1, delays.eps_2, out)
    for k in range(len(out)):
        r = out[k] if delays.l1 else np.sqrt(out[k] + delays.eps_2)
        out[k] = min(delays.d_min + delays.alpha * r, delays.longest)


@njit(cache=True, inline="always")
def _rounded(delay, per_step, least, most):
    return np.uint32(np.int32(min(max(np.rint(delay * per_step), least), most)))


@njit(cache=True, inline="always")
def _raised(delay, dt, least, most):
    # A delay that is a whole number of steps must not be pushed to the next by the last bit of a float32.
    return np.uint32(np.int32(min(max(np.ceil(delay / dt - 1e-5), least), most)))


@njit(cache=True)
def fill_lags(delays, arrival, i, start, row, out):
    """Lags in steps, uint32, of the synapses from ``i`` to ``start .. start + len(out)``; ``row`` takes the delays."""
    fill_delays(delays, i, start, row)
    least, most = row.dtype.type(arrival.least), row.dtype.type(arrival.most)
    for k in range(len(out)):
        if arrival.exact:
            out[k] = _raised(row[k], arrival.dt, least, most)
        else:
            out[k] = _rounded(row[k], arrival.per_step, least, most)


@njit(cache=True)
def all_lags(delays, arrival, n_pre, n_post):
    """Lags in steps, uint32 ``[I, J]``, of a projection."""
    row, lags = np.empty(n_post, delays.pre.dtype), np.empty((n_pre, n_post), np.uint32)
    for i in range(n_pre):
        fill_lags(delays, arrival, i, 0, row, lags[i])
    return lags


@njit(cache=True)
def factors(delay, lag, arrival):
    """``(c_0, c_1, b_0, b_1)`` of one synapse."""
    if not arrival.exact:
        return 1.0, 0.0, arrival.b_0, arrival.b_1
    m, n = arrival.tau_mem, arrival.tau_syn
    s = max(lag * arrival.dt - delay, -1e-5 * arrival.dt)
    e_m, e_n = np.exp(-s / m), np.exp(-s / n)
    if abs(m - n) < 1e-6 * m:
        tau = 0.5 * (m + n)
        kappa, slope = s / tau * e_m, (1 - s / tau) / tau * e_m
    else:
        kappa, slope = n / (m - n) * (e_m - e_n), (e_n - n / m * e_m) / (m - n)
    return e_n, kappa, e_n / n, -slope


@njit(cache=True)
def count_beyond(delays, bound, mask):
    """Number of synapses of ``mask [I, J]`` whose delay exceeds ``bound``, and the longest delay among them."""
    n_pre, n_post = mask.shape
    row = np.empty(n_post, delays.pre.dtype)
    count, longest = 0, 0.0
    for i in range(n_pre):
        fill_delays(delays, i, 0, row)
        for j in range(n_post):
            if mask[i, j] and row[j] > bound:
                count += 1
                longest = max(longest, row[j])
    return count, longest


@njit(cache=True)
def pull_to_places(delays, i, start, grad, scratch, grad_pre, grad_post, grad_scale):
    """Add what ``grad [n] = dL/dd`` of the synapses from ``i`` to ``start .. start + n`` means for the coordinates
    ``[I, D]`` and ``[D, J]`` and, in ``grad_scale [1]``, for alpha; ``scratch [n]`` is overwritten."""
    fill_delays(delays, i, start, scratch)
    least, total = np.sqrt(delays.eps_2), grad[0] * 0
    for k in range(len(grad)):
        r = max((scratch[k] - delays.d_min) / delays.alpha, least)  # rounding must not make it zero
        g = grad[k] if scratch[k] < delays.longest else grad[k] * 0
        total += g * r
        scratch[k] = delays.alpha * g if delays.l1 else delays.alpha * g / r
    grad_scale[0] += total
    for dim in range(delays.pre.shape[1]):
        p = delays.pre[i, dim]
        total = grad[0] * 0
        for k in range(len(grad)):
            x = p - delays.post[dim, start + k]
            g = scratch[k] * (x / np.sqrt(x * x + delays.eps_2) if delays.l1 else x)
            total += g
            grad_post[dim, start + k] -= g
        grad_pre[i, dim] += total
