"""Delayed synapses of a whole window: each thread owns postsynaptic neurons forward, presynaptic ones backward.

The accumulators of pending arrivals, and the rows of gradients that are read at ``t + lag``, lie in shared memory where
they fit (``in_shared``), else in the arrays over time themselves.
"""

import numpy as np
from numba import cuda

from spsnn.kernels.cuda.delays import LANES, jumps, slopes

PARTS = LANES * (LANES + 1)  # of that many sums; the row's odd length keeps them in different banks
TILE = 8  # postsynaptic neurons per block of `gather`: a row of that many numbers is one 32-byte sector


@cuda.jit(device=True)
def send(t, now, i, j, count, s, n_slots, width, column, ring_0, ring_1):
    """Add ``count`` spikes of ``i`` at step ``t``, whose slot is ``now``, to what is pending for ``j``."""
    w, lag = s.weight[i, j] * count, s.lag[i, j]
    if w != 0 and t + lag < s.n_steps:
        slot = now + lag
        if slot >= n_slots:
            slot -= n_slots
        at = np.uint32(slot * width + column)
        if s.jump_0.size == 0:
            ring_0[at] += w
        else:
            ring_0[at] += w * s.jump_0[i, j]
            ring_1[at] += w * s.jump_1[i, j]


@cuda.jit
def scatter(offsets, units, counts, s, in_shared, n_slots, x_0, x_1):
    """``x_m[b, t + lag_ij, j] += w_ij c_m`` for every spike ``t`` of ``i``; ``x_1`` only where delays are exact.

    ``counts`` says how many spikes an entry of ``units`` stands for, or is empty: one each.  A block takes one sample
    and ``blockDim.x`` postsynaptic neurons, one per thread.  ``n_slots`` exceeds the longest lag, or is T outside
    shared memory.
    """
    b, tid = cuda.blockIdx.x, cuda.threadIdx.x
    n_post = s.weight.shape[1]
    n_steps = x_0.shape[1] // n_post
    j = cuda.blockIdx.y * cuda.blockDim.x + tid
    if j >= n_post:
        return
    if in_shared:
        width, column, size = cuda.blockDim.x, tid, n_slots * cuda.blockDim.x
        shared = cuda.shared.array(0, x_0.dtype)
        ring_0, ring_1 = shared[:size], shared[size:]
        for k in range(n_slots):
            ring_0[k * width + column] = 0
            if s.jump_0.size > 0:
                ring_1[k * width + column] = 0
    else:
        width, column = n_post, j
        ring_0 = x_0[b]
        ring_1 = x_1[b]
    for t in range(n_steps):
        now = t % n_slots
        for e in range(np.uint64(offsets[b * n_steps + t]), np.uint64(offsets[b * n_steps + t + 1])):
            count = counts[e] if counts.size > 0 else x_0.dtype.type(1)
            send(t, now, np.uint32(units[e]), np.uint32(j), count, s, n_slots, width, column, ring_0, ring_1)
        if in_shared:
            at = now * width + column
            x_0[b, t * n_post + j] += ring_0[at]
            ring_0[at] = 0
            if s.jump_0.size > 0:
                x_1[b, t * n_post + j] += ring_1[at]
                ring_1[at] = 0


