"""Launching CUDA kernels on tensors, and one projection's passes: what both autograd Functions on a GPU are made of.

Tensors are shared with the kernels without copies, and kernels run on torch's current stream.  With
``NUMBA_ENABLE_CUDASIM=1`` the same code runs tensors of the CPU in Numba's simulator.
"""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from functools import lru_cache

import numpy as np
import torch
from numba import config, cuda

from spsnn.autograd.delays import Distances, delay_tensors
from spsnn.autograd.projection import chunks
from spsnn.errors import ConfigError
from spsnn.kernels.cuda import delays as delay_kernels
from spsnn.kernels.cuda import projection as kernels

SIMULATED = bool(config.ENABLE_CUDASIM)
THREADS = 8 if SIMULATED else 256  # of the largest block; the simulator runs a Python thread for each
SHARED = 48 * 1024  # bytes of shared memory that every GPU gives a block
BLOCKS = 1024  # enough of them keep every GPU busy


@contextmanager
def on_device(device):
    """torch and Numba both work on the device.

    Raises:
        ConfigError: if Numba cannot reach it.
    """
    if SIMULATED:
        yield
        return
    if not cuda.is_available():
        raise ConfigError(
            "Numba finds no CUDA: install the extra with pip install 'spsnn[cuda]', or move the model to the CPU"
        )
    with torch.cuda.device(device), cuda.gpus[device.index]:
        yield


def as_array(tensor):
    """A tensor as kernels take it, in the same memory.

    Raises:
        ConfigError: for a tensor that is not on the GPU.
    """
    if not (SIMULATED or tensor.is_cuda):
        raise ConfigError(
            f"all tensors of a projection must be on the GPU, got one on {tensor.device}; use .to('cuda')"
        )
    tensor = tensor.detach().contiguous()
    return tensor.numpy() if SIMULATED else cuda.as_cuda_array(tensor)


def launch(kernel, grid, threads, shared, *args):
    """Launch a kernel on torch's current stream with ``shared`` bytes of shared memory; an empty grid is no launch."""
    if 0 in (grid if isinstance(grid, tuple) else (grid,)):
        return
    if SIMULATED:
        configured = kernel[grid, threads, 0, shared]
    else:
        configured = _configured(kernel, grid, threads, torch.cuda.current_stream().cuda_stream, shared)
    configured(*(as_array(a) if torch.is_tensor(a) else a for a in args))


@lru_cache(1024)
def _configured(kernel, grid, threads, stream, shared):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of small grids, which small networks have
        return kernel[grid, threads, cuda.external_stream(stream), shared]


