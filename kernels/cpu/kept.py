"""Lists of the synapses of a projection, all or those that a mask keeps, with their lags.

Postsynaptic neurons are taken in *groups* of whole tiles, whose rows over the window stay in the second-level cache.
Kept synapses are sorted by (group, source, post): within a group a source meets all its targets at once, so that its
spikes are read once for four synapses.  With one group this is the usual CSR by source.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from spsnn.kernels.cpu.delays import factors, fill_lags, pull_to_places
from spsnn.kernels.cpu.projection import LANES

GROUP_BYTES = 384 * 1024  # of a group's rows


class Kept(NamedTuple):
    """Kept synapses of a projection from I to J neurons.

    Attributes:
        ptr: ``[groups * I + 1]``; those of source ``i`` in group ``g`` are ``ptr[g I + i] .. ptr[g I + i + 1]``.
        post, lag: uint32 ``[E]``, lags in steps.
        delay: ``[E]`` in ms in `exact` mode, else empty.
        n_pre: I.
        width: postsynaptic neurons of a group, whole tiles.
    """

    ptr: np.ndarray
    post: np.ndarray
    lag: np.ndarray
    delay: np.ndarray
    n_pre: int
    width: int


def group_width(n_post, n_steps, itemsize, least=1):
    """Postsynaptic neurons per group, whole tiles: as many as have rows over the window of `GROUP_BYTES`, one tile at
    least; groups are of like size, and ``least`` or more where there are enough tiles."""
    n_tiles = -(-n_post // LANES)
    most = max(1, GROUP_BYTES // max(n_steps * LANES * itemsize, 1))
    n_groups = max(-(-n_tiles // most), min(least, n_tiles))
    return -(-n_tiles // n_groups) * LANES


@njit(cache=True)
def find_kept(shape, mask, width, delays, arrival):
    """`Kept` synapses of ``shape`` (I, J), all of them or where the bool ``mask [I, J]`` is not empty what it keeps."""
    n_pre, n_post = shape
    whole = mask.size == 0
    n_groups = -(-n_post // width)
    ptr = np.zeros(n_groups * n_pre + 1, np.int64)
    for group in range(n_groups):
        for i in range(n_pre):
            start, end = group * width, min((group + 1) * width, n_post)
            count = end - start if whole else np.count_nonzero(mask[i, start:end])
            ptr[group * n_pre + i + 1] = ptr[group * n_pre + i] + count
    post, lag = np.empty(ptr[-1], np.uint32), np.empty(ptr[-1], np.uint32)
    delay = np.empty(ptr[-1] if arrival.exact else 0, delays.pre.dtype)
    row, lags = np.empty(width, delays.pre.dtype), np.empty(width, np.uint32)
    for group in range(n_groups):
        start = group * width
        size = min(width, n_post - start)
        for i in range(n_pre):
            at = ptr[group * n_pre + i]
            if at == ptr[group * n_pre + i + 1]:
                continue
            fill_lags(delays, arrival, i, start, row[:size], lags[:size])
            for k in range(size):
                if whole or mask[i, start + k]:
                    post[at], lag[at] = start + k, lags[k]
                    if arrival.exact:
                        delay[at] = row[k]
                    at += 1
    return Kept(ptr, post, lag, delay, n_pre, width)


@njit(cache=True)
def place_kept(kept, weight, arrival, n_steps, by_time):
    """Where a group's rows ``[width / 8, steps, 8]`` receive a spike at step 0, uint32 ``[E]``; the steps of a row; and
    the weights times their factors in the current and, in `exact` mode, in the potential: ``c``, or with ``by_time``
    their derivatives ``b`` (in `round` mode the plain weight)."""
    n = len(kept.post)
    reach = np.uint32(0)
    for lag in kept.lag:
        reach = max(reach, lag)
    long = n_steps + int(reach)
    place = np.empty(n, np.uint32)
    w_0, w_1 = np.empty(n, weight.dtype), np.empty(n if arrival.exact else 0, weight.dtype)
    for row in range(len(kept.ptr) - 1):
        i, start = row % kept.n_pre, row // kept.n_pre * kept.width
        for k in range(kept.ptr[row], kept.ptr[row + 1]):
            lane = int(kept.post[k]) - start
            place[k] = (lane // LANES * long + int(kept.lag[k])) * LANES + lane % LANES
            w_0[k] = weight[i, kept.post[k]]
            if arrival.exact:
                c_0, c_1, b_0, b_1 = factors(kept.delay[k], kept.lag[k], arrival)
                w_1[k] = w_0[k] * (b_1 if by_time else c_1)
                w_0[k] *= b_0 if by_time else c_0
    return place, long, w_0, w_1


@njit(cache=True)
def finish_gather(kept, weight, delays, arrival, sums, grad_weight, grad_delay, grad_pre, grad_post, grad_scale):
    """Gradients of weights ``[I, J]``, of stored delays ``[I, J]`` or else of places, from ``sums [C, E, 2]``.

    What has no synapse keeps the zero it has.
    """
    n_post = grad_weight.shape[1]
    dtype = grad_weight.dtype
    row, scratch = np.empty(kept.width, dtype), np.empty(kept.width, dtype)
    for index in range(len(kept.ptr) - 1):
        i, start = index % kept.n_pre, index // kept.n_pre * kept.width
        size = min(kept.width, n_post - start)
        if kept.ptr[index] == kept.ptr[index + 1]:
            continue
        row[:] = 0
        for k in range(kept.ptr[index], kept.ptr[index + 1]):
            x = y = dtype.type(0)
            for chunk in range(len(sums)):
                x, y = x + sums[chunk, k, 0], y + sums[chunk, k, 1]
            if arrival.exact:
                c_0, c_1, b_0, b_1 = factors(kept.delay[k], kept.lag[k], arrival)
                x, y = dtype.type(c_0 * x + c_1 * y), dtype.type(b_0 * x + b_1 * y)
            j = kept.post[k]
            grad_weight[i, j] = x
            row[int(j) - start] = weight[i, j] * y
        if grad_delay.size:
            grad_delay[i, start : start + size] = row[:size]
        else:
            pull_to_places(delays, i, start, row[:size], scratch[:size], grad_pre, grad_post, grad_scale)
