"""Networks in continuous time as plain functions of tensors: exact spike times and exact gradients.

Any loss of spike times is differentiable, with the order and number of spikes as they are: a spike moves, it never
appears or vanishes.

    times, units = simulate_events(...)
    first = nth_spike(times, units, n_neurons)                 # latency: cross_entropy(-first / tau, label)
    third = nth_spike(times, units, n_neurons, n=2)            # a wanted time: (third - target).square()
    early, late = first[a], first[b]                           # a wanted order: softplus((early - late) / tau)
    mean = potential_integral(...) / t_end                     # mean potential of neurons, also of silent ones
"""

from __future__ import annotations

import math
from numbers import Integral, Real

import numpy as np
import torch

from spsnn.autograd.events import MIN_SLOPE, Wiring, run_events
from spsnn.autograd.projection import check_synapses
from spsnn.errors import ConfigError, DataError


def simulate_events(
    input_times, input_units, weight, delay, *, tau_mem, tau_syn, threshold, v_reset, t_end, min_slope=MIN_SLOPE
):  # fmt: skip
    """Simulate one sample of a network of J neurons with I inputs, in continuous time.

        tau_mem dV/dt = -V + I        tau_syn dI/dt = -I
        V_j reaches threshold:                       spike, V_j -> v_reset
        spike of i at t arrives at j at t + d_ij:    I_j -> I_j + w_ij

    Every entry of ``weight`` is a synapse, also one of weight 0.  A spike at ``t_end`` counts, an arrival there has no
    effect.  The gradient is that of EventProp (Wunderlich & Pehle 2021; Nowotny et al. 2025 for delays), exact for
    everything below that requires one; it diverges where V only just reaches the threshold.

    Args:
        input_times: ``[E]``, in ms, in ``[0, t_end)``, in any order.
        input_units: ``[E]``, integers in ``[0, I)``.
        weight, delay: ``[I + J, J]`` (pre, post), the first I rows from the inputs; delays in ms, not negative.
        tau_mem, tau_syn: in ms; like the next two, numbers or tensors, one for all or ``[J]``.
        threshold: dimensionless, above zero; a neuron whose threshold is infinite never spikes.
        v_reset: dimensionless, below the threshold.
        t_end: length of the window in ms.
        min_slope: in the gradient, ``tau_mem dV/dt`` at a spike is kept above ``min_slope * threshold``.

    Returns:
        ``(spike_times [K] in ms, spike_units [K], int64)``, sorted by time, then neuron.  Everything is computed in
        float64 and the times come in the dtype of ``weight``: use float64 for exact work.

    Raises:
        ConfigError: on weights, delays, constants or a window of the wrong type, shape or range.
        DataError: on such input spikes.
        CapacityError: on runaway activity.
    """
    times, _, units, _ = _run(
        input_times, input_units, weight, delay, t_end, min_slope,
        tau_mem=tau_mem, tau_syn=tau_syn, threshold=threshold, v_reset=v_reset,
    )  # fmt: skip
    order = torch.from_numpy(np.lexsort((units.numpy(), times.detach().numpy())))
    return times[order], units[order]


def potential_integral(
    input_times, input_units, weight, delay, *, tau_mem, tau_syn, threshold, v_reset, t_end, min_slope=MIN_SLOPE
):  # fmt: skip
    """Integral of every neuron's potential over ``[0, t_end]``, ``[J]`` in ms; arguments as for `simulate_events`.

    Raises:
        SpsnnError: as `simulate_events`.
    """
    return _run(
        input_times, input_units, weight, delay, t_end, min_slope,
        tau_mem=tau_mem, tau_syn=tau_syn, threshold=threshold, v_reset=v_reset,
    )[3][0]  # fmt: skip


