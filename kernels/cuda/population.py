"""A population advanced over all T steps in one launch, and its adjoint; equations in `spsnn.kernels.cpu.population`.

One block takes one sample.  A thread owns the neurons ``blockDim.x`` apart; without recurrent synapses neurons do not
meet, and ``gridDim.y`` blocks share them.
"""

import numpy as np
from numba import cuda

from spsnn.kernels.cpu.population import HELD
from spsnn.kernels.cpu.surrogate import surrogate as cpu_surrogate
from spsnn.kernels.cuda.projection import PARTS, pull, send

GROUP = 32  # neurons whose spikes of a step are bits of one number

surrogate = cuda.jit(device=True)(cpu_surrogate.py_func)


@cuda.jit
def run(
    x_0, x_1, s, recurrent, in_shared, n_slots, constants, subtract, n_refractory, state, fired,
    spikes, potential, current, adaptation,
):  # fmt: skip
    """Advance one sample per block.

    ``x_0``, ``spikes``, ``potential`` are ``[B, T * J]``; ``x_1`` the same with exact delays, else empty, and
    ``current``, ``adaptation`` the same or empty.  Outside shared memory recurrent arrivals are added to ``x``.
    Scratch: ``state [B, 4, J]`` of zeros, and ``fired [B, ceil(J / GROUP)]``.
    """
    b, tid, threads = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x
    first, stride = cuda.blockIdx.y * threads + tid, cuda.gridDim.y * threads
    c, v, i, a, held = constants, state[b, 0], state[b, 1], state[b, 2], state[b, 3]
    n = c.shape[1]
    n_steps = x_0.shape[1] // n
    jumping, one = x_1.size > 0, x_0.dtype.type(1)
    if in_shared:
        shared = cuda.shared.array(0, x_0.dtype)
        ring_0, ring_1 = shared[: n_slots * n], shared[n_slots * n :]
        for j in range(first, n, stride):
            for slot in range(n_slots):
                ring_0[slot * n + j] = 0
                if jumping:
                    ring_1[slot * n + j] = 0
    else:
        ring_0 = x_0[b]
        ring_1 = x_1[b]
    for t in range(n_steps):
        now = t % n_slots
        for j in range(first, n, stride):
            at, slot = t * n + j, now * n + j
            v_1 = c[0, j] * v[j] + c[1, j] * i[j] + c[2, j] * a[j]
            a_1 = c[3, j] * v[j] + c[4, j] * i[j] + c[5, j] * a[j]
            i_1 = c[6, j] * i[j] + x_0[b, at]
            if jumping:
                v_1 += x_1[b, at]
            if in_shared:
                i_1 += ring_0[slot]
                ring_0[slot] = 0
                if jumping:
                    v_1 += ring_1[slot]
                    ring_1[slot] = 0
            i[j] = i_1
            if current.size > 0:
                current[b, at] = i_1
            if adaptation.size > 0:
                adaptation[b, at] = a_1
            spikes[b, at] = 0
            if held[j] > 0:
                held[j] -= 1
                potential[b, at] = HELD
                v_1 = c[8, j]
            else:
                potential[b, at] = v_1
                if v_1 > c[7, j]:
                    spikes[b, at] = 1
                    v_1 = v_1 - c[7, j] if subtract else c[8, j]
                    a_1 += c[9, j]
                    held[j] = n_refractory
            v[j] = v_1
            a[j] = a_1
        if recurrent:
            cuda.syncthreads()
            for g in range(tid, fired.shape[1], threads):
                bits = 0
                for k in range(g * GROUP, min(n, (g + 1) * GROUP)):
                    if spikes[b, t * n + k] != 0:
                        bits |= 1 << (k - g * GROUP)
                fired[b, g] = bits
            cuda.syncthreads()
            for g in range(fired.shape[1]):
                bits = fired[b, g]
                while bits != 0:
                    pre = g * GROUP + cuda.ffs(bits) - 1
                    bits &= bits - 1
                    for j in range(first, n, stride):
                        send(t, now, np.uint32(pre), np.uint32(j), one, s, n_slots, n, j, ring_0, ring_1)


