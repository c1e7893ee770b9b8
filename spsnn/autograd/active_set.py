"""Messages along the synapses of active nodes as an autograd Function."""

from __future__ import annotations

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from spsnn.kernels.cpu import active_set as kernel


class Spread(torch.autograd.Function):
    """Messages ``[M, H]`` of ``value [K, H]`` over synapses of ``weight [E]``, see `spsnn.kernels.cpu.active_set`."""

    @staticmethod
    def forward(ctx, value, weight, graph_ptr, node, target, n_reached):
        value, weight = value.contiguous(), weight.contiguous()
        ctx.save_for_backward(value, weight)
        ctx.structure = graph_ptr, node, target
        out = np.zeros((n_reached, value.shape[1]), value.numpy().dtype)
        kernel.spread(graph_ptr, weight.numpy(), node, target, value.numpy(), out)
        return torch.from_numpy(out)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        value, weight = (x.numpy() for x in ctx.saved_tensors)
        graph_ptr, node, target = ctx.structure
        grad_value, grad_weight = np.zeros_like(value), np.zeros_like(weight)
        kernel.pull_back(graph_ptr, weight, node, target, value, grad.contiguous().numpy(), grad_weight, grad_value)
        return torch.from_numpy(grad_value), torch.from_numpy(grad_weight), None, None, None, None
