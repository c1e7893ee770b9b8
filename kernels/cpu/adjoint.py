"""Adjoint of a population of linear neurons: the surrogate and the EventProp gradient."""

import numpy as np
from numba import njit, prange

from spsnn.kernels.cpu.delays import fill_lags
from spsnn.kernels.cpu.population import HELD, ring_shape
from spsnn.kernels.cpu.projection import FAST, LANES
from spsnn.kernels.cpu.surrogate import surrogate


@njit(cache=True, fastmath=FAST)
def _from_ring(ring, base, wrap, lags, shift, back_0, back_1):
    """``sum_j back_0_j grad_0[t + lag_j, j] + back_1_j grad_1[t + lag_j, j]`` of one presynaptic neuron."""
    total = back_0[0] * 0
    for j in range(np.uint32(len(back_0))):
        at = (base + (lags[j] << shift) + j) & wrap
        total += back_0[j] * ring[at, 0] + back_1[j] * ring[at, 1]
    return total


@njit(cache=True, parallel=True, fastmath=FAST)
def run_adjoint(
    spikes, potential, current, adaptation, grad_spikes, grad_potential, back_0, back_1, delays, arrival, constants,
    subtract, detach_reset, by_time, kind, slope, tau_mem, adaptation_rates, min_slope, grad_0, grad_1,
):  # fmt: skip
    """Adjoint of `spsnn.kernels.cpu.population.run`: tiles ``grad_0 = dL/dx_0`` and ``grad_1 = dL/dx_1``.

    ``by_time`` False, surrogate: ``grad_spikes`` is dL/dspike and the spike's derivative is `surrogate`.
    ``by_time`` True, EventProp: ``grad_spikes`` is dL/dt_k in 1/ms, read only where there is a spike, and

        dL/dV- = (Vdot+ dL/dV+ + dL/dA+ dAdot - dL/dt_k) / Vdot-

    with ``tau_mem Vdot = I - V - A``, and with ``Vdot+``, ``dL/dV+`` taken where the refractory period ends
    (Wunderlich & Pehle 2021; Nowotny et al. 2025 for delays).  ``tau_mem Vdot-`` is kept above ``min_slope``: at a
    grazing crossing the true gradient diverges.  ``adaptation_rates [2, J]`` holds 1/tau_adapt and a/tau_adapt.

    The recurrent part of dL/dspike (or dL/dt_k) of neuron i at t is
    ``sum_j back_0_ij grad_0[t + lag_ij, j] + back_1_ij grad_1[t + lag_ij, j]``.
    """
    n_samples, n_steps, n = potential.shape
    recurrent = back_0.size > 0
    from_spikes = grad_spikes.size > 0
    from_potential = grad_potential.size > 0
    adaptive = adaptation.size > 0
    slots, width = ring_shape(delays, arrival, n) if recurrent else (1, 1)
    shift = np.uint32(np.log2(width))
    wrap = np.uint32(slots * width - 1)
    c = constants
    for b in prange(n_samples):
        lv = np.zeros(n, potential.dtype)
        li = np.zeros(n, potential.dtype)
        la = np.zeros(n, potential.dtype)
        released = np.zeros((2, n), potential.dtype)  # Vdot+ and dL/dV+ where a refractory period ends
        was_held = np.zeros(n, np.bool_)
        row, lags = np.empty(n, delays.pre.dtype), np.empty(n, np.uint32)
        ring = np.zeros((slots * width if recurrent else 0, 2), potential.dtype)
        for back in range(n_steps):
            t = n_steps - 1 - back
            base = np.uint32(t * width) & wrap
            for j in range(n):
                u = potential[b, t, j]
                z = spikes[b, t, j]
                gv = lv[j]
                if u == HELD:
                    if by_time and not was_held[j]:
                        a_end = adaptation[b, t, j] if adaptive else 0.0
                        released[0, j] = current[b, t, j] - c[8, j] - a_end
                        released[1, j] = gv
                    was_held[j] = True
                    gv = 0
                else:
                    psi = 0.0
                    if not by_time:
                        psi = surrogate(u - c[7, j], kind, slope)
                    if (z != 0) if by_time else (psi != 0):
                        gz = la[j] * 0
                        if from_spikes:
                            gz += grad_spikes[b, t, j]
                        if recurrent:
                            fill_lags(delays, arrival, j, 0, row, lags)
                            gz += _from_ring(ring, base, wrap, lags, shift, back_0[j], back_1[j])
                        if not by_time:
                            gz += la[j] * c[9, j]
                            if not detach_reset:
                                gz += gv * (-c[7, j] if subtract else c[8, j] - u)
                            if z != 0 and not subtract:
                                gv = gv * 0
                            gv += psi * gz
                        else:
                            a_before = adaptation[b, t, j] if adaptive else 0.0
                            slope_before = max(current[b, t, j] - c[7, j] - a_before, min_slope)
                            slope_after = current[b, t, j] - c[8, j] - a_before - c[9, j]
                            if was_held[j]:
                                slope_after = released[0, j]
                                gv = released[1, j]
                            bend = adaptation_rates[1, j] * (c[8, j] - c[7, j]) - adaptation_rates[0, j] * c[9, j]
                            gv = (slope_after * gv + tau_mem[j] * (la[j] * bend - gz)) / slope_before
                    elif z != 0 and not subtract:
                        gv = gv * 0
                    was_held[j] = False
                    if from_potential:
                        gv += grad_potential[b, t, j]
                tile, k = j // LANES, j % LANES
                grad_0[b, tile, t, k] = li[j]
                grad_1[b, tile, t, k] = gv
                a_0, i_0 = la[j], li[j]
                lv[j] = c[0, j] * gv + c[3, j] * a_0
                la[j] = c[2, j] * gv + c[5, j] * a_0
                li[j] = c[6, j] * i_0 + c[1, j] * gv + c[4, j] * a_0
            if recurrent:
                for j in range(n):
                    ring[base + np.uint32(j), 0] = grad_0[b, j // LANES, t, j % LANES]
                    ring[base + np.uint32(j), 1] = grad_1[b, j // LANES, t, j % LANES]
