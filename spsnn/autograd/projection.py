"""Forward and backward of one delayed projection on arrays: what both autograd Functions are made of."""

from __future__ import annotations

import numpy as np
import torch

from spsnn.autograd.delays import Distances
from spsnn.errors import ConfigError
from spsnn.kernels.cpu.projection import gather, scatter, ungroup

MOST_CHUNKS, CHUNK, TASKS = 8, 16, 64


def chunks(n_samples):
    """Parts in which sums over samples are taken and then added in order: the result does not depend on the number of
    threads.  Synapses are prepared once per part, so parts of fewer than some 16 samples waste time."""
    return min(MOST_CHUNKS, max(min(n_samples, 2), n_samples // CHUNK))


def spread(spikes, weight, delays, arrival, out_0, out_1):
    """Add the arrivals of ``spikes`` to the tiles ``out_0`` (current) and, in `exact` mode, ``out_1`` (potential)."""
    n_samples, n_tiles, _, _ = out_0.shape
    n_chunks = min(chunks(n_samples), -(-TASKS // n_tiles))  # tiles are tasks of their own: enough of them need no more
    scatter(spikes.ptr, spikes.steps, weight, delays, arrival, n_chunks, out_0, out_1)


def pull_back(spikes, weight, delays, arrival, by_time, with_spikes, grad_0, grad_1):
    """Gradients ``(weight, delay matrix, pre, post, alpha, spikes)`` from tiles ``dL/dx_0`` and ``dL/dx_1``.

    What a projection does not have is None.  ``by_time``: the gradient of a spike is that of its time.
    """
    n = chunks(len(grad_0))
    dtype = grad_0.dtype
    stored = delays.matrix.size > 0
    grad_weight = np.zeros((n, *weight.shape), dtype)
    grad_delay = np.zeros((n, *weight.shape) if stored else (n, 0, 0), dtype)
    grad_pre, grad_post = np.zeros((n, *delays.pre.shape), dtype), np.zeros((n, *delays.post.shape), dtype)
    grad_scale = np.zeros((n, 1), dtype)
    active = (spikes.active_ptr, spikes.active_steps) if with_spikes else (spikes.ptr, np.zeros(0, np.uint32))
    grad_active = np.zeros(len(active[1]), dtype)
    gather(
        spikes.ptr, spikes.steps, *active, weight, delays, arrival, by_time, grad_0, grad_1, grad_weight, grad_delay,
        grad_pre, grad_post, grad_scale, grad_active,
    )  # fmt: skip
    grad_spikes = None
    if with_spikes:
        grad_spikes = np.zeros(spikes.shape, dtype)
        ungroup(*active, grad_active, grad_spikes)
    if stored:
        return grad_weight.sum(0), grad_delay.sum(0), None, None, None, grad_spikes
    return grad_weight.sum(0), None, grad_pre.sum(0), grad_post.sum(0).T, grad_scale.sum(0)[0], grad_spikes


def check_synapses(weight, delay, n_pre, n_post):
    """Refuse weights and delays that are not both finite ``[n_pre, n_post]``, or negative delays: the kernels do not
    check bounds."""
    if tuple(weight.shape) != tuple(delay.shape) or tuple(weight.shape) != (n_pre, n_post):
        raise ConfigError(
            f"weight and delay must both be [pre, post] with {n_pre} presynaptic and {n_post} postsynaptic neurons, "
            f"got {tuple(weight.shape)} and {tuple(delay.shape)}"
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
