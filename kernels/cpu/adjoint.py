"""Adjoint of a population of linear neurons: the surrogate and the EventProp gradient.

Each step of the sweep, backwards in time, first turns dL/dV after the threshold (`lv`) into dL/dV before it, then
takes dL/dV, dL/dI and dL/dA (`lv`, `li`, `la`) back over the flow of one step.
"""

import numpy as np
from numba import njit, prange

from spsnn.kernels.cpu.loop import list_marked, receive
from spsnn.kernels.cpu.population import HELD
from spsnn.kernels.cpu.projection import FAST, LANES
from spsnn.kernels.cpu.surrogate import surrogate


@njit(cache=True, fastmath=FAST)
def _fill_psi(u, threshold, kind, slope, psi):
    """Surrogate derivatives; zero where a neuron is held, since HELD is far from every threshold."""
    if kind == 2:  # the default on its own: this loop vectorises
        one, zero = psi.dtype.type(1), psi.dtype.type(0)
        for j in range(len(psi)):
            psi[j] = max(zero, one - slope * abs(u[j] - threshold[j]))
    else:
        for j in range(len(psi)):
            psi[j] = surrogate(u[j] - threshold[j], kind, slope)


@njit(cache=True, fastmath=FAST)
def _through_surrogate(c, u, z, psi, gz, lv, subtract, detach_reset):
    """``dL/dV- = dL/dV+ dV+/dV- + psi dL/dz``."""
    threshold, v_reset = c[7], c[8]
    if not detach_reset:
        for j in range(len(lv)):
            gz[j] += lv[j] * (-threshold[j] if subtract else v_reset[j] - u[j])
    if not subtract:
        zero = lv.dtype.type(0)
        for j in range(len(lv)):
            g = lv[j]
            lv[j] = g if z[j] == 0 else zero
    for j in range(len(lv)):
        lv[j] += psi[j] * gz[j]


@njit(cache=True, fastmath=FAST)
def _through_times(c, z, current, a, rates, tau_mem, min_slope, gz, lv, la, was_held, released):
    """``dL/dV- = (Vdot+ dL/dV+ + dL/dA+ dAdot - dL/dt_k) / Vdot-`` at spikes."""
    for j in range(len(lv)):
        if z[j] != 0:
            drive = current[j] - (a[j] if len(a) else 0)
            before = max(drive - c[7, j], min_slope)
            after, gv = drive - c[8, j] - c[9, j], lv[j]
            if was_held[j]:
                after, gv = released[0, j], released[1, j]
            bend = rates[1, j] * (c[8, j] - c[7, j]) - rates[0, j] * c[9, j]
            lv[j] = (after * gv + tau_mem[j] * (la[j] * bend - gz[j])) / before


@njit(cache=True, fastmath=FAST)
def _note_held(c, u, current, a, lv, was_held, released):
    """Keep Vdot+ and dL/dV+ where a refractory period ends; a held potential has no gradient."""
    for j in range(len(lv)):
        held = u[j] == HELD
        if held:
            if not was_held[j] and len(current):
                released[0, j] = current[j] - c[8, j] - (a[j] if len(a) else 0)
                released[1, j] = lv[j]
            lv[j] = 0
        was_held[j] = held


@njit(cache=True, fastmath=FAST)
def _back(c, lv, li, la, adaptive):
    """Back over the flow of one step."""
    a_vv, a_vi, a_va, a_av, a_ai, a_aa, a_ii = c[0], c[1], c[2], c[3], c[4], c[5], c[6]
    for j in range(len(lv)):
        li[j] = a_ii[j] * li[j] + a_vi[j] * lv[j]
    if adaptive:
        for j in range(len(lv)):
            li[j] += a_ai[j] * la[j]
        for j in range(len(lv)):
            v, a = lv[j], la[j]
            lv[j] = a_vv[j] * v + a_av[j] * a
            la[j] = a_va[j] * v + a_aa[j] * a
    else:
        for j in range(len(lv)):
            lv[j] *= a_vv[j]


@njit(cache=True)
def _put(x, tiles, t):
    """Write ``x`` to step ``t`` of one sample's ``tiles``."""
    for tile in range(len(tiles)):
        row, lanes = tiles[tile, t], x[tile * LANES : (tile + 1) * LANES]
        for k in range(LANES):
            row[k] = lanes[k]


