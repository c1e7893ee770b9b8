"""A placement that stays while the network on it changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spsnn.errors import ConfigError
from spsnn.hwmap import delays as delay_modes
from spsnn.hwmap.cost import cost
from spsnn.hwmap.flat import Flat
from spsnn.hwmap.quantise import quantise
from spsnn.hwmap.route import route, synapse_hops


def remap(chip, network):
    """Another network on the cores and places of a chip, e.g. after fine-tuning: quantised, routed and costed anew.

    Args:
        chip: ``Chip``.
        network: the same populations and synapses with other weights, delays, coordinates or rates.

    Returns:
        Chip.

    Raises:
        ConfigError: other populations or other synapses.
    """
    old = chip.network
    if _shape(network) != _shape(old) or not all(
        np.array_equal(a.indptr, b.indptr) and np.array_equal(a.indices, b.indices)
        for a, b in zip(network.projections, old.projections, strict=True)
    ):
        raise ConfigError("only a network with the same populations and synapses stays on its places; compile it anew")
    target, mode = chip.target, chip.delay_mode
    flat = Flat.of(network)
    routing = route(flat, target, chip.partition, chip.slots)
    integers, extra = quantise(network, target, chip.options["scale"]), {}
    if mode == "computed":
        laws = delay_modes.fit_delay_law(network)
        delays, clipped, coordinates, grid = delay_modes.computed_delays(network, target, laws)
        integers, extra = (
            integers.with_delays(delays, clipped),
            {"laws": laws, "coordinates": coordinates, "grid": grid},
        )
    elif mode == "hop":
        hops = synapse_hops(flat, target, chip.partition, routing)
        delays, clipped, residuals = delay_modes.hop_delays(network, target, hops)
        integers, extra = integers.with_delays(delays, clipped), {"residuals": residuals}
    return replace(
        chip, network=network, flat=flat, routing=routing, integers=integers, extra=extra,
        cost=cost(flat, target, chip.partition, routing),
    )  # fmt: skip


def _shape(network):
    return [(p.name, p.size) for p in network.populations], [(p.pre, p.post) for p in network.projections]


def best_hop_ticks(chip):
    """Steps that a hop should hold a spike, for the delays of a network on its places.

    The whole number with the least spike-weighted mean of ``|realised steps - delay / dt|``.
    """
    network = chip.network
    hops = synapse_hops(chip.flat, chip.target, chip.partition, chip.routing)
    wanted = np.concatenate([np.zeros(0)] + [p.delay / network.dt for p in network.projections])
    rates = chip.flat.rates[chip.flat.pre]
    if not rates.sum():
        rates = np.ones(len(wanted))

    def error(ticks):
        target = chip.target.model_copy(update={"hop_ticks": ticks})
        steps, _, _ = delay_modes.hop_delays(network, target, hops)
        return float(rates @ np.abs(np.concatenate([np.zeros(0), *steps]) - wanted))

    return min(range(1, max(int(wanted.max(initial=0.0)), 1) + 1), key=error)
