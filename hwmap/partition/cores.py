"""Neurons to cores under every limit of a core."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import ClassVar

import numpy as np

from spsnn.errors import CapacityError, ConfigError
from spsnn.hwmap.partition.resources import LIMITS, Resources, check_neurons

METHODS = ("auto", "mtkahypar", "geometric")
# How many neurons of a full core are tried for each place with room.
_TRIED = 32
# Mt-KaHyPar takes minutes beyond: pins of the hypergraph, that is neurons over all axons.
MOST_PINS = 1_000_000
# It takes minutes beyond for a sample too: neurons to distribute.
MOST_NEURONS = 50_000


@dataclass(frozen=True)
class Partition:
    """Which core holds which neuron.

    Attributes:
        core: core of every neuron in the common numbering ``[n]``; -1 for input units.
        n_cores: number of cores in use.
        use: amount of every resource on every core, ``{name: [n_cores]}``.
        reached: whether each neuron has a synapse on each core, bool ``[n, n_cores]``.
        moves: neurons that capacity repair moved.
        synapse_core: core of every synapse ``[n_synapses]``, or None where each lies with its postsynaptic neuron.
        home: core whose neurons each core serves ``[n_cores]``, or None where every core serves its own.
        part: part of its neuron's fan-in that each synapse is in ``[n_synapses]``, 0 with the neuron and k with its
            k-th relay (see `spsnn.hwmap.partition.fan_in`), or None where no neuron has relays.
        figures: what the report says about the partition, or None.
        limits: of a core, ``{resource: key of the target}``.
    """

    limits: ClassVar = LIMITS

    core: np.ndarray
    n_cores: int
    use: dict
    reached: np.ndarray
    moves: int
    synapse_core: np.ndarray | None = None
    home: np.ndarray | None = None
    part: np.ndarray | None = None
    figures: dict | None = None


def resolve(method, flat):
    """The method that ``auto`` stands for: ``geometric`` beyond ``MOST_NEURONS`` neurons that all have coordinates.

    Raises:
        ConfigError: unknown method.
    """
    if method not in METHODS:
        raise ConfigError(f"unknown partition method {method!r}; known: {', '.join(METHODS)}")
    if method != "auto":
        return method
    if len(flat.on_chip) <= MOST_NEURONS:
        return "mtkahypar"
    try:
        flat.positions("partition='geometric'", "partition='mtkahypar'")
    except ConfigError:
        return "mtkahypar"
    return "geometric"


def partition(flat, target, bits, *, method="auto", cores=None, seed=0):
    """Assign every neuron to a core.

    ``mtkahypar`` cuts the hypergraph of axons (one hyperedge for each presynaptic neuron, weighted by its spikes) for
    the least connectivity, ``geometric`` halves the cloud of learned coordinates again and again.  Beyond ``MOST_PINS``
    pins ``mtkahypar`` sees a sample of the axons, and the figures say how many.  Both then move neurons off cores that
    break a limit.  Without ``cores`` the smallest number found to fit is used.

    Args:
        flat: ``Flat``.
        target: ``Target``.
        bits: ``DelayBits``.
        method: ``mtkahypar``, ``geometric``, or ``auto`` (`resolve`).
        cores: number of cores to use, to spread a network wider than it needs.
        seed: of ``mtkahypar``; ``geometric`` has no chance in it.

    Returns:
        Partition.

    Raises:
        ConfigError: unknown method, impossible ``cores``, no coordinates for ``geometric``.
        CapacityError: the network does not fit; names limit, amount and what would fit.
    """
    method = resolve(method, flat)
    check_neurons(flat, target, bits)
    n = len(flat.on_chip)
    weights = _node_weights(flat, target, bits)
    positions = edges = figures = None
    if method == "geometric":
        positions = flat.positions("partition='geometric'", "partition='mtkahypar'")
    else:
        edges, share = _hyperedges(flat, seed)
        figures = {"partition_axons_percent": 100 * share} if share < 1 else None

    def attempt(k):
        if k == 1:
            block = np.zeros(n, np.int64)
        elif method == "geometric":
            block = _bisect(positions, weights, k)
        else:
            block = _cut(flat, edges, weights, k, seed)
        core = np.full(flat.n, -1, np.int64)
        core[flat.on_chip] = _fill_empty(block, k)
        resources = Resources(flat, target, bits, core, k)
        return resources, _repair(resources)

    if cores is not None:
        _check_cores(cores, n, target)
        resources, moves = attempt(cores)
        if moves is None:
            raise _too_big(resources, f"{cores} cores as asked for; use more, or leave cores=None")
    else:
        resources, moves = _smallest(attempt, flat, target, bits)
    use = resources.use()
    return Partition(resources.core, resources.n_cores, use, resources.reached, moves, figures=figures)


def cores_again(flat, target, bits, held):
    """A `Partition` with what another network of the same synapses uses.

    Raises:
        CapacityError: a core is too full for it.
    """
    resources = Resources(flat, target, bits, held.core, held.n_cores)
    if (resources.shares() > 1).any():
        raise _too_big(resources, f"the {held.n_cores} cores that it lies on; compile it anew")
    return replace(held, use=resources.use(), reached=resources.reached)


def neuron_order(flat, k, *, method="mtkahypar", seed=0):
    """Neurons on the chip in an order that keeps the members of ``k`` even parts together ``[len(on_chip)]``."""
    weights = np.ones(len(flat.on_chip), np.int64)
    if k == 1:
        return np.arange(len(weights))
    if method == "geometric":
        positions = flat.positions("partition='geometric'", "partition='mtkahypar'")
        return np.argsort(_bisect(positions, weights, k), kind="stable")
    return np.argsort(_cut(flat, _hyperedges(flat, seed)[0], weights, k, seed), kind="stable")


def _check_cores(cores, n, target):
    if not isinstance(cores, (int, np.integer)) or isinstance(cores, bool) or cores < 1:
        raise ConfigError(f"cores must be a whole number >= 1, got {cores!r}")
    if cores > n:
        raise ConfigError(f"cores must not exceed the {n} neurons that need a core, got {cores}")
    if cores > target.n_cores:
        raise CapacityError(
            f"cores={cores} asked for, {target.name} has n_cores {target.n_cores}: use at most that many"
        )


def _smallest(attempt, flat, target, bits):
    """Least number of cores found to fit: double until one fits, then halve the gap."""
    n = len(flat.on_chip)
    needs = {
        "neurons": n,
        "synapse_memory_bits": len(flat.pre) * (target.weight_bits + bits.per_synapse) + n * bits.per_neuron,
    }
    least = {name: -(-amount // getattr(target, LIMITS[name])) for name, amount in needs.items()}
    name = max(least, key=least.get)
    if least[name] > target.n_cores:
        raise CapacityError(
            f"network {flat.network.name!r} needs {needs[name]} {name} in all; {target.name} has {target.n_cores} "
            f"cores with {LIMITS[name]} {getattr(target, LIMITS[name])}: at least {least[name]} such cores would fit "
            "it; use a smaller or sparser network, or a larger target"
        )
    most = min(target.n_cores, n)
    failed, k = max(least[name], 1) - 1, max(least[name], 1)
    while True:
        best = attempt(k)
        if best[1] is not None:
            break
        if k == most:
            raise _too_big(best[0], f"all {most} cores that could be used")
        failed, k = k, min(2 * k, most)
    while k - failed > 1:
        middle = (k + failed) // 2
        found = attempt(middle)
        if found[1] is None:
            failed = middle
        else:
            k, best = middle, found
    return best


def _too_big(resources, where):
    target, shares, use = resources.target, resources.shares(), resources.use()
    at, core = np.unravel_index(np.argmax(shares), shares.shape)
    name = list(LIMITS)[at]
    amount = int(use[name][core])
    return CapacityError(
        f"network {resources.flat.network.name!r} does not fit {target.name}: a core needs {amount} {name}, limit "
        f"{LIMITS[name]} is {getattr(target, LIMITS[name])}, spread over {where}; a target with {LIMITS[name]} >= "
        f"{amount} would fit it, or prune synapses"
    )


def _node_weights(flat, target, bits):
    """Share of a core that each neuron takes, in millionths (integers for the partitioner)."""
    memory = np.full(flat.n, float(bits.per_neuron))
    cell = target.weight_bits + bits.per_synapse
    for at, p in enumerate(flat.network.projections):
        pre, post = flat.network[p.pre].size, flat.network[p.post].size
        if pre * post * cell <= p.n_synapses * (cell + target.index_bits):
            memory[flat.members(p.post)] += pre * cell
        else:
            part = flat.post[flat.bounds[at] : flat.bounds[at + 1]]
            memory += np.bincount(part, minlength=flat.n) * (cell + target.index_bits)
    share = np.maximum(1 / target.neurons_per_core, memory / target.synapse_memory_bits_per_core)[flat.on_chip]
    return np.maximum(np.rint(1e6 * share), 1).astype(np.int64)


@cache
def _kahypar():
    """The module, imported when it is first needed, and its library of one thread: results depend on no machine."""
    import mtkahypar

    return mtkahypar, mtkahypar.initialize(1, False)


def _hyperedges(flat, seed):
    """Axons as ``(pins, weights)`` for the partitioner, and the share of all axons that they are.

    With more than ``MOST_PINS`` pins axons are drawn in proportion to their weight (systematic sampling), each with the
    number of times it was drawn, so that the expected connectivity of every partition stays the same but for a factor.
    """
    axons = flat.axons
    top = max((spikes / count for _, spikes, count in axons), default=0.0) or 1.0
    # A silent axon still takes room, so each one weighs a little.
    weights = np.array([count + round(1000 * spikes / top) for _, spikes, count in axons], np.int64)
    share = MOST_PINS / max(sum(len(pins) for pins, _, _ in axons), 1)
    if share >= 1:
        return ([pins for pins, _, _ in axons], weights), 1.0
    draws = max(int(share * len(axons)), 1)
    at = (np.arange(draws) + np.random.default_rng(seed).random(draws)) / draws * weights.sum()
    drawn = np.minimum(np.searchsorted(np.cumsum(weights), at, side="right"), len(axons) - 1)
    kept, times = np.unique(drawn, return_counts=True)
    return ([axons[at][0] for at in kept], times), len(kept) / len(axons)


def _cut(flat, edges, weights, k, seed):
    mtkahypar, library = _kahypar()
    mtkahypar.set_seed(int(seed))
    context = library.context_from_preset(mtkahypar.PresetType.DETERMINISTIC)
    context.logging = False
    context.set_partitioning_parameters(k, 0.03, mtkahypar.Objective.KM1)
    # The deterministic preset ignores its seed, so the seed shuffles the numbers of the nodes.
    shuffled = np.random.default_rng(seed).permutation(len(weights))
    node = np.full(flat.n, -1, np.int64)
    node[flat.on_chip] = shuffled
    weights = weights[np.argsort(shuffled)]
    pins = [node[members].tolist() for members in edges[0]]
    graph = library.create_hypergraph(context, len(weights), len(pins), pins, weights.tolist(), edges[1].tolist())
    return np.array(graph.partition(context).get_partition(), np.int64)[shuffled]


def _bisect(positions, weights, k):
    """Halve the cloud along its widest axis, weight and cores in proportion, until every part has one core."""
    block = np.zeros(len(positions), np.int64)
    parts = [(np.arange(len(positions)), 0, k)]
    while parts:
        members, first, count = parts.pop()
        if count == 1:
            block[members] = first
            continue
        cloud = positions[members]
        axis = int(np.argmax(np.ptp(cloud, axis=0)))
        members = members[np.argsort(cloud[:, axis], kind="stable")]
        left = count // 2
        filled = np.cumsum(weights[members])
        cut = int(np.searchsorted(filled, filled[-1] * left / count)) + 1
        cut = min(max(cut, left), len(members) - (count - left))
        parts += [(members[:cut], first, left), (members[cut:], first + left, count - left)]
    return block


def _fill_empty(block, k):
    """Give every core at least one neuron, from the fullest core."""
    held = np.bincount(block, minlength=k)
    for empty in np.flatnonzero(held == 0):
        full = int(np.argmax(held))
        block[np.flatnonzero(block == full)[-1]] = empty
        held[full] -= 1
        held[empty] += 1
    return block


def _repair(resources):
    """Move neurons off cores that break a limit; number of moves, or None if that fails."""
    for moves in range(len(resources.flat.on_chip) + 1):
        shares = resources.shares()
        worst = shares.max(0)
        if worst.max() <= 1:
            return moves
        # Moves cannot help where all cores together are over-full.
        if shares.mean(1).max() > 1:
            return None
        full = int(np.argmax(worst))
        if not _move_one(resources, full, shares):
            return None
    return None


def _move_one(resources, full, shares):
    """One neuron from a full core to the emptiest core that stays within its limits."""
    flat = resources.flat
    excess = np.maximum(shares - 1, 0).sum()
    members = flat.on_chip[resources.core[flat.on_chip] == full]
    members = members[np.argsort(-flat.fan_in[members], kind="stable")][:_TRIED]
    for core in np.argsort(shares.max(0), kind="stable"):
        if core == full or shares[:, core].max() >= 1:
            continue
        for neuron in members:
            resources.move(neuron, core)
            after = resources.shares()
            if after[:, core].max() <= 1 and np.maximum(after - 1, 0).sum() < excess:
                return True
            resources.move(neuron, full)
    return False
