"""A population of linear neurons with a threshold, advanced over all T steps, and its adjoint.

State (V, I, A) per neuron; one step of size dt is exact between arrivals:

    V = a_vv V + a_vi I + a_va A + x_1        A = a_av V + a_ai I + a_aa A        I = a_ii I + x_0

with ``x_0``, ``x_1`` the jumps of the current and of the potential caused by arriving spikes.  Then, where
V > threshold: spike, V -> v_reset or V - threshold, A -> A + b.  During ``n_refractory`` steps after a spike V is
held at v_reset.  A leaky integrator is a population whose threshold is never reached.

``constants [10, J]`` holds a_vv, a_vi, a_va, a_av, a_ai, a_aa, a_ii, threshold, v_reset, b.

Recurrent synapses act inside the kernel through a ring of pending arrivals, whose rows are padded to a power of
two so that one addition and one mask give the address.
"""

import numpy as np
from numba import njit, prange

from spsnn.kernels.cpu.projection import FAST
from spsnn.kernels.cpu.surrogate import surrogate

HELD = -(2.0**100)  # written to the potential's record while a neuron is refractory; the same number in float32


@njit(cache=True)
def _power_of_two(n):
    p = 1
    while p < n:
        p *= 2
    return p


@njit(cache=True)
def _ring_offsets(lag, width):
    """Offsets ``lag_ij * width + j`` (uint32) and the ring's size in elements."""
    n_pre, n_post = lag.shape
    slots = _power_of_two(int(lag.max()) + 1) if lag.size else 1
    offset = np.empty((n_pre, n_post), np.uint32)
    for i in range(n_pre):
        for j in range(n_post):
            offset[i, j] = np.uint32(lag[i, j]) * np.uint32(width) + np.uint32(j)
    return offset, slots * width


@njit(cache=True, parallel=True, fastmath=FAST)
def run(x_0, x_1, weight_0, weight_1, lag, constants, subtract, n_refractory, spikes, potential, current, adaptation):
    """Advance all samples.

    ``x_0 [B, T, J]``; ``x_1`` the same or empty; recurrent ``weight_0``, ``weight_1``, ``lag [J, J]`` (pre, post),
    empty where there are none; lags are at least 1.  Writes ``spikes`` and ``potential [B, T, J]`` (before the
    reset; HELD while refractory) and, where not empty, ``current`` and ``adaptation [B, T, J]`` (before the jump).
    """
    n_samples, n_steps, n = x_0.shape
    jumps = x_1.size > 0
    recurrent = weight_0.size > 0
    recurrent_jumps = weight_1.size > 0
    keep_current = current.size > 0
    keep_adaptation = adaptation.size > 0
    width = _power_of_two(n)
    offset, size = _ring_offsets(lag, width)
    wrap = np.uint32(size - 1)
    c = constants
    for b in prange(n_samples):
        v = np.zeros(n, x_0.dtype)
        i = np.zeros(n, x_0.dtype)
        a = np.zeros(n, x_0.dtype)
        held = np.zeros(n, np.int32)
        fired = np.empty(n, np.int32)
        ring_0 = np.zeros(size if recurrent else 1, x_0.dtype)
        ring_1 = np.zeros(size if recurrent_jumps else 1, x_0.dtype)
        for t in range(n_steps):
            base = np.uint32(t * width) & wrap
            n_fired = 0
            for j in range(n):
                v_0, i_0, a_0 = v[j], i[j], a[j]
                v_1 = c[0, j] * v_0 + c[1, j] * i_0 + c[2, j] * a_0
                a_1 = c[3, j] * v_0 + c[4, j] * i_0 + c[5, j] * a_0
                i_1 = c[6, j] * i_0 + x_0[b, t, j]
                if jumps:
                    v_1 += x_1[b, t, j]
                if recurrent:
                    i_1 += ring_0[base + np.uint32(j)]
                    ring_0[base + np.uint32(j)] = 0
                if recurrent_jumps:
                    v_1 += ring_1[base + np.uint32(j)]
                    ring_1[base + np.uint32(j)] = 0
                i[j] = i_1
                if keep_current:
                    current[b, t, j] = i_1
                if keep_adaptation:
                    adaptation[b, t, j] = a_1
                spike = 0
                if held[j] > 0:
                    held[j] -= 1
                    potential[b, t, j] = HELD
                    v_1 = c[8, j]
                else:
                    potential[b, t, j] = v_1
                    if v_1 > c[7, j]:
                        spike = 1
                        v_1 = v_1 - c[7, j] if subtract else c[8, j]
                        a_1 += c[9, j]
                        held[j] = n_refractory
                        fired[n_fired] = j
                        n_fired += 1
                spikes[b, t, j] = spike
                v[j] = v_1
                a[j] = a_1
            if recurrent:
                for k in range(n_fired):
                    pre = fired[k]
                    for j in range(n):
                        ring_0[(base + offset[pre, j]) & wrap] += weight_0[pre, j]
                    if recurrent_jumps:
                        for j in range(n):
                            ring_1[(base + offset[pre, j]) & wrap] += weight_1[pre, j]