@njit(cache=True, fastmath=FAST)
def _sample_adjoint(
    spikes, potential, current, adaptation, grad_spikes, grad_potential, loop, c, subtract, adaptive,
    refractory, detach_reset, by_time, kind, slope, tau_mem, rates, min_slope, grad_0, grad_1,
):  # fmt: skip
    n_steps, n = potential.shape
    recurrent, exact = len(loop.ptr) > 0, len(loop.weight_1) > 0
    ptr, place, weight_0, weight_1 = loop.ptr, loop.place, loop.weight_0, loop.weight_1  # or they are counted per spike
    wrap = np.uint32(loop.slots * loop.width - 1)
    padded = np.zeros((2, len(grad_0) * LANES), potential.dtype)
    scratch = np.zeros((3, n), potential.dtype)
    lv, li = padded[0, :n], padded[1, :n]
    la, psi, gz = scratch[0], scratch[1], scratch[2]
    released, was_held = np.zeros((2, n), potential.dtype), np.zeros(n, np.bool_)
    found = np.empty(n, np.int64)
    # What a recurrent arrival is worth for a unit weight: dL/dI, or with ``by_time`` its derivative to the delay; with
    # exact delays dL/dI and dL/dV apart.
    mix_0, mix_1 = potential.dtype.type(loop.mix_0), potential.dtype.type(loop.mix_1)
    ring_0 = np.zeros(loop.slots * loop.width if recurrent else 0, potential.dtype)
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
        if recurrent:
            for e in range(list_marked(z if by_time else psi, found)):
                pre = found[e]
                first, last = ptr[pre], ptr[pre + 1]
                gz[pre] += receive(ring_0, base, wrap, place, weight_0, first, last)
                if exact:
                    gz[pre] += receive(ring_1, base, wrap, place, weight_1, first, last)
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
        if recurrent:
            slot = ring_0[base : base + n]
            for j in range(n):
                slot[j] = mix_0 * li[j] + mix_1 * lv[j]
            if exact:
                ring_1[base : base + n] = lv
        _back(c, lv, li, la, adaptive)


@njit(cache=True, parallel=True)
def run_adjoint(
    spikes, potential, current, adaptation, grad_spikes, grad_potential, loop, constants, subtract, adaptive,
    refractory, detach_reset, by_time, kind, slope, tau_mem, rates, min_slope, grad_0, grad_1,
):  # fmt: skip
    """Adjoint of `spsnn.kernels.cpu.population.run`: tiles ``grad_0 = dL/dx_0`` and ``grad_1 = dL/dx_1``.

    ``by_time`` False, surrogate: ``grad_spikes`` is dL/dspike and the spike's derivative is `surrogate`.
    ``by_time`` True, EventProp: ``grad_spikes`` is dL/dt_k in 1/ms, read only where there is a spike, and

        dL/dV- = (Vdot+ dL/dV+ + dL/dA+ dAdot - dL/dt_k) / Vdot-

    with ``tau_mem Vdot = I - V - A``, and with ``Vdot+``, ``dL/dV+`` taken where the refractory period ends
    (Wunderlich & Pehle 2021; Nowotny et al. 2025 for delays).  ``tau_mem Vdot-`` is kept above ``min_slope``: at a
    grazing crossing the true gradient diverges.  ``rates [2, J]`` holds 1/tau_adapt and a/tau_adapt.

    The recurrent part of dL/dspike (or dL/dt_k) of neuron i at t is, with exact delays,
    ``sum_j w_0_ij grad_0[t + lag_ij, j] + w_1_ij grad_1[t + lag_ij, j]`` with the weights of the ``loop``; in `round`
    mode it is over ``w_ij grad_0`` or ``w_ij (b_0 grad_0 + b_1 grad_1)``.
    """
    for b in prange(len(potential)):
        _sample_adjoint(
            spikes[b], potential[b], current[b], adaptation[b], grad_spikes[b], grad_potential[b], loop,
            constants, subtract, adaptive, refractory, detach_reset, by_time, kind, slope, tau_mem, rates, min_slope,
            grad_0[b], grad_1[b],
        )  # fmt: skip
