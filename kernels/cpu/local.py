"""A recurrent population in space whose synapses are found when a spike needs them: memory O(N), none is stored.

Neuron i has a synapse on every other neuron j within ``radius`` for which

    hash(seed, i, j) < probability 2^32        lag = max(1, floor((d_min + alpha r_ij) / dt + 1/2))

Neurons are sorted into the cells of a grid, so that those near a point are a few runs of neighbouring indices.  A run
is read twice: one vectorised pass writes where in the ring of pending arrivals each arrival belongs and how strong it
is, zero without a synapse; a second one adds.  The cost is one read-modify-write per neuron of the runs.

Threads own slabs of targets and walk all spikes of a step in the same order: the bits do not depend on their number.
"""

from typing import NamedTuple

import numpy as np
from numba import njit, prange

from spsnn.kernels.cpu.loop import power_of_two
from spsnn.kernels.cpu.projection import FAST

LANES = 8  # runs are read in whole vectors, past their end; arrays over neurons are padded by as much
MAX_RUNS = 64  # a neuron's runs: at most 10 rows of cells in the plane, 6 x 6 columns in space
BLOCK = 64  # neurons advanced together; the spikes among them are looked for only if there are any


class Local(NamedTuple):
    """Neurons sorted by cell, and the rule of their synapses; ``index`` is the place in this order.

    Attributes:
        position: float32 ``[3, N + LANES]``; unused dimensions are 0.
        unit: uint32 ``[N + LANES]``, the neuron at an index.
        ptr: int64 ``[cells + 1]``; cell c holds the indices ``ptr[c]:ptr[c + 1]``.
        shape, side: cells along each axis and their sides, ``[3]``.
        radius: reach of a synapse.
        first_lag, lag_slope: float32; the lag is ``int(first_lag + lag_slope r)``, at least 1.
        limit: uint32; a pair whose hash is at most this has a synapse.
        seed: uint64.
        slots: steps that the ring of pending arrivals holds, a power of two beyond the longest lag.
    """

    position: np.ndarray
    unit: np.ndarray
    ptr: np.ndarray
    shape: np.ndarray
    side: np.ndarray
    radius: float
    first_lag: np.float32
    lag_slope: np.float32
    limit: np.uint32
    seed: np.uint64
    slots: int


def build(position, radius, probability, d_min, alpha, dt, seed):
    """`Local` of neurons at ``position [N, D]``, D from 1 to 3; N times the longest delay in steps stays below 2^31."""
    n, dim = position.shape
    points = np.zeros((n, 3))
    points[:, {1: [2], 2: [0, 2], 3: [0, 1, 2]}[dim]] = position - position.min(axis=0)
    points = points.astype(np.float32).astype(np.float64)  # cells and distances see the same points
    extent = points.max(axis=0)
    side = radius * np.array([0.5, 0.5, 1 / 16] if dim == 3 else [0.25, 0.25, 1 / 16])
    while np.prod(extent / side + 1) > 4 * n + 1:
        side *= 2
    shape = (extent / side).astype(np.int64) + 1
    x, y, z = (points / side).astype(np.int64).T
    cell = (x * shape[1] + y) * shape[2] + z
    order = np.argsort(cell, kind="stable")
    padded = np.zeros((3, n + LANES), np.float32)
    padded[:, :n] = points[order].T
    return Local(
        padded,
        np.pad(order, (0, LANES)).astype(np.uint32),
        np.searchsorted(cell[order], np.arange(shape.prod() + 1)),
        shape,
        side,
        float(radius),
        np.float32(d_min / dt + 0.5),
        np.float32(alpha / dt),
        np.uint32(max(round(probability * 2**32), 1) - 1),
        np.uint64(seed),
        power_of_two(int((d_min + alpha * radius) / dt * (1 + 1e-6)) + 3),  # float32 lags have 7 digits
    )


