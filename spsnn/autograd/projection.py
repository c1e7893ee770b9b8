"""Forward and backward of one delayed projection on arrays: what both autograd Functions are made of."""

from __future__ import annotations

import numpy as np
import torch

from spsnn.autograd.delays import Distances
from spsnn.errors import ConfigError
from spsnn.kernels.cpu.projection import gather, scatter, ungroup

# Samples are summed in this many parts, added in order: the result does not depend on the number of threads.
CHUNKS = 16


def spread(spikes, weight, arrivals, out_0, out_1):
    """Add the arrivals of ``spikes`` to ``out_0`` (current) and, in `exact` mode, ``out_1`` (potential)."""
    lag = np.ascontiguousarray(arrivals.lag.T)
    scatter(spikes.ptr, spikes.steps, _matrix(weight * arrivals.c_0, out_0), lag, out_0)
    if arrivals.c_1 is not None:
        scatter(spikes.ptr, spikes.steps, _matrix(weight * arrivals.c_1, out_0), lag, out_1)


def presynaptic_factors(weight, arrivals, eventprop, dtype):
    """``(pre_0, pre_1) [I, J]``: gradient of one arrival for its spike (surrogate) or its time (EventProp)."""
    if eventprop:
        pre = weight * arrivals.b_0, weight * arrivals.b_1
    else:
        pre = weight * arrivals.c_0, np.zeros_like(weight) if arrivals.c_1 is None else weight * arrivals.c_1
    return tuple(np.ascontiguousarray(p, dtype=dtype) for p in pre)


def pull_back(spikes, weight, arrivals, grad_0, grad_1, eventprop, with_spikes):
    """Gradients ``(dL/dweight, dL/ddelay, dL/dspikes or None)`` from ``dL/dx_0`` and ``dL/dx_1 [B, T, J]``."""
    n_pre, n_post = weight.shape
    dtype = grad_0.dtype
    chunks = min(CHUNKS, len(grad_0))
    sum_0 = np.zeros((chunks, n_post, n_pre), dtype)
    sum_1 = np.zeros_like(sum_0)
    if with_spikes:
        active = spikes.active_ptr, spikes.active_steps
        pre = [np.ascontiguousarray(p.T) for p in presynaptic_factors(weight, arrivals, eventprop, dtype)]
    else:
        active = spikes.ptr, np.zeros(0, np.uint32)
        pre = [np.zeros((0, 0), dtype)] * 2
    grad_active = np.zeros(len(active[1]), dtype)
    lag = np.ascontiguousarray(arrivals.lag.T)
    gather(spikes.ptr, spikes.steps, *active, *pre, lag, grad_0, grad_1, sum_0, sum_1, grad_active)
    sum_0, sum_1 = sum_0.sum(0).T, sum_1.sum(0).T
    grad_weight = sum_0 * arrivals.c_0 + (0 if arrivals.c_1 is None else sum_1 * arrivals.c_1)
    grad_delay = weight * (sum_0 * arrivals.b_0 + sum_1 * arrivals.b_1)
    grad_spikes = None
    if with_spikes:
        grad_spikes = np.zeros(spikes.shape, dtype)
        ungroup(*active, grad_active, grad_spikes)
    return grad_weight.astype(dtype), grad_delay.astype(dtype), grad_spikes


def _matrix(weight, like):
    return np.ascontiguousarray(weight.T, dtype=like.dtype)


def check_synapses(weight, delay, n_pre, n_post):
    """Refuse weights and delays that are not both finite ``[n_pre, n_post]``, or negative delays: the kernels do not
    check bounds."""
    if weight.shape != delay.shape or tuple(weight.shape) != (n_pre, n_post):
        raise ConfigError(
            f"weight and delay must both be [pre, post] with {n_pre} presynaptic and {n_post} postsynaptic neurons, "
            f"got {tuple(weight.shape)} and {tuple(delay.shape)}"
        )
    if isinstance(delay, Distances):
        delay.check()
        delay = delay.pre.new_zeros(1)
    low = float(delay.detach().min())
    if not torch.isfinite(delay).all() or low < 0:
        raise ConfigError(f"delays must be finite and not negative, got a least delay of {low} ms")
    if not torch.isfinite(weight).all():
        raise ConfigError("weights must be finite; lower the learning rate or clip gradients")
