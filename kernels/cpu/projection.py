"""Delayed synapses of a whole window, post-major: for each postsynaptic neuron, one row of T steps stays in L1.

Cost is one read-modify-write (forward) or one read (backward) per synaptic event, that is per spike and synapse;
a row costs T more.  Matrices come transposed, ``[J, I]``, so that the inner loop over ``i`` is contiguous.
``lag [J, I]`` (uint32) is the delay in steps, at most T: an arrival at or after the window's end has no effect.
"""

import numpy as np
from numba import njit, prange

FAST = {"reassoc", "contract", "arcp", "nsz"}
BLOCK = 8  # rows filled before they are moved: a move touches whole cache lines of [B, T, J]


@njit(cache=True, parallel=True, fastmath=FAST)
def scatter(ptr, steps, weight, lag, out):
    """``out[b, t + lag_ij, j] += w_ij`` for every spike ``t`` of ``i``; ``out [B, T, J]`` is added to."""
    n_samples, n_steps, n_post = out.shape
    n_pre = weight.shape[1]
    pad = int(lag.max()) + 1 if lag.size else 1
    for b in prange(n_samples):
        rows = np.empty((BLOCK, n_steps + pad), out.dtype)
        for start in range(0, n_post, BLOCK):
            size = min(BLOCK, n_post - start)
            for k in range(size):
                j = start + k
                row = rows[k]
                row[:] = 0
                for i in range(n_pre):
                    first, last = ptr[b, i], ptr[b, i + 1]
                    w = weight[j, i]
                    if first == last or w == 0:
                        continue
                    d = lag[j, i]
                    for e in range(np.uint64(first), np.uint64(last)):
                        row[steps[e] + d] += w
            for t in range(n_steps):
                for k in range(size):
                    out[b, t, start + k] += rows[k, t]


@njit(cache=True, parallel=True, fastmath=FAST)
def gather(ptr, steps, active_ptr, active_steps, pre_0, pre_1, lag, grad_0, grad_1, sum_0, sum_1, grad_active):
    """Adjoint of `scatter` for two channels.

    For every synapse, over the spikes ``t`` of ``i`` in all samples of chunk ``c``:
    ``sum_m[c, j, i] += sum_t grad_m[b, t + lag_ij, j]``, m = 0, 1.  The caller adds the chunks in order, so that the
    result does not depend on thread timing.  For every active position ``(b, i, t)``:
    ``grad_active = sum_j pre_0_ij grad_0[b, t + lag_ij, j] + pre_1_ij grad_1[b, t + lag_ij, j]``.
    An empty ``active_steps`` skips the presynaptic part.
    """
    n_samples, n_steps, n_post = grad_0.shape
    n_chunks, _, n_pre = sum_0.shape
    pad = int(lag.max()) + 1 if lag.size else 1
    presynaptic = len(active_steps) > 0
    for c in prange(n_chunks):
        rows = np.zeros((BLOCK, n_steps + pad, 2), grad_0.dtype)
        for b in range(c * n_samples // n_chunks, (c + 1) * n_samples // n_chunks):
            for start in range(0, n_post, BLOCK):
                size = min(BLOCK, n_post - start)
                for t in range(n_steps):
                    for k in range(size):
                        rows[k, t, 0] = grad_0[b, t, start + k]
                        rows[k, t, 1] = grad_1[b, t, start + k]
                for k in range(size):
                    j = start + k
                    row = rows[k]
                    for i in range(n_pre):
                        d = lag[j, i]
                        first, last = ptr[b, i], ptr[b, i + 1]
                        if first < last:
                            a_0 = row.dtype.type(0)
                            a_1 = row.dtype.type(0)
                            for e in range(np.uint64(first), np.uint64(last)):
                                n = steps[e] + d
                                a_0 += row[n, 0]
                                a_1 += row[n, 1]
                            sum_0[c, j, i] += a_0
                            sum_1[c, j, i] += a_1
                        if presynaptic:
                            p_0 = pre_0[j, i]
                            p_1 = pre_1[j, i]
                            for e in range(np.uint64(active_ptr[b, i]), np.uint64(active_ptr[b, i + 1])):
                                n = active_steps[e] + d
                                grad_active[e] += p_0 * row[n, 0] + p_1 * row[n, 1]


@njit(cache=True, parallel=True)
def ungroup(ptr, steps, values, out):
    """Write grouped ``values [E]`` to their places in ``out [B, T, I]``."""
    n_samples, n_units = ptr.shape[0], ptr.shape[1] - 1
    for b in prange(n_samples):
        for i in range(n_units):
            for e in range(ptr[b, i], ptr[b, i + 1]):
                out[b, steps[e], i] = values[e]
