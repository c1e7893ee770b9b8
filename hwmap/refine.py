"""Swap search: a placement made better under hops, the busiest link and delay error."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from spsnn.errors import ConfigError
from spsnn.hwmap import _place_kernels as kernels

# The inner loop sees at most this many pins (hyperedge, core); more are sampled.
MOST_PINS = 2_000_000
_TRIES = 12


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
    hyperedges, target, slots, places, objective=None, *, seed=0, sweeps=40, temperature=0.1, seconds=None,
    most_pins=MOST_PINS,
):  # fmt: skip
    """Improve a placement by swaps, each weighed by its exact change of the objective.

    Proposals (a core to a place near the mean tile of the cores it talks to, near its own, or anywhere) are accepted by
    Metropolis' rule at a temperature that falls to zero, then every core tries all places near it until no swap helps.
    The best placement seen is returned, so the result is never worse than the start.  Hops are those of multicast trees
    or of unicast routes, as the target has it.

    Args:
        hyperedges: ``Hyperedges``.
        target: ``Target``.
        slots: the start: place of every core ``[K]``, numbered as ``Target.tile_of_slot`` says.
        places: places that may be used ``[S]``, ``S >= K``.
        objective: ``Objective``; None weighs hops alone.
        seed: of the proposals; equal seeds give equal placements.
        sweeps: sweeps at falling temperature, 12 proposals for each core in each.
        temperature: of the first sweep, as a share of the start's objective per core.
        seconds: stop after this time; then results depend on the machine.
        most_pins: networks with more (hyperedge, core) pins are sampled to about that many in the search.

    Returns:
        place of every core ``[K]``.

    Raises:
        ConfigError: sweeps or temperature out of range, or delay error asked for without wanted delays.
    """
    objective = objective or Objective()
    if not isinstance(sweeps, (int, np.integer)) or sweeps < 0 or not temperature >= 0:
        raise ConfigError(f"refine needs sweeps >= 0 and temperature >= 0, got {sweeps!r} and {temperature!r}")
    if objective.delay and hyperedges.wanted is None:
        raise ConfigError("Objective.delay needs wanted delays: Hyperedges.of(flat, partition, network=network)")
    full = _Search(hyperedges, target, slots, places, objective, seed)
    search = full
    if len(full.edges.cores) > most_pins:
        search = _Search(hyperedges.sample(most_pins, seed), target, slots, places, objective, seed)
    deadline = np.inf if seconds is None else time.monotonic() + seconds
    best = start = search.value()
    kept = search.state.place.copy()
    step = temperature * start / max(len(kept), 1)
    for sweep in range(sweeps):
        # Falls linearly: half of the sweeps are spent below half the temperature.
        heat = step * (1 - sweep / sweeps) ** 2
        search.anneal(heat, radius=1 if sweep % 2 else 2)
        value = search.value()
        if value < best:
            best, kept = value, search.state.place.copy()
        if time.monotonic() > deadline:
            break
    search.put(kept)
    search.descend(deadline)
    if search is full:
        return search.slots()
    before = full.value()
    full.put(search.state.place)
    return full.slots() if full.value() <= before else np.array(slots)


class _Search:
    """Arrays of the kernels for one network, target and objective."""

    def __init__(self, hyperedges, target, slots, places, objective, seed):
        self.edges = hyperedges if target.multicast else hyperedges.unicast()
        self.places = np.asarray(places, np.int64)
        self.objective = objective
        self.weights = np.array([objective.hops, objective.link, objective.delay], float)
        wanted = hyperedges.wanted if objective.delay else None
        self.net = net_of(self.edges, wanted)
        self.mesh = _mesh(self.places, target)
        k, e, p = hyperedges.n_cores, len(self.net.source), len(self.net.pre)
        number = {place: at for at, place in enumerate(self.places.tolist())}
        place = np.array([number[slot] for slot in np.asarray(slots).tolist()], np.int64)
        x, y = (
            np.append(tiles[place], at).astype(np.int64) for tiles, at in zip(self.mesh[:2], target.port, strict=True)
        )
        self.state = kernels.State(
            place, np.full(len(self.places), -1, np.int64), x, y, np.zeros(e), np.zeros(p),
            np.zeros((target.mesh_height, target.mesh_width, 4)), np.zeros(3),
        )  # fmt: skip
        self.state.core[place] = np.arange(k)
        width = np.zeros(target.mesh_width, np.int64)
        random = np.array([seed], np.uint64)
        self.scratch = kernels.Scratch(
            width, width.copy(), width.copy(), np.zeros(e, np.int64), np.zeros(p, np.int64), np.zeros(2 * e, np.int64),
            np.zeros(e), np.zeros(2 * p, np.int64), np.zeros(p), np.zeros(1, np.int64), random,
        )  # fmt: skip

    def value(self):
        """The objective, counted from scratch."""
        kernels.evaluate(self.net, self.mesh, self.state, self.scratch, self.objective.link > 0)
        return self.objective.of(*self.state.total)

    def put(self, place):
        self.state.place[:] = place
        self.state.core[:] = -1
        self.state.core[place] = np.arange(len(place))
        self.state.x[:-1], self.state.y[:-1] = self.mesh.x[place], self.mesh.y[place]

    def anneal(self, temperature, radius):
        kernels.anneal(self.net, self.mesh, self.state, self.scratch, self.weights, temperature, _TRIES, radius)

    def descend(self, deadline):
        """Swaps until none helps: over the whole mesh where it is small."""
        radius = max(self.mesh.first.shape) if len(self.places) <= 256 else 1
        self.value()
        while kernels.descend(self.net, self.mesh, self.state, self.scratch, self.weights, radius):
            self.value()
            if time.monotonic() > deadline:
                break

    def slots(self):
        return self.places[self.state.place]


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


def _mesh(places, target):
    x, y = (np.asarray(tiles, np.int64) for tiles in target.tile_of_slot(places))
    count = np.zeros((target.mesh_height, target.mesh_width), np.int64)
    np.add.at(count, (y, x), 1)
    first = np.zeros_like(count)
    first[y[::-1], x[::-1]] = np.arange(len(places))[::-1]
    return kernels.Mesh(x, y, first, count, target.hop_ticks, 2**target.hop_residual_bits - 1)
