"""How long a hop should hold a spike."""

from __future__ import annotations

import numpy as np

from spsnn.hwmap.cost.route import synapse_hops
from spsnn.hwmap.delays import modes as delay_modes


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
