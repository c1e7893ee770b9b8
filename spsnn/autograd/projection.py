"""Forward and backward of one delayed projection on arrays: what both autograd Functions are made of."""

from __future__ import annotations

import numpy as np
import torch

from spsnn.autograd import sparse
from spsnn.autograd.delays import Distances
from spsnn.errors import ConfigError
from spsnn.kernels.cpu.projection import gather, scatter, ungroup

MOST_CHUNKS, CHUNK, TASKS = 8, 16, 64


def chunks(n_samples):
    """Parts in which sums over samples are taken and then added in order: the result does not depend on the number of
    threads.  Synapses are prepared once per part, so parts of fewer than some 16 samples waste time."""
    return min(MOST_CHUNKS, max(min(n_samples, 2), n_samples // CHUNK))


def spread(spikes, weight, delays, arrival, out_0, out_1, mask=None):
    """Add the arrivals of ``spikes`` to the tiles ``out_0`` (current) and, in `exact` mode, ``out_1`` (potential).

    ``mask``: bool ``[I, J]`` of the kept synapses, for the sparse kernels, or None.
    """
    if mask is not None:
        sparse.spread(spikes, weight, delays, arrival, mask, out_0, out_1)
        return
    n_samples, n_tiles, _, _ = out_0.shape
    n_chunks = min(chunks(n_samples), -(-TASKS // n_tiles))  # tiles are tasks of their own: enough of them need no more
    scatter(*spikes.joined, weight, delays, arrival, n_chunks, out_0, out_1)


def pull_back(spikes, weight, delays, arrival, by_time, with_spikes, grad_0, grad_1, mask=None):
    """Gradients ``(weight, delay matrix, pre, post, alpha, spikes)`` from tiles ``dL/dx_0`` and ``dL/dx_1``.

    What a projection does not have is None.  ``by_time``: the gradient of a spike is that of its time.  ``mask`` as in
    `spread`; then what belongs to a pruned synapse has gradient zero.
    """
    n = chunks(len(grad_0))
    dtype = grad_0.dtype
    stored = delays.matrix.size > 0
    active = (spikes.active_ptr, spikes.active_steps) if with_spikes else (spikes.ptr, np.zeros(0, np.uint32))
    if mask is None:
        *grads, grad_active = _pull_back_dense(spikes, active, weight, delays, arrival, by_time, n, grad_0, grad_1)
    else:
        *grads, grad_active = sparse.pull_back(
            spikes, active, weight, delays, arrival, by_time, mask, n, grad_0, grad_1
        )
    grad_spikes = None
    if with_spikes:
        grad_spikes = np.zeros(spikes.shape, dtype)
        ungroup(*active, grad_active, grad_spikes)
    weight, matrix, pre, post, alpha = grads
    if stored:
        return weight, matrix, None, None, None, grad_spikes
    return weight, None, pre, post.T, alpha[0], grad_spikes


def _pull_back_dense(spikes, active, weight, delays, arrival, by_time, n, grad_0, grad_1):
    """Gradients ``(weight, delay matrix, pre, post [D, J], alpha [1], active positions)``."""
    dtype, stored = grad_0.dtype, delays.matrix.size > 0
    grad_weight = np.zeros((n, *weight.shape), dtype)
    grad_delay = np.zeros((n, *weight.shape) if stored else (n, 0, 0), dtype)
    grad_pre, grad_post = np.zeros((n, *delays.pre.shape), dtype), np.zeros((n, *delays.post.shape), dtype)
    grad_scale = np.zeros((n, 1), dtype)
    grad_active = np.zeros(len(active[1]), dtype)
    gather(
        *spikes.joined, *active, weight, delays, arrival, by_time, grad_0, grad_1, grad_weight, grad_delay,
        grad_pre, grad_post, grad_scale, grad_active,
    )  # fmt: skip
    parts = grad_weight, grad_delay, grad_pre, grad_post, grad_scale
    return *(part.sum(0) for part in parts), grad_active


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
