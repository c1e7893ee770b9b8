"""One population with all its synapses as a single autograd Function on the grid engine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from spsnn.autograd.arrivals import arrivals
from spsnn.autograd.device import on_cuda
from spsnn.autograd.projection import check_synapses, presynaptic_factors, pull_back, spread
from spsnn.autograd.spikes import Spikes
from spsnn.checks import positive
from spsnn.errors import ConfigError
from spsnn.kernels.cpu import population as kernel
from spsnn.kernels.cpu.grouping import group_marked
from spsnn.kernels.cpu.surrogate import SURROGATES

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
    recurrent: bool
    keep_potential: bool
    arrivals: list = None
    tape: tuple = None


class _Population(torch.autograd.Function):
    """Inputs: call, then weight, delay, spikes (or None) of every projection; outputs: spikes, potential."""

    @staticmethod
    def forward(ctx, call, *tensors):
        weights, delays = ([t.detach().cpu().numpy() for t in tensors[k::3]] for k in (0, 1))
        neuron, grid = call.neuron, call.grid
        n_samples, n_steps, _ = call.sources[0].shape
        dtype = weights[0].dtype
        shape = (n_samples, n_steps, weights[0].shape[1])
        none = np.zeros((0, 0, 0), dtype)
        exact = grid.delays == "exact"
        x_0 = np.zeros(shape, dtype)
        x_1 = np.zeros(shape, dtype) if exact else none
        call.arrivals = [
            arrivals(d, grid.dt, n_steps, grid.delays, neuron.tau_mem, neuron.tau_syn, int(source is None))
            for d, source in zip(delays, [*call.sources, None], strict=False)
        ]
        feed = list(zip(call.sources, weights, call.arrivals, strict=False))
        for source, w, a in feed:
            spread(source, w, a, x_0, x_1)
        empty = np.zeros((0, 0), dtype)
        loop_0 = loop_1 = empty
        lag = np.zeros((0, 0), np.uint32)
        if call.recurrent:
            w, a = weights[-1], call.arrivals[-1]
            lag = a.lag
            loop_0 = np.ascontiguousarray(w * a.c_0, dtype=dtype)
            loop_1 = empty if a.c_1 is None else np.ascontiguousarray(w * a.c_1, dtype=dtype)
        spikes, potential = np.empty(shape, dtype), np.empty(shape, dtype)
        eventprop = grid.estimator == "eventprop" and neuron.spiking
        current = np.empty(shape, dtype) if eventprop else none
        adaptation = np.empty(shape, dtype) if eventprop and neuron.adaptive else none
        constants = neuron.constants(grid.dt, shape[2], dtype)
        kernel.run(
            x_0, x_1, loop_0, loop_1, lag, constants, neuron.reset == "subtract", neuron.refractory_steps(grid.dt),
            spikes, potential, current, adaptation,
        )  # fmt: skip
        call.tape = (constants, spikes, potential, current, adaptation)
        ctx.call = call
        ctx.save_for_backward(*[t for t in tensors if t is not None])
        ctx.given = [t is not None for t in tensors]
        out_v = torch.from_numpy(potential) if call.keep_potential else torch.empty(0, dtype=tensors[0].dtype)
        out_z = torch.from_numpy(spikes)
        ctx.set_materialize_grads(False)
        return out_z, out_v

    @staticmethod
    def backward(ctx, grad_z, grad_v):
        call, neuron, grid = ctx.call, ctx.call.neuron, ctx.call.grid
        saved = iter(ctx.saved_tensors)
        tensors = [next(saved) if given else None for given in ctx.given]
        constants, spikes, potential, current, adaptation = call.tape
        dtype = potential.dtype
        none = np.zeros((0, 0, 0), dtype)
        grad_z = none if grad_z is None or not neuron.spiking else np.ascontiguousarray(grad_z.numpy(), dtype=dtype)
        grad_v = none if grad_v is None or not grad_v.numel() else np.ascontiguousarray(grad_v.numpy(), dtype=dtype)
        eventprop = grid.estimator == "eventprop"
        weights = [t.detach().numpy() for t in tensors[0::3]]
        pre_0 = pre_1 = np.zeros((0, 0), dtype)
        lag = np.zeros((0, 0), np.uint32)
        if call.recurrent:
            lag = call.arrivals[-1].lag
            pre_0, pre_1 = presynaptic_factors(weights[-1], call.arrivals[-1], eventprop, dtype)
        n = potential.shape[2]
        grad_0, grad_1 = np.empty_like(potential), np.empty_like(potential)
        kernel.run_adjoint(
            spikes, potential, current, adaptation, grad_z, grad_v, pre_0, pre_1, lag, constants,
            neuron.reset == "subtract", grid.detach_reset, int(eventprop and neuron.spiking),
            SURROGATES[grid.surrogate], dtype.type(grid.slope), np.full(n, neuron.tau_mem, dtype),
            neuron.adaptation_rates(n, dtype), dtype.type(grid.min_slope * neuron.threshold), grad_0, grad_1,
        )  # fmt: skip
        sources = list(call.sources)
        if call.recurrent:
            sources.append(Spikes(*group_marked(spikes), spikes.shape))
        grads = []
        for k, source in enumerate(sources):
            with_spikes = ctx.needs_input_grad[1 + 3 * k + 2]
            g = pull_back(source, weights[k], call.arrivals[k], grad_0, grad_1, eventprop, with_spikes)
            grads += [None if x is None else torch.from_numpy(x) for x in g]
        return (None, *grads)


def run_population(neuron, inputs, grid, recurrent=None, keep_potential=False):
    """Advance one population over the window.

    Args:
        neuron: neuron model, e.g. `spsnn.LIF`.
        inputs: list of ``(spikes, weight [I, J], delay [I, J] ms)``.
        grid: `Grid`.
        recurrent: ``(weight [J, J], delay [J, J])`` or None; a recurrent delay acts for at least one step.
        keep_potential: also return the potential of a spiking population, `HELD` while it is refractory.

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
        tensors += [weight, delay, spikes.dense]
        sources.append(spikes)
    if recurrent is not None:
        check_synapses(*recurrent, n_post, n_post)
        tensors += [*recurrent, None]
    if on_cuda(inputs[0][1]):
        from spsnn.autograd import cuda

        return cuda.run_population(neuron, inputs, grid, recurrent, keep_potential)
    call = _Call(neuron, grid, sources, recurrent is not None, keep_potential or not neuron.spiking)
    z, v = _Population.apply(call, *tensors)
    if not neuron.spiking:
        return None, v
    _, raw, potential, _, _ = call.tape
    active = group_marked(_active(raw, potential, grid, neuron)) if z.requires_grad else (None, None)
    return Spikes(*group_marked(raw), raw.shape, z, *active), v


def _active(spikes, potential, grid, neuron):
    """Where the derivative of a spike is not zero."""
    if grid.estimator == "eventprop":
        return spikes
    if grid.surrogate in ("superspike", "arctan"):
        return potential != potential.dtype.type(kernel.HELD)
    reach = (1.0 if grid.surrogate == "triangular" else 0.5) / grid.slope
    return np.abs(potential - neuron.threshold) < reach