@njit(cache=True)
def _find_runs(net, pre, lo, hi, runs):
    """Write the index ranges that can hold targets of ``pre`` within ``lo:hi`` to ``runs [MAX_RUNS, 2]``; their number.

    Along the last axis a run covers the chord that the sphere cuts from its column of cells.
    """
    x, y, z = net.position[0, pre], net.position[1, pre], net.position[2, pre]
    side, shape = net.side, net.shape
    reach = net.radius * (1 + 1e-6)  # squares of float32 distances are rounded
    n = 0
    for a in range(max(int((x - reach) / side[0]), 0), min(int((x + reach) / side[0]), shape[0] - 1) + 1):
        columns = a * shape[1]
        if net.ptr[columns * shape[2]] >= hi or net.ptr[(columns + shape[1]) * shape[2]] <= lo:
            continue
        d_x = max(a * side[0] - x, x - (a + 1) * side[0], 0.0)
        for b in range(max(int((y - reach) / side[1]), 0), min(int((y + reach) / side[1]), shape[1] - 1) + 1):
            d_y = max(b * side[1] - y, y - (b + 1) * side[1], 0.0)
            square = reach * reach - d_x * d_x - d_y * d_y
            if square < 0:
                continue
            half = np.sqrt(square)
            row = (columns + b) * shape[2]
            first = max(net.ptr[row + max(int((z - half) / side[2]), 0)], lo)
            last = min(net.ptr[row + min(int((z + half) / side[2]), shape[2] - 1) + 1], hi)
            if first < last:
                runs[n, 0], runs[n, 1] = first, last
                n += 1
    return n


