"""Delayed synapses of a whole window where most are pruned: a pruned one costs nothing.

As `spsnn.kernels.cpu.projection`, whose tiles it reads and writes, but from lists of the kept synapses, four of a
source at a time.  Arrivals of a place are added in the same order as there.
"""

import numpy as np
from numba import njit, prange

from spsnn.kernels.cpu.pairs import as_pairs, multiply_add_pairs, pair_of
from spsnn.kernels.cpu.projection import FAST, LANES, count_of

FOUR, ONE = np.uint64(4), np.uint64(1)


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
    """`spsnn.kernels.cpu.projection.scatter` of the ``kept`` synapses, with what `place_kept` made of them."""
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
    """Adjoint of `scatter` up to factors, which `spsnn.kernels.cpu.sparse.finish_gather` puts in.

    Chunk ``c`` of the samples fills ``sums[c] [E, 2]``, zero before: for every kept synapse the sum over its arrivals
    of ``grad_0`` and of ``mix_0 grad_0 + mix_1 grad_1``.  ``grad_active``, zero before, as in the dense `gather`, with
    ``back_0`` and ``back_1`` of `place_kept`; in `round` mode it takes the ``channel`` 0 or 1 of these two.
    """
    n_samples, n_chunks = len(grad_0), len(sums)
    for chunk in prange(n_chunks):
        first, last = chunk * n_samples // n_chunks, (chunk + 1) * n_samples // n_chunks
        _gather_chunk(
            ptr, steps, counts, active_ptr, active_steps, kept, place, long, back_0, back_1, mix, channel, first, last,
            grad_0, grad_1, sums[chunk], grad_active,
        )  # fmt: skip
