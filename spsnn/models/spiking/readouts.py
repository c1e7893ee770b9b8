"""From the output population to logits ``[B, C]``."""

from __future__ import annotations

import torch


class _FirstSpike(torch.autograd.Function):
    """Time of the first spike in ms; its gradient is put on that spike as dL/dt_k."""

    @staticmethod
    def forward(ctx, z, dt):
        fired = z > 0
        first = fired.to(torch.uint8).argmax(1)
        some = fired.any(1)
        ctx.save_for_backward(first, some)
        ctx.n_steps = z.shape[1]
        return torch.where(some, first, ctx.n_steps) * dt

    @staticmethod
    def backward(ctx, grad):
        first, some = ctx.saved_tensors
        out = grad.new_zeros(len(grad), ctx.n_steps, grad.shape[1])
        return out.scatter_(1, first[:, None, :], (grad * some)[:, None, :]), None


def first_spike_time(z, dt, estimator):
    """First spike times ``[B, N]`` in ms of spikes ``z [B, T, N]``; the window's length where there is none.

    With EventProp the gradient is exact, and zero for a silent neuron.  With a surrogate it is that of
    ``t = dt sum_n prod_{m <= n} (1 - z_m)``, which reaches every step before the second spike.
    """
    if estimator == "eventprop":
        return _FirstSpike.apply(z, dt)
    return dt * (1 - z).cumprod(1).sum(1)


def read_out(kind, spikes, potential, dt, scale, estimator):
    """Logits ``[B, C]`` and, for ``first_spike``, the spike times.

    spike_count    scale * number of spikes
    first_spike    -scale * time of the first spike (scale in 1/ms)
    max_membrane   scale * max_t V(t)
    mean_membrane  scale * mean_t V(t)
    softmax_membrane  sum_t softmax_j(scale V_j(t)): steps vote, in [0, number of steps] (arXiv 2306.17670)
    """
    if kind == "first_spike":
        times = first_spike_time(spikes.dense, dt, estimator)
        return -scale * times, times
    if kind == "spike_count":
        return scale * spikes.dense.sum(1), None
    if kind == "softmax_membrane":
        return (scale * potential).softmax(2).sum(1), None
    value = potential.amax(1) if kind == "max_membrane" else potential.mean(1)
    return scale * value, None
