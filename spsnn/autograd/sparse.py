"""Projections whose masks leave few synapses: when and how the sparse kernels run."""

from __future__ import annotations

import numpy as np

from spsnn.kernels.cpu import sparse_projection as kernels
from spsnn.kernels.cpu.sparse import find_kept, finish_gather, group_width, place_kept

SPARSE_BELOW = 0.8  # density below which lists of kept synapses beat matrices, measured by benchmarks/sparse.py
CHUNKS = 16


def sparse_mask(mask):
    """Bool array ``[I, J]`` of a mask tensor that leaves few enough synapses, else None: then matrices are faster."""
    if mask is None:
        return None
    kept = mask.detach().cpu().numpy()
    return np.ascontiguousarray(kept) if np.count_nonzero(kept) < SPARSE_BELOW * kept.size else None


def spread(spikes, weight, delays, arrival, mask, out_0, out_1):
    """`spsnn.autograd.projection.spread` of the synapses under ``mask``."""
    n_samples, _, n_steps, _ = out_0.shape
    kept = find_kept(mask, group_width(mask.shape[1], n_steps, out_0.itemsize), delays, arrival)
    placed = place_kept(kept, weight, arrival, n_steps, False)
    kernels.scatter(*spikes.joined, kept, *placed, min(n_samples, CHUNKS), out_0, out_1)


def pull_back(spikes, active, weight, delays, arrival, by_time, mask, n_chunks, grad_0, grad_1):
    """Gradients ``(weight, delay matrix, pre, post [D, J], alpha [1], active positions)``; empty where there is none.

    ``active``: ``(active_ptr, active_steps)``, without steps to leave that part out.
    """
    dtype, n_steps = grad_0.dtype, grad_0.shape[2]
    kept = find_kept(mask, group_width(mask.shape[1], n_steps, 2 * grad_0.itemsize), delays, arrival)
    place, long, back_0, back_1 = place_kept(kept, weight, arrival, n_steps, by_time)
    mix = (dtype.type(0), dtype.type(1)) if arrival.exact else (dtype.type(arrival.b_0), dtype.type(arrival.b_1))
    sums, grad_active = np.zeros((n_chunks, len(kept.post), 2), dtype), np.zeros(len(active[1]), dtype)
    channel = int(by_time and not arrival.exact)
    kernels.gather(
        *spikes.joined, *active, kept, place, long, back_0, back_1, mix, channel, grad_0, grad_1, sums,
        grad_active,
    )  # fmt: skip
    grads = [np.zeros(shape, dtype) for shape in (weight.shape, delays.matrix.shape, delays.pre.shape)]
    grads += [np.zeros(delays.post.shape, dtype), np.zeros(1, dtype)]
    finish_gather(kept, weight, delays, arrival, sums, *grads)
    return *grads, grad_active
