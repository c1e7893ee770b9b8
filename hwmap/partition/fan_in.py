"""Fan-in that no core holds, in parts on several cores: relays sum their part and send it on as a graded spike.

A *relay* is a linear neuron without memory.  In each step in which events reach it, it sends their sum as one graded
spike to its neuron, through a synapse of weight 1 and delay 0.  It is a step behind, so its synapses store one step
less than the delay ``d`` of the network:

    spike in step t, delay d - 1:  in the sum of step t + d;     graded spike, delay 0:  at the neuron in step t + d + 1

which is where the spike would have arrived without relay.  Sums of integers do not depend on their order, so the spikes
of the integer network are the same, bit for bit.  Synapses without delay stay with the neuron.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spsnn.errors import CapacityError
from spsnn.graph.network import Population, Projection
from spsnn.hwmap.partition.cores import partition
from spsnn.hwmap.partition.resources import neuron_name
from spsnn.hwmap.traffic.flat import Flat

RELAYS = "relays of "  # and the name of the population that they serve


def partition_in_parts(flat, target, bits, delays, weights, **how):
    """`partition`, where a neuron whose synapses no core can hold keeps some and has relays for the others.

    Args:
        flat: ``Flat``.
        target: ``Target``.
        bits: ``DelayBits``.
        delays: steps of every synapse ``[n_synapses]``.
        weights: integer weight of every synapse ``[n_synapses]``.
        **how: of `partition`.

    Returns:
        ``Partition``, with ``part`` where a neuron has relays; these count as neurons in ``use``.

    Raises:
        CapacityError: a neuron has too many synapses without delay, or too many for relays; spikes of the target carry
            no number, or one that is too small for a sum.
        ConfigError, CapacityError: as in `partition`.
    """
    part = parts(flat, target, bits, delays)
    away = np.flatnonzero(part)
    if not len(away):
        return partition(flat, target, bits, **how)
    n_parts = int(part.max()) + 1
    keys, member = np.unique(flat.post[away] * n_parts + part[away], return_inverse=True)
    owner = keys // n_parts
    relay = np.full(len(part), -1)
    relay[away] = member
    _check_sums(flat, target, owner, np.bincount(member, np.abs(weights[away])))
    arriving = np.minimum(np.bincount(member, flat.rates[flat.pre[away]]), flat.network.n_steps)
    whole = partition(Flat.of(_with_relays(flat, owner, relay, arriving)), target, bits, **how)
    core, relay_core = whole.core[: flat.n], whole.core[flat.n :]
    synapse_core = np.where(relay < 0, core[flat.post], relay_core[relay])
    reached = np.zeros((flat.n, whole.n_cores), bool)
    reached[flat.pre, synapse_core] = True
    figures = (whole.figures or {}) | {
        "fan_in_split_neurons": len(np.unique(owner)),
        "fan_in_relays": len(owner),
        "fan_in_parts_max": n_parts,
    }
    return replace(
        whole, core=core, reached=reached, synapse_core=synapse_core, part=part, figures=figures,
        home=_homes(core[flat.on_chip], relay_core, core[owner], whole.n_cores),
    )  # fmt: skip


def parts(flat, target, bits, delays):
    """Part of its neuron's fan-in that every synapse is in ``[n_synapses]``: 0 with the neuron, k with its k-th relay.

    A neuron within all limits has one part.  Others have as few as limits allow, about even, in the order of their
    sources, so that parts of neurons with equal sources have equal sources; synapses without delay come first.
    """
    room = target.synapse_memory_bits_per_core - bits.per_neuron
    by_memory = room // (target.weight_bits + bits.per_synapse + bits.per_axon)
    most = max(min(target.fan_in_per_neuron, target.axons_in_per_core, by_memory), 0)
    part = np.zeros(len(flat.post), np.int64)
    (order, starts), late = flat.incoming, _can_wait(flat, delays)
    for neuron in flat.on_chip[flat.fan_in[flat.on_chip] > most]:
        own = order[starts[neuron] : starts[neuron + 1]]
        own = own[np.lexsort((flat.pre[own], late[own]))]
        count, urgent = len(own), int((~late[own]).sum())
        # A relay is one more synapse of its neuron.
        fits = (n for n in range(2, most + 1) if max(-(-count // n), urgent) + n - 1 <= most)
        n = next(fits, None)
        if not target.graded_spike_bits:
            raise CapacityError(
                f"{neuron_name(flat, neuron)} has {count} synapses, {target.name} holds {most} on a core, "
                "and its spikes carry no number (graded_spike_bits 0) that could bring partial sums from other cores: "
                "prune synapses, or take a target with graded spikes, such as 'loihi2'"
            )
        if n is None:
            raise CapacityError(
                f"{neuron_name(flat, neuron)} has {count} synapses, {urgent} of them without delay; a core of "
                f"{target.name} holds {most} of one neuron, and relays on other cores take a step, so that synapses "
                "without delay stay: raise d_min to a step or more, or prune synapses"
            )
        kept = max(-(-count // n), urgent)
        part[own[kept:]] = 1 + np.arange(count - kept) * (n - 1) // (count - kept)
    return part


def check_relays(flat, partition, delays):
    """Refuse delays of a network on a partition with relays that leave relays no step.

    Raises:
        CapacityError: names a synapse.
    """
    if partition.part is None:
        return
    wrong = np.flatnonzero((partition.part > 0) & ~_can_wait(flat, delays))
    if len(wrong):
        raise CapacityError(
            f"{len(wrong)} synapses with relays have no delay, e.g. one into {neuron_name(flat, flat.post[wrong[0]])}; "
            "relays take a step: keep delays at a step or more, or compile anew"
        )


def _can_wait(flat, delays):
    """Synapses with a step for a relay, bool ``[n_synapses]``; a recurrent one acts a step later at the earliest."""
    recurrent = [np.full(p.n_synapses, p.pre == p.post) for p in flat.network.projections]
    return (delays > 0) | np.concatenate([np.zeros(0, bool), *recurrent])


def _check_sums(flat, target, owner, largest):
    worst = int(np.argmax(largest))
    needed = 1 + int(largest[worst]).bit_length()
    if needed > target.graded_spike_bits:
        raise CapacityError(
            f"partial sums of {neuron_name(flat, owner[worst])} reach {int(largest[worst])}, {needed} bits; a graded "
            f"spike of {target.name} has graded_spike_bits {target.graded_spike_bits}: prune synapses, or take fewer "
            "weight_bits"
        )


def _with_relays(flat, owner, relay, arriving):
    """The network with relays as populations of their own, as the partitioner is to see it."""
    network = flat.network
    populations, projections, first = list(network.populations), [], {}
    for p in network.populations:
        members = flat.members(p.name)
        own = np.flatnonzero((owner >= members.start) & (owner < members.stop))
        if len(own):
            first[p.name], served = own[0], owner[own] - members.start
            points = None if p.positions is None else np.asarray(p.positions)[served]
            populations.append(Population(RELAYS + p.name, len(own), "relay", points, {}, arriving[own]))
            projections.append(_projection(RELAYS + p.name, p.name, np.arange(len(own)), served, len(own)))
    for p, start, stop in zip(network.projections, flat.bounds[:-1], flat.bounds[1:], strict=True):
        to, size = relay[start:stop], network[p.pre].size
        for post, chosen, ends in ((p.post, to < 0, p.indices), (RELAYS + p.post, to >= 0, to - first.get(p.post, 0))):
            if chosen.any():
                projections.append(_projection(p.pre, post, p.sources[chosen], ends[chosen], size))
    return replace(network, populations=tuple(populations), projections=tuple(projections))


def _projection(pre, post, sources, indices, size):
    indptr = np.concatenate([[0], np.cumsum(np.bincount(sources, minlength=size))]).astype(np.int64)
    nothing = np.zeros(len(indices))
    return Projection(pre, post, indptr, np.asarray(indices, np.int32), nothing, nothing)


def _homes(core, relay_core, served_core, k):
    """Core whose neurons each core serves: itself, or, with relays alone, the one that most of them serve."""
    home = np.arange(k)
    for c in np.setdiff1d(home, core):
        home[c] = np.bincount(served_core[relay_core == c]).argmax()
    return home
