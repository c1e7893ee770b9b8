"""One population with all its synapses as a single autograd Function on the grid engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from spsnn.autograd.custom import run_custom
from spsnn.autograd.delays import arrival_of, arrival_of_current, delay_tensors, kernel_form
from spsnn.autograd.device import on_cuda
from spsnn.autograd.projection import check_synapses, kept_mask, pull_back, spread
from spsnn.autograd.spikes import Spikes, active_positions
from spsnn.checks import positive
from spsnn.errors import ConfigError
from spsnn.kernels.cpu.adjoint import run_adjoint
from spsnn.kernels.cpu.constants import pull_to_constants, turn_to_delays
from spsnn.kernels.cpu.grouping import group_marked
from spsnn.kernels.cpu.loop import loop_of, no_loop
from spsnn.kernels.cpu.population import run
from spsnn.kernels.cpu.projection import LANES, tiles_of
from spsnn.kernels.cpu.surrogate import SURROGATES
from spsnn.neurons.custom import CustomNeuron
from spsnn.neurons.learned import arrival_rates, check_own_parameters, own_constants

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
    masks: list
    recurrent: bool
    keep_potential: bool
    drive: object = None
    rates: np.ndarray | None = None  # 1/tau_syn and 1/tau_mem [2, J], where delays learn from the slope in time
    tape: tuple = None


PER_PROJECTION = 6  # weight, delay matrix, pre, post, alpha, dense spikes; None for what there is not


class _Population(torch.autograd.Function):
    """Inputs: call, constants ``[10, J]`` or None for those of the neuron model, bias and gain of the drive or None,
    then the tensors of every projection, the recurrent one last; outputs: spikes, potential."""

    @staticmethod
    def forward(ctx, call, own, bias, gain, *tensors):
        neuron, grid = call.neuron, call.grid
        projections = _projections(call, tensors)
        n_samples, n_steps, _ = call.sources[0].shape
        n = tensors[0].shape[1]
        dtype = projections[0].weight.dtype
        none = np.zeros((n_samples, 0, 0), dtype)
        x_0 = tiles_of(n_samples, n_steps, n, dtype)
        x_1 = tiles_of(n_samples, n_steps, n, dtype) if grid.delays == "exact" else none[..., None]
        for source, p in zip(call.sources, projections, strict=False):
            spread(source, p.weight, p.delays, p.arrival, x_0, x_1, p.mask)
        if call.drive is not None:
            call.drive.apply(torch.from_numpy(x_0))
        shape = (n_samples, n_steps, n)
        spikes, potential = np.empty(shape, dtype), np.empty(shape, dtype)
        eventprop = grid.estimator == "eventprop" and neuron.spiking
        record = eventprop or ctx.needs_input_grad[1]
        current = np.empty(shape, dtype) if record else none
        adaptation = np.empty(shape, dtype) if record and neuron.adaptive else none
        constants = neuron.constants(grid.dt, n, dtype) if own is None else own.detach().numpy()
        run(
            x_0, x_1, _loop(call, projections[-1], False), constants, neuron.reset == "subtract", neuron.adaptive,
            neuron.refractory_steps(grid.dt), spikes, potential, current, adaptation,
        )  # fmt: skip
        call.tape = (constants, spikes, potential, current, adaptation)
        ctx.call = call
        out_v = torch.from_numpy(potential) if call.keep_potential else torch.empty(0, dtype=tensors[0].dtype)
        out_z = torch.from_numpy(spikes)
        ctx.save_for_backward(*tensors, out_z, out_v)  # outputs share the tape: torch refuses if they were changed
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
        n_samples, n_steps, n = potential.shape
        grad_0, grad_1 = tiles_of(n_samples, n_steps, n, dtype), tiles_of(n_samples, n_steps, n, dtype)
        run_adjoint(
            spikes, potential, current, adaptation, grad_z, grad_v, _loop(call, projections[-1], by_time), constants,
            neuron.reset == "subtract", neuron.adaptive, neuron.refractory > 0, grid.detach_reset,
            by_time and neuron.spiking, SURROGATES[grid.surrogate], dtype.type(grid.slope),
            np.full(n, neuron.tau_mem, dtype), neuron.adaptation_rates(n, dtype),
            dtype.type(grid.min_slope * neuron.threshold), grad_0, grad_1,
        )  # fmt: skip
        grad_constants = None
        if ctx.needs_input_grad[1]:
            parts = np.zeros((n_samples, *constants.shape), dtype)
            pull_to_constants(
                spikes, potential, current, adaptation, constants, neuron.reset == "subtract", neuron.adaptive, grad_0,
                grad_1, parts,
            )  # fmt: skip
            grad_constants = torch.from_numpy(parts.sum(0))
        if call.rates is not None:
            turn_to_delays(np.pad(call.rates, ((0, 0), (0, -n % LANES))), grad_0, grad_1)
        of_drive, of_inputs = (None, None), (grad_0, grad_1)
        if call.drive is not None:
            of_inputs = (grad_0.copy(), grad_1.copy()) if call.recurrent else of_inputs
            of_drive = call.drive.pull_back(*map(torch.from_numpy, of_inputs))
        sources = list(call.sources)
        if call.recurrent:
            sources.append(Spikes(*group_marked(spikes), spikes.shape))
        grads = []
        for k, (source, p) in enumerate(zip(sources, projections, strict=True)):
            with_spikes = ctx.needs_input_grad[PER_PROJECTION * (k + 1) + 3]
            of_x = (grad_0, grad_1) if call.recurrent and k == len(projections) - 1 else of_inputs
            g = pull_back(source, p.weight, p.delays, p.arrival, by_time, with_spikes, *of_x, p.mask)
            grads += [None if x is None else torch.as_tensor(x) for x in g]
        return (None, grad_constants, *of_drive, *grads)


class _Projection(NamedTuple):
    """A projection as the kernels take it."""

    weight: np.ndarray
    delays: object
    arrival: object
    mask: np.ndarray  # bool, of the kept synapses, or empty


def _projections(call, tensors):
    found = []
    for k, (delay, mask) in enumerate(zip(call.delays, call.masks, strict=True)):
        weight, *rest = tensors[PER_PROJECTION * k : PER_PROJECTION * (k + 1)]
        least = int(call.recurrent and k == len(call.delays) - 1)
        n_steps = call.sources[0].shape[1]
        if call.rates is None:
            arrival = arrival_of(call.neuron, call.grid.dt, n_steps, call.grid.delays == "exact", least, weight.dtype)
        else:
            arrival = arrival_of_current(call.grid.dt, n_steps, least, weight.dtype)
        weight_array = weight.detach().contiguous().numpy()
        found.append(_Projection(weight_array, kernel_form(rest[:4], delay, weight.dtype), arrival, mask))
    return found


def _drive_tensors(drive, neuron, grid):
    """What autograd sees of a `Drive` or None."""
    if drive is None:
        return None, None
    if grid.delays != "round" or grid.estimator != "surrogate" or isinstance(neuron, CustomNeuron):
        raise ConfigError(
            f"a bias or batch normalisation needs delays='round', estimator='surrogate' and linear neurons, "
            f"got {grid.delays!r}, {grid.estimator!r} and {neuron.kind!r}"
        )
    return drive.bias, drive.gain


def _loop(call, p, by_time):
    """Recurrent synapses of the last projection as the kernels take them.

    ``by_time``: the adjoint's gradient of a spike is that of its time; False for the forward pass.
    """
    if not call.recurrent:
        return no_loop(p.weight.dtype)
    return loop_of(p.mask, p.weight, p.delays, p.arrival, by_time)


def run_population(neuron, inputs, grid, recurrent=None, keep_potential=False, parameters=None, drive=None):
    """Advance one population over the window.

    Args:
        neuron: neuron model, e.g. `spsnn.LIF`.
        inputs: list of ``(spikes, weight [I, J], delay)`` or ``(spikes, weight, delay, mask)``; a delay is ``[I, J]``
            in ms or `Distances`; a mask is bool ``[I, J]``, and weights are zero where it is False: on the CPU such
            synapses cost nothing and have a gradient of 0; pass ``weight * mask``, as the synapses of a model do, to
            have it 0 on CUDA too.
        grid: `Grid`.
        recurrent: ``(weight [J, J], delay)``, also with a mask, or None; a recurrent delay acts for at least one step.
        drive: `Drive`, or None: a bias and batch normalisation of what the inputs bring, in `round` mode.
        keep_potential: also return the potential of a spiking population, `HELD` while it is refractory; of a
            `CustomNeuron`, ``u``.
        parameters: values that each neuron has for itself in place of the model's, ``{name: tensor [J]}`` with names of
            `learnable`; they receive gradients.  For `round` delays and the surrogate estimator.

    Returns:
        ``(spikes, potential)``: `Spikes` of the population and ``[B, T, J]`` potentials before reset (an empty tensor
        unless asked for).

    Raises:
        ConfigError: on shapes that do not fit, delays that are negative or not finite, or ``parameters`` that the
            neuron does not have or the grid does not learn.
    """
    check_own_parameters(neuron, grid, parameters or ())
    if keep_potential and neuron.spiking and grid.estimator == "eventprop":
        raise ConfigError(
            "EventProp here has no gradient for the potential of a spiking neuron; read it out with a LeakyIntegrator"
        )
    if not inputs:
        raise ConfigError("a population needs at least one input projection")
    n_post = inputs[0][1].shape[-1]
    inputs, masks = [x[:3] for x in inputs], [x[3] if len(x) > 3 else None for x in inputs]
    tensors, sources = [], []
    for (spikes, weight, delay), mask in zip(inputs, masks, strict=True):
        check_synapses(weight, delay, spikes.shape[2], n_post, mask)
        if spikes.shape[:2] != inputs[0][0].shape[:2]:
            raise ConfigError(f"inputs differ in batch or steps: {inputs[0][0].shape[:2]} and {spikes.shape[:2]}")
        tensors += [weight, *delay_tensors(delay), spikes.dense]
        sources.append(spikes)
    delays = [delay for _, _, delay in inputs]
    if recurrent is not None:
        weight, delay, *mask = recurrent
        recurrent = weight, delay
        masks += mask or [None]
        check_synapses(weight, delay, n_post, n_post, masks[-1])
        tensors += [weight, *delay_tensors(delay), None]
        delays.append(delay)
    of_drive = _drive_tensors(drive, neuron, grid)
    if isinstance(neuron, CustomNeuron):
        if weight.is_cuda:
            raise ConfigError(f"a network of {type(neuron).__name__} trains on the CPU only; use the device cpu")
        return run_custom(neuron, inputs, grid, recurrent, keep_potential, masks)
    own = rates = None
    if parameters:
        own = own_constants(neuron, parameters, grid.dt, n_post, weight)
    if parameters or drive is not None:
        rates = arrival_rates(neuron, parameters or {}, n_post, weight)
    if on_cuda(weight):
        from spsnn.autograd import cuda

        return cuda.run_population(neuron, inputs, grid, recurrent, keep_potential, own, rates, drive)
    masks = [kept_mask(mask) for mask in masks]
    keep_potential = keep_potential or not neuron.spiking
    call = _Call(neuron, grid, sources, delays, masks, recurrent is not None, keep_potential, drive)
    call.rates = None if rates is None else rates.numpy()
    z, v = _Population.apply(call, own, *of_drive, *tensors)
    if not neuron.spiking:
        return None, v
    _, raw, potential, _, _ = call.tape
    marked, active = group_marked(raw), (None, None)
    if z.requires_grad:
        by_time = grid.estimator == "eventprop"
        active = marked if by_time else group_marked(active_positions(raw, potential - neuron.threshold, grid))
    return Spikes(*marked, raw.shape, z, *active), v
