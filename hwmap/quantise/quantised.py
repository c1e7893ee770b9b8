"""Weights and delays in the integers that a target stores, and what that costs in accuracy."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spsnn.hwmap.quantise.scales import population_scales, to_integers


@dataclass(frozen=True)
class Quantised:
    """A network in the target's integers.

    Attributes:
        network: the same network with ``weight = integer * scale``, ``delay = steps * dt`` and the time constants of
            `round_decays`.
        weights: integer weights of each projection, ``[n_synapses]`` each, in the order of ``network.projections``.
        delays: delay steps of each projection, ``[n_synapses]`` each.
        scales: weight of one integer unit, by name of the postsynaptic population.
        clipped: synapses of each projection whose delay was cut to what the target has, bool ``[n_synapses]``.
    """

    network: object
    weights: tuple
    delays: tuple
    scales: dict
    clipped: tuple

    def with_delays(self, delays, clipped):
        """The same weights with other delay steps (one array for each projection)."""
        network = _replace_synapses(self.network, self.weights, delays, self.scales)
        return replace(self, network=network, delays=tuple(delays), clipped=tuple(clipped))


def quantise(network, target, scale="max"):
    """Round weights and delays to what the target stores.

        integer = clip(round(w / scale), -top, top),   top = 2^(weight_bits - 1) - 1,   one scale for each population
        steps = clip(round(delay / dt), min_delay_steps, max_delay_steps)

    With ``scale="max"`` nothing is cut and ``|w - integer * scale| <= scale / 2``.  Time constants that
    every neuron has for itself go to the nearest decay, see `round_decays`; those that a population shares stay.

    Args:
        network: ``spsnn.graph.Network``.
        target: ``Target``.
        scale: how the scale is found, ``max``, ``mse`` or ``spikes``: see `population_scales`.

    Returns:
        Quantised.
    """
    top = 2 ** (target.weight_bits - 1) - 1
    network = replace(
        network, populations=tuple(round_decays(p, network.dt, target.decay_bits) for p in network.populations)
    )
    scales = population_scales(network, top, scale)
    weights, delays, clipped = [], [], []
    for p in network.projections:
        weights.append(to_integers(p.weight, scales[p.post], top).astype(np.int32))
        steps, cut = to_steps(p.delay, network.dt, target.max_delay_steps, target.min_delay_steps)
        delays.append(steps)
        clipped.append(cut)
    return Quantised(
        network=_replace_synapses(network, weights, delays, scales),
        weights=tuple(weights),
        delays=tuple(delays),
        scales=scales,
        clipped=tuple(clipped),
    )


def round_decays(population, dt, bits):
    """A population whose neurons' own time constants are those of whole decays.

    exp(-dt / tau) = 1 - k / 2^bits,    k = round(2^bits (1 - exp(-dt / tau))) in 1..2^bits - 1
    """
    own, top = {}, 2**bits
    for name, tau in population.own_parameters().items():
        if name.startswith("tau_"):
            k = np.clip(np.rint(-top * np.expm1(-dt / tau)), 1, top - 1)
            own[name] = -dt / np.log1p(-k / top)
    return replace(population, parameters={**population.parameters, **own}) if own else population


def to_steps(delay, dt, max_steps, min_steps=0):
    """Delays in ms to the nearest of ``min_steps..max_steps`` steps ``[n]`` int32, and which were cut at either end."""
    steps = np.maximum(np.rint(np.asarray(delay) / dt), 0)
    held = np.clip(steps, min_steps, max_steps)
    return held.astype(np.int32), held != steps


def delay_error(network, delays, clipped):
    """How far realised delay steps lie from a network's own delays.

    ``error = steps - delay / dt`` for each synapse, in steps; positive is too late.  Spike-weighted figures count each
    synapse as often as its presynaptic neuron fires.  A synapse is exact if it holds the step nearest to its delay.

    Args:
        network: the network before quantisation, delays in ms.
        delays: realised delay steps of each projection, ``[n_synapses]`` each.
        clipped: bool ``[n_synapses]`` for each projection.

    Returns:
        dict of floats, keys ``delay_error_*_steps``, ``delay_exact_percent`` and ``delay_clipped_percent``.
    """
    error, weight, exact, cut = [np.zeros(0)], [np.zeros(0)], [np.zeros(0, bool)], [np.zeros(0, bool)]
    for p, steps, clip in zip(network.projections, delays, clipped, strict=True):
        wanted = p.delay / network.dt
        rates = network[p.pre].rates
        error.append(steps - wanted)
        weight.append(np.zeros(p.n_synapses) if rates is None else np.asarray(rates, np.float64)[p.sources])
        exact.append(steps == np.rint(wanted))
        cut.append(clip)
    error, weight, exact, cut = (np.concatenate(part) for part in (error, weight, exact, cut))
    size = np.abs(error)
    if not len(error):
        size = error = np.zeros(1)
        weight, exact, cut = np.ones(1), np.ones(1, bool), np.zeros(1, bool)
    # With no spike at all, every synapse counts alike.
    weight = weight / weight.sum() if weight.sum() > 0 else np.full(len(weight), 1 / len(weight))
    return {
        "delay_error_mean_steps": float(error.mean()),
        "delay_error_mae_steps": float(size.mean()),
        "delay_error_p95_steps": float(np.percentile(size, 95)),
        "delay_error_max_steps": float(size.max()),
        "delay_error_mean_spike_weighted_steps": float(error @ weight),
        "delay_error_mae_spike_weighted_steps": float(size @ weight),
        "delay_exact_percent": float(100 * exact.mean()),
        "delay_clipped_percent": float(100 * cut.mean()),
    }


def weight_error(network, quantised):
    """Root-mean-square weight error, absolute and relative to the root-mean-square weight."""
    wanted = np.concatenate([np.zeros(0)] + [p.weight for p in network.projections])
    held = np.concatenate([np.zeros(0)] + [p.weight for p in quantised.network.projections])
    if not len(wanted):
        return {"weight_error_rms": 0.0, "weight_error_relative_rms": 0.0}
    rms, size = np.sqrt(np.mean((held - wanted) ** 2)), np.sqrt(np.mean(wanted**2))
    return {"weight_error_rms": float(rms), "weight_error_relative_rms": float(rms / size) if size > 0 else 0.0}


def time_constant_error(network, quantised):
    """Largest relative change of a neuron's own time constant, or nothing where populations share theirs."""
    errors = [
        np.abs(quantised.network[p.name].parameters[name] / tau - 1).max()
        for p in network.populations
        for name, tau in p.own_parameters().items()
        if name.startswith("tau_")
    ]
    return {"time_constant_error_max_percent": float(100 * max(errors))} if errors else {}


def _replace_synapses(network, weights, delays, scales):
    projections = tuple(
        replace(p, weight=w * scales[p.post], delay=d * network.dt)
        for p, w, d in zip(network.projections, weights, delays, strict=True)
    )
    return replace(network, projections=projections)
