"""A population of linear neurons with a threshold, advanced over all T steps.

State (V, I, A) per neuron; one step of size dt is exact between arrivals:

    V = a_vv V + a_vi I + a_va A + x_1        A = a_av V + a_ai I + a_aa A        I = a_ii I + x_0

with ``x_0``, ``x_1`` the jumps of the current and of the potential caused by arriving spikes.  Then, where
V > threshold: spike, V -> v_reset or V - threshold, A -> A + b.  During ``n_refractory`` steps after a spike V is
held at v_reset.  A leaky integrator is a population whose threshold is never reached.

``constants [10, J]`` holds a_vv, a_vi, a_va, a_av, a_ai, a_aa, a_ii, threshold, v_reset, b.

Recurrent synapses act inside the kernel through a ring of pending arrivals, whose rows are padded to a power of
two so that one addition and one mask give the address.  Their lags are computed for each spike.
"""

import numpy as np
from numba import njit, prange

from spsnn.kernels.cpu.delays import fill_places, longest_lag, rule_of
from spsnn.kernels.cpu.projection import FAST, LANES

HELD = -(2.0**100)  # written to the potential's record while a neuron is refractory; the same number in float32


@njit(cache=True)
def power_of_two(n):
    """Least power of two that is not below ``n``."""
    p = 1
    while p < n:
        p *= 2
    return p


@njit(cache=True)
def ring_shape(delays, arrival, n):
    """``(slots, width)`` of the ring of a recurrent projection of ``n`` neurons, both powers of two."""
    return power_of_two(longest_lag(delays, arrival, n, n) + 1), power_of_two(n)


@njit(cache=True, fastmath=FAST)
def _advance(c, v, i, a, u, adaptive):
    """One step without arrivals; the potential before the threshold goes to ``u``."""
    a_vv, a_vi, a_va, a_av, a_ai, a_aa, a_ii = c[0], c[1], c[2], c[3], c[4], c[5], c[6]
    for j in range(len(v)):
        u[j] = a_vv[j] * v[j] + a_vi[j] * i[j]
    if adaptive:
        for j in range(len(v)):
            u[j] += a_va[j] * a[j]
        for j in range(len(v)):
            a[j] = a_aa[j] * a[j] + a_av[j] * v[j]
        for j in range(len(v)):
            a[j] += a_ai[j] * i[j]
    for j in range(len(v)):
        i[j] *= a_ii[j]


@njit(cache=True)
def _take(x, tiles, t):
    """Add step ``t`` of one sample's ``tiles`` to ``x``."""
    for tile in range(len(tiles)):
        lanes, row = x[tile * LANES : (tile + 1) * LANES], tiles[tile, t]
        for k in range(LANES):
            lanes[k] += row[k]


@njit(cache=True)
def _take_slot(x, slot):
    """Add a slot of the ring to ``x`` and clear it."""
    for j in range(len(slot)):
        x[j] += slot[j]
    slot[:] = 0


@njit(cache=True, fastmath=FAST)
def _fire(c, v, a, u, z, subtract, adaptive):
    """Threshold and reset where no neuron is refractory; spikes go to ``z``."""
    one, zero = z.dtype.type(1), z.dtype.type(0)
    threshold, v_reset, jump = c[7], c[8], c[9]
    for j in range(len(z)):
        z[j] = one if u[j] > threshold[j] else zero
    if subtract:
        for j in range(len(z)):
            v[j] = u[j] - z[j] * threshold[j]
    else:
        for j in range(len(z)):
            stay, reset = u[j], v_reset[j]  # both read, so that the loop vectorises
            v[j] = stay if z[j] == zero else reset
    if adaptive:
        for j in range(len(z)):
            a[j] += z[j] * jump[j]