@cuda.jit
def gather(ptr, steps, counts, s, in_shared, grad_0, grad_1, sum_0, sum_1):
    """``sum_m[c, i, j] = sum_t grad_m[b, t + lag_ij, j]`` over the spikes ``t`` of ``i`` in the samples of chunk ``c``.

    ``steps[ptr[b, i]:ptr[b, i + 1]]`` are the spikes of ``i``, ``counts`` as in `scatter`.  A block takes `TILE`
    postsynaptic neurons, one chunk and ``blockDim.x`` presynaptic neurons, one per thread.
    """
    tid, threads = cuda.threadIdx.x, cuda.blockDim.x
    n_chunks, n_pre, n_post = sum_0.shape
    n_samples, n_steps = grad_0.shape[0], grad_0.shape[1] // n_post
    start, c, i = cuda.blockIdx.x * TILE, cuda.blockIdx.y, cuda.blockIdx.z * threads + tid
    lag = cuda.local.array(TILE, np.int32)
    a_0 = cuda.local.array(TILE, grad_0.dtype)
    a_1 = cuda.local.array(TILE, grad_0.dtype)
    for k in range(TILE):
        lag[k], a_0[k], a_1[k] = n_steps, 0, 0
        if i < n_pre and start + k < n_post:
            lag[k] = s.lag[i, start + k]
    for b in range(c * n_samples // n_chunks, (c + 1) * n_samples // n_chunks):
        if in_shared:
            per_step, per_neuron, first = 1, n_steps, 0
            shared = cuda.shared.array(0, grad_0.dtype)
            rows_0, rows_1 = shared[: TILE * n_steps], shared[TILE * n_steps :]
            cuda.syncthreads()
            for n in range(tid, TILE * n_steps, threads):
                t, k = n // TILE, n % TILE
                if start + k < n_post:
                    rows_0[k * n_steps + t] = grad_0[b, t * n_post + start + k]
                    rows_1[k * n_steps + t] = grad_1[b, t * n_post + start + k]
            cuda.syncthreads()
        else:
            per_step, per_neuron, first = n_post, 1, start
            rows_0 = grad_0[b]
            rows_1 = grad_1[b]
        if i < n_pre:
            for e in range(np.uint64(ptr[b, i]), np.uint64(ptr[b, i + 1])):
                count = counts[e] if counts.size > 0 else grad_0.dtype.type(1)
                for k in range(TILE):
                    t = steps[e] + lag[k]
                    if t < n_steps:
                        at = np.uint32(t * per_step + first + k * per_neuron)
                        a_0[k] += count * rows_0[at]
                        a_1[k] += count * rows_1[at]
    if i < n_pre:
        for k in range(TILE):
            if start + k < n_post:
                sum_0[c, i, start + k] = a_0[k]
                sum_1[c, i, start + k] = a_1[k]


@cuda.jit
def finish(s, sum_0, sum_1, grad_weight, grad_delay):
    """``dL/dw``, ``dL/dd [I, J]`` from the chunks of `gather`, added in order; ``grad_delay`` may be ``sum_1[0]``."""
    i = cuda.blockIdx.x
    n_chunks, _, n_post = sum_0.shape
    for j in range(cuda.threadIdx.x, n_post, cuda.blockDim.x):
        a_0, a_1 = sum_0[0, i, j], sum_1[0, i, j]
        for c in range(1, n_chunks):
            a_0 += sum_0[c, i, j]
            a_1 += sum_1[c, i, j]
        c_0, c_1 = jumps(i, j, s)
        b_0, b_1 = slopes(c_0, c_1, s)
        grad_weight[i, j] = a_0 * c_0 + a_1 * c_1
        grad_delay[i, j] = s.weight[i, j] * (a_0 * b_0 + a_1 * b_1)


@cuda.jit(device=True)
def pull(tid, threads, b, t, offsets, units, s, of_time, n_slots, ring_0, ring_1, parts, grad):
    """``grad[b, t, i] += sum_j w_ij (f_0 grad_0[t + lag_ij, j] + f_1 grad_1[t + lag_ij, j])`` for the listed ``i``.

    ``f`` are the `jumps`, or with ``of_time`` their `slopes`; without ``of_time`` rounded lags need only the first.
    `LANES` threads share a sum, and ``parts [PARTS]`` in shared memory holds their parts.  All threads of the block
    call it.
    """
    n_pre, n_post = s.weight.shape
    n_steps = s.n_steps
    second = s.jump_0.size > 0 or of_time
    begin, end = offsets[b * n_steps + t], offsets[b * n_steps + t + 1]
    now = t % n_slots
    for first in range(begin, end, LANES):
        count = min(LANES, end - first)
        for n in range(tid, count * LANES, threads):
            i, lane = np.uint32(units[first + n // LANES]), n % LANES
            total = grad.dtype.type(0)
            for j in range(np.uint32(lane), np.uint32(n_post), np.uint32(LANES)):
                lag = s.lag[i, j]
                if t + lag < n_steps:
                    slot = now + lag
                    if slot >= n_slots:
                        slot -= n_slots
                    at = np.uint32(slot * n_post + j)
                    f_0, f_1 = jumps(i, j, s)
                    if of_time:
                        f_0, f_1 = slopes(f_0, f_1, s)
                    change = f_0 * ring_0[at]
                    if second:
                        change += f_1 * ring_1[at]
                    total += s.weight[i, j] * change
            parts[n // LANES * (LANES + 1) + lane] = total
        cuda.syncthreads()
        for n in range(tid, count, threads):
            total = parts[n * (LANES + 1)]
            for lane in range(1, LANES):
                total += parts[n * (LANES + 1) + lane]
            grad[b, t * n_pre + units[first + n]] += total
        cuda.syncthreads()


@cuda.jit
def presynaptic(offsets, units, s, of_time, in_shared, n_slots, grad_0, grad_1, grad):
    """`pull` at all steps: gradients ``grad [B, T * I]`` of the presynaptic spikes.

    A block takes one sample and one of ``gridDim.y`` parts of the window, in shared memory together with the rows of
    gradients of the ``n_slots`` steps after it.
    """
    shared = cuda.shared.array(0, grad.dtype)
    b, tid, threads = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x
    n_post, n_steps = s.weight.shape[1], s.n_steps
    begin = cuda.blockIdx.y * n_steps // cuda.gridDim.y
    end = (cuda.blockIdx.y + 1) * n_steps // cuda.gridDim.y
    top = min(end + n_slots, n_steps) if in_shared else end
    if in_shared:
        ring_0, ring_1 = shared[PARTS : PARTS + n_slots * n_post], shared[PARTS + n_slots * n_post :]
    else:
        ring_0 = grad_0[b]
        ring_1 = grad_1[b]
    for back in range(top - begin):
        t = top - 1 - back
        if in_shared:
            for j in range(tid, n_post, threads):
                ring_0[t % n_slots * n_post + j] = grad_0[b, t * n_post + j]
                if s.jump_0.size > 0 or of_time:
                    ring_1[t % n_slots * n_post + j] = grad_1[b, t * n_post + j]
        if t < end:
            cuda.syncthreads()
            pull(tid, threads, b, t, offsets, units, s, of_time, n_slots, ring_0, ring_1, shared, grad)
