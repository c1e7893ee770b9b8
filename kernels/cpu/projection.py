"""Delayed synapses of a whole window, from lists of those that there are.

Cost is one read-modify-write (forward) or one read of a pair (backward) per synaptic event, that is per spike and
synapse; a pruned synapse costs nothing.  Inputs and gradients of populations are *tiles* ``[B, J / 8, T, 8]``: what
eight postsynaptic neurons need lies together.  Synapses are prepared once per call, see `spsnn.kernels.cpu.kept`, and
taken four of a source at a time, so that their places and weights stay in registers while its spikes pass by.  No array
grows with T x I x J.
"""

import numpy as np
from numba import njit, prange, types
from numba.extending import overload

from spsnn.kernels.cpu.pairs import as_pairs, multiply_add_pairs, pair_of

FAST = {"reassoc", "contract", "arcp", "nsz"}
LANES = 8  # postsynaptic neurons of a tile
FOUR, ONE = np.uint64(4), np.uint64(1)


def count_of(counts, e):
    """Number of spikes of entry ``e``: that of an array, or one where ``counts`` is False."""
    raise TypeError("counts are read inside compiled code")


@overload(count_of, inline="always")
def _count_of(counts, e):
    if isinstance(counts, types.Array):
        return lambda counts, e: counts[e]
    return lambda counts, e: np.float32(1)


