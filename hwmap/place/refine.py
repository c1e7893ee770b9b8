"""Swap search: a placement made better under hops, the busiest link and delay error."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from spsnn.errors import ConfigError
from spsnn.kernels.cpu import placement as kernels
from spsnn.kernels.cpu import placement_pairs

_TRIES = 12  # proposals for each core in a sweep
# Chains of annealing: cool ones improve the start, hot ones forget it; the best of many short ones beats one long one.
TEMPERATURES = (0.05, 0.2) + 6 * (0.5,)
# Work at effort 1: partners of a core looked at under pairwise hops, and, for each core and in all, pins (hyperedge,
# core) looked at under the objective itself.
_PAIR_WORK, _TREE_WORK_PER_CORE, _TREE_WORK = 5e9, 1e6, 2e9


@dataclass(frozen=True)
class Objective:
    """What a placement should keep small.

        J = hops * (spike-weighted hops) + link * (messages on the busiest link) + delay * (delay error)

    All per inference.  The delay error is the sum over synapses of spikes times the steps by which
    ``hops * hop_ticks`` plus a residual of ``hop_residual_bits`` misses the wanted delay; it means something in the
    ``hop`` delay mode only.
    """

    hops: float = 1.0
    link: float = 0.0
    delay: float = 0.0

    def __post_init__(self):
        weights = self.hops, self.link, self.delay
        if not all(np.isfinite(w) and w >= 0 for w in weights) or not any(weights):
            raise ConfigError(f"weights of an Objective must be finite, >= 0 and not all 0, got {weights}")

    def of(self, hops, link, delay):
        """J of measured terms."""
        return self.hops * hops + self.link * link + self.delay * delay


def refine(
    edges, target, slots, places, objective=None, *, seed=0, sweeps=300, temperatures=TEMPERATURES, effort=1.0,
    seconds=None,
):  # fmt: skip
    """Improve a placement by swaps, each weighed by its exact change of what is searched.

    Proposals (a core to a place near the mean tile of the cores it talks to, near its own, or anywhere) are accepted by
    Metropolis' rule at a temperature that falls to zero.  The hops of unicast routes are searched first, once for each
    starting temperature, since they are cheap; of the placements found the one best by the objective is kept.  Where
    unicast hops are not all (multicast trees, the busiest link, delay error), the objective itself follows, on a sample
    of the hyperedges if there are many, then swaps that lower it until none does.  The result is never worse than the
    start.

    Args:
        edges: ``Hyperedges``.
        target: ``Target``.
        slots: the start: place of every core ``[K]``, numbered as ``Target.tile_of_slot`` says.
        places: places that may be used ``[S]``, ``S >= K``.
        objective: ``Objective``; None weighs hops alone.
        seed: of the proposals; equal seeds give equal placements.
        sweeps: most sweeps for each temperature, 12 proposals for each core in each.
        temperatures: where searches under unicast hops start, as shares of the hops per core; the first ones only, if
            ``effort`` does not allow all.
        effort: how much work the searches may take; at 1, some ten seconds on one core for the largest networks.
        seconds: stop after this time; then results depend on the machine.

    Returns:
        place of every core ``[K]``.

    Raises:
        ConfigError: an option out of range, or delay error asked for without wanted delays.
    """
    objective = objective or Objective()
    if (
        not isinstance(sweeps, (int, np.integer))
        or sweeps < 0
        or not all(t >= 0 for t in temperatures)
        or not effort >= 0
    ):
        raise ConfigError(
            "refine needs whole sweeps >= 0, temperatures >= 0 and effort >= 0, got "
            f"{sweeps!r}, {temperatures!r}, {effort!r}"
        )
    if objective.delay and edges.wanted is None:
        raise ConfigError("Objective.delay needs wanted delays: Hyperedges.of(flat, partition, network=network)")
    deadline = np.inf if seconds is None else time.monotonic() + seconds
    slots = np.asarray(slots)
    found = [slots]
    if objective.hops:
        found += _anneal_pairs(edges, target, slots, places, seed, sweeps, temperatures, effort, deadline)
    if not target.multicast:
        edges = edges.unicast()

    def exact(slots):
        load = edges.link_load(target, slots)
        error = edges.wanted.error(target, slots) if objective.delay else 0.0
        return objective.of(load.sum(), load.max(), error)

    best = min(found, key=exact)
    if not target.multicast and not objective.link and not objective.delay:
        return best
    work = effort * min(_TREE_WORK_PER_CORE * edges.n_cores, _TREE_WORK)
    # About 40 sweeps: of a larger share of the hyperedges the search sees more, but moves less.
    share = work / (80 * _TRIES * _proposal_work(edges, target, objective) * edges.n_cores)
    drawn = edges if share >= 1 else edges.sample(share * len(edges.cores), seed)
    return min((best, _Search(drawn, target, best, places, objective, seed).search(work, deadline)), key=exact)


def _proposal_work(edges, target, objective):
    """Mean number of pins, delay bins and link steps that a proposal looks at."""
    sizes = np.diff(edges.indptr).astype(float)
    visits = ((sizes + 1) @ sizes + edges.n_cores) / edges.n_cores
    if objective.delay:
        visits += 2 * len(edges.wanted.steps) / edges.n_cores
    if objective.link:
        span = 2 * np.sqrt(edges.n_cores / target.cores_per_tile)
        visits += span * (sizes.sum() + len(sizes)) / edges.n_cores + target.mesh_width * target.mesh_height
    return 2 * visits


def _anneal_pairs(edges, target, slots, places, seed, sweeps, temperatures, effort, deadline):
    """Simulated annealing of unicast hops, each temperature from the best placement so far; the end of each."""
    pull, mesh, places = edges.attraction, mesh_of(places, target), np.asarray(places)
    graph = pull.indptr.astype(np.int64), pull.indices.astype(np.int64), pull.data.astype(float)
    affordable = int(effort * _PAIR_WORK / (2 * _TRIES * (len(pull.data) + 1)))
    temperatures = temperatures[: max(affordable // max(sweeps, 1), 1)]
    sweeps = min(sweeps, affordable)
    rng, found = np.array([seed], np.uint64), []
    leader, least = slots, _pairwise_hops(*graph, *start_of(slots, places, mesh, target)[2:])
    step = least / max(len(slots), 1)
    for temperature in temperatures:
        place, core, x, y = start_of(leader, places, mesh, target)
        now = least
        for sweep in range(sweeps):
            heat = temperature * step * (1 - (sweep + 1) / sweeps) ** 2
            now += placement_pairs.anneal_pairs(*graph, mesh, place, core, x, y, heat, _TRIES, 1 + sweep % 2, rng)
            if time.monotonic() > deadline:
                break
        found.append(places[place])
        if now < least:
            leader, least = found[-1], now
        if time.monotonic() > deadline:
            break
    return found


def _pairwise_hops(ptr, other, pull, x, y):
    of = np.repeat(np.arange(len(ptr) - 1), np.diff(ptr))
    return float(pull @ (np.abs(x[of] - x[other]) + np.abs(y[of] - y[other]))) / 2


class _Search:
    """Arrays of the kernels for one network, target and objective."""

    def __init__(self, edges, target, slots, places, objective, seed):
        self.edges, self.places, self.target, self.objective = edges, np.asarray(places, np.int64), target, objective
        self.weights = np.array([objective.hops, objective.link, objective.delay], float)
        self.net = net_of(edges, edges.wanted if objective.delay else None)
        self.mesh = mesh_of(self.places, target)
        e, p = len(self.net.source), len(self.net.pre)
        load = np.zeros((target.mesh_height, target.mesh_width, 4))
        start = start_of(slots, self.places, self.mesh, target)
        self.state = kernels.State(*start, np.zeros(e), np.zeros(p), load, np.zeros(3))
        marks = (np.zeros(n, np.int64) for n in (*[target.mesh_width] * 3, e, p, e, p, 1))
        low, high, column, edge, pair, touched, touched_pair, mark = marks
        random = np.array([seed], np.uint64)
        self.scratch = kernels.Scratch(
            low, high, column, edge, pair, touched, np.zeros(e), touched_pair, np.zeros(p), mark, random
        )

    def value(self):
        """The objective, counted from scratch."""
        kernels.evaluate(self.net, self.mesh, self.state, self.scratch, self.objective.link > 0)
        return self.objective.of(*self.state.total)

    def put(self, slots):
        """Take a placement."""
        for mine, new in zip(self.state, start_of(slots, self.places, self.mesh, self.target), strict=False):
            mine[:] = new

    def search(self, work, deadline):
        """Anneal for half of the work, then descend; the best placement seen by this search's own objective."""
        k = len(self.state.place)
        best = start = self.value()
        kept = self.places[self.state.place]
        radius = max(self.mesh.first.shape) if len(self.places) <= 64 else 1
        around = min(len(self.places), (2 * radius + 1) ** 2 * len(self.places) / np.count_nonzero(self.mesh.count))
        each = _proposal_work(self.edges, self.target, self.objective) * k
        sweeps = min(int(work / 2 / (each * _TRIES)), 400)
        temperature = 0.2 if sweeps == 400 else 0.05  # few sweeps cannot cool what was hot
        for sweep in range(sweeps):
            heat = temperature * start / k * (1 - (sweep + 1) / sweeps) ** 2
            args = self.net, self.mesh, self.state, self.scratch, self.weights, heat, _TRIES, 1 + sweep % 2
            kernels.anneal(*args)
            value = self.value()  # counts anew: no rounding error piles up
            if value < best:
                best, kept = value, self.places[self.state.place]
            if time.monotonic() > deadline:
                return kept
        self.put(kept)
        for _ in range(max(int(work / 2 / (each * around)), 1)):
            self.value()
            changed = kernels.descend(self.net, self.mesh, self.state, self.scratch, self.weights, radius)
            if not changed or time.monotonic() > deadline:
                break
        return self.places[self.state.place]