def blocks(n, size):
    """How many blocks of ``size`` hold ``n``."""
    return -(-n // size)


class Projection:
    """One projection during a call: what kernels need to know of it, and its forward and backward passes.

    Args:
        source: `DeviceSpikes`, or None for the population itself.
        tensors: weight, delay or None, pre, post and alpha or None, dense spikes or None.
        distances: `Distances` without a delay matrix, else None.
        window: ``(dt, tau_mem, tau_syn, exact, n_steps)``.
    """

    def __init__(self, source, tensors, distances, window):
        weight, delay, pre, post, alpha, _ = tensors
        self.source, self.tensors = source, tensors
        dt, tau_mem, tau_syn, self.exact, self.n_steps = window
        self.real = real = np.dtype(str(weight.dtype).removeprefix("torch.")).type
        rule = distances or Distances(None, None, None)
        matrix = lambda t: as_array(weight.new_empty(0, 0) if t is None else t.to(weight.dtype))  # noqa: E731
        self.delays = delay_kernels.Delays(
            matrix(delay), matrix(pre), matrix(post), real(rule.d_min),
            real(1 if alpha is None else float(alpha.detach())), real(rule.max_delay), real(rule.eps),
            rule.metric == "l1",
        )  # fmt: skip
        lag = torch.empty(weight.shape, dtype=torch.int32, device=weight.device)
        jumps = [weight.new_empty(weight.shape if self.exact else (0, 0)) for _ in range(2)]
        taus = real(tau_mem), real(tau_syn)
        launch(
            delay_kernels.arrivals, len(weight), min(THREADS, 128), 0, self.delays, real(dt), real(1 / dt), *taus,
            real(source is None), real(self.n_steps), lag, *jumps,
        )  # fmt: skip
        self.n_slots = min(int(lag.max()) + 1, self.n_steps) if lag.numel() else 1
        self.synapses = delay_kernels.Synapses(*map(as_array, (weight, lag, *jumps)), *taus, self.n_steps)

    def ring(self, width, channels, sums=0):
        """``(in_shared, n_slots), bytes`` of a ring ``[n_slots, width]`` beside ``sums`` numbers in shared memory.

        Where it does not fit, T slots stand for the arrays over time.
        """
        itemsize = self.tensors[0].element_size()
        size = (self.n_slots * width * channels + sums) * itemsize
        return ((True, self.n_slots), size) if size <= SHARED else ((False, self.n_steps), sums * itemsize)

    def scatter(self, x_0, x_1):
        """Add the arrivals of the source's spikes to ``x [B, T * J]``."""
        for width in (THREADS // 2, THREADS // 4, THREADS // 8):
            ring, size = self.ring(width, 1 + self.exact)
            if ring[0]:
                break
        grid = len(x_0), blocks(self.tensors[0].shape[1], width)
        lists = self.source.offsets, self.source.units, self.source.counts_by_step
        launch(kernels.scatter, grid, width, size, *lists, self.synapses, *ring, x_0, x_1)

    def pull_back(self, source, grad_0, grad_1, of_time, with_spikes):
        """Gradients of the six tensors from ``dL/dx [B, T * J]``."""
        weight, delay, pre, post, alpha, _ = self.tensors
        n_pre, n_post = weight.shape
        n_samples = len(grad_0)
        sum_0 = weight.new_empty(chunks(n_samples), n_pre, n_post) if n_samples else weight.new_zeros(1, n_pre, n_post)
        sum_1 = torch.empty_like(sum_0)
        size = 2 * kernels.TILE * self.n_steps * weight.element_size()
        grid = blocks(n_post, kernels.TILE), len(sum_0), blocks(n_pre, THREADS)
        launch(
            kernels.gather, grid, THREADS, size if size <= SHARED else 0, source.ptr, source.steps,
            source.counts_by_unit, self.synapses, size <= SHARED, grad_0, grad_1, sum_0, sum_1,
        )  # fmt: skip
        grad_weight, grad_delay = torch.empty_like(sum_0[0]), sum_1[0]
        launch(kernels.finish, n_pre, THREADS, 0, self.synapses, sum_0, sum_1, grad_weight, grad_delay)
        grad_spikes = grad_pre = grad_post = grad_alpha = None
        if with_spikes:
            grad_spikes = weight.new_zeros(n_samples, self.n_steps * n_pre)
            ring, size = self.ring(n_post, 1 + (self.exact or of_time), kernels.PARTS)
            lists = source.active_offsets, source.active_units
            # in shared memory a part of the window reads as many rows beside its own as the ring has slots
            most = self.n_steps // ring[1] if ring[0] and ring[1] else self.n_steps
            parts = max(min(blocks(BLOCKS, max(n_samples, 1)), most), 1)
            launch(
                kernels.presynaptic, (n_samples, parts), THREADS, size, *lists, self.synapses, of_time, *ring, grad_0,
                grad_1, grad_spikes,
            )  # fmt: skip
            grad_spikes = grad_spikes.view(n_samples, self.n_steps, n_pre)
        if delay is None:
            sides = [weight.new_empty(len(p), p.shape[1] + 1) for p in (pre, post)]
            lanes = min(THREADS, delay_kernels.LANES)
            size = lanes * weight.element_size()
            for of_post, out in zip((False, True), sides, strict=True):
                launch(delay_kernels.pull_points, len(out), lanes, size, grad_delay, self.delays, of_post, out)
            grad_pre, grad_post = sides[0][:, :-1], sides[1][:, :-1]
            grad_alpha = sides[0][:, -1].sum().view_as(alpha)
            grad_delay = None
        return grad_weight, grad_delay, grad_pre, grad_post, grad_alpha, grad_spikes


def flat(weight, delay, dense):
    """The six tensors of a projection, and its `Distances` or None."""
    return (weight, *delay_tensors(delay), dense), delay if isinstance(delay, Distances) else None