@njit(cache=True, parallel=True, fastmath=FAST)
def run_adjoint(
    spikes, potential, current, adaptation, grad_spikes, grad_potential, pre_0, pre_1, lag, constants,
    subtract, detach_reset, estimator, kind, slope, tau_mem, adaptation_rates, min_slope, grad_0, grad_1,
):  # fmt: skip
    """Adjoint of `run`: writes ``grad_0 = dL/dx_0`` and ``grad_1 = dL/dx_1``, both ``[B, T, J]``.

    ``estimator`` 0, surrogate: ``grad_spikes`` is dL/dspike and the spike's derivative is `surrogate`.
    ``estimator`` 1, EventProp: ``grad_spikes`` is dL/dt_k in 1/ms, read only where there is a spike, and

        dL/dV- = (Vdot+ dL/dV+ + dL/dA+ dAdot - dL/dt_k) / Vdot-

    with ``tau_mem Vdot = I - V - A``, and with ``Vdot+``, ``dL/dV+`` taken where the refractory period ends
    (Wunderlich & Pehle 2021; Nowotny et al. 2025 for delays).  ``tau_mem Vdot-`` is kept above ``min_slope``: at a
    grazing crossing the true gradient diverges.  ``adaptation_rates [2, J]`` holds 1/tau_adapt and a/tau_adapt.

    The recurrent part of dL/dspike (or dL/dt_k) of neuron i at t is
    ``sum_j pre_0_ij grad_0[t + lag_ij, j] + pre_1_ij grad_1[t + lag_ij, j]``.
    """
    n_samples, n_steps, n = potential.shape
    recurrent = pre_0.size > 0
    from_spikes = grad_spikes.size > 0
    from_potential = grad_potential.size > 0
    adaptive = adaptation.size > 0
    width = _power_of_two(n)
    offset, size = _ring_offsets(lag, width)
    wrap = np.uint32(size - 1)
    c = constants
    for b in prange(n_samples):
        lv = np.zeros(n, potential.dtype)
        li = np.zeros(n, potential.dtype)
        la = np.zeros(n, potential.dtype)
        released = np.zeros((2, n), potential.dtype)  # Vdot+ and dL/dV+ where a refractory period ends
        was_held = np.zeros(n, np.bool_)
        ring = np.zeros((size if recurrent else 1, 2), potential.dtype)
        for back in range(n_steps):
            t = n_steps - 1 - back
            base = np.uint32(t * width) & wrap
            for j in range(n):
                u = potential[b, t, j]
                z = spikes[b, t, j]
                gv = lv[j]
                if u == HELD:
                    if estimator == 1 and not was_held[j]:
                        a_end = adaptation[b, t, j] if adaptive else 0.0
                        released[0, j] = current[b, t, j] - c[8, j] - a_end
                        released[1, j] = gv
                    was_held[j] = True
                    gv = 0
                else:
                    psi = 0.0
                    if estimator == 0:
                        psi = surrogate(u - c[7, j], kind, slope)
                    if (psi != 0) if estimator == 0 else (z != 0):
                        gz = la[j] * 0
                        if from_spikes:
                            gz += grad_spikes[b, t, j]
                        if recurrent:
                            for m in range(n):
                                at = (base + offset[j, m]) & wrap
                                gz += pre_0[j, m] * ring[at, 0] + pre_1[j, m] * ring[at, 1]
                        if estimator == 0:
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
                grad_0[b, t, j] = li[j]
                grad_1[b, t, j] = gv
                a_0, i_0 = la[j], li[j]
                lv[j] = c[0, j] * gv + c[3, j] * a_0
                la[j] = c[2, j] * gv + c[5, j] * a_0
                li[j] = c[6, j] * i_0 + c[1, j] * gv + c[4, j] * a_0
            if recurrent:
                for j in range(n):
                    ring[base + np.uint32(j), 0] = grad_0[b, t, j]
                    ring[base + np.uint32(j), 1] = grad_1[b, t, j]