@njit(cache=True, fastmath=FAST)
def _fire_refractory(c, v, a, u, z, held, subtract, n_refractory):
    """The same with neurons that are held for some steps after a spike."""
    for j in range(len(z)):
        z[j] = 0
        if held[j] > 0:
            held[j] -= 1
            u[j] = HELD
            v[j] = c[8, j]
        elif u[j] > c[7, j]:
            z[j] = 1
            v[j] = u[j] - c[7, j] if subtract else c[8, j]
            a[j] += c[9, j]
            held[j] = n_refractory
        else:
            v[j] = u[j]


@njit(cache=True)
def _list_spikes(z, fired):
    """Write the neurons that spike to ``fired``; returns their number."""
    count = 0
    for j in range(len(z)):
        fired[count] = j
        count += z[j] != 0
    return count


@njit(cache=True)
def _send(ring, places, weight, pre):
    """Put one spike's arrivals into the ring."""
    for j in range(len(places)):
        ring[places[j]] += weight[pre, j]


@njit(cache=True)
def _deliver(fired, weight_0, weight_1, delays, arrival, base, width, wrap, row, places, ring_0, ring_1):
    """Put the arrivals of the spikes of a step into the rings."""
    matrix, points, targets, rule = delays.matrix, delays.pre, delays.post, rule_of(delays)
    for e in range(len(fired)):
        pre = fired[e]
        fill_places(matrix, points, targets, rule, arrival, pre, base, width, wrap, row, places)
        _send(ring_0, places, weight_0, pre)
        if weight_1.size:
            _send(ring_1, places, weight_1, pre)


@njit(cache=True, fastmath=FAST)
def _run_sample(
    x_0, x_1, weight_0, weight_1, delays, arrival, c, subtract, adaptive, n_refractory, slots, width, spikes,
    potential, current, adaptation,
):  # fmt: skip
    n_steps, n = potential.shape
    recurrent, recurrent_jumps = weight_0.size > 0, weight_1.size > 0
    wrap = np.uint32(slots * width - 1)
    state = np.zeros((4, len(x_0) * LANES), x_0.dtype)
    v, i, a, u = state[0], state[1], state[2], state[3]
    held = np.zeros(n, np.int32)
    row, places, fired = np.empty(n, delays.pre.dtype), np.empty(n, np.uint32), np.empty(n + 1, np.int64)
    ring_0 = np.zeros(slots * width if recurrent else 0, x_0.dtype)
    ring_1 = np.zeros(slots * width if recurrent_jumps else 0, x_0.dtype)
    for t in range(n_steps):
        base = np.uint32(t) * np.uint32(width) & wrap
        _advance(c, v, i, a, u, adaptive)
        _take(i, x_0, t)
        if x_1.size:
            _take(u, x_1, t)
        if recurrent:
            _take_slot(i, ring_0[base : base + n])
        if recurrent_jumps:
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
        if recurrent:
            count = _list_spikes(z, fired)
            _deliver(
                fired[:count], weight_0, weight_1, delays, arrival, base, np.uint32(width), wrap, row, places, ring_0,
                ring_1,
            )  # fmt: skip


@njit(cache=True, parallel=True)
def run(
    x_0, x_1, weight_0, weight_1, delays, arrival, constants, subtract, adaptive, n_refractory, spikes, potential,
    current, adaptation,
):  # fmt: skip
    """Advance all samples.

    Tiles ``x_0``, and ``x_1`` the same or without steps; recurrent ``weight_0`` and ``weight_1 [J, J]`` (pre, post),
    empty where there are none; lags are at least 1.  Writes ``spikes`` and ``potential [B, T, J]`` (before the reset;
    HELD while refractory) and, where they have steps, ``current`` and ``adaptation [B, T, J]`` (before the jump).
    """
    n = potential.shape[2]
    slots, width = ring_shape(delays, arrival, n) if weight_0.size else (1, 1)
    padded = np.zeros((10, x_0.shape[1] * LANES), constants.dtype)
    padded[:, :n] = constants
    for b in prange(len(potential)):
        _run_sample(
            x_0[b], x_1[b], weight_0, weight_1, delays, arrival, padded, subtract, adaptive, n_refractory, slots,
            width, spikes[b], potential[b], current[b], adaptation[b],
        )  # fmt: skip
