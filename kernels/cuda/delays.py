"""Delays inside kernels, read from a matrix or computed from coordinates, and the gradient of coordinates."""

import math
from typing import NamedTuple

import numpy as np
from numba import cuda

LANES = 32  # threads that share a sum, at most; a power of two


class Synapses(NamedTuple):
    """One projection as kernels take it; numbers have the arrays' type, so that float32 stays float32.

    Attributes:
        weight: ``[I, J]``.
        delay: ``[I, J]`` in ms, or empty: then ``d_ij = min(d_min + alpha r(p_i, p_j), max_delay)``.
        pre, post: coordinates ``[I, D]`` and ``[J, D]``, or empty.
        d_min, alpha, max_delay, eps, l1: see `spsnn.autograd.delays.Distances`.
        dt, tau_mem, tau_syn: in ms; per_step: 1 / dt.
        exact: sub-step arrivals instead of rounded ones.
        least_lag, n_steps: bounds of a lag in steps; one of T steps lies outside the window.
    """

    weight: object
    delay: object
    pre: object
    post: object
    d_min: float
    alpha: float
    max_delay: float
    eps: float
    l1: bool
    dt: float
    per_step: float
    tau_mem: float
    tau_syn: float
    exact: bool
    least_lag: float
    n_steps: float


@cuda.jit(device=True)
def distance(i, j, s):
    """``r(p_i, p_j)``."""
    r = s.weight.dtype.type(0)
    for k in range(np.uint32(s.pre.shape[1])):  # unsigned indices need no check for negative ones, here and below
        x = s.pre[i, k] - s.post[j, k]
        if s.l1:
            r += math.sqrt(x * x + s.eps * s.eps)
        else:
            r += x * x
    return r if s.l1 else math.sqrt(r + s.eps * s.eps)


@cuda.jit(device=True)
def delay_of(i, j, s):
    """``d_ij`` in ms."""
    if s.delay.size > 0:
        return s.delay[i, j]
    return min(s.d_min + s.alpha * distance(i, j, s), s.max_delay)


@cuda.jit(device=True)
def arrival(i, j, s):
    """Lag in steps, and ms between the arrival and its step: as in `spsnn.kernels.cpu.delays`."""
    real = s.weight.dtype.type
    d = delay_of(i, j, s)
    if not s.exact:
        return round(max(s.least_lag, min(d * s.per_step, s.n_steps))), real(0)
    slack = real(1e-5)  # a whole number of steps must not be pushed to the next by its last bit
    lag = max(s.least_lag, real(math.ceil(min(d / s.dt - slack, s.n_steps))))
    return int(lag), max(lag * s.dt - d, -slack * s.dt)


@cuda.jit(device=True)
def jumps(after, s):
    """What a unit arrival adds to the current and to the potential, ``after`` ms later."""
    real = s.weight.dtype.type
    if not s.exact:
        return real(1), real(0)
    # kappa(s) = exp(-s / tau_mem) (exp(x) - 1) / x s / tau_mem with x = s (1 / tau_mem - 1 / tau_syn): no digits are
    # lost as tau_mem approaches tau_syn
    x = after * (real(1) / s.tau_mem - real(1) / s.tau_syn)
    growth = real(1) if x == 0 else math.expm1(x) / x
    return math.exp(-after / s.tau_syn), math.exp(-after / s.tau_mem) * growth * after / s.tau_mem


@cuda.jit(device=True)
def slopes(c_0, c_1, s):
    """Derivatives of the `jumps` to the delay."""
    return c_0 / s.tau_syn, (c_1 - c_0) / s.tau_mem


@cuda.jit
def longest(s, out):
    """``out[i] = max_j d_ij`` in ms."""
    i = cuda.grid(1)
    if i < s.weight.shape[0]:
        d = delay_of(i, 0, s)
        for j in range(1, s.weight.shape[1]):
            d = max(d, delay_of(i, j, s))
        out[i] = d


@cuda.jit
def pull_points(grad_delay, s, of_post, out):
    """Gradients of the coordinates of one side, ``out[n, :D]``, and the side's parts of dL/dalpha, ``out[n, D]``.

        dL/dp_n = alpha sum_q G_nq (p_n - p_q) / r        dL/dalpha = sum_n sum_q G_nq r_nq

    ``grad_delay [I, J]`` is G; one block sums over the partners ``q`` of one neuron.  A delay cut at ``max_delay``
    has no gradient.  For L1, ``r`` above is the coordinate's own smoothed distance.
    """
    parts = cuda.shared.array(0, grad_delay.dtype)
    n, tid, threads = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x
    dim = s.pre.shape[1]
    partners = s.weight.shape[0] if of_post else s.weight.shape[1]
    for k in range(dim + 1):
        total = grad_delay.dtype.type(0)
        for q in range(tid, partners, threads):
            i, j = (q, n) if of_post else (n, q)
            r = distance(i, j, s)
            if s.d_min + s.alpha * r > s.max_delay:
                continue
            if k == dim:
                total += grad_delay[i, j] * r
            else:
                x = s.post[j, k] - s.pre[i, k] if of_post else s.pre[i, k] - s.post[j, k]
                total += grad_delay[i, j] * s.alpha * x / (math.sqrt(x * x + s.eps * s.eps) if s.l1 else r)
        parts[tid] = total
        half = threads // 2
        while half > 0:
            cuda.syncthreads()
            if tid < half:
                parts[tid] += parts[tid + half]
            half //= 2
        if tid == 0:
            out[n, k] = parts[0]
        cuda.syncthreads()
