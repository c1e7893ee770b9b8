"""Delayed synapses of a whole window: the rows of eight postsynaptic neurons stay in the first-level cache.

Cost is one read-modify-write (forward) or one read of a pair (backward) per synaptic event, that is per spike and
synapse.  Inputs and gradients of populations are *tiles* ``[B, J / 8, T, 8]``: what a tile needs lies together.
Synapses are prepared once per tile and chunk of samples; no array grows with T x I x J.
"""

import numpy as np
from numba import njit, prange, types
from numba.extending import overload

from spsnn.kernels.cpu.delays import factors, fill_lags, pull_to_places
from spsnn.kernels.cpu.pairs import add_pairs, as_pairs, multiply_add_pairs, pair_of, total_of_pair

FAST = {"reassoc", "contract", "arcp", "nsz"}
LANES = 8  # postsynaptic neurons of a tile


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


@njit(cache=True)
def _prepare(delays, arrival, start, size, row, offset):
    """Offsets ``[I, 8]`` of a tile's synapses into its rows ``[steps, 8]``; returns its longest lag."""
    lags = np.empty(LANES, np.uint32)
    longest = 0
    for i in range(len(offset)):
        fill_lags(delays, arrival, i, start, row[i, :size], lags[:size])
        for k in range(size):
            offset[i, k] = lags[k] * np.uint32(LANES) + np.uint32(k)
            longest = max(longest, lags[k])
        for k in range(size, LANES):
            offset[i, k] = k
    return int(longest)


@njit(cache=True, inline="always")
def _offsets_of(offset, i):
    """The eight offsets of a source, as wide as addresses."""
    return (
        np.uint64(offset[i, 0]), np.uint64(offset[i, 1]), np.uint64(offset[i, 2]), np.uint64(offset[i, 3]),
        np.uint64(offset[i, 4]), np.uint64(offset[i, 5]), np.uint64(offset[i, 6]), np.uint64(offset[i, 7]),
    )  # fmt: skip


@njit(cache=True, fastmath=FAST)
def _scatter_rows(ptr, steps, counts, weight, offset, rows):
    """Add ``n weight [I, 8]`` at ``rows[8 t + offset]`` for every step ``t`` with ``n`` spikes of ``i``."""
    for i in range(len(weight)):
        first, last = np.uint64(ptr[i]), np.uint64(ptr[i + 1])
        if first == last:
            continue
        o_0, o_1, o_2, o_3, o_4, o_5, o_6, o_7 = _offsets_of(offset, i)
        w_0, w_1, w_2, w_3 = weight[i, 0], weight[i, 1], weight[i, 2], weight[i, 3]
        w_4, w_5, w_6, w_7 = weight[i, 4], weight[i, 5], weight[i, 6], weight[i, 7]
        for e in range(first, last):
            n, at = rows.dtype.type(count_of(counts, e)), np.uint64(steps[e]) * np.uint64(LANES)
            rows[at + o_0] += n * w_0
            rows[at + o_1] += n * w_1
            rows[at + o_2] += n * w_2
            rows[at + o_3] += n * w_3
            rows[at + o_4] += n * w_4
            rows[at + o_5] += n * w_5
            rows[at + o_6] += n * w_6
            rows[at + o_7] += n * w_7