def start_of(slots, places, mesh, target):
    """``(place, core, x, y)`` of the kernels for a placement."""
    where = np.full(int(np.max(places)) + 1, -1, np.int64)
    where[places] = np.arange(len(places))
    place = where[slots]
    core = np.full(len(places), -1, np.int64)
    core[place] = np.arange(len(place))
    return place, core, np.append(mesh.x[place], target.port[0]), np.append(mesh.y[place], target.port[1])


def net_of(edges, wanted=None):
    """``Hyperedges`` (and ``WantedDelays``) as the arrays that kernels read."""
    k = edges.n_cores
    of = np.repeat(np.arange(len(edges.source)), np.diff(edges.indptr))
    outside = edges.cores != edges.source[of]  # a core that sends to itself is listed once
    inside = edges.source < k
    member = np.concatenate([edges.cores[outside], edges.source[inside]])
    edges_ptr, order = _grouped(member, k)
    incident = np.concatenate([of[outside], np.flatnonzero(inside)])[order]
    empty = np.zeros(0, np.int64)
    if wanted is None:
        pre = post = steps = pairs = empty
        bins, weight, pairs_ptr = np.zeros(1, np.int64), np.zeros(0), np.zeros(k + 1, np.int64)
    else:
        pre, post, bins, steps, weight = wanted.pre, wanted.post, wanted.indptr, wanted.steps, wanted.weight
        apart, own = np.flatnonzero(pre != post), np.flatnonzero((pre != post) & (pre < k))
        pairs_ptr, order = _grouped(np.concatenate([post[apart], pre[own]]), k)
        pairs = np.concatenate([apart, own])[order]
    pull = edges.attraction
    whole = lambda a: np.ascontiguousarray(a, np.int64)  # noqa: E731
    return kernels.Net(
        whole(edges.source), whole(edges.indptr), whole(edges.cores), np.asarray(edges.spikes, float), edges_ptr,
        whole(incident), whole(pre), whole(post), whole(bins), whole(steps), np.asarray(weight, float), pairs_ptr,
        whole(pairs), whole(pull.indptr), whole(pull.indices), np.asarray(pull.data, float),
    )  # fmt: skip


def _grouped(member, k):
    """Start of every group, and the order that sorts members by group."""
    return np.concatenate([[0], np.cumsum(np.bincount(member, minlength=k))]), np.argsort(member, kind="stable")


def mesh_of(places, target):
    """Places that may be used, as kernels read them."""
    x, y = (np.asarray(tiles, np.int64) for tiles in target.tile_of_slot(places))
    count = np.zeros((target.mesh_height, target.mesh_width), np.int64)
    np.add.at(count, (y, x), 1)
    first = np.full_like(count, len(places))
    np.minimum.at(first, (y, x), np.arange(len(places)))
    return kernels.Mesh(x, y, first, count, target.hop_ticks, 2**target.hop_residual_bits - 1)
