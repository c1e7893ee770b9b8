"""A delayed LIF population in dense PyTorch operations, with the engine's equations: what spsnn is compared with."""

from __future__ import annotations

import torch


class Spike(torch.autograd.Function):
    """Heaviside step with the triangular surrogate."""

    @staticmethod
    def forward(ctx, u, slope):
        ctx.save_for_backward(u)
        ctx.slope = slope
        return (u > 0).to(u.dtype)

    @staticmethod
    def backward(ctx, grad):
        (u,) = ctx.saved_tensors
        return grad * (1 - ctx.slope * u.abs()).clamp_min(0), None


def delayed(z, weight, lag):
    """``out[b, t, j] = sum_i w_ij z[b, t - lag_ij, i]``: one dense product per distinct lag."""
    n_samples, n_steps, _ = z.shape
    out = z.new_zeros(n_samples, n_steps, weight.shape[1])
    for k in torch.unique(lag).tolist():
        if k < n_steps:
            shifted = torch.zeros_like(out)
            shifted[:, k:] = z[:, : n_steps - k] @ (weight * (lag == k))
            out = out + shifted
    return out


def lif(x, a, c, b, slope):
    """Spikes ``[B, T, J]`` of ``V = a V + c I, I = b I + x`` with threshold 1 and reset to zero, one step at a time."""
    v = i = torch.zeros_like(x[:, 0])
    spikes = []
    for x_t in x.unbind(1):
        v, i = a * v + c * i, b * i + x_t
        z = Spike.apply(v - 1.0, slope)
        v = v * (1 - z.detach())
        spikes.append(z)
    return torch.stack(spikes, 1)
