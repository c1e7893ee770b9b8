"""Forward and backward of one delayed projection on arrays: what both autograd Functions are made of."""

from __future__ import annotations

import numpy as np
import torch

from spsnn.autograd.delays import Distances
from spsnn.errors import ConfigError
from spsnn.kernels.cpu.kept import find_kept, finish_gather, group_width, place_kept
from spsnn.kernels.cpu.projection import gather, scatter, ungroup

TASKS = 16  # at least, forward, for the threads
MOST_CHUNKS, CHUNK = 8, 16
EVERYWHERE = np.zeros((0, 0), bool)  # the mask of a projection with all its synapses


def chunks(n_samples):
    """Parts in which sums over samples are taken and then added in order: the result does not depend on the number of
    threads.  Each has a pair of sums for every synapse, so that parts of fewer than some 16 samples waste time."""
    return min(MOST_CHUNKS, max(min(n_samples, 2), n_samples // CHUNK))


def kept_mask(mask):
    """Bool array ``[I, J]`` of a mask tensor or None; `EVERYWHERE` where no synapse is missing."""
    if mask is None:
        return EVERYWHERE
    kept = mask.detach().cpu().numpy()
    return EVERYWHERE if kept.all() else np.ascontiguousarray(kept)


def spread(spikes, weight, delays, arrival, out_0, out_1, mask=EVERYWHERE):
    """Add the arrivals of ``spikes`` to the tiles ``out_0`` (current) and, in `exact` mode, ``out_1`` (potential).

    ``mask`` as from `kept_mask`.
    """
    n_samples, _, n_steps, _ = out_0.shape
    groups = -(-TASKS // max(n_samples, 1))  # few samples leave work for threads in the groups
    width = group_width(weight.shape[1], n_steps, out_0.itemsize, groups)
    kept = find_kept(weight.shape, mask, width, delays, arrival)
    placed = place_kept(kept, weight, arrival, n_steps, False)
    scatter(*spikes.joined, kept, *placed, min(n_samples, TASKS), out_0, out_1)


def pull_back(spikes, weight, delays, arrival, by_time, with_spikes, grad_0, grad_1, mask=EVERYWHERE):
    """Gradients ``(weight, delay matrix, pre, post, alpha, spikes)`` from tiles ``dL/dx_0`` and ``dL/dx_1``.

    What a projection does not have is None.  ``by_time``: the gradient of a spike is that of its time.  ``mask`` as in
    `spread`; what belongs to a missing synapse has gradient zero.
    """
    dtype, n_steps = grad_0.dtype, grad_0.shape[2]
    active = (spikes.active_ptr, spikes.active_steps) if with_spikes else (spikes.ptr, np.zeros(0, np.uint32))
    kept = find_kept(weight.shape, mask, group_width(weight.shape[1], n_steps, 2 * grad_0.itemsize), delays, arrival)
    place, long, back_0, back_1 = place_kept(kept, weight, arrival, n_steps, by_time)
    mix = (dtype.type(0), dtype.type(1)) if arrival.exact else (dtype.type(arrival.b_0), dtype.type(arrival.b_1))
    sums, grad_active = np.zeros((chunks(len(grad_0)), len(kept.post), 2), dtype), np.zeros(len(active[1]), dtype)
    channel = int(by_time and not arrival.exact)
    gather(
        *spikes.joined, *active, kept, place, long, back_0, back_1, mix, channel, grad_0, grad_1, sums, grad_active
    )  # fmt: skip
    arrays = weight, delays.matrix, delays.pre, delays.post, np.zeros(1, dtype)
    of_weight, matrix, pre, post, alpha = grads = [np.zeros(x.shape, dtype) for x in arrays]
    finish_gather(kept, weight, delays, arrival, sums, *grads)
    grad_spikes = None
    if with_spikes:
        grad_spikes = np.zeros(spikes.shape, dtype)
        ungroup(*active, grad_active, grad_spikes)
    if delays.matrix.size:
        return of_weight, matrix, None, None, None, grad_spikes
    return of_weight, None, pre, post.T, alpha[0], grad_spikes


def check_synapses(weight, delay, n_pre, n_post, mask=None):
    """Refuse weights and delays that are not both finite ``[n_pre, n_post]``, negative delays, or a mask that is not
    bool of that shape: the kernels do not check bounds."""
    if tuple(weight.shape) != tuple(delay.shape) or tuple(weight.shape) != (n_pre, n_post):
        raise ConfigError(
            f"weight and delay must both be [pre, post] with {n_pre} presynaptic and {n_post} postsynaptic neurons, "
            f"got {tuple(weight.shape)} and {tuple(delay.shape)}"
        )
    if mask is not None and (mask.dtype != torch.bool or mask.shape != weight.shape):
        raise ConfigError(
            f"a mask must be bool {tuple(weight.shape)} like its weights, got {mask.dtype} {tuple(mask.shape)}"
        )
    if weight.dtype not in (torch.float32, torch.float64):
        raise ConfigError(f"weights must be float32 or float64, got {weight.dtype}; use model.float()")
    if not min(weight.shape):
        raise ConfigError(f"a projection needs neurons on both sides, got weights {tuple(weight.shape)}")
    if isinstance(delay, Distances):
        delay.check()
    else:
        low = float(delay.detach().min())
        if not torch.isfinite(delay).all() or low < 0:
            raise ConfigError(f"delays must be finite and not negative, got a least delay of {low} ms")
    if not torch.isfinite(weight).all():
        raise ConfigError("weights must be finite; lower the learning rate or clip gradients")
