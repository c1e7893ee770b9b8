"""What an assignment of neurons to cores uses of every limited resource of a core."""

from __future__ import annotations

import numpy as np

from spsnn.errors import CapacityError

LIMITS = {
    "neurons": "neurons_per_core",
    "synapse_memory_bits": "synapse_memory_bits_per_core",
    "axons_in": "axons_in_per_core",
    "axons_out": "axons_out_per_core",
}


class Resources:
    """Use of every core, kept up to date while neurons move.

    A projection's synapses on one core are stored dense or sparse, whichever is smaller:

        dense  = axons * neurons * (weight_bits + delay bits)
        sparse = synapses * (weight_bits + delay bits + index bits)

    with ``axons`` the presynaptic neurons that reach the core.  Coordinates of the ``computed`` delay mode add bits per
    neuron and per incoming axon.  An outgoing axon is one entry for each destination core (unicast) or one for each
    neuron with a destination (multicast).

    Args:
        flat: ``Flat``.
        target: ``Target``.
        bits: ``DelayBits``.
        core: core of every neuron ``[n]``, -1 for input units.
        n_cores: number of cores ``K``.
    """

    def __init__(self, flat, target, bits, core, n_cores):
        self.flat, self.target, self.bits = flat, target, bits
        self.core, self.n_cores = np.array(core, np.int64), n_cores
        self.synapse_bits = target.weight_bits + bits.per_synapse
        network = flat.network
        self._reach = []  # synapses of every presynaptic neuron of a projection on every core, [pre, K] each
        for at, p in enumerate(network.projections):
            post = self.core[flat.post[flat.bounds[at] : flat.bounds[at + 1]]]
            size = network[p.pre].size
            key = p.sources * n_cores + post
            self._reach.append(np.bincount(key, minlength=size * n_cores).reshape(size, n_cores))
        self._held = {  # neurons of every population on every core, [K] each
            p.name: np.bincount(self.core[flat.members(p.name)], minlength=n_cores)
            for p in network.populations
            if p.kind != "input"
        }
        self.reached = np.zeros((flat.n, n_cores), bool)  # whether a neuron has a synapse on a core
        for p, reach in zip(network.projections, self._reach, strict=True):
            self.reached[flat.members(p.pre)] |= reach > 0
        self._synapses = [reach.sum(0) for reach in self._reach]
        self._axons = [(reach > 0).sum(0) for reach in self._reach]
        self._axons_in = self.reached.sum(0)
        self._copies = self._count_copies(slice(None))
        inside = flat.on_chip
        self._axons_out = np.zeros(n_cores, np.int64)
        np.add.at(self._axons_out, self.core[inside], self._copies[inside])

    def _count_copies(self, neurons):
        """Outgoing axons of neurons."""
        reached = self.reached[neurons]
        return reached.any(1).astype(np.int64) if self.target.multicast else reached.sum(1)

    def move(self, neuron, core):
        """Put a neuron (common number) on another core."""
        flat, old = self.flat, self.core[neuron]
        order, starts = flat.incoming
        synapses = order[starts[neuron] : starts[neuron + 1]]
        sources = np.unique(flat.pre[synapses])
        inside = sources[~flat.is_input[sources]]
        np.subtract.at(self._axons_out, self.core[inside], self._copies[inside])
        self.reached[sources[:, None], [old, core]] = False
        for at, p in enumerate(flat.network.projections):
            first, reach = flat.offsets[p.pre], self._reach[at]
            own = synapses[(synapses >= flat.bounds[at]) & (synapses < flat.bounds[at + 1])]
            np.subtract.at(reach, (flat.pre[own] - first, old), 1)
            np.add.at(reach, (flat.pre[own] - first, core), 1)
            self._synapses[at][[old, core]] += [-len(own), len(own)]
            self._axons[at][[old, core]] = (reach[:, [old, core]] > 0).sum(0)
            rows = sources[(sources >= first) & (sources < first + len(reach))]
            self.reached[rows[:, None], [old, core]] |= reach[(rows - first)[:, None], [old, core]] > 0
        self._axons_in[[old, core]] = self.reached[:, [old, core]].sum(0)
        self._copies[sources] = self._count_copies(sources)
        np.add.at(self._axons_out, self.core[inside], self._copies[inside])
        self._axons_out[[old, core]] += [-self._copies[neuron], self._copies[neuron]]
        for name, held in self._held.items():
            members = flat.members(name)
            if members.start <= neuron < members.stop:
                held[[old, core]] += [-1, 1]
        self.core[neuron] = core

    def use(self):
        """Amount of every resource on every core, ``{name: [K]}`` with the names of ``LIMITS``."""
        neurons = sum(self._held.values())
        # 2^index_bits neurons can be named; a fuller core needs a longer index.
        index = np.maximum(self.target.index_bits, np.ceil(np.log2(np.maximum(neurons, 1)))).astype(np.int64)
        memory = self.bits.per_neuron * neurons + self.bits.per_axon * self._axons_in
        for p, synapses, axons in zip(self.flat.network.projections, self._synapses, self._axons, strict=True):
            dense = axons * self._held[p.post] * self.synapse_bits
            sparse = synapses * (self.synapse_bits + index)
            memory = memory + np.minimum(dense, sparse)
        return {
            "neurons": neurons,
            "synapse_memory_bits": memory,
            "axons_in": self._axons_in.copy(),
            "axons_out": self._axons_out.copy(),
        }

    def shares(self):
        """Use of every resource as a share of its limit, ``[4, K]`` in the order of ``LIMITS``."""
        use = self.use()
        return np.stack([use[name] / getattr(self.target, limit) for name, limit in LIMITS.items()])


def check_neurons(flat, target, bits):
    """Refuse a network of which one neuron alone breaks a limit of a core.

    Raises:
        CapacityError: names the neuron, the limit, the amount and what would fit.
    """
    worst = int(flat.on_chip[np.argmax(flat.fan_in[flat.on_chip])])
    fan_in = int(flat.fan_in[worst])
    sources = len(np.unique(flat.pre[flat.post == worst]))
    memory = fan_in * (target.weight_bits + bits.per_synapse) + bits.per_neuron + sources * bits.per_axon
    ways = "split them over cores (split_fan_in=True, --split-fan-in), " if target.graded_spike_bits else ""
    for limit, amount in (
        ("fan_in_per_neuron", fan_in),
        ("axons_in_per_core", sources),
        ("synapse_memory_bits_per_core", memory),
    ):
        allowed = getattr(target, limit)
        if amount > allowed:
            raise CapacityError(
                f"{neuron_name(flat, worst)} alone needs {amount} of {limit}, {target.name} has {allowed}: "
                f"prune its {fan_in} synapses, {ways}or take a target with {limit} >= {amount}"
            )


def neuron_name(flat, neuron):
    """A neuron in the common numbering, in words."""
    for p in flat.network.populations:
        members = flat.members(p.name)
        if members.start <= neuron < members.stop:
            return f"neuron {neuron - members.start} of population {p.name!r}"
    raise KeyError(neuron)
