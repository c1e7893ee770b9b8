"""A delayed projection alone, for neuron models of one's own."""

from __future__ import annotations

import math
from numbers import Real

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from spsnn.autograd.delays import arrival_of_current, delay_tensors, kernel_form
from spsnn.autograd.device import on_cuda
from spsnn.autograd.projection import EVERYWHERE, check_synapses, kept_mask, pull_back, spread
from spsnn.autograd.spikes import Spikes
from spsnn.errors import ConfigError
from spsnn.kernels.cpu.projection import from_tiles, tiles_of, to_tiles


class _Delayed(torch.autograd.Function):
    """Inputs: source, dt, delay, `kept_mask`, then weight, matrix, pre, post, alpha, dense spikes (or None)."""

    @staticmethod
    def forward(ctx, source, dt, delay, mask, weight, *rest):
        w = weight.detach().contiguous().numpy()
        n_samples, n_steps, _ = source.shape
        tiles, none = tiles_of(n_samples, n_steps, w.shape[1], w.dtype), np.zeros((n_samples, 0, 0, 0), w.dtype)
        arrival = arrival_of_current(dt, n_steps, 0, weight.dtype)
        spread(source, w, kernel_form(rest[:4], delay, weight.dtype), arrival, tiles, none, mask)
        out = np.empty((n_samples, n_steps, w.shape[1]), w.dtype)
        from_tiles(tiles, out)
        ctx.call = source, delay, arrival, mask
        ctx.save_for_backward(weight, *rest)
        return torch.from_numpy(out)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        source, delay, arrival, mask = ctx.call
        weight, *rest = ctx.saved_tensors
        form = kernel_form(rest[:4], delay, weight.dtype)
        grad, with_spikes = grad.contiguous().numpy(), ctx.needs_input_grad[9]
        return (None, None, None, None, *pull_back_current(source, weight, form, arrival, grad, with_spikes, mask))


def pull_back_current(source, weight, form, arrival, grad, with_spikes, mask=EVERYWHERE):
    """Gradients of weight, delay matrix, pre, post, alpha and spikes, tensors or None, from ``grad = dL/dx [B, T, J]``;
    that of a delay is the slope of ``grad`` in time."""
    padded = np.pad(grad, ((0, 0), (1, 1), (0, 0)))
    tiles = [tiles_of(*grad.shape, grad.dtype) for _ in range(2)]
    to_tiles(grad, tiles[0])
    to_tiles((padded[:, :-2] - padded[:, 2:]) / (2 * arrival.dt), tiles[1])
    w = weight.detach().contiguous().numpy()
    grads = pull_back(source, w, form, arrival, False, with_spikes, *tiles, mask)
    return [None if g is None else torch.as_tensor(g) for g in grads]


def delayed_current(spikes, weight, delay, dt, mask=None):
    """Weighted, delayed spikes ``x[b, t, j] = sum_i w_ij z[b, t - rint(d_ij / dt), i]``.

    Args:
        spikes: zeros and ones ``[B, T, I]`` or `Spikes`.
        weight: ``[I, J]``.
        delay: ``[I, J]`` in ms, or `Distances`.
        dt: step in ms.
        mask: bool ``[I, J]``, where False the weight is zero, has no gradient, and on the CPU costs nothing; or None.

    Returns:
        ``[B, T, J]``.  The gradient of the delay is that of the linearly interpolated signal,
        ``dL/dd = w sum_k (g[a + 1] - g[a - 1]) / (2 dt)`` with ``g = dL/dx`` at the arrivals ``a``.

    Raises:
        ConfigError: on shapes that do not fit, values that are not finite, negative delays, or a step that is not
            positive.
    """
    if isinstance(dt, bool) or not isinstance(dt, Real) or not 0 < dt < math.inf:
        raise ConfigError(f"dt must be a positive finite number of ms, got {dt!r}")
    if on_cuda(weight):
        from spsnn.autograd import cuda

        return cuda.delayed_current(spikes, weight, delay, dt)
    if not isinstance(spikes, Spikes):
        spikes = Spikes.from_dense(spikes)
    check_synapses(weight, delay, spikes.shape[2], weight.shape[-1], mask)
    return _Delayed.apply(spikes, dt, delay, kept_mask(mask), weight, *delay_tensors(delay), spikes.dense)
