"""The grid engine on CUDA: a population with all its synapses, or one projection alone, as autograd Functions."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from spsnn.autograd.cuda_projection import THREADS, Projection, blocks, flat, launch, on_device
from spsnn.autograd.device import DeviceSpikes
from spsnn.autograd.projection import check_synapses
from spsnn.autograd.spikes import active_positions
from spsnn.kernels.cpu.surrogate import SURROGATES
from spsnn.kernels.cuda import population as kernels
from spsnn.kernels.cuda.constants import pull_to_constants
from spsnn.kernels.cuda.projection import PARTS


class _Population(torch.autograd.Function):
    """Inputs: call, constants ``[10, J]`` or None for those of the neuron model, bias and gain of the drive or None,
    then the six tensors of every projection, the recurrent one last; outputs: spikes, potential."""

    @staticmethod
    def forward(ctx, call, own, bias, gain, *tensors):
        neuron, grid = call.neuron, call.grid
        like = tensors[0]
        n_samples, n_steps, _ = call.sources[0].shape
        n = like.shape[1]
        exact, eventprop = grid.delays == "exact", grid.estimator == "eventprop" and neuron.spiking
        # With rates the adjoint's second channel becomes minus the derivative to the delay, as in `_Delayed`.
        taus = (neuron.tau_mem, neuron.tau_syn) if call.rates is None else (1.0, np.inf)
        window = grid.dt, *taus, exact, n_steps
        with on_device(like.device):
            call.projections = [
                Projection(source, tensors[6 * k : 6 * k + 6], distances, window)
                for k, (source, distances) in enumerate(zip(call.sources, call.distances, strict=True))
            ]
            x_0 = like.new_zeros(n_samples, n_steps * n)
            x_1 = like.new_zeros(n_samples, n_steps * n * exact)
            for projection in call.projections:
                if projection.source is not None:
                    projection.scatter(x_0, x_1)
            if call.drive is not None:
                call.drive.apply(x_0.view(n_samples, n_steps, n))
            last = call.projections[-1]
            recurrent = last.source is None
            ring, size = last.ring(n, 1 + exact) if recurrent else ((False, n_steps), 0)
            record = lambda kept: like.new_empty(n_samples, n_steps * n * kept)  # noqa: E731
            z, potential = record(True), record(True)
            kept = eventprop or ctx.needs_input_grad[1]
            current, adaptation = record(kept), record(kept and neuron.adaptive)
            if own is None:
                constants = torch.as_tensor(neuron.constants(grid.dt, n, last.real), device=like.device)
            else:
                constants = own.detach()
            fired = torch.empty(n_samples, blocks(n, kernels.GROUP), dtype=torch.int64, device=like.device)
            launch(
                kernels.run, (n_samples, 1 if recurrent else blocks(n, THREADS)), THREADS, size,
                x_0, x_1, last.synapses, recurrent, *ring, constants, neuron.reset == "subtract",
                neuron.refractory_steps(grid.dt), like.new_zeros(n_samples, 4, n), fired, z, potential, current,
                adaptation,
            )  # fmt: skip
        call.tape = constants, z, potential, current, adaptation
        shape = n_samples, n_steps, n
        if neuron.spiking:
            active = active_positions(z, potential - neuron.threshold, grid).view(shape) if call.learning else None
            call.own = DeviceSpikes.marked(z.view(shape), active)
        ctx.call = call
        out_z, out_v = z.view(shape), potential.view(shape) if call.keep_potential else like.new_empty(0)
        ctx.save_for_backward(*tensors, out_z, out_v)
        ctx.set_materialize_grads(False)
        return out_z, out_v

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_z, grad_v):
        ctx.saved_tensors  # noqa: B018  torch refuses here if a weight, coordinate or output has changed since
        call, neuron, grid = ctx.call, ctx.call.neuron, ctx.call.grid
        constants, z, potential, current, adaptation = call.tape
        last, n = call.projections[-1], constants.shape[1]
        recurrent, real = last.source is None, last.real
        eventprop = grid.estimator == "eventprop" and neuron.spiking
        with on_device(z.device):
            grad_z = torch.zeros_like(z) if grad_z is None else grad_z.flatten(1).clone()
            grad_v = z[:, :0] if grad_v is None or not grad_v.numel() else grad_v.flatten(1)
            grad_0, grad_1 = torch.empty_like(z), torch.empty_like(z)
            ring, size = (False, last.n_steps), 0
            if recurrent:
                ring, size = last.ring(n, 1 + (last.exact or eventprop), PARTS)
            lists = (call.own.active_offsets, call.own.active_units) if recurrent else (_none(z), _none(z))
            launch(
                kernels.run_adjoint, (len(z), 1 if recurrent else blocks(n, THREADS)), THREADS, size,
                z, potential, current, adaptation, grad_z, grad_v, *lists, last.synapses, recurrent, *ring,
                constants, neuron.reset == "subtract", grid.detach_reset, eventprop, SURROGATES[grid.surrogate],
                real(grid.slope), real(neuron.tau_mem),
                torch.as_tensor(neuron.adaptation_rates(n, real), device=z.device),
                real(grid.min_slope * neuron.threshold), z.new_zeros(len(z), 6, n), grad_0, grad_1,
            )  # fmt: skip
            grad_constants = None
            if ctx.needs_input_grad[1]:
                parts = z.new_empty(len(z), *constants.shape)
                launch(
                    pull_to_constants, (len(z), blocks(n, THREADS)), THREADS, 0, z, potential, current, adaptation,
                    constants, neuron.reset == "subtract", grad_0, grad_1, parts,
                )  # fmt: skip
                grad_constants = parts.sum(0)
            by_neuron = lambda g: g.view(len(z), -1, n)  # noqa: E731
            if call.rates is not None:
                grad_1 = (call.rates[1] * by_neuron(grad_1) - call.rates[0] * by_neuron(grad_0)).flatten(1)
            of_drive, of_inputs = (None, None), (grad_0, grad_1)
            if call.drive is not None:
                of_inputs = (grad_0.clone(), grad_1.clone()) if recurrent else of_inputs
                of_drive = call.drive.pull_back(*map(by_neuron, of_inputs))
            grads = []
            for k, projection in enumerate(call.projections):
                source, of_x = (projection.source, of_inputs) if projection.source else (call.own, (grad_0, grad_1))
                with_spikes = ctx.needs_input_grad[4 + 6 * k + 5]
                # As on the CPU, the derivative of arrivals is taken to their time where the source learns by EventProp.
                grads += projection.pull_back(source, *of_x, grid.estimator == "eventprop", with_spikes)
        return (None, grad_constants, *of_drive, *grads)


@dataclass
class _Call:
    """What one forward pass keeps for its backward pass."""

    neuron: object
    grid: object
    sources: list
    distances: list
    keep_potential: bool
    learning: bool
    rates: torch.Tensor | None
    drive: object
    projections: list | None = None
    tape: tuple | None = None
    own: DeviceSpikes | None = None


def run_population(
    neuron, inputs, grid, recurrent=None, keep_potential=False, own=None, rates=None, drive=None
):  # fmt: skip
    """`spsnn.autograd.population.run_population` for checked tensors on a GPU.

    ``own [10, J]`` and ``rates [2, J]``, where each neuron has its own parameters or there is a drive: those of
    `spsnn.neurons.learned.own_constants` and `arrival_rates`.
    """
    device = inputs[0][1].device
    projections = [(DeviceSpikes.of(spikes, device), weight, delay) for spikes, weight, delay in inputs]
    if recurrent is not None:
        projections.append((None, *recurrent))
    tensors, sources, distances = [], [], []
    for source, weight, delay in projections:
        six, rule = flat(weight, delay, source and source.dense)
        tensors += six
        sources.append(source)
        distances.append(rule)
    of_drive = (None, None) if drive is None else (drive.bias, drive.gain)
    learning = torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in (own, *of_drive, *tensors))
    call = _Call(neuron, grid, sources, distances, keep_potential or not neuron.spiking, learning, rates, drive)
    z, v = _Population.apply(call, own, *of_drive, *tensors)
    return (replace(call.own, dense=z) if neuron.spiking else None), v


class _Delayed(torch.autograd.Function):
    """Inputs: source, distances or None, dt, then the six tensors of the projection."""

    @staticmethod
    def forward(ctx, source, distances, dt, *tensors):
        n_samples, n_steps, _ = source.shape
        like = tensors[0]
        out = like.new_zeros(n_samples, n_steps * like.shape[1])
        # With these constants an arrival's derivative to its delay is -1 times the second channel, as in
        # `spsnn.autograd.synapse`.
        with on_device(like.device):
            ctx.projection = Projection(source, tensors, distances, (dt, 1.0, np.inf, False, n_steps))
            ctx.projection.scatter(out, out[:, :0])
        ctx.dt = dt
        ctx.save_for_backward(*tensors)
        return out.view(n_samples, n_steps, -1)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        ctx.saved_tensors  # noqa: B018  as above
        padded = torch.nn.functional.pad(grad, (0, 0, 1, 1))
        slope = (padded[:, :-2] - padded[:, 2:]) / (2 * ctx.dt)
        source, with_spikes = ctx.projection.source, ctx.needs_input_grad[8]
        with on_device(grad.device):
            grads = ctx.projection.pull_back(source, grad.flatten(1), slope.flatten(1), False, with_spikes)
        return (None, None, None, *grads)


def delayed_current(spikes, weight, delay, dt):
    """`spsnn.autograd.synapse.delayed_current` on a GPU."""
    source = DeviceSpikes.of(spikes, weight.device)
    check_synapses(weight, delay, source.shape[2], weight.shape[-1])
    six, distances = flat(weight, delay, source.dense)
    return _Delayed.apply(source, distances, dt, *six)


def _none(like):
    return torch.empty(0, dtype=torch.int32, device=like.device)
