"""Messages along the synapses of active nodes as an autograd Function."""

from __future__ import annotations

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from spsnn.kernels.cpu import active_set as kernel


class Spread(torch.autograd.Function):
    """Messages ``[M, H]`` of ``value [K, H]`` over synapses of ``weight``, see `spsnn.kernels.cpu.active_set.spread`.

    ``structure`` is ``(graph_ptr, start, node, target)``.
    """

    @staticmethod
    def forward(ctx, value, weight, structure, n_reached):
        value, weight = value.contiguous(), weight.contiguous()
        ctx.save_for_backward(value, weight)
        ctx.structure = structure
        graph_ptr, start, node, target = structure
        out = np.zeros((n_reached, value.shape[1]), value.numpy().dtype)
        kernel.spread(graph_ptr, start, weight.numpy(), node, target, value.numpy(), out)
        return torch.from_numpy(out)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        value, weight = (x.numpy() for x in ctx.saved_tensors)
        graph_ptr, start, node, target = ctx.structure
        grad_value, grad_weight = np.zeros_like(value), np.zeros_like(weight)
        grad = grad.contiguous().numpy()
        kernel.pull_back(graph_ptr, start, weight, node, target, value, grad, grad_weight, grad_value)
        return torch.from_numpy(grad_value), torch.from_numpy(grad_weight), None, None
