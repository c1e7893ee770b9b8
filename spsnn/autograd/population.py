"""One population with all its synapses as a single autograd Function on the grid engine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from spsnn.autograd.custom import run_custom
from spsnn.autograd.delays import arrival_of, delay_tensors, kernel_form
from spsnn.autograd.device import on_cuda
from spsnn.autograd.projection import check_synapses, pull_back, spread
from spsnn.autograd.spikes import Spikes, active_positions
from spsnn.checks import positive
from spsnn.errors import ConfigError
from spsnn.kernels.cpu.adjoint import run_adjoint
from spsnn.kernels.cpu.delays import loop_factors
from spsnn.kernels.cpu.grouping import group_marked
from spsnn.kernels.cpu.population import run
from spsnn.kernels.cpu.projection import tiles_of
from spsnn.kernels.cpu.surrogate import SURROGATES
from spsnn.neurons.custom import CustomNeuron

DELAY_MODES = ("round", "exact")
ESTIMATORS = ("surrogate", "eventprop")


@dataclass(frozen=True)
class Grid:
    """How the grid engine advances and differentiates.

    Attributes:
        dt: step in ms.
        delays: ``round`` (arrival at the nearest step) or ``exact`` (sub-step arrival).
        estimator: ``surrogate`` or ``eventprop``.
        surrogate: ``superspike``, ``arctan``, ``triangular`` or ``box``.
        slope: steepness of the surrogate, see `spsnn.kernels.cpu.surrogate`.
        detach_reset: leave the reset out of the surrogate gradient.
        min_slope: EventProp divides by ``tau_mem dV/dt`` at the spike, kept above ``min_slope * threshold``.
    """

    dt: float = 1.0
    delays: str = "round"
    estimator: str = "surrogate"
    surrogate: str = "triangular"
    slope: float = 2.0
    detach_reset: bool = True
    min_slope: float = 0.01

    def __post_init__(self):
        for name, known in (("delays", DELAY_MODES), ("estimator", ESTIMATORS), ("surrogate", tuple(SURROGATES))):
            if getattr(self, name) not in known:
                raise ConfigError(f"{name} must be one of {', '.join(known)}, got {getattr(self, name)!r}")
        positive(self, "dt", "slope", "min_slope")


@dataclass
class _Call:
    """What one forward pass keeps for its backward pass."""

    neuron: object
    grid: Grid
    sources: list
    delays: list
    recurrent: bool
    keep_potential: bool
    tape: tuple = None


PER_PROJECTION = 6  # weight, delay matrix, pre, post, alpha, dense spikes; None for what there is not


class _Population(torch.autograd.Function):
    """Inputs: call, then the tensors of every projection, the recurrent one last; outputs: spikes, potential."""

    @staticmethod
    def forward(ctx, call, *tensors):
        neuron, grid = call.neuron, call.grid
        projections = _projections(call, tensors)
        n_samples, n_steps, _ = call.sources[0].shape
        n = tensors[0].shape[1]
        dtype = projections[0].weight.dtype
        none = np.zeros((n_samples, 0, 0), dtype)
        x_0 = tiles_of(n_samples, n_steps, n, dtype)
        x_1 = tiles_of(n_samples, n_steps, n, dtype) if grid.delays == "exact" else none[..., None]
        for source, p in zip(call.sources, projections, strict=False):
            spread(source, p.weight, p.delays, p.arrival, x_0, x_1)
        loop = projections[-1]  # read only if there are recurrent weights
        feed_0 = feed_1 = np.zeros((0, 0), dtype)
        if call.recurrent:
            feed_0 = loop.weight
            if grid.delays == "exact":
                feed_0, feed_1, _, _ = _loop_factors(loop, False)
        shape = (n_samples, n_steps, n)
        spikes, potential = np.empty(shape, dtype), np.empty(shape, dtype)
        eventprop = grid.estimator == "eventprop" and neuron.spiking
        current = np.empty(shape, dtype) if eventprop else none
        adaptation = np.empty(shape, dtype) if eventprop and neuron.adaptive else none
        constants = neuron.constants(grid.dt, n, dtype)
        run(
            x_0, x_1, feed_0, feed_1, loop.delays, loop.arrival, constants, neuron.reset == "subtract",
            neuron.adaptive, neuron.refractory_steps(grid.dt), spikes, potential, current, adaptation,
        )  # fmt: skip
        call.tape = (constants, spikes, potential, current, adaptation)
        ctx.call = call
        ctx.save_for_backward(*tensors)
        out_v = torch.from_numpy(potential) if call.keep_potential else torch.empty(0, dtype=tensors[0].dtype)
        out_z = torch.from_numpy(spikes)
        ctx.set_materialize_grads(False)
        return out_z, out_v

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_z, grad_v):
        call, neuron, grid = ctx.call, ctx.call.neuron, ctx.call.grid
        projections = _projections(call, ctx.saved_tensors)
        constants, spikes, potential, current, adaptation = call.tape
        dtype = potential.dtype
        none = np.zeros((len(potential), 0, 0), dtype)
        grad_z = none if grad_z is None or not neuron.spiking else np.ascontiguousarray(grad_z.numpy(), dtype=dtype)
        grad_v = none if grad_v is None or not grad_v.numel() else np.ascontiguousarray(grad_v.numpy(), dtype=dtype)
        by_time = grid.estimator == "eventprop"
        loop = projections[-1]
        back_0 = back_1 = np.zeros((0, 0), dtype)
        if call.recurrent:
            back_0 = loop.weight
            if grid.delays == "exact":
                _, _, back_0, back_1 = _loop_factors(loop, by_time)
        n_samples, n_steps, n = potential.shape
        grad_0, grad_1 = tiles_of(n_samples, n_steps, n, dtype), tiles_of(n_samples, n_steps, n, dtype)
        run_adjoint(
            spikes, potential, current, adaptation, grad_z, grad_v, back_0, back_1, loop.delays, loop.arrival,
            constants, neuron.reset == "subtract", neuron.adaptive, neuron.refractory > 0, grid.detach_reset,
            by_time and neuron.spiking,
            SURROGATES[grid.surrogate], dtype.type(grid.slope), np.full(n, neuron.tau_mem, dtype),
            neuron.adaptation_rates(n, dtype), dtype.type(grid.min_slope * neuron.threshold), grad_0, grad_1,
        )  # fmt: skip
        sources = list(call.sources)
        if call.recurrent:
            sources.append(Spikes(*group_marked(spikes), spikes.shape))
        grads = []
        for k, (source, p) in enumerate(zip(sources, projections, strict=True)):
            with_spikes = ctx.needs_input_grad[PER_PROJECTION * (k + 1)]
            g = pull_back(source, p.weight, p.delays, p.arrival, by_time, with_spikes, grad_0, grad_1)
            grads += [None if x is None else torch.as_tensor(x) for x in g]
        return (None, *grads)


@dataclass(frozen=True)
class _Projection:
    """A projection as the kernels take it."""

    weight: np.ndarray
    delays: object
    arrival: object


def _projections(call, tensors):
    found = []
    for k, delay in enumerate(call.delays):
        weight, *rest = tensors[PER_PROJECTION * k : PER_PROJECTION * (k + 1)]
        least = int(call.recurrent and k == len(call.delays) - 1)
        n_steps = call.sources[0].shape[1]
        arrival = arrival_of(call.neuron, call.grid.dt, n_steps, call.grid.delays == "exact", least, weight.dtype)
        weight_array = weight.detach().contiguous().numpy()
        found.append(_Projection(weight_array, kernel_form(rest[:4], delay, weight.dtype), arrival))
    return found


def _loop_factors(loop, by_time):
    made = [np.empty_like(loop.weight) for _ in range(4)]
    loop_factors(loop.weight, loop.delays, loop.arrival, by_time, *made)
    return made


def run_population(neuron, inputs, grid, recurrent=None, keep_potential=False):
    """Advance one population over the window.

    Args:
        neuron: neuron model, e.g. `spsnn.LIF`.
        inputs: list of ``(spikes, weight [I, J], delay)``; a delay is ``[I, J]`` in ms or `Distances`.
        grid: `Grid`.
        recurrent: ``(weight [J, J], delay)`` or None; a recurrent delay acts for at least one step.
        keep_potential: also return the potential of a spiking population, `HELD` while it is refractory; of a
            `CustomNeuron`, ``u``.

    Returns:
        ``(spikes, potential)``: `Spikes` of the population and ``[B, T, J]`` potentials before reset (an empty tensor
        unless asked for).

    Raises:
        ConfigError: on shapes that do not fit or delays that are negative or not finite.
    """
    if keep_potential and neuron.spiking and grid.estimator == "eventprop":
        raise ConfigError(
            "EventProp here has no gradient for the potential of a spiking neuron; read it out with a LeakyIntegrator"
        )
    if not inputs:
        raise ConfigError("a population needs at least one input projection")
    tensors, sources = [], []
    n_post = inputs[0][1].shape[-1]
    for spikes, weight, delay in inputs:
        check_synapses(weight, delay, spikes.shape[2], n_post)
        if spikes.shape[:2] != inputs[0][0].shape[:2]:
            raise ConfigError(f"inputs differ in batch or steps: {inputs[0][0].shape[:2]} and {spikes.shape[:2]}")
        tensors += [weight, *delay_tensors(delay), spikes.dense]
        sources.append(spikes)
    delays = [delay for _, _, delay in inputs]
    if recurrent is not None:
        weight, delay = recurrent
        check_synapses(weight, delay, n_post, n_post)
        tensors += [weight, *delay_tensors(delay), None]
        delays.append(delay)
    if isinstance(neuron, CustomNeuron):
        if weight.is_cuda:
            raise ConfigError(f"a network of {type(neuron).__name__} trains on the CPU only; use the device cpu")
        return run_custom(neuron, inputs, grid, recurrent, keep_potential)
    if on_cuda(inputs[0][1]):
        from spsnn.autograd import cuda

        return cuda.run_population(neuron, inputs, grid, recurrent, keep_potential)
    call = _Call(neuron, grid, sources, delays, recurrent is not None, keep_potential or not neuron.spiking)
    z, v = _Population.apply(call, *tensors)
    if not neuron.spiking:
        return None, v
    _, raw, potential, _, _ = call.tape
    marked, active = group_marked(raw), (None, None)
    if z.requires_grad:
        by_time = grid.estimator == "eventprop"  # the same arrays then, which the backward pass reads once
        active = marked if by_time else group_marked(active_positions(raw, potential - neuron.threshold, grid))
    return Spikes(*marked, raw.shape, z, *active), v
