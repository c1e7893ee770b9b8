"""What the neurons of a target cannot be: kinds it lacks, and time constants that a core cannot hold."""

from __future__ import annotations

import numpy as np

from spsnn.errors import CapacityError, ConfigError


def neuron_label(network, target):
    """Kinds of neurons on the chip as every report must name them; those without figures of their own are marked.

    Raises:
        ConfigError: the target can only be what ``neuron_kinds`` says, and a population is another kind.
    """
    kinds = list(dict.fromkeys(p.kind for p in network.populations if p.kind != "input"))
    foreign = [kind for kind in kinds if kind not in target.neuron_kinds]
    if foreign and target.other_neurons == "refuse":
        names = [p.name for p in network.populations if p.kind == foreign[0]]
        raise ConfigError(
            f"{target.name} has neurons of kind {', '.join(target.neuron_kinds)}; population {names[0]!r} is "
            f"{foreign[0]!r}: train with one of those, or map to a target that takes others, such as 'loihi2'"
        )
    native = ", ".join(target.neuron_kinds) or "another neuron"
    mark = f" (not native to {target.name}: its figures are those of {native})"
    return ", ".join(kind + mark if kind in foreign else kind for kind in kinds)


def check_decays(flat, network, target, partition):
    """Refuse a core that needs more different sets of time constants than its neurons can share.

    Args:
        flat: ``Flat``.
        network: the quantised network, whose time constants are whole decays.
        target: ``Target``.
        partition: ``Partition``.

    Raises:
        CapacityError: names the core, the number it needs and the ways out.
    """
    if target.decay_sets_per_core is None:
        return
    names = sorted({n for p in network.populations for n in p.parameters if n.startswith("tau_")})
    taus = np.full((flat.n, len(names)), np.nan)
    for p in network.populations:
        for at, name in enumerate(names):
            if name in p.parameters:
                taus[flat.members(p.name), at] = p.parameters[name]
    inside = flat.on_chip
    taus = np.nan_to_num(taus[inside], nan=-1.0)
    sets = np.unique(taus, axis=0, return_inverse=True)[1].ravel()
    needed = np.bincount(np.unique(np.stack([partition.core[inside], sets], 1), axis=0)[:, 0])
    worst = int(np.argmax(needed))
    if needed[worst] > target.decay_sets_per_core:
        raise CapacityError(
            f"core {worst} needs {needed[worst]} different sets of {', '.join(names)}; neurons on a core of "
            f"{target.name} share decay_sets_per_core {target.decay_sets_per_core}: let neurons of a population share "
            "their time constants, spread over more cores, or take a target without this limit, such as 'loihi2'"
        )