def nth_spike(spike_times, spike_units, n_neurons, n=0, silent=math.inf):
    """Time of spike ``n`` (0: the first) of every neuron, differentiable.

    Args:
        spike_times, spike_units: ``[K]``, in the order of time, as `simulate_events` returns them.
        n_neurons: number of neurons J.
        n: which spike.
        silent: time in ms given to a neuron that has no such spike.

    Returns:
        ``[J]`` in ms.

    Raises:
        ConfigError: on an ``n`` that is not a whole number of at least 0, or too small an ``n_neurons``.
    """
    if isinstance(n, bool) or not isinstance(n, Integral) or n < 0:
        raise ConfigError(f"n must be a whole number from 0, the first spike, got {n!r}")
    if len(spike_units) and int(spike_units.max()) >= n_neurons:
        raise ConfigError(f"n_neurons must exceed every unit, got {n_neurons} and unit {int(spike_units.max())}")
    order = torch.argsort(spike_units, stable=True)
    counts = torch.bincount(spike_units, minlength=n_neurons)
    some = counts > n
    at = order[(counts.cumsum(0) - counts + n)[some]]
    return torch.full((n_neurons,), silent, dtype=spike_times.dtype).masked_scatter(some, spike_times[at])


def _run(input_times, input_units, weight, delay, t_end, min_slope, **neurons):
    for name, value in (("t_end", t_end), ("min_slope", min_slope)):
        if isinstance(value, bool) or not isinstance(value, Real) or not 0 < value < math.inf:
            raise ConfigError(f"{name} must be a positive finite number, got {value!r}")
    for name, value in (("weight", weight), ("delay", delay)):
        _check_tensor(name, value, 2, ConfigError)
    n_rows, n = weight.shape
    if n < 1 or n_rows < n:
        raise ConfigError(
            f"weight must be [I + J, J], with a row for every input and every neuron, got {tuple(weight.shape)}"
        )
    check_synapses(weight, delay, n_rows, n)
    constants = {name: _per_neuron(name, value, n) for name, value in neurons.items()}
    reset, threshold = constants["v_reset"].detach(), constants["threshold"].detach()
    for name in ("tau_mem", "tau_syn", "threshold"):
        if not (constants[name] > 0).all():
            raise ConfigError(f"{name} must be positive, got {constants[name].min().item()}")
    for name in ("tau_mem", "tau_syn", "v_reset"):
        if not torch.isfinite(constants[name]).all():
            raise ConfigError(f"{name} must be finite, got {constants[name].tolist()}")
    if not (reset < threshold).all():
        raise ConfigError(
            f"v_reset must lie below the threshold, got {reset.max().item()} and {threshold.min().item()}"
        )
    units = _check_spikes(input_times, input_units, n_rows - n, t_end)
    pre, post = np.divmod(np.arange(n_rows * n), n)
    wiring = Wiring(np.array([0, len(units)]), units, n_rows - n, pre, post, float(t_end), float(min_slope))
    return run_events(wiring, input_times, weight.reshape(-1), delay.reshape(-1), *constants.values())


def _check_tensor(name, value, n_dim, error):
    if not torch.is_tensor(value) or not value.is_floating_point() or value.ndim != n_dim or not value.is_cpu:
        got = (
            f"{value.dtype} {tuple(value.shape)} on {value.device}" if torch.is_tensor(value) else type(value).__name__
        )
        raise error(f"{name} must be a floating-point CPU tensor of {n_dim} dimension(s), got {got}")


def _per_neuron(name, value, n):
    if not torch.is_tensor(value):
        if isinstance(value, bool) or not isinstance(value, Real):
            raise ConfigError(f"{name} must be a number or a tensor, got {value!r}")
        value = torch.tensor(float(value), dtype=torch.float64)
    _check_tensor(name, value, min(value.ndim, 1), ConfigError)
    if value.ndim and len(value) != n:
        raise ConfigError(f"{name} must be one value or one for each of {n} neurons, got {len(value)}")
    return value.to(torch.float64).expand(n)


def _check_spikes(times, units, n_inputs, t_end):
    _check_tensor("input_times", times, 1, DataError)
    if not torch.is_tensor(units) or units.is_floating_point() or units.dtype == torch.bool:
        raise DataError(
            f"input_units must be a tensor of integers, got {getattr(units, 'dtype', type(units).__name__)}"
        )
    if units.shape != times.shape:
        raise DataError(
            f"input_times and input_units must have one length, got {tuple(times.shape)} and {tuple(units.shape)}"
        )
    outside = ~((times >= 0) & (times < t_end))
    if outside.any():
        raise DataError(f"input_times must lie in [0, {t_end}) ms, got {times[outside][0].item()}; lengthen the window")
    outside = (units < 0) | (units >= n_inputs)
    if outside.any():
        raise DataError(f"input_units must lie in [0, {n_inputs}), got {units[outside][0].item()}")
    return units.numpy().astype(np.int64)
