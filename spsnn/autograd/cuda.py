"""The grid engine on CUDA: a population with all its synapses, or one projection alone, as autograd Functions.

Tensors are shared with the kernels without copies, and kernels run on torch's current stream.  With
``NUMBA_ENABLE_CUDASIM=1`` the same code runs tensors of the CPU in Numba's simulator.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from numba import config, cuda

from spsnn.autograd.delays import Distances
from spsnn.autograd.device import DeviceSpikes
from spsnn.autograd.projection import CHUNKS, check_synapses
from spsnn.errors import ConfigError
from spsnn.kernels.cpu.population import HELD
from spsnn.kernels.cpu.surrogate import SURROGATES
from spsnn.kernels.cuda import delays as delay_kernels
from spsnn.kernels.cuda import population as population_kernels
from spsnn.kernels.cuda import projection as kernels

SIMULATED = bool(config.ENABLE_CUDASIM)
THREADS = 8 if SIMULATED else 256  # of the largest block; the simulator runs a Python thread for each
SHARED = 48 * 1024  # bytes of shared memory that every GPU gives a block


@contextmanager
def _on(device):
    if SIMULATED:
        yield
        return
    if not cuda.is_available():
        raise ConfigError(
            "Numba finds no CUDA: install the extra with pip install 'spsnn[cuda]', or move the model to the CPU"
        )
    with torch.cuda.device(device), cuda.gpus[device.index]:
        yield


def _array(tensor):
    tensor = tensor.detach().contiguous()
    return tensor.numpy() if SIMULATED else cuda.as_cuda_array(tensor)


def _launch(kernel, grid, threads, shared, *args):
    stream = 0 if SIMULATED else cuda.external_stream(torch.cuda.current_stream().cuda_stream)
    kernel[grid, threads, stream, shared](*(_array(a) if torch.is_tensor(a) else a for a in args))


def _blocks(n, size):
    return -(-n // size)


class _Projection:
    """One projection during a call: what kernels need to know of it, and its forward and backward passes.

    Args:
        source: `DeviceSpikes`, or None for the population itself.
        tensors: weight, delay or None, pre, post and alpha or None, dense spikes or None.
        distances: `Distances` without a delay matrix, else None.
        window: ``(dt, tau_mem, tau_syn, exact, n_steps)``.
    """

    def __init__(self, source, tensors, distances, window):
        weight, delay, pre, post, alpha, _ = tensors
        self.source, self.tensors, self.distances = source, tensors, distances
        dt, tau_mem, tau_syn, self.exact, self.n_steps = window
        self.real = real = np.dtype(str(weight.dtype).removeprefix("torch.")).type
        rule = distances or Distances(None, None, None)
        matrix = lambda t: _array(weight.new_empty(0, 0) if t is None else t.to(weight.dtype))  # noqa: E731
        self.synapses = delay_kernels.Synapses(
            matrix(weight), matrix(delay), matrix(pre), matrix(post),
            real(rule.d_min), real(1 if alpha is None else float(alpha.detach())), real(rule.max_delay), real(rule.eps),
            rule.metric == "l1", real(dt), real(tau_mem), real(tau_syn), self.exact, real(source is None),
            real(self.n_steps),
        )  # fmt: skip
        longest = weight.new_empty(len(weight))
        _launch(delay_kernels.longest, _blocks(len(weight), 32), 32, 0, self.synapses, longest)
        self.n_slots = int(min(float(longest.max()) / dt + 2, self.n_steps))

    def ring(self, width, channels, sums=0):
        """``(in_shared, n_slots), bytes`` of a ring ``[n_slots, width]`` beside ``sums`` numbers in shared memory; where
        it does not fit, T slots stand for the arrays over time."""
        itemsize = self.tensors[0].element_size()
        size = (self.n_slots * width * channels + sums) * itemsize
        return ((True, self.n_slots), size) if size <= SHARED else ((False, self.n_steps), sums * itemsize)

    def scatter(self, x_0, x_1):
        """Add the arrivals of the source's spikes to ``x [B, T * J]``."""
        for width in (THREADS // 2, THREADS // 4, THREADS // 8):
            ring, size = self.ring(width, 1 + self.exact)
            if ring[0]:
                break
        grid = len(x_0), _blocks(self.tensors[0].shape[1], width)
        lists = self.source.offsets, self.source.units
        _launch(kernels.scatter, grid, width, size, *lists, self.synapses, *ring, x_0, x_1)

    def pull_back(self, source, grad_0, grad_1, of_time, with_spikes):
        """Gradients of the six tensors from ``dL/dx [B, T * J]``."""
        weight, delay, pre, post, alpha, _ = self.tensors
        n_pre, n_post = weight.shape
        n_samples = len(grad_0)
        sum_0 = weight.new_empty(min(CHUNKS, n_samples), n_pre, n_post)
        sum_1 = torch.empty_like(sum_0)
        size = 2 * kernels.TILE * self.n_steps * weight.element_size()
        grid = _blocks(n_post, kernels.TILE), len(sum_0), _blocks(n_pre, THREADS)
        _launch(
            kernels.gather, grid, THREADS, size if size <= SHARED else 0, source.ptr, source.steps,
            self.synapses, size <= SHARED, grad_0, grad_1, sum_0, sum_1,
        )  # fmt: skip
        grad_weight, grad_delay = torch.empty_like(sum_0[0]), sum_1[0]
        _launch(kernels.finish, n_pre, THREADS, 0, self.synapses, sum_0, sum_1, grad_weight, grad_delay)
        grad_spikes = grad_pre = grad_post = grad_alpha = None
        if with_spikes:
            grad_spikes = weight.new_zeros(n_samples, self.n_steps * n_pre)
            ring, size = self.ring(n_post, 1 + (self.exact or of_time), kernels.PARTS)
            lists = source.active_offsets, source.active_units
            _launch(
                kernels.presynaptic, n_samples, THREADS, size, *lists, self.synapses, of_time, *ring, grad_0, grad_1,
                grad_spikes,
            )  # fmt: skip
            grad_spikes = grad_spikes.view(n_samples, self.n_steps, n_pre)
        if delay is None:
            sides = [weight.new_empty(len(p), p.shape[1] + 1) for p in (pre, post)]
            lanes = min(THREADS, delay_kernels.LANES)
            size = lanes * weight.element_size()
            for of_post, out in zip((False, True), sides, strict=True):
                _launch(delay_kernels.pull_points, len(out), lanes, size, grad_delay, self.synapses, of_post, out)
            grad_pre, grad_post = sides[0][:, :-1], sides[1][:, :-1]
            grad_alpha = sides[0][:, -1].sum().view_as(alpha)
            grad_delay = None
        return grad_weight, grad_delay, grad_pre, grad_post, grad_alpha, grad_spikes


def _flat(weight, delay, dense):
    """The six tensors of a projection, and its `Distances` or None."""
    if isinstance(delay, Distances):
        return (weight, None, delay.pre, delay.post, delay.alpha, dense), delay
    return (weight, delay, None, None, None, dense), None


class _Population(torch.autograd.Function):
    """Inputs: call, then the six tensors of every projection, the recurrent one last; outputs: spikes, potential."""

    @staticmethod
    def forward(ctx, call, *tensors):
        neuron, grid = call.neuron, call.grid
        like = tensors[0]
        n_samples, n_steps, _ = call.sources[0].shape
        n = like.shape[1]
        exact, eventprop = grid.delays == "exact", grid.estimator == "eventprop" and neuron.spiking
        window = grid.dt, neuron.tau_mem, neuron.tau_syn, exact, n_steps
        with _on(like.device):
            call.projections = [
                _Projection(source, tensors[6 * k : 6 * k + 6], distances, window)
                for k, (source, distances) in enumerate(zip(call.sources, call.distances, strict=True))
            ]
            x_0 = like.new_zeros(n_samples, n_steps * n)
            x_1 = like.new_zeros(n_samples, n_steps * n * exact)
            for projection in call.projections:
                if projection.source is not None:
                    projection.scatter(x_0, x_1)
            last = call.projections[-1]
            recurrent = last.source is None
            ring, size = last.ring(n, 1 + exact) if recurrent else ((False, n_steps), 0)
            record = lambda kept: like.new_empty(n_samples, n_steps * n * kept)  # noqa: E731
            z, potential = record(True), record(True)
            current, adaptation = record(eventprop), record(eventprop and neuron.adaptive)
            constants = torch.as_tensor(neuron.constants(grid.dt, n, last.real), device=like.device)
            fired = torch.empty(n_samples, _blocks(n, population_kernels.GROUP), dtype=torch.int64, device=like.device)
            _launch(
                population_kernels.run, (n_samples, 1 if recurrent else _blocks(n, THREADS)), THREADS, size,
                x_0, x_1, last.synapses, recurrent, *ring, constants, neuron.reset == "subtract",
                neuron.refractory_steps(grid.dt), like.new_zeros(n_samples, 4, n), fired, z, potential, current,
                adaptation,
            )  # fmt: skip
        call.tape = constants, z, potential, current, adaptation
        shape = n_samples, n_steps, n
        if neuron.spiking:
            active = _active(z, potential, grid, neuron).view(shape) if call.learning else None
            call.own = DeviceSpikes.marked(z.view(shape), active)
        ctx.call = call
        ctx.save_for_backward(*tensors)
        ctx.set_materialize_grads(False)
        return z.view(shape), potential.view(shape) if call.keep_potential else like.new_empty(0)

    @staticmethod
    def backward(ctx, grad_z, grad_v):
        ctx.saved_tensors  # noqa: B018  torch refuses here if a weight or coordinate has changed since
        call, neuron, grid = ctx.call, ctx.call.neuron, ctx.call.grid
        constants, z, potential, current, adaptation = call.tape
        last, n = call.projections[-1], constants.shape[1]
        recurrent, real = last.source is None, last.real
        eventprop = grid.estimator == "eventprop" and neuron.spiking
        with _on(z.device):
            grad_z = torch.zeros_like(z) if grad_z is None else grad_z.flatten(1).clone()
            grad_v = z[:, :0] if grad_v is None or not grad_v.numel() else grad_v.flatten(1)
            grad_0, grad_1 = torch.empty_like(z), torch.empty_like(z)
            ring, size = (False, last.n_steps), 0
            if recurrent:
                ring, size = last.ring(n, 1 + (last.exact or eventprop), kernels.PARTS)
            lists = (call.own.active_offsets, call.own.active_units) if recurrent else (_none(z), _none(z))
            _launch(
                population_kernels.run_adjoint, (len(z), 1 if recurrent else _blocks(n, THREADS)), THREADS, size,
                z, potential, current, adaptation, grad_z, grad_v, *lists, last.synapses, recurrent, *ring,
                constants, neuron.reset == "subtract", grid.detach_reset, eventprop, SURROGATES[grid.surrogate],
                real(grid.slope), real(neuron.tau_mem),
                torch.as_tensor(neuron.adaptation_rates(n, real), device=z.device),
                real(grid.min_slope * neuron.threshold), z.new_zeros(len(z), 6, n), grad_0, grad_1,
            )  # fmt: skip
            grads = []
            for k, projection in enumerate(call.projections):
                source = projection.source or call.own
                with_spikes = ctx.needs_input_grad[1 + 6 * k + 5]
                # As on the CPU, the derivative of arrivals is taken to their time where the source learns by EventProp.
                grads += projection.pull_back(source, grad_0, grad_1, grid.estimator == "eventprop", with_spikes)
        return (None, *grads)


@dataclass
class _Call:
    """What one forward pass keeps for its backward pass."""

    neuron: object
    grid: object
    sources: list
    distances: list
    keep_potential: bool
    learning: bool
    projections: list | None = None
    tape: tuple | None = None
    own: DeviceSpikes | None = None


def run_population(neuron, inputs, grid, recurrent=None, keep_potential=False):
    """`spsnn.autograd.population.run_population` for checked tensors on a GPU."""
    device = inputs[0][1].device
    projections = [(DeviceSpikes.of(spikes, device), weight, delay) for spikes, weight, delay in inputs]
    if recurrent is not None:
        projections.append((None, *recurrent))
    tensors, sources, distances = [], [], []
    for source, weight, delay in projections:
        six, rule = _flat(weight, delay, source and source.dense)
        tensors += six
        sources.append(source)
        distances.append(rule)
    learning = torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors)
    call = _Call(neuron, grid, sources, distances, keep_potential or not neuron.spiking, learning)
    z, v = _Population.apply(call, *tensors)
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
        with _on(like.device):
            ctx.projection = _Projection(source, tensors, distances, (dt, 1.0, np.inf, False, n_steps))
            ctx.projection.scatter(out, out[:, :0])
        ctx.dt = dt
        return out.view(n_samples, n_steps, -1)

    @staticmethod
    def backward(ctx, grad):
        padded = torch.nn.functional.pad(grad, (0, 0, 1, 1))
        slope = (padded[:, :-2] - padded[:, 2:]) / (2 * ctx.dt)
        with _on(grad.device):
            projection = ctx.projection
            grads = projection.pull_back(
                projection.source, grad.flatten(1), slope.flatten(1), False, ctx.needs_input_grad[8]
            )
        return (None, None, None, *grads)


def delayed_current(spikes, weight, delay, dt):
    """`spsnn.autograd.synapse.delayed_current` on a GPU."""
    source = DeviceSpikes.of(spikes, weight.device)
    check_synapses(weight, delay, source.shape[2], weight.shape[-1])
    six, distances = _flat(weight, delay, source.dense)
    return _Delayed.apply(source, distances, dt, *six)


def _none(like):
    return torch.empty(0, dtype=torch.int32, device=like.device)


def _active(z, potential, grid, neuron):
    """Where the derivative of a spike is not zero."""
    if grid.estimator == "eventprop":
        return z
    if grid.surrogate in ("superspike", "arctan"):
        return potential != HELD
    reach = (1.0 if grid.surrogate == "triangular" else 0.5) / grid.slope
    return (potential - neuron.threshold).abs() < reach
