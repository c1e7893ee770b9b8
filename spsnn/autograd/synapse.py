"""A delayed projection alone, for neuron models of one's own."""

from __future__ import annotations

import numpy as np
import torch

from spsnn.autograd.arrivals import Arrivals
from spsnn.autograd.device import on_cuda
from spsnn.autograd.projection import check_synapses, pull_back, spread
from spsnn.autograd.spikes import Spikes


class _Delayed(torch.autograd.Function):
    @staticmethod
    def forward(ctx, source, dt, weight, delay, dense):
        w, d = weight.detach().numpy(), delay.detach().numpy()
        lag = np.clip(np.rint(d / dt), 0, source.shape[1]).astype(np.uint32)
        # The derivative to the delay is the slope of dL/dx in time, taken as the second channel in `backward`.
        ctx.arrivals = Arrivals(lag, 1.0, None, 0.0, -1.0)
        ctx.source, ctx.dt = source, dt
        ctx.save_for_backward(weight)
        out = np.zeros((*source.shape[:2], w.shape[1]), w.dtype)
        spread(source, w, ctx.arrivals, out, None)
        return torch.from_numpy(out)

    @staticmethod
    def backward(ctx, grad):
        (weight,) = ctx.saved_tensors
        grad_0 = np.ascontiguousarray(grad.numpy())
        grad_1 = np.zeros_like(grad_0)
        padded = np.pad(grad_0, ((0, 0), (1, 1), (0, 0)))
        grad_1[:] = (padded[:, :-2] - padded[:, 2:]) / (2 * ctx.dt)
        with_spikes = ctx.needs_input_grad[4]
        g = pull_back(ctx.source, weight.detach().numpy(), ctx.arrivals, grad_0, grad_1, False, with_spikes)
        return (None, None, *(None if x is None else torch.from_numpy(x) for x in g))


def delayed_current(spikes, weight, delay, dt):
    """Weighted, delayed spikes ``x[b, t, j] = sum_i w_ij z[b, t - rint(d_ij / dt), i]``.

    Args:
        spikes: zeros and ones ``[B, T, I]`` or `Spikes`.
        weight, delay: ``[I, J]``; delay in ms.
        dt: step in ms.

    Returns:
        ``[B, T, J]``.  The gradient of the delay is that of the linearly interpolated signal,
        ``dL/dd = w sum_k (g[a + 1] - g[a - 1]) / (2 dt)`` with ``g = dL/dx`` at the arrivals ``a``.

    Raises:
        ConfigError: on shapes that do not fit, values that are not finite, or negative delays.
    """
    if on_cuda(weight):
        from spsnn.autograd import cuda

        return cuda.delayed_current(spikes, weight, delay, dt)
    if not isinstance(spikes, Spikes):
        spikes = Spikes.from_dense(spikes)
    check_synapses(weight, delay, spikes.shape[2], weight.shape[-1])
    return _Delayed.apply(spikes, dt, weight, delay, spikes.dense)
