"""A placement that stays while the network on it changes."""

from __future__ import annotations

import numpy as np

from spsnn.errors import ConfigError
from spsnn.hwmap.compile import _Mapper


def remap(chip, network):
    """Another network on the cores and places of a chip, e.g. after fine-tuning: quantised, routed and costed anew.

    Args:
        chip: ``Chip``.
        network: the same populations and synapses with other weights, delays, coordinates or rates.

    Returns:
        Chip.

    Raises:
        ConfigError: other populations or other synapses.
        CapacityError: its delays take more memory, rows or tiles than there are.
    """
    old, options = chip.network, dict(chip.options)
    if _shape(network) != _shape(old) or not all(
        np.array_equal(a.indptr, b.indptr) and np.array_equal(a.indices, b.indices)
        for a, b in zip(network.projections, old.projections, strict=True)
    ):
        raise ConfigError("only a network with the same populations and synapses stays on its places; compile it anew")
    placement = options.pop("placement")
    return _Mapper(network, chip.target, cores=None, held=chip.partition, **options).chip(placement, chip.slots)


def _shape(network):
    return [(p.name, p.size) for p in network.populations], [(p.pre, p.post) for p in network.projections]
