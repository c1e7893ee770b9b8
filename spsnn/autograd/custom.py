"""A population of neurons of one's own model as an autograd Function of its arrivals and its recurrent synapses."""

from __future__ import annotations

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from spsnn.autograd.delays import arrival_of_current, delay_tensors, kernel_form
from spsnn.autograd.spikes import Spikes, active_positions
from spsnn.autograd.synapse import delayed_current, pull_back_current
from spsnn.kernels.cpu.custom import kernels
from spsnn.kernels.cpu.delays import all_lags
from spsnn.kernels.cpu.grouping import group_marked
from spsnn.kernels.cpu.surrogate import SURROGATES


class _Neurons(torch.autograd.Function):
    """Inputs: neuron, grid, arrivals ``[B, T, J]``, recurrent delay, then weight, matrix, pre, post and alpha of the
    recurrent projection (or None); outputs: spikes and u."""

    @staticmethod
    def forward(ctx, neuron, grid, x, delay, weight, *rest):
        x = x.detach().numpy().copy()  # receives the recurrent arrivals
        n_samples, n_steps, n = x.shape
        loop = np.zeros((0, 0), x.dtype), np.zeros((0, 0), np.uint32)
        if weight is not None:
            form, arrival = _recurrent(grid, n_steps, delay, weight, rest)
            loop = weight.detach().contiguous().numpy(), all_lags(form, arrival, n, n)
        start = neuron.initial_state()
        p = tuple(x.dtype.type(c) for c in neuron.constants(grid.dt))
        spikes, u = np.empty_like(x), np.empty_like(x)
        states = np.empty((n_samples, n_steps + 1, len(start), n), x.dtype)
        states[:, 0] = np.array(start)[:, None]
        run, ctx.adjoint = kernels(neuron.functions, len(start))
        run(x, *loop, p, spikes, u, states)
        ctx.tape, ctx.constants, ctx.grid, ctx.delay = (x, spikes, u, states), (*loop, p), grid, delay
        out_z, out_u = torch.from_numpy(spikes), torch.from_numpy(u)
        ctx.save_for_backward(weight, *rest, out_z, out_u)  # outputs share the tape: torch refuses if they were changed
        return out_z, out_u

    @staticmethod
    @once_differentiable
    def backward(ctx, *grads):
        saved = ctx.saved_tensors
        x, spikes, _, states = ctx.tape
        grid = ctx.grid
        grads = [g.contiguous().numpy() for g in grads]
        grad_x, grad_state = np.empty_like(x), np.zeros_like(states[:, 0])
        ctx.adjoint(
            *ctx.tape, *grads, *ctx.constants, grid.detach_reset, SURROGATES[grid.surrogate],
            x.dtype.type(grid.slope), grad_state, grad_x,
        )  # fmt: skip
        weight, *rest = saved[:-2]
        loop = [None] * 5
        if weight is not None:
            source = Spikes(*group_marked(spikes), spikes.shape)
            form, arrival = _recurrent(grid, x.shape[1], ctx.delay, weight, rest)
            *loop, _ = pull_back_current(source, weight, form, arrival, grad_x, False)
        return None, None, torch.from_numpy(grad_x), None, *loop


def _recurrent(grid, n_steps, delay, weight, rest):
    return kernel_form(rest, delay, weight.dtype), arrival_of_current(grid.dt, n_steps, 1, weight.dtype)


def run_custom(neuron, inputs, grid, recurrent, keep_potential, masks):
    """`run_population` for a `CustomNeuron`, whose inputs were checked there; the potential is ``u``.

    Gradients of delays are those of `delayed_current`.

    Raises:
        ConfigError: with `exact` delays or EventProp.
    """
    neuron.check_grid(grid)
    x = sum(delayed_current(*synapses, grid.dt, mask) for synapses, mask in zip(inputs, masks, strict=False))
    weight, delay = recurrent or (None, None)
    if weight is not None and masks[-1] is not None:
        weight = weight * masks[-1]
    z, u = _Neurons.apply(neuron, grid, x, delay, weight, *delay_tensors(delay))
    raw = z.detach().numpy()
    active = group_marked(active_positions(raw, u.detach().numpy(), grid)) if z.requires_grad else (None, None)
    return Spikes(*group_marked(raw), raw.shape, z, *active), u if keep_potential else u.new_empty(0)
