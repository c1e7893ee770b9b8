"""A network in continuous time as one autograd Function on the event engine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from spsnn.autograd.projection import MOST_CHUNKS
from spsnn.errors import CapacityError
from spsnn.kernels.cpu.events import simulate, sort_synapses
from spsnn.kernels.cpu.events_adjoint import simulate_adjoint

MIN_SLOPE = 1e-9  # far below what a crossing can be resolved to: the gradient is exact
MAX_EVENTS = 2**26  # places in the logs of a batch, 24 bytes each


@dataclass(frozen=True)
class Wiring:
    """Who is connected to whom, and with which input spikes a batch starts.

    Attributes:
        offsets: int64 ``[B + 1]``; sample ``b`` has the input spikes ``offsets[b]:offsets[b + 1]``.
        units: int64 ``[E]``, the input unit of every spike.
        n_inputs: number of input units I.
        pre, post: int64 ``[S]``; synapse ``s`` goes from ``pre`` (input, or I + neuron) to neuron ``post``.
        t_end: the window's end in ms.
        min_slope: ``tau_mem dV/dt`` at a spike is kept above ``min_slope * threshold`` in the gradient.
    """

    offsets: np.ndarray
    units: np.ndarray
    n_inputs: int
    pre: np.ndarray
    post: np.ndarray
    t_end: float
    min_slope: float = MIN_SLOPE


class _Events(torch.autograd.Function):
    """Outputs: spike times [K], sample and neuron of every spike [K], potential integral [B, J]."""

    @staticmethod
    def forward(ctx, wiring, times, weight, delay, *neurons):
        arrays = [t.detach().cpu().numpy().astype(np.float64) for t in (times, weight, delay, *neurons)]
        ctx.order, indptr = sort_synapses(wiring.pre, wiring.post, arrays[2], wiring.n_inputs + len(arrays[3]))
        given = (
            wiring.offsets, arrays[0], wiring.units, indptr, wiring.post[ctx.order], arrays[1][ctx.order],
            arrays[2][ctx.order], np.stack(arrays[3:]), wiring.t_end,
        )  # fmt: skip
        result = _run(given, keep_log=any(ctx.needs_input_grad))
        n_spikes, spike_times, spike_units, integral = result[1], result[2], result[3], result[6]
        ctx.wiring, ctx.given, ctx.result = wiring, given, result
        ctx.fired = np.arange(spike_times.shape[1]) < n_spikes[:, None]
        ctx.dtypes = [t.dtype for t in (times, weight, delay, *neurons)]
        sample = torch.from_numpy(np.repeat(np.arange(len(n_spikes)), n_spikes))
        unit = torch.from_numpy(spike_units[ctx.fired].astype(np.int64))
        ctx.mark_non_differentiable(sample, unit)
        times_out, integral = (torch.from_numpy(x).to(weight.dtype) for x in (spike_times[ctx.fired], integral))
        return times_out, sample, unit, integral

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_times, _sample, _unit, grad_integral):
        offsets, times, _, _, post, weight, delay, neurons, t_end = ctx.given
        n_events, n_spikes, spike_times, spike_units, v, i, _, *log = ctx.result
        grad_spikes = np.zeros(spike_times.shape)
        grad_spikes[ctx.fired] = grad_times.numpy()
        chunks = min(MOST_CHUNKS, len(n_spikes))
        grad_inputs = np.empty(len(times))
        grad_weight, grad_delay = np.zeros((2, chunks, len(post)))
        grad_neurons = np.zeros((chunks, *neurons.shape))
        simulate_adjoint(
            offsets, times, post, weight, delay, neurons, t_end, n_events, n_spikes, spike_times, spike_units, v, i,
            *log, grad_spikes, grad_integral.numpy().astype(np.float64), ctx.wiring.min_slope,
            grad_inputs, grad_weight, grad_delay, grad_neurons,
        )  # fmt: skip
        synapses = np.empty((2, len(post)))
        synapses[:, ctx.order] = grad_weight.sum(0), grad_delay.sum(0)
        grads = (grad_inputs, *synapses, *grad_neurons.sum(0))
        return (None, *(torch.from_numpy(g).to(dtype) for g, dtype in zip(grads, ctx.dtypes, strict=True)))


def _run(given, keep_log):
    """Results of `simulate` in buffers that grow fourfold until they suffice."""
    offsets, _, units, indptr, post, _, _, neurons, _ = given
    n_samples, n = len(offsets) - 1, neurons.shape[1]
    limit = MAX_EVENTS // max(n_samples, 1)
    from_inputs = np.diff(np.concatenate([[0], np.cumsum(np.diff(indptr)[units])])[offsets])
    capacity = min(2 * (int(from_inputs.max(initial=0)) + len(post) + n), limit)
    while True:
        shape, log = (n_samples, capacity), (n_samples, capacity if keep_log else 0)
        result = (
            np.empty(n_samples, np.int64), np.empty(n_samples, np.int64), np.empty(shape), np.empty(shape, np.int32),
            *np.empty((3, n_samples, n)),
            np.empty(log, np.int32), np.empty(log, np.int32), np.empty(log), np.empty(log),
        )  # fmt: skip
        simulate(*given, *result)
        if (result[0] >= 0).all():
            return result
        if capacity == limit:
            raise CapacityError(
                f"a sample has more than {limit} events (spikes and arrivals), all that {n_samples} samples at once "
                "may have; lower weights if activity runs away, else shorten the window or take smaller batches"
            )
        capacity = min(4 * capacity, limit)


def run_events(wiring, times, weight, delay, tau_mem, tau_syn, threshold, v_reset):
    """Simulate a batch in continuous time, see `spsnn.kernels.cpu.events`.

    Args:
        wiring: `Wiring`.
        times: ``[E]``, input spikes in ms, in any order within a sample, in ``[0, t_end)``.
        weight, delay: ``[S]``; delays in ms, not negative.
        tau_mem, tau_syn, threshold, v_reset: ``[J]``; an infinite threshold is never reached.

    Returns:
        ``(spike_times [K] ms, sample [K], unit [K], integral [B, J] ms)``: spikes of all samples in the order of sample
        and time, and the integral of the potential over the window.  Times and integral have the dtype of ``weight``
        and gradients for all tensors given; inside, everything is float64.

    Raises:
        CapacityError: if a sample has more than ``MAX_EVENTS / B`` events, e.g. in runaway activity.
    """
    return _Events.apply(wiring, times, weight, delay, tau_mem, tau_syn, threshold, v_reset)
