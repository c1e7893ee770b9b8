"""A population of linear neurons whose recurrent synapses are pruned.

As `spsnn.kernels.cpu.population` and `spsnn.kernels.cpu.adjoint`, with lists of the kept recurrent synapses and their
lags in place of matrices.
"""

import numpy as np
from numba import njit, prange

from spsnn.kernels.cpu.adjoint import _back, _fill_psi, _note_held, _put, _through_surrogate, _through_times
from spsnn.kernels.cpu.population import _advance, _fire, _fire_refractory, _take, _take_slot
from spsnn.kernels.cpu.projection import FAST, LANES


@njit(cache=True)
def _send(ring, base, wrap, place, weight):
    """Put one spike's arrivals into the ring."""
    for k in range(len(place)):
        ring[np.uint32(base + place[k]) & wrap] += weight[k]


@njit(cache=True, fastmath=FAST)
def _from_ring(ring, base, wrap, place, weight):
    """``sum_k weight_k ring[t + lag_k, j_k]`` of one presynaptic neuron."""
    total = ring[0] * 0
    for k in range(len(place)):
        total += weight[k] * ring[np.uint32(base + place[k]) & wrap]
    return total


@njit(cache=True, fastmath=FAST)
def _run_sample(
    x_0, x_1, loop, c, subtract, adaptive, n_refractory, spikes, potential, current, adaptation
):  # fmt: skip
    n_steps, n = potential.shape
    exact = len(loop.weight_1) > 0
    wrap = np.uint32(loop.slots * loop.width - 1)
    state = np.zeros((4, len(x_0) * LANES), x_0.dtype)
    v, i, a, u = state[0], state[1], state[2], state[3]
    held = np.zeros(n, np.int32)
    ring_0 = np.zeros(loop.slots * loop.width, x_0.dtype)
    ring_1 = np.zeros(loop.slots * loop.width if exact else 0, x_0.dtype)
    for t in range(n_steps):
        base = np.uint32(t) * np.uint32(loop.width) & wrap
        _advance(c, v, i, a, u, adaptive)
        _take(i, x_0, t)
        if x_1.size:
            _take(u, x_1, t)
        _take_slot(i, ring_0[base : base + n])
        if exact:
            _take_slot(u, ring_1[base : base + n])
        if current.size:
            current[t] = i[:n]
        if adaptation.size:
            adaptation[t] = a[:n]
        z = spikes[t]
        if n_refractory:
            _fire_refractory(c, v, a, u, z, held, subtract, n_refractory)
        else:
            _fire(c, v, a, u, z, subtract, adaptive)
        potential[t] = u[:n]
        for pre in range(n):
            first, last = loop.ptr[pre], loop.ptr[pre + 1]
            if z[pre] != 0 and first < last:
                _send(ring_0, base, wrap, loop.place[first:last], loop.weight_0[first:last])
                if exact:
                    _send(ring_1, base, wrap, loop.place[first:last], loop.weight_1[first:last])


@njit(cache=True, parallel=True)
def run(x_0, x_1, loop, constants, subtract, adaptive, n_refractory, spikes, potential, current, adaptation):
    """`spsnn.kernels.cpu.population.run` with recurrent synapses from a `spsnn.kernels.cpu.sparse.Loop`."""
    n = potential.shape[2]
    padded = np.zeros((10, x_0.shape[1] * LANES), constants.dtype)
    padded[:, :n] = constants
    for b in prange(len(potential)):
        _run_sample(
            x_0[b], x_1[b], loop, padded, subtract, adaptive, n_refractory, spikes[b], potential[b], current[b],
            adaptation[b],
        )  # fmt: skip


@njit(cache=True, fastmath=FAST)
def _sample_adjoint(
    spikes, potential, current, adaptation, grad_spikes, grad_potential, loop, c, subtract, adaptive,
    refractory, detach_reset, by_time, kind, slope, tau_mem, rates, min_slope, grad_0, grad_1,
):  # fmt: skip
    n_steps, n = potential.shape
    exact = len(loop.weight_1) > 0
    wrap = np.uint32(loop.slots * loop.width - 1)
    padded = np.zeros((2, len(grad_0) * LANES), potential.dtype)
    scratch = np.zeros((3, n), potential.dtype)
    lv, li = padded[0, :n], padded[1, :n]
    la, psi, gz = scratch[0], scratch[1], scratch[2]
    released, was_held = np.zeros((2, n), potential.dtype), np.zeros(n, np.bool_)
    ring_0 = np.zeros(loop.slots * loop.width, potential.dtype)
    ring_1 = np.zeros(loop.slots * loop.width if exact else 0, potential.dtype)
    for back in range(n_steps):
        t = n_steps - 1 - back
        base = np.uint32(t) * np.uint32(loop.width) & wrap
        z, u = spikes[t], potential[t]
        drive = current[t] if by_time else la[:0]
        a = adaptation[t] if adaptive and by_time else la[:0]
        if grad_spikes.size:
            gz[:] = grad_spikes[t]
        else:
            gz[:] = 0
        if not by_time:
            _fill_psi(u, c[7], kind, slope, psi)
            if adaptive:
                for j in range(n):
                    gz[j] += la[j] * c[9, j]
        for pre in range(n):
            first, last = loop.ptr[pre], loop.ptr[pre + 1]
            if (z[pre] if by_time else psi[pre]) != 0 and first < last:
                gz[pre] += _from_ring(ring_0, base, wrap, loop.place[first:last], loop.weight_0[first:last])
                if exact:
                    gz[pre] += _from_ring(ring_1, base, wrap, loop.place[first:last], loop.weight_1[first:last])
        if by_time:
            _through_times(c, z, drive, a, rates, tau_mem, min_slope, gz, lv, la, was_held, released)
        else:
            _through_surrogate(c, u, z, psi, gz, lv, subtract, detach_reset)
        if grad_potential.size:
            for j in range(n):
                lv[j] += grad_potential[t, j]
        if refractory:
            _note_held(c, u, drive, a, lv, was_held, released)
        _put(padded[1], grad_0, t)
        _put(padded[0], grad_1, t)
        slot = ring_0[base : base + n]
        for j in range(n):
            slot[j] = loop.mix_0 * li[j] + loop.mix_1 * lv[j]
        if exact:
            ring_1[base : base + n] = lv
        _back(c, lv, li, la, adaptive)


@njit(cache=True, parallel=True)
def run_adjoint(
    spikes, potential, current, adaptation, grad_spikes, grad_potential, loop, constants, subtract, adaptive,
    refractory, detach_reset, by_time, kind, slope, tau_mem, rates, min_slope, grad_0, grad_1,
):  # fmt: skip
    """`spsnn.kernels.cpu.adjoint.run_adjoint` with recurrent synapses from a `spsnn.kernels.cpu.sparse.Loop`."""
    for b in prange(len(potential)):
        _sample_adjoint(
            spikes[b], potential[b], current[b], adaptation[b], grad_spikes[b], grad_potential[b], loop,
            constants, subtract, adaptive, refractory, detach_reset, by_time, kind, slope, tau_mem, rates, min_slope,
            grad_0[b], grad_1[b],
        )  # fmt: skip