def tiles_of(n_samples, n_steps, n, dtype):
    """Tiles of zeros for ``n`` neurons."""
    return np.zeros((n_samples, -(-n // LANES), n_steps, LANES), dtype)


@njit(cache=True, parallel=True)
def to_tiles(dense, tiles):
    """Copy ``dense [B, T, J]`` into ``tiles``; lanes beyond J become zero."""
    n_samples, n_steps, n = dense.shape
    for b in prange(n_samples):
        for t in range(n_steps):
            for tile in range(tiles.shape[1]):
                for k in range(LANES):
                    j = tile * LANES + k
                    tiles[b, tile, t, k] = dense[b, t, j] if j < n else 0


@njit(cache=True, parallel=True)
def from_tiles(tiles, dense):
    """Copy ``tiles`` into ``dense [B, T, J]``."""
    n_samples, n_steps, n = dense.shape
    for b in prange(n_samples):
        for t in range(n_steps):
            for j in range(n):
                dense[b, t, j] = tiles[b, j // LANES, t, j % LANES]


@njit(cache=True, inline="always")
def _four(values, k):
    return values[k], values[k + np.uint64(1)], values[k + np.uint64(2)], values[k + np.uint64(3)]


@njit(cache=True, inline="always")
def _places(place, k):
    return (
        np.uint64(place[k]),
        np.uint64(place[k + np.uint64(1)]),
        np.uint64(place[k + np.uint64(2)]),
        np.uint64(place[k + np.uint64(3)]),
    )


@njit(cache=True, fastmath=FAST)
def _scatter_rows(ptr, steps, counts, bounds, place, weight, rows):
    """Add ``n weight`` at ``rows[8 t + place]`` for a step ``t`` with ``n`` spikes of ``i`` and its kept synapses."""
    for i in range(len(bounds) - 1):
        first, last = np.uint64(ptr[i]), np.uint64(ptr[i + 1])
        k, end = np.uint64(bounds[i]), np.uint64(bounds[i + 1])
        if first == last:
            continue
        while k + FOUR <= end:
            p_0, p_1, p_2, p_3 = _places(place, k)
            w_0, w_1, w_2, w_3 = _four(weight, k)
            for e in range(first, last):
                n, at = rows.dtype.type(count_of(counts, e)), np.uint64(steps[e]) * np.uint64(LANES)
                rows[at + p_0] += n * w_0
                rows[at + p_1] += n * w_1
                rows[at + p_2] += n * w_2
                rows[at + p_3] += n * w_3
            k += FOUR
        while k < end:
            p, w = np.uint64(place[k]), weight[k]
            for e in range(first, last):
                rows[np.uint64(steps[e]) * np.uint64(LANES) + p] += rows.dtype.type(count_of(counts, e)) * w
            k += ONE


@njit(cache=True)
def _add_rows(rows, long, tiles):
    """Add a group's rows ``[tiles, long, 8]`` to one sample's ``tiles [tiles, T, 8]``; what lies beyond T is lost."""
    for tile in range(len(tiles)):
        flat, mine = tiles[tile].reshape(-1), rows[tile * long * LANES : (tile + 1) * long * LANES]
        for n in range(len(flat)):
            flat[n] += mine[n]


@njit(cache=True, parallel=True)
def scatter(ptr, steps, counts, kept, place, long, weight_0, weight_1, n_chunks, out_0, out_1):
    """``out_m[b, t + lag_ij, j] += w_ij c_m,ij`` for every spike ``t`` of ``i``, m = 0 (current), 1 (potential).

    ``ptr``, ``steps``: spikes grouped by unit, ``counts [E]`` of them a step, or False for one; `Kept` synapses and
    what `place_kept` made of them; ``out_0``, ``out_1``: tiles, the second one without steps in `round` mode.
    """
    n_samples = len(out_0)
    n_groups, depth = (len(kept.ptr) - 1) // kept.n_pre, kept.width // LANES
    for task in prange(n_chunks * n_groups):
        chunk, group = task // n_groups, task % n_groups
        bounds = kept.ptr[group * kept.n_pre : (group + 1) * kept.n_pre + 1]
        rows = np.empty(depth * long * LANES, out_0.dtype)
        for b in range(chunk * n_samples // n_chunks, (chunk + 1) * n_samples // n_chunks):
            rows[:] = 0
            _scatter_rows(ptr[b], steps, counts, bounds, place, weight_0, rows)
            _add_rows(rows, long, out_0[b, group * depth : (group + 1) * depth])
            if len(weight_1):
                rows[:] = 0
                _scatter_rows(ptr[b], steps, counts, bounds, place, weight_1, rows)
                _add_rows(rows, long, out_1[b, group * depth : (group + 1) * depth])


@njit(cache=True, fastmath=FAST)
def _gather_rows(ptr, steps, counts, bounds, place, rows, sums):
    """Add ``n rows[8 t + place]`` to ``sums [E]`` for every step ``t`` with ``n`` spikes of ``i``; rows and sums hold
    pairs."""
    for i in range(len(bounds) - 1):
        first, last = np.uint64(ptr[i]), np.uint64(ptr[i + 1])
        k, end = np.uint64(bounds[i]), np.uint64(bounds[i + 1])
        if first == last:
            continue
        while k + FOUR <= end:
            p_0, p_1, p_2, p_3 = _places(place, k)
            s_0, s_1, s_2, s_3 = _four(sums, k)
            for e in range(first, last):
                n, at = pair_of(count_of(counts, e), s_0), np.uint64(steps[e]) * np.uint64(LANES)
                s_0 = multiply_add_pairs(n, rows[at + p_0], s_0)
                s_1 = multiply_add_pairs(n, rows[at + p_1], s_1)
                s_2 = multiply_add_pairs(n, rows[at + p_2], s_2)
                s_3 = multiply_add_pairs(n, rows[at + p_3], s_3)
            sums[k], sums[k + np.uint64(1)], sums[k + np.uint64(2)], sums[k + np.uint64(3)] = s_0, s_1, s_2, s_3
            k += FOUR
        while k < end:
            p, s = np.uint64(place[k]), sums[k]
            for e in range(first, last):
                n = pair_of(count_of(counts, e), s)
                s = multiply_add_pairs(n, rows[np.uint64(steps[e]) * np.uint64(LANES) + p], s)
            sums[k] = s
            k += ONE


@njit(cache=True, fastmath=FAST)
def _pull_to_spikes(ptr, steps, bounds, place, back, rows, grad):
    """``grad[e] += sum_k back[k] rows[8 t + place[k]]`` for every active position ``e = (i, t)``."""
    for i in range(len(bounds) - 1):
        first, last = np.uint64(ptr[i]), np.uint64(ptr[i + 1])
        k, end = np.uint64(bounds[i]), np.uint64(bounds[i + 1])
        if first == last:
            continue
        while k + FOUR <= end:
            p_0, p_1, p_2, p_3 = _places(place, k)
            w_0, w_1, w_2, w_3 = _four(back, k)
            for e in range(first, last):
                at = np.uint64(steps[e]) * np.uint64(LANES)
                grad[e] += (w_0 * rows[at + p_0] + w_1 * rows[at + p_1]) + (w_2 * rows[at + p_2] + w_3 * rows[at + p_3])
            k += FOUR
        while k < end:
            p, w = np.uint64(place[k]), back[k]
            for e in range(first, last):
                grad[e] += w * rows[np.uint64(steps[e]) * np.uint64(LANES) + p]
            k += ONE


@njit(cache=True, fastmath=FAST)
def _gather_chunk(
    ptr, steps, counts, active_ptr, active_steps, kept, place, long, back_0, back_1, mix, channel, first, last, grad_0,
    grad_1, sums, grad_active,
):  # fmt: skip
    _, n_tiles, n_steps, _ = grad_0.shape
    depth = kept.width // LANES
    x_0, x_1 = mix
    rows = np.zeros((depth * long * LANES, 2), grad_0.dtype)
    pairs = as_pairs(rows.reshape(-1))
    plane = np.zeros(depth * long * LANES if len(active_steps) else 0, grad_0.dtype)
    for group in range((len(kept.ptr) - 1) // kept.n_pre):
        bounds = kept.ptr[group * kept.n_pre : (group + 1) * kept.n_pre + 1]
        start, end = group * depth, min((group + 1) * depth, n_tiles)
        for b in range(first, last):
            for tile in range(start, end):
                flat_0, flat_1 = grad_0[b, tile].reshape(-1), grad_1[b, tile].reshape(-1)
                at = (tile - start) * long * LANES
                for n in range(n_steps * LANES):
                    rows[at + n, 0] = flat_0[n]
                    rows[at + n, 1] = x_0 * flat_0[n] + x_1 * flat_1[n]
                if len(plane):
                    for n in range(n_steps * LANES):
                        plane[at + n] = rows[at + n, channel]
            _gather_rows(ptr[b], steps, counts, bounds, place, pairs, as_pairs(sums.reshape(-1)))
            if len(plane):
                _pull_to_spikes(active_ptr[b], active_steps, bounds, place, back_0, plane, grad_active)
            if len(plane) and len(back_1):
                for tile in range(start, end):
                    at = (tile - start) * long * LANES
                    plane[at : at + n_steps * LANES] = grad_1[b, tile].reshape(-1)
                _pull_to_spikes(active_ptr[b], active_steps, bounds, place, back_1, plane, grad_active)


@njit(cache=True, parallel=True)
def gather(
    ptr, steps, counts, active_ptr, active_steps, kept, place, long, back_0, back_1, mix, channel, grad_0, grad_1, sums,
    grad_active,
):  # fmt: skip
    """Adjoint of `scatter` up to factors, which `spsnn.kernels.cpu.kept.finish_gather` puts in, from tiles
    ``grad_m = dL/dout_m``.

    Chunk ``c`` of the samples fills ``sums[c] [E, 2]``, zero before: for every kept synapse the sum over its arrivals
    of ``grad_0`` and of ``mix_0 grad_0 + mix_1 grad_1``.  The caller adds the chunks in order, so that the result does
    not depend on thread timing.

    ``grad_active [E]``, zero before: gradient of every active position ``(b, i, t)`` as a spike,
    ``sum_j w_ij (c_0 grad_0 + c_1 grad_1)[b, t + lag_ij, j]``, or of its time, with ``b`` for ``c``, from ``back_0``
    and ``back_1`` of `place_kept`; in `round` mode ``back_0`` is the weight and takes the ``channel`` 0 or 1 of the two
    above.  An empty ``active_steps`` skips this part.
    """
    n_samples, n_chunks = len(grad_0), len(sums)
    for chunk in prange(n_chunks):
        first, last = chunk * n_samples // n_chunks, (chunk + 1) * n_samples // n_chunks
        _gather_chunk(
            ptr, steps, counts, active_ptr, active_steps, kept, place, long, back_0, back_1, mix, channel, first, last,
            grad_0, grad_1, sums[chunk], grad_active,
        )  # fmt: skip


@njit(cache=True, parallel=True)
def ungroup(ptr, steps, values, out):
    """Write grouped ``values [E]`` to their places in ``out [B, T, I]``."""
    n_samples, n_units = ptr.shape[0], ptr.shape[1] - 1
    for b in prange(n_samples):
        for i in range(n_units):
            for e in range(ptr[b, i], ptr[b, i + 1]):
                out[b, steps[e], i] = values[e]
