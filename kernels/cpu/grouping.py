"""Events regrouped by presynaptic unit: the order in which projections read them.

A grouped batch is ``ptr [B, I + 1]`` and ``steps [E]``: unit ``i`` of sample ``b`` spikes at the grid steps
``steps[ptr[b, i]:ptr[b, i + 1]]``, rising.
"""

import numpy as np
from numba import njit, prange


@njit(cache=True, parallel=True)
def group_events(offsets, units, steps, n_units):
    """Group events sorted by (sample, time) by unit, order in time kept; and whether a unit spikes twice in a step."""
    n_samples = len(offsets) - 1
    ptr = np.zeros((n_samples, n_units + 1), np.int64)
    out = np.empty(len(steps), np.uint32)
    repeats = 0
    for b in prange(n_samples):
        for e in range(offsets[b], offsets[b + 1]):
            ptr[b, units[e] + 1] += 1
        ptr[b, 0] = offsets[b]
        for i in range(n_units):
            ptr[b, i + 1] += ptr[b, i]
        cursor = ptr[b, :n_units].copy()
        for e in range(offsets[b], offsets[b + 1]):
            i, at = units[e], cursor[units[e]]
            out[at] = np.uint32(steps[e])
            if at > ptr[b, i] and out[at - 1] == out[at]:
                repeats += 1
            cursor[i] += 1
    return ptr, out, repeats > 0


@njit(cache=True, parallel=True)
def join_repeats(ptr, steps):
    """Spikes of a unit in one step as one entry: ``(ptr, steps, counts)``, with unset gaps between samples."""
    n_samples, n_units = ptr.shape[0], ptr.shape[1] - 1
    found, out, counts = np.empty_like(ptr), np.empty_like(steps), np.empty(len(steps), np.float32)
    for b in prange(n_samples):
        at = ptr[b, 0]
        found[b, 0] = at
        for i in range(n_units):
            first = at
            for e in range(ptr[b, i], ptr[b, i + 1]):
                if at > first and out[at - 1] == steps[e]:
                    counts[at - 1] += np.float32(1)
                else:
                    out[at], counts[at] = steps[e], np.float32(1)
                    at += 1
            found[b, i + 1] = at
    return found, out, counts


@njit(cache=True, parallel=True)
def group_marked(marked):
    """Group the non-zero entries of ``marked [B, T, I]`` (any dtype) by unit."""
    n_samples, n_steps, n_units = marked.shape
    ptr = np.zeros((n_samples, n_units + 1), np.int64)
    for b in prange(n_samples):
        count = np.zeros(n_units, np.int32)
        for t in range(n_steps):
            for i in range(n_units):
                count[i] += np.int32(marked[b, t, i] != 0)
        ptr[b, 1:] = count
    total = 0
    for b in range(n_samples):
        ptr[b, 0] = total
        for i in range(n_units):
            total += ptr[b, i + 1]
            ptr[b, i + 1] = total
    out = np.empty(total, np.uint32)
    for b in prange(n_samples):
        cursor = ptr[b, :n_units].copy()
        here = np.empty(n_units + 1, np.uint32)  # the marked units of a step, found without a branch
        for t in range(n_steps):
            n = np.uint64(0)
            for i in range(n_units):
                here[n] = np.uint32(i)
                n += np.uint64(marked[b, t, i] != 0)
            for k in range(n):
                i = here[k]
                out[cursor[i]] = np.uint32(t)
                cursor[i] += 1
    return ptr, out