@njit(cache=True, fastmath=FAST)
def _scatter_tile(ptr, steps, counts, weight, delays, arrival, first, last, tile, out_0, out_1):
    _, _, n_steps, _ = out_0.shape
    n_pre, n_post = weight.shape
    exact = out_1.size > 0
    start = tile * LANES
    size = min(LANES, n_post - start)
    offset = np.empty((n_pre, LANES), np.uint32)
    row = np.empty((n_pre, LANES), delays.pre.dtype)
    reach = _prepare(delays, arrival, start, size, row, offset)
    w_0 = np.zeros((n_pre, LANES), out_0.dtype)
    w_1 = np.zeros((n_pre if exact else 0, LANES), out_0.dtype)
    for i in range(n_pre):
        for k in range(size):
            w_0[i, k] = weight[i, start + k]
            if exact:
                c_0, c_1, _, _ = factors(row[i, k], offset[i, k] // LANES, arrival)
                w_1[i, k] = weight[i, start + k] * c_1
                w_0[i, k] *= c_0
    rows = np.empty((n_steps + reach) * LANES, out_0.dtype)
    for b in range(first, last):
        rows[:] = 0
        _scatter_rows(ptr[b], steps, counts, w_0, offset, rows)
        flat = out_0[b, tile].reshape(-1)
        for n in range(n_steps * LANES):
            flat[n] += rows[n]
        if exact:
            rows[:] = 0
            _scatter_rows(ptr[b], steps, counts, w_1, offset, rows)
            flat = out_1[b, tile].reshape(-1)
            for n in range(n_steps * LANES):
                flat[n] += rows[n]


@njit(cache=True, parallel=True)
def scatter(ptr, steps, counts, weight, delays, arrival, n_chunks, out_0, out_1):
    """``out_m[b, t + lag_ij, j] += w_ij c_m,ij`` for every spike ``t`` of ``i``, m = 0 (current), 1 (potential).

    ``ptr``, ``steps``: spikes grouped by unit, ``counts [E]`` of them a step, or False for one; ``weight [I, J]``;
    ``out_0``, ``out_1``: tiles, the second one without steps in `round` mode.
    """
    n_samples, n_tiles, _, _ = out_0.shape
    for task in prange(n_chunks * n_tiles):
        chunk, tile = task // n_tiles, task % n_tiles
        first, last = chunk * n_samples // n_chunks, (chunk + 1) * n_samples // n_chunks
        _scatter_tile(ptr, steps, counts, weight, delays, arrival, first, last, tile, out_0, out_1)


@njit(cache=True, fastmath=FAST)
def _gather_rows(ptr, steps, counts, offset, rows, sums):
    """Add ``n rows[8 t + offset]`` to ``sums [I, 8]`` for every step ``t`` with ``n`` spikes of ``i``; rows and sums
    hold pairs."""
    for i in range(len(sums)):
        first, last = np.uint64(ptr[i]), np.uint64(ptr[i + 1])
        if first == last:
            continue
        o_0, o_1, o_2, o_3, o_4, o_5, o_6, o_7 = _offsets_of(offset, i)
        s_0, s_1, s_2, s_3 = sums[i, 0, 0], sums[i, 1, 0], sums[i, 2, 0], sums[i, 3, 0]
        s_4, s_5, s_6, s_7 = sums[i, 4, 0], sums[i, 5, 0], sums[i, 6, 0], sums[i, 7, 0]
        for e in range(first, last):
            n, at = pair_of(count_of(counts, e), s_0), np.uint64(steps[e]) * np.uint64(LANES)
            s_0 = multiply_add_pairs(n, rows[at + o_0, 0], s_0)
            s_1 = multiply_add_pairs(n, rows[at + o_1, 0], s_1)
            s_2 = multiply_add_pairs(n, rows[at + o_2, 0], s_2)
            s_3 = multiply_add_pairs(n, rows[at + o_3, 0], s_3)
            s_4 = multiply_add_pairs(n, rows[at + o_4, 0], s_4)
            s_5 = multiply_add_pairs(n, rows[at + o_5, 0], s_5)
            s_6 = multiply_add_pairs(n, rows[at + o_6, 0], s_6)
            s_7 = multiply_add_pairs(n, rows[at + o_7, 0], s_7)
        sums[i, 0, 0], sums[i, 1, 0], sums[i, 2, 0], sums[i, 3, 0] = s_0, s_1, s_2, s_3
        sums[i, 4, 0], sums[i, 5, 0], sums[i, 6, 0], sums[i, 7, 0] = s_4, s_5, s_6, s_7


@njit(cache=True, fastmath=FAST)
def _gather_and_pull(ptr, steps, offset, back, rows, sums, grad):
    """`_gather_rows`, and ``grad[e] += sum_k back[i, k] . rows[8 t + offset]`` for the same spikes ``e = (i, t)``."""
    for i in range(len(sums)):
        first, last = np.uint64(ptr[i]), np.uint64(ptr[i + 1])
        if first == last:
            continue
        o_0, o_1, o_2, o_3, o_4, o_5, o_6, o_7 = _offsets_of(offset, i)
        s_0, s_1, s_2, s_3 = sums[i, 0, 0], sums[i, 1, 0], sums[i, 2, 0], sums[i, 3, 0]
        s_4, s_5, s_6, s_7 = sums[i, 4, 0], sums[i, 5, 0], sums[i, 6, 0], sums[i, 7, 0]
        w_0, w_1, w_2, w_3 = back[i, 0, 0], back[i, 1, 0], back[i, 2, 0], back[i, 3, 0]
        w_4, w_5, w_6, w_7 = back[i, 4, 0], back[i, 5, 0], back[i, 6, 0], back[i, 7, 0]
        zero = rows.dtype.type(0)
        for e in range(first, last):
            at = np.uint64(steps[e]) * np.uint64(LANES)
            x_0, x_1, x_2, x_3 = rows[at + o_0, 0], rows[at + o_1, 0], rows[at + o_2, 0], rows[at + o_3, 0]
            x_4, x_5, x_6, x_7 = rows[at + o_4, 0], rows[at + o_5, 0], rows[at + o_6, 0], rows[at + o_7, 0]
            s_0, s_1, s_2, s_3 = add_pairs(s_0, x_0), add_pairs(s_1, x_1), add_pairs(s_2, x_2), add_pairs(s_3, x_3)
            s_4, s_5, s_6, s_7 = add_pairs(s_4, x_4), add_pairs(s_5, x_5), add_pairs(s_6, x_6), add_pairs(s_7, x_7)
            p = multiply_add_pairs(w_0, x_0, multiply_add_pairs(w_1, x_1, zero))
            q = multiply_add_pairs(w_2, x_2, multiply_add_pairs(w_3, x_3, zero))
            p = multiply_add_pairs(w_4, x_4, multiply_add_pairs(w_5, x_5, p))
            q = multiply_add_pairs(w_6, x_6, multiply_add_pairs(w_7, x_7, q))
            grad[e] += total_of_pair(add_pairs(p, q))
        sums[i, 0, 0], sums[i, 1, 0], sums[i, 2, 0], sums[i, 3, 0] = s_0, s_1, s_2, s_3
        sums[i, 4, 0], sums[i, 5, 0], sums[i, 6, 0], sums[i, 7, 0] = s_4, s_5, s_6, s_7


@njit(cache=True, fastmath=FAST)
def _pull_to_spikes(ptr, steps, offset, back, rows, grad):
    """``grad[e] += sum_k back[i, k] rows[8 t + offset]`` for every active position ``e = (i, t)``."""
    for i in range(len(back)):
        first, last = np.uint64(ptr[i]), np.uint64(ptr[i + 1])
        if first == last:
            continue
        o_0, o_1, o_2, o_3, o_4, o_5, o_6, o_7 = _offsets_of(offset, i)
        w_0, w_1, w_2, w_3 = back[i, 0], back[i, 1], back[i, 2], back[i, 3]
        w_4, w_5, w_6, w_7 = back[i, 4], back[i, 5], back[i, 6], back[i, 7]
        for e in range(first, last):
            at = np.uint64(steps[e]) * np.uint64(LANES)
            grad[e] += (
                (w_0 * rows[at + o_0] + w_1 * rows[at + o_1]) + (w_2 * rows[at + o_2] + w_3 * rows[at + o_3])
            ) + ((w_4 * rows[at + o_4] + w_5 * rows[at + o_5]) + (w_6 * rows[at + o_6] + w_7 * rows[at + o_7]))


@njit(cache=True, fastmath=FAST)
def _gather_chunk(
    ptr, steps, counts, active_ptr, active_steps, joined, weight, delays, arrival, by_time, first, last, grad_0, grad_1,
    grad_weight, grad_delay, grad_pre, grad_post, grad_scale, grad_active,
):  # fmt: skip
    _, n_tiles, n_steps, _ = grad_0.shape
    n_pre, n_post = grad_weight.shape
    exact = arrival.exact
    dtype = grad_0.dtype
    # Channels: (grad_0, grad_1), or in `round` mode (grad_0, derivative to the delay for a unit weight).
    x_0, x_1 = (0.0, 1.0) if exact else (arrival.b_0, arrival.b_1)
    x_0, x_1 = dtype.type(x_0), dtype.type(x_1)
    channel = 1 if by_time and not exact else 0
    offset = np.empty((n_pre, LANES), np.uint32)
    row, scratch = np.empty((n_pre, LANES), delays.pre.dtype), np.empty(LANES, dtype)
    sums = np.empty((n_pre, LANES, 2), dtype)
    back = np.zeros((n_pre, LANES, 2), dtype)
    for tile in range(n_tiles):
        start = tile * LANES
        size = min(LANES, n_post - start)
        reach = _prepare(delays, arrival, start, size, row, offset)
        for i in range(n_pre):
            for k in range(size):
                w = weight[i, start + k]
                if exact:
                    c_0, c_1, b_0, b_1 = factors(row[i, k], offset[i, k] // LANES, arrival)
                    back[i, k, 0], back[i, k, 1] = w * (b_0 if by_time else c_0), w * (b_1 if by_time else c_1)
                else:
                    back[i, k, channel] = w
        rows = np.zeros(((n_steps + reach) * LANES, 2), dtype)
        plane = np.zeros(len(rows), dtype)
        back_of = back.transpose(2, 0, 1).copy()
        sums[:] = 0
        for b in range(first, last):
            flat_0, flat_1 = grad_0[b, tile].reshape(-1), grad_1[b, tile].reshape(-1)
            for n in range(n_steps * LANES):
                rows[n, 0] = flat_0[n]
                rows[n, 1] = x_0 * flat_0[n] + x_1 * flat_1[n]
            pairs = as_pairs(rows)
            if joined:
                _gather_and_pull(ptr[b], steps, offset, as_pairs(back), pairs, as_pairs(sums), grad_active)
                continue
            _gather_rows(ptr[b], steps, counts, offset, pairs, as_pairs(sums))
            for m in range(2 if len(active_steps) else 0):
                if exact or m == channel:
                    for n in range(n_steps * LANES):
                        plane[n] = rows[n, m]
                    _pull_to_spikes(active_ptr[b], active_steps, offset, back_of[m], plane, grad_active)
        for i in range(n_pre):
            for k in range(size):
                x, y = sums[i, k, 0], sums[i, k, 1]
                if exact:
                    c_0, c_1, b_0, b_1 = factors(row[i, k], offset[i, k] // LANES, arrival)
                    x, y = dtype.type(c_0 * x + c_1 * y), dtype.type(b_0 * x + b_1 * y)
                grad_weight[i, start + k] = x
                row[i, k] = weight[i, start + k] * y
            if grad_delay.size:
                grad_delay[i, start : start + size] = row[i, :size]
            else:
                pull_to_places(delays, i, start, row[i, :size], scratch[:size], grad_pre, grad_post, grad_scale)


@njit(cache=True, parallel=True)
def gather(
    ptr, steps, counts, active_ptr, active_steps, weight, delays, arrival, by_time, grad_0, grad_1, grad_weight,
    grad_delay, grad_pre, grad_post, grad_scale, grad_active,
):  # fmt: skip
    """Adjoint of `scatter`: from tiles ``grad_m = dL/dout_m`` to weights, delays or places, and presynaptic spikes.

    Chunk ``c`` of the samples fills ``grad_weight[c] [I, J]`` and, for stored delays, ``grad_delay[c] [I, J]``, else
    ``grad_pre[c] [I, D]``, ``grad_post[c] [D, J]`` and ``grad_scale[c] [1]`` (for alpha), all zero before.  The
    caller adds the chunks in order, so that the result does not depend on thread timing.

    ``grad_active [E]``, zero before: gradient of every active position ``(b, i, t)`` as a spike,
    ``sum_j w_ij (c_0 grad_0 + c_1 grad_1)[b, t + lag_ij, j]``, or with ``by_time`` of its time, with ``b`` for ``c``.
    An empty ``active_steps`` skips this part; where the active positions are the spikes, the same two arrays, both
    parts read the rows once, and ``counts`` must be False.
    """
    n_samples, n_chunks = len(grad_0), len(grad_weight)
    joined = active_ptr is ptr and active_steps is steps
    for chunk in prange(n_chunks):
        first, last = chunk * n_samples // n_chunks, (chunk + 1) * n_samples // n_chunks
        _gather_chunk(
            ptr, steps, counts, active_ptr, active_steps, joined, weight, delays, arrival, by_time, first, last, grad_0,
            grad_1, grad_weight[chunk], grad_delay[chunk], grad_pre[chunk], grad_post[chunk], grad_scale[chunk],
            grad_active,
        )  # fmt: skip


@njit(cache=True, parallel=True)
def ungroup(ptr, steps, values, out):
    """Write grouped ``values [E]`` to their places in ``out [B, T, I]``."""
    n_samples, n_units = ptr.shape[0], ptr.shape[1] - 1
    for b in prange(n_samples):
        for i in range(n_units):
            for e in range(ptr[b, i], ptr[b, i + 1]):
                out[b, steps[e], i] = values[e]
