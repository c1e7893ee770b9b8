"""A population of linear neurons with a threshold, advanced over all T steps.

State (V, I, A) per neuron; one step of size dt is exact between arrivals:

    V = a_vv V + a_vi I + a_va A + x_1        A = a_av V + a_ai I + a_aa A        I = a_ii I + x_0

with ``x_0``, ``x_1`` the jumps of the current and of the potential caused by arriving spikes.  Then, where
V > threshold: spike, V -> v_reset or V - threshold, A -> A + b.  During ``n_refractory`` steps after a spike V is
held at v_reset.  A leaky integrator is a population whose threshold is never reached.

``constants [10, J]`` holds a_vv, a_vi, a_va, a_av, a_ai, a_aa, a_ii, threshold, v_reset, b.

Recurrent synapses act inside the kernel, see `spsnn.kernels.cpu.loop`.
"""

import numpy as np
from numba import njit, prange

from spsnn.kernels.cpu.loop import list_marked, send
from spsnn.kernels.cpu.projection import FAST, LANES

HELD = -(2.0**100)  # written to the potential's record while a neuron is refractory; the same number in float32


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


@njit(cache=True, fastmath=FAST)
def _run_sample(
    x_0, x_1, loop, c, subtract, adaptive, n_refractory, spikes, potential, current, adaptation
):  # fmt: skip
    n_steps, n = potential.shape
    recurrent, exact = len(loop.ptr) > 0, len(loop.weight_1) > 0
    ptr, place, weight_0, weight_1 = loop.ptr, loop.place, loop.weight_0, loop.weight_1  # or they are counted per spike
    wrap = np.uint32(loop.slots * loop.width - 1)
    state = np.zeros((4, len(x_0) * LANES), x_0.dtype)
    v, i, a, u = state[0], state[1], state[2], state[3]
    held, fired = np.zeros(n, np.int32), np.empty(n, np.int64)
    ring_0 = np.zeros(loop.slots * loop.width if recurrent else 0, x_0.dtype)
    ring_1 = np.zeros(loop.slots * loop.width if exact else 0, x_0.dtype)
    for t in range(n_steps):
        base = np.uint32(t) * np.uint32(loop.width) & wrap
        _advance(c, v, i, a, u, adaptive)
        _take(i, x_0, t)
        if x_1.size:
            _take(u, x_1, t)
        if recurrent:
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
        if recurrent:
            for e in range(list_marked(z, fired)):
                first, last = ptr[fired[e]], ptr[fired[e] + 1]
                send(ring_0, base, wrap, place, weight_0, first, last)
                if exact:
                    send(ring_1, base, wrap, place, weight_1, first, last)


@njit(cache=True, parallel=True)
def run(x_0, x_1, loop, constants, subtract, adaptive, n_refractory, spikes, potential, current, adaptation):
    """Advance all samples.

    Tiles ``x_0``, and ``x_1`` the same or without steps; recurrent synapses ``loop``, whose lags are at least 1.
    Writes ``spikes`` and ``potential [B, T, J]`` (before the reset; HELD while refractory) and, where they have steps,
    ``current`` and ``adaptation [B, T, J]`` (before the jump).
    """
    n = potential.shape[2]
    padded = np.zeros((10, x_0.shape[1] * LANES), constants.dtype)
    padded[:, :n] = constants
    for b in prange(len(potential)):
        _run_sample(
            x_0[b], x_1[b], loop, padded, subtract, adaptive, n_refractory, spikes[b], potential[b], current[b],
            adaptation[b],
        )  # fmt: skip
