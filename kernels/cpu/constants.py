"""Gradients of the constants of a population of linear neurons, and of delays where every neuron has its own.

After `spsnn.kernels.cpu.adjoint.run_adjoint` (surrogate) ``grad_0[t] = dL/dI[t]`` and ``grad_1[t] = dL/dV[t]``, V
before the threshold.  With V and A after the reset at t - 1, ``la[t] = dL/dA[t]`` and ``la[T - 1] = 0``,

    la[t - 1] = a_va grad_1[t] + a_aa la[t]                             dL/da_ii = sum_t grad_0[t] I[t - 1]
    dL/d(a_vv, a_vi, a_va) = sum_t grad_1[t] (V, I, A)[t - 1]           dL/db    = sum_t la[t] z[t]
    dL/d(a_av, a_ai, a_aa) = sum_t la[t] (V, I, A)[t - 1]

Threshold and reset potential have no gradient here.
"""

import numpy as np
from numba import njit, prange

from spsnn.kernels.cpu.population import HELD
from spsnn.kernels.cpu.projection import FAST, LANES


@njit(cache=True)
def _get(x, tiles, t):
    """Read step ``t`` of one sample's ``tiles``."""
    for tile in range(len(tiles)):
        lanes, row = x[tile * LANES : (tile + 1) * LANES], tiles[tile, t]
        for k in range(LANES):
            lanes[k] = row[k]


@njit(cache=True, fastmath=FAST)
def _after_reset(c, u, z, subtract, v):
    """Potential that the next step starts from."""
    for j in range(len(v)):
        reset = u[j] - c[7, j] if subtract else c[8, j]
        v[j] = c[8, j] if u[j] == HELD else (u[j] if z[j] == 0 else reset)


@njit(cache=True, fastmath=FAST)
def _sample(spikes, potential, current, adaptation, c, subtract, adaptive, grad_0, grad_1, out):
    n_steps, n = potential.shape
    padded = np.empty((2, len(grad_0) * LANES), potential.dtype)
    li, lv = padded[0, :n], padded[1, :n]
    la, v, a = np.zeros(n, potential.dtype), np.empty(n, potential.dtype), np.empty(n, potential.dtype)
    for back in range(n_steps - 1):
        t = n_steps - 1 - back
        z, i = spikes[t - 1], current[t - 1]
        _get(padded[0], grad_0, t)
        _get(padded[1], grad_1, t)
        _after_reset(c, potential[t - 1], z, subtract, v)
        for j in range(n):
            out[0, j] += lv[j] * v[j]
            out[1, j] += lv[j] * i[j]
            out[6, j] += li[j] * i[j]
        if adaptive:
            before = adaptation[t - 1]
            for j in range(n):
                a[j] = before[j] + c[9, j] * z[j]
            for j in range(n):
                out[2, j] += lv[j] * a[j]
                out[3, j] += la[j] * v[j]
                out[4, j] += la[j] * i[j]
                out[5, j] += la[j] * a[j]
            for j in range(n):
                la[j] = c[2, j] * lv[j] + c[5, j] * la[j]
                out[9, j] += la[j] * z[j]


@njit(cache=True, parallel=True)
def pull_to_constants(
    spikes, potential, current, adaptation, constants, subtract, adaptive, grad_0, grad_1, grad_constants
):
    """Add dL/dconstants of sample ``b`` to ``grad_constants[b] [10, J]``; rows as in `spsnn.kernels.cpu.population`.

    ``spikes``, ``potential``, ``current`` and, with ``adaptive``, ``adaptation`` are the ``[B, T, J]`` of the forward
    pass, ``grad_0`` and ``grad_1`` the tiles of the adjoint.
    """
    for b in prange(len(potential)):
        _sample(
            spikes[b], potential[b], current[b], adaptation[b], constants, subtract, adaptive, grad_0[b], grad_1[b],
            grad_constants[b],
        )  # fmt: skip


@njit(cache=True, parallel=True)
def turn_to_delays(rates, grad_0, grad_1):
    """``grad_1 <- rates_1 grad_1 - rates_0 grad_0``, tiles; ``rates [2, padded J]`` holds 1/tau_syn and 1/tau_mem.

    Minus this is dL/dd of a unit weight that arrives there (`round` mode), each neuron with its own time constants.
    """
    n_samples, n_tiles, n_steps, _ = grad_0.shape
    for b in prange(n_samples):
        for tile in range(n_tiles):
            r = rates[:, tile * LANES : (tile + 1) * LANES]
            for t in range(n_steps):
                x, y = grad_0[b, tile, t], grad_1[b, tile, t]
                for k in range(LANES):
                    y[k] = r[1, k] * y[k] - r[0, k] * x[k]