@cuda.jit
def run_adjoint(
    spikes, potential, current, adaptation, grad_spikes, grad_potential, offsets, units, s, recurrent, in_shared,
    n_slots, constants, subtract, detach_reset, eventprop, kind, slope, tau_mem, adaptation_rates, min_slope, state,
    grad_0, grad_1,
):  # fmt: skip
    """Adjoint of `run`: writes ``grad_0 = dL/dx_0`` and ``grad_1 = dL/dx_1``, both ``[B, T * J]``.

    ``grad_spikes [B, T * J]`` is dL/dspike, or dL/dt_k with EventProp; the recurrent part is added to it, at the
    positions of the lists ``offsets``, ``units`` where it matters.  The equations are those of
    `spsnn.kernels.cpu.population.run_adjoint`.  Scratch: ``state [B, 6, J]`` of zeros.
    """
    shared = cuda.shared.array(0, grad_0.dtype)
    real = grad_0.dtype.type
    b, tid, threads = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x
    first, stride = cuda.blockIdx.y * threads + tid, cuda.gridDim.y * threads
    c, lv, li, la = constants, state[b, 0], state[b, 1], state[b, 2]
    was_held, slope_released, lv_released = state[b, 3], state[b, 4], state[b, 5]
    n = c.shape[1]
    n_steps = potential.shape[1] // n
    if in_shared:
        ring_0, ring_1 = shared[PARTS : PARTS + n_slots * n], shared[PARTS + n_slots * n :]
    else:
        ring_0 = grad_0[b]
        ring_1 = grad_1[b]
    for back in range(n_steps):
        t = n_steps - 1 - back
        if recurrent:
            pull(tid, threads, b, t, offsets, units, s, eventprop, n_slots, ring_0, ring_1, shared, grad_spikes)
        for j in range(first, n, stride):
            at = t * n + j
            u, z, gv = potential[b, at], spikes[b, at], lv[j]
            if u == HELD:
                if eventprop and was_held[j] == 0:
                    a_end = adaptation[b, at] if adaptation.size > 0 else real(0)
                    slope_released[j] = current[b, at] - c[8, j] - a_end
                    lv_released[j] = gv
                was_held[j] = 1
                gv = real(0)
            else:
                if not eventprop:
                    psi = real(surrogate(u - c[7, j], kind, slope))
                    gz = grad_spikes[b, at] + la[j] * c[9, j]
                    if not detach_reset:
                        gz += gv * (-c[7, j] if subtract else c[8, j] - u)
                    if z != 0 and not subtract:
                        gv = real(0)
                    gv += psi * gz
                elif z != 0:
                    a_before = adaptation[b, at] if adaptation.size > 0 else real(0)
                    slope_before = max(current[b, at] - c[7, j] - a_before, min_slope)
                    slope_after = current[b, at] - c[8, j] - a_before - c[9, j]
                    if was_held[j] != 0:
                        slope_after = slope_released[j]
                        gv = lv_released[j]
                    bend = adaptation_rates[1, j] * (c[8, j] - c[7, j]) - adaptation_rates[0, j] * c[9, j]
                    gv = (slope_after * gv + tau_mem * (la[j] * bend - grad_spikes[b, at])) / slope_before
                was_held[j] = 0
                if grad_potential.size > 0:
                    gv += grad_potential[b, at]
            grad_0[b, at] = li[j]
            grad_1[b, at] = gv
            if in_shared:
                slot = t % n_slots * n + j
                ring_0[slot] = li[j]
                if s.jump_0.size > 0 or eventprop:
                    ring_1[slot] = gv
            a_0, i_0 = la[j], li[j]
            lv[j] = c[0, j] * gv + c[3, j] * a_0
            la[j] = c[2, j] * gv + c[5, j] * a_0
            li[j] = c[6, j] * i_0 + c[1, j] * gv + c[4, j] * a_0
        cuda.syncthreads()
