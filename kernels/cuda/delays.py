"""When spikes arrive, from a matrix of delays or from coordinates, and the gradient of coordinates."""

import math
from typing import NamedTuple

import numpy as np
from numba import cuda

LANES = 32  # threads that share a sum, at most; a power of two


class Delays(NamedTuple):
    """The delays of a projection as kernels take them; numbers have the arrays' type, so that float32 stays float32.

    Attributes:
        delay: ``[I, J]`` in ms, or empty: then ``d_ij = min(d_min + alpha r(p_i, p_j), max_delay)``.
        pre, post: coordinates ``[I, D]`` and ``[J, D]``, or empty.
        d_min, alpha, max_delay, eps, l1: see `spsnn.autograd.delays.Distances`.
    """

    delay: object
    pre: object
    post: object
    d_min: float
    alpha: float
    max_delay: float
    eps: float
    l1: bool


class Synapses(NamedTuple):
    """One projection as the kernels over time take it.

    Attributes:
        weight: ``[I, J]``.
        lag: ``[I, J]`` in steps; one of T steps lies outside the window.
        jump_0, jump_1: ``[I, J]``, what a unit arrival adds to the current and to the potential with exact delays;
            both empty where lags are rounded, and then it adds 1 and 0.
        tau_mem, tau_syn: in ms.
        n_steps: T.
    """

    weight: object
    lag: object
    jump_0: object
    jump_1: object
    tau_mem: float
    tau_syn: float
    n_steps: int


@cuda.jit(device=True)
def distance(i, j, d):
    """``r(p_i, p_j)``."""
    r = d.pre.dtype.type(0)
    for k in range(np.uint32(d.pre.shape[1])):  # unsigned indices need no check for negative ones, here and below
        x = d.pre[i, k] - d.post[j, k]
        if d.l1:
            r += math.sqrt(x * x + d.eps * d.eps)
        else:
            r += x * x
    return r if d.l1 else math.sqrt(r + d.eps * d.eps)


@cuda.jit
def arrivals(d, dt, per_step, tau_mem, tau_syn, least_lag, n_steps, lag, jump_0, jump_1):
    """Write ``lag``, and the jumps where they are not empty: as in `spsnn.kernels.cpu.delays`.

    ``per_step`` is ``1 / dt``; a lag lies between ``least_lag`` and ``n_steps``, both real numbers.  A block takes one
    presynaptic neuron.
    """
    i, real = cuda.blockIdx.x, jump_0.dtype.type
    for j in range(cuda.threadIdx.x, lag.shape[1], cuda.blockDim.x):
        delay = d.delay[i, j] if d.delay.size > 0 else min(d.d_min + d.alpha * distance(i, j, d), d.max_delay)
        if jump_0.size == 0:
            lag[i, j] = round(max(least_lag, min(delay * per_step, n_steps)))
            continue
        slack = real(1e-5)  # a whole number of steps must not be pushed to the next by its last bit
        steps = max(least_lag, real(math.ceil(min(delay / dt - slack, n_steps))))
        lag[i, j] = int(steps)
        after = max(steps * dt - delay, -slack * dt)  # ms between the arrival and its step
        # kappa(s) = exp(-s / tau_mem) (exp(x) - 1) / x s / tau_mem with x = s (1 / tau_mem - 1 / tau_syn): no digits
        # are lost as tau_mem approaches tau_syn
        x = after * (real(1) / tau_mem - real(1) / tau_syn)
        growth = real(1) if x == 0 else math.expm1(x) / x
        jump_0[i, j] = math.exp(-after / tau_syn)
        jump_1[i, j] = math.exp(-after / tau_mem) * growth * after / tau_mem


@cuda.jit(device=True)
def jumps(i, j, s):
    """What a unit arrival adds to the current and to the potential."""
    real = s.weight.dtype.type
    if s.jump_0.size == 0:
        return real(1), real(0)
    return s.jump_0[i, j], s.jump_1[i, j]


@cuda.jit(device=True)
def slopes(c_0, c_1, s):
    """Derivatives of the `jumps` to the delay."""
    return c_0 / s.tau_syn, (c_1 - c_0) / s.tau_mem


@cuda.jit
def pull_points(grad_delay, d, of_post, out):
    """Gradients of the coordinates of one side, ``out[n, :D]``, and the side's parts of dL/dalpha, ``out[n, D]``.

        dL/dp_n = alpha sum_q G_nq (p_n - p_q) / r        dL/dalpha = sum_n sum_q G_nq r_nq

    ``grad_delay [I, J]`` is G; one block sums over the partners ``q`` of one neuron.  A delay cut at ``max_delay``
    has no gradient.  For L1, ``r`` above is the coordinate's own smoothed distance.
    """
    parts = cuda.shared.array(0, grad_delay.dtype)
    n, tid, threads = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x
    dim = d.pre.shape[1]
    partners = grad_delay.shape[0] if of_post else grad_delay.shape[1]
    for k in range(dim + 1):
        total = grad_delay.dtype.type(0)
        for q in range(tid, partners, threads):
            i, j = (q, n) if of_post else (n, q)
            r = distance(i, j, d)
            if d.d_min + d.alpha * r > d.max_delay:
                continue
            if k == dim:
                total += grad_delay[i, j] * r
            else:
                x = d.post[j, k] - d.pre[i, k] if of_post else d.pre[i, k] - d.post[j, k]
                total += grad_delay[i, j] * d.alpha * x / (math.sqrt(x * x + d.eps * d.eps) if d.l1 else r)
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