@njit(cache=True)
def _keys(seed, unit):
    """64 bits of a presynaptic neuron: splitmix64 (Steele et al. 2014) at place ``unit`` of the stream ``seed``."""
    z = seed + (np.uint64(unit) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return np.uint32(z), np.uint32(z >> np.uint64(32))


@njit(cache=True, fastmath=FAST)
def _arrivals(net, pre, first, last, step, weight, address, value):
    """Arrivals of a spike of ``pre`` at ``step`` on the run ``first:last``; returns the number of synapses.

    ``address`` is the place ``slot * N + index`` in the ring, ``value`` the weight, 0 without a synapse.  The run is
    rounded up to whole vectors, in unsigned 32-bit arithmetic throughout, so that the loop vectorises.
    """
    x, y, z = net.position[0, pre], net.position[1, pre], net.position[2, pre]
    key_0, key_1 = _keys(net.seed, net.unit[pre])
    n = np.uint32(net.unit.size - LANES)
    wrap = np.uint32(net.slots - 1)
    r2_max = np.float32(net.radius * net.radius)
    start, now, own, end = np.uint64(first), np.uint32(step), np.uint32(pre), np.uint32(last)
    n_synapses = np.uint32(0)
    for k in range(np.uint64((last - first + LANES - 1) // LANES * LANES)):
        index = np.uint32(start + k)
        d_x, d_y, d_z = net.position[0, start + k] - x, net.position[1, start + k] - y, net.position[2, start + k] - z
        r2 = d_x * d_x + d_y * d_y + d_z * d_z
        h = np.uint32(np.uint32(net.unit[start + k] ^ key_0) * np.uint32(0x7FEB352D))
        h = np.uint32(np.uint32(h ^ (h >> np.uint32(15))) ^ key_1)
        h = np.uint32(h * np.uint32(0x846CA68B))
        h = np.uint32(h ^ (h >> np.uint32(16)))
        synapse = (r2 <= r2_max) & (index != own) & (index < end) & (h <= net.limit)
        lag = max(np.int32(net.first_lag + net.lag_slope * np.sqrt(min(r2, r2_max))), np.int32(1))
        slot = np.uint32(np.uint32(now + np.uint32(lag)) & wrap)
        address[k] = np.uint32(np.uint32(slot * n) + index)
        value[k] = weight if synapse else np.float32(0)
        n_synapses = np.uint32(n_synapses + np.uint32(synapse))
    return n_synapses


@njit(cache=True)
def list_synapses(net, indices):
    """Synapses of the neurons at ``indices``: place in ``indices``, post index, lag, each ``[E]``."""
    n = net.unit.size - LANES
    runs = np.empty((MAX_RUNS, 2), np.int64)
    address, value = np.empty(n + LANES, np.uint32), np.empty(n + LANES, np.float32)
    pre = np.empty(0, np.int64)
    post, lag = pre.copy(), pre.copy()
    for fill in (False, True):
        e = 0
        for source, index in enumerate(indices):
            for r in range(_find_runs(net, index, 0, n, runs)):
                first, last = runs[r]
                _arrivals(net, index, first, last, 0, np.float32(1), address, value)
                for k in range(last - first):
                    if value[k] != 0:
                        if fill:
                            pre[e], post[e], lag[e] = source, address[k] % n, address[k] // n
                        e += 1
        if not fill:
            pre, post, lag = np.empty(e, np.int64), np.empty(e, np.int64), np.empty(e, np.int64)
    return pre, post, lag


@njit(cache=True, parallel=True, fastmath=FAST)
def _advance(v, i, held, arrived, driven, drive_weight, constants, subtract, n_refractory, fired, n_fired):
    """One step of all neurons; slab s writes the indices that spike to ``fired`` from its first index on.

    ``arrived`` is the row of the ring for this step, cleared for the next round.
    """
    n, n_slabs = len(v), len(n_fired)
    vv, vi, ii, threshold, v_reset = constants[0], constants[1], constants[6], constants[7], constants[8]
    for s in prange(n_slabs):
        lo, hi = s * n // n_slabs, (s + 1) * n // n_slabs
        for j in driven[np.searchsorted(driven, lo) : np.searchsorted(driven, hi)]:
            arrived[j] += drive_weight
        count = lo
        for start in range(lo, hi, BLOCK):
            stop = min(start + BLOCK, hi)
            above = 0
            for j in range(np.uint64(start), np.uint64(stop)):
                u = vv * v[j] + vi * i[j]
                i[j] = ii * i[j] + arrived[j]
                arrived[j] = 0
                u = v_reset if held[j] > 0 else u
                held[j] = max(held[j] - 1, 0)
                v[j] = u
                above += u > threshold
            if above > 0:
                for j in range(start, stop):
                    if v[j] > threshold:
                        v[j] = v[j] - threshold if subtract else v_reset
                        held[j] = n_refractory
                        fired[count] = j
                        count += 1
        n_fired[s] = count - lo


@njit(cache=True, parallel=True, fastmath=FAST)
def _deliver(net, spikes, step, weight, ring, n_events):
    """Add the arrivals of the ``spikes`` of a step to the ring; slab s adds its synaptic events to ``n_events[s]``."""
    n, n_slabs = len(weight), len(n_events)
    for s in prange(n_slabs):
        lo, hi = s * n // n_slabs, (s + 1) * n // n_slabs
        runs = np.empty((MAX_RUNS, 2), np.int64)
        address, value = np.empty(hi - lo + LANES, np.uint32), np.empty(hi - lo + LANES, np.float32)
        count = 0
        for pre in spikes:
            for r in range(_find_runs(net, pre, lo, hi, runs)):
                first, last = runs[r]
                count += _arrivals(net, pre, first, last, step, weight[pre], address, value)
                for k in range(np.uint64(last - first)):
                    ring[address[k]] += value[k]
        n_events[s] += count


@njit(cache=True)
def run(net, weight, drive_ptr, drive, drive_weight, constants, subtract, n_refractory, n_slabs):
    """Advance all steps from rest with the equations of `spsnn.kernels.cpu.population`, without adaptation.

    ``weight [N]`` of the synapses of each index; ``drive[drive_ptr[t]:drive_ptr[t + 1]]`` the indices, rising, whose
    current jumps by ``drive_weight`` at step t; ``constants [10]``.  Returns ``ptr [T + 1]``, ``spikes``, the indices
    that spike at step t being ``spikes[ptr[t]:ptr[t + 1]]``, and the number of synaptic events.
    """
    n = len(weight)
    n_steps = len(drive_ptr) - 1
    v, i, held = np.zeros(n, np.float32), np.zeros(n, np.float32), np.zeros(n, np.int32)
    ring = np.zeros(net.slots * n, np.float32)
    fired, n_fired, n_events = np.empty(n, np.int32), np.zeros(n_slabs, np.int64), np.zeros(n_slabs, np.int64)
    ptr, spikes = np.zeros(n_steps + 1, np.int64), np.empty(n, np.int32)
    for t in range(n_steps):
        slot = t & (net.slots - 1)
        arrived, driven = ring[slot * n : (slot + 1) * n], drive[drive_ptr[t] : drive_ptr[t + 1]]
        _advance(v, i, held, arrived, driven, drive_weight, constants, subtract, n_refractory, fired, n_fired)
        if ptr[t] + n > len(spikes):
            spikes = np.concatenate((spikes, np.empty(len(spikes), np.int32)))
        end = ptr[t]
        for s in range(n_slabs):
            lo = s * n // n_slabs
            spikes[end : end + n_fired[s]] = fired[lo : lo + n_fired[s]]
            end += n_fired[s]
        ptr[t + 1] = end
        _deliver(net, spikes[ptr[t] : end], t, weight, ring, n_events)
    return ptr, spikes[: ptr[n_steps]], n_events.sum()
