"""Procedural spatial networks up to a million neurons and a thousand million synapses, held as hyperedges only."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numba import njit, prange

from spsnn.errors import ConfigError
from spsnn.graph.network import Network, Population, Projection
from spsnn.hwmap.cost.route import Routing
from spsnn.hwmap.cost.simple import cost_of_cores
from spsnn.hwmap.partition.cores import _bisect
from spsnn.hwmap.traffic.hyperedges import Hyperedges

_TABLE = 1 << 16
_REDRAWS = 16
_BLOCKS = 8  # sums over sources are kept in so many parts, so that they do not depend on the threads
_CHUNK = 1 << 14


@dataclass(frozen=True)
class Procedural:
    """Neurons in the unit cube whose synapses are recomputed whenever they are asked for.

    Synapse ``s`` of neuron ``i`` ends in a random neuron of the grid cell at ``p_i + d``, with ``d`` drawn by a hash of
    ``(seed, i, s)`` from a table of displacements of random direction and length density ``r^(D-1) exp(-r / length)``,
    so that the chance of a synapse falls as ``exp(-distance / length)``.  Walls reflect; an empty cell or the neuron
    itself means another draw, and after 16 the synapse is left out.

    Attributes:
        positions: ``[n, D]``, sorted by grid cell.
        rates: spikes per neuron and inference ``[n]``.
        fan_out: synapses drawn for each neuron.
        length: of the fall of connection, in units of the cube's side.
        seed: of everything random.
    """

    positions: np.ndarray
    rates: np.ndarray
    fan_out: int
    length: float
    seed: int

    @property
    def n(self):
        """Number of neurons."""
        return len(self.positions)

    @cached_property
    def _arrays(self):
        n, dim = self.positions.shape
        rng = np.random.default_rng([self.seed, 1])
        way = rng.normal(size=(_TABLE, dim))
        way *= rng.gamma(dim, self.length, (_TABLE, 1)) / np.linalg.norm(way, axis=1, keepdims=True)
        side = _side(n, dim)
        start = np.searchsorted(_cell(self.positions, side), np.arange(side**dim + 1))
        return self.positions, start.astype(np.int64), side, way, self.fan_out, np.uint64(self.seed)

    def targets(self, neurons):
        """Postsynaptic neurons ``[len(neurons), fan_out]``; -1 for a synapse left out."""
        return _targets(*self._arrays, np.asarray(neurons, np.int64))

    def network(self, *, dt=1.0, duration=100.0, delay_per_length=1.0):
        """The explicit network, for small ones; delays are ``delay_per_length * distance / length`` in ms."""
        post = self.targets(np.arange(self.n))
        pre, post = np.nonzero(post >= 0)[0], post[post >= 0]
        distance = np.linalg.norm(self.positions[pre] - self.positions[post], axis=1)
        indptr = np.concatenate([[0], np.cumsum(np.bincount(pre, minlength=self.n))])
        projection = Projection(
            "net", "net", indptr, post.astype(np.int32), np.ones(len(post)), delay_per_length * distance / self.length
        )
        population = Population("net", self.n, "lif", self.positions, {}, self.rates)
        return Network((population,), (projection,), dt, duration, "drawn rates", f"procedural{self.n}")

    def partition(self, n_cores):
        """Core of every neuron ``[n]``: the cloud is halved along its widest axis until every core has its share.

        Raises:
            ConfigError: not 1 to n cores.
        """
        if not 1 <= n_cores <= self.n:
            raise ConfigError(f"{self.n} neurons can be put on 1 to {self.n} cores, got {n_cores}")
        return _bisect(self.positions, np.ones(self.n, np.int64), n_cores)

    def on_cores(self, core, n_cores):
        """Draw every synapse once and keep the cores it reaches.

        Args:
            core: core of every neuron ``[n]``.
            n_cores: number of cores ``K``.

        Returns:
            OnCores.
        """
        core = np.asarray(core, np.int32)
        held = np.maximum(np.bincount(core, minlength=n_cores), 1)
        centres = np.stack([np.bincount(core, x, n_cores) / held for x in self.positions.T], 1)
        width = min(self.fan_out, n_cores)
        events = np.zeros((_BLOCKS, self.n), np.float32)
        pins, sizes, synapses = [], np.zeros(self.n, np.int64), 0
        for low in range(0, self.n, _CHUNK):
            neurons = np.arange(low, min(low + _CHUNK, self.n))
            reached = np.empty((len(neurons), width), np.int32)
            drawn = np.zeros(len(neurons), np.int64)
            _reach(*self._arrays, neurons, core, n_cores, self.rates, reached, sizes[low : low + _CHUNK], drawn, events)
            pins.append(reached[np.arange(width) < sizes[neurons, None]])
            synapses += int(drawn.sum())
        used = sizes > 0
        indptr = np.concatenate([[0], np.cumsum(sizes[used])])
        edges = Hyperedges(n_cores, core[used], indptr, np.concatenate(pins), self.rates[used], centres)
        return OnCores(self, core, edges, events.sum(0, dtype=np.float64), synapses)


@dataclass(frozen=True)
class OnCores:
    """A procedural network on cores, without its synapses.

    Attributes:
        procedural: ``Procedural``.
        core: core of every neuron ``[n]``.
        edges: ``Hyperedges``, one for each neuron with a synapse.
        events: spikes that reach every neuron per inference, over all its synapses ``[n]``.
        synapses: number of synapses drawn.
    """

    procedural: Procedural
    core: np.ndarray
    edges: Hyperedges
    events: np.ndarray
    synapses: int

    def cost(self, target, slots, steps):
        """Figures of `spsnn.hwmap.cost.cost` for a placement and inferences of ``steps`` time steps."""
        edges, k = self.edges, self.edges.n_cores
        load = edges.link_load(target, slots)
        routing = Routing((), load, np.stack(target.tile_of_slot(np.asarray(slots)), 1))
        active = np.bincount(self.core, np.minimum(self.events, steps), k)
        inactive = steps * np.bincount(self.core, minlength=k) - active
        copies = np.ones(len(edges.source)) if target.multicast else np.diff(edges.indptr)
        return cost_of_cores(
            target,
            steps,
            routing,
            active=active,
            inactive=inactive,
            spikes=np.bincount(self.core, self.procedural.rates, k),
            synops=np.bincount(self.core, self.events, k),
            received=np.asarray(edges.messages.sum(0)).ravel(),
            sent=np.bincount(edges.source, edges.spikes * copies, k),
            activity_source="drawn rates",
        )


def synthetic(n, *, fan_out=1000, dimension=2, length=0.02, clusters=0, rate=1.0, spread=1.0, seed=0):
    """A procedural spatial network.

    Args:
        n: number of neurons.
        fan_out: synapses of each.
        dimension: of the space.
        length: connections fall off as ``exp(-distance / length)``; the neurons fill a unit cube.
        clusters: 0 spreads neurons evenly; otherwise so many Gaussian clouds of different width and size.
        rate: mean spikes per neuron and inference.
        spread: standard deviation of the logarithm of the rates.
        seed: of positions, rates and synapses.

    Returns:
        Procedural.

    Raises:
        ConfigError: a value out of range.
    """
    if not (n >= 2 and fan_out >= 1 and dimension >= 1 and length > 0 and clusters >= 0 and rate >= 0 and spread >= 0):
        raise ConfigError(
            "a synthetic network needs n >= 2, fan_out >= 1, dimension >= 1, length > 0, clusters, rate and spread >= "
            f"0, got {n}, {fan_out}, {dimension}, {length}, {clusters}, {rate}, {spread}"
        )
    rng = np.random.default_rng([seed, 0])
    if clusters:
        of = rng.choice(clusters, n, p=rng.dirichlet(np.full(clusters, 3.0)))
        centre, width = rng.random((clusters, dimension)), rng.uniform(0.03, 0.15, clusters)
        positions = _reflect(centre[of] + width[of, None] * rng.normal(size=(n, dimension)))
    else:
        positions = rng.random((n, dimension))
    positions = positions.astype(np.float32).clip(0, np.float32(1 - 1e-6))
    positions = positions[np.argsort(_cell(positions, _side(n, dimension)), kind="stable")]
    rates = rate * np.exp(spread * rng.normal(size=n) - spread**2 / 2)
    return Procedural(positions, rates, int(fan_out), float(length), int(seed))


def _side(n, dimension):
    """Cells along an axis, two neurons to a cell on average."""
    return max(int((n / 2) ** (1 / dimension)), 1)


def _cell(positions, side):
    at = np.minimum((positions * side).astype(np.int64), side - 1)
    return np.ravel_multi_index(tuple(at.T), (side,) * at.shape[1])


def _reflect(x):
    x = np.abs(x) % 2
    return np.minimum(np.where(x > 1, 2 - x, x), 1 - 1e-6)


@njit(cache=True, inline="always")
def _mix(z):
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@njit(cache=True)
def _draw(positions, start, side, way, seed, i, s):
    """Target of synapse s of neuron i, or -1."""
    dim = positions.shape[1]
    key = _mix(_mix(seed + np.uint64(0x9E3779B97F4A7C15)) ^ (np.uint64(i) << np.uint64(24)) ^ np.uint64(s))
    for _ in range(_REDRAWS):
        key += np.uint64(0x9E3779B97F4A7C15)
        h = _mix(key)
        entry = np.int64(h & np.uint64(_TABLE - 1))
        cell = 0
        for d in range(dim):
            x = abs(positions[i, d] + way[entry, d])
            if x > 1.0:
                x %= 2.0
                x = min(x, 2.0 - x)
            cell = cell * side + min(np.int64(x * side), side - 1)
        count = start[cell + 1] - start[cell]
        if count:
            j = start[cell] + np.int64((h >> np.uint64(16)) % np.uint64(count))
            if j != i:
                return j
    return -1


@njit(cache=True, parallel=True)
def _targets(positions, start, side, way, fan_out, seed, neurons):
    out = np.empty((neurons.size, fan_out), np.int64)
    for at in prange(neurons.size):
        for s in range(fan_out):
            out[at, s] = _draw(positions, start, side, way, seed, neurons[at], s)
    return out


@njit(cache=True, parallel=True)
def _reach(
    positions, start, side, way, fan_out, seed, neurons, core, n_cores, rates, reached, sizes, drawn, events
):  # fmt: skip
    """Distinct cores that each neuron reaches, and the spikes that arrive everywhere."""
    for block in prange(_BLOCKS):
        seen = np.full(n_cores, -1, np.int64)
        for at in range(block * neurons.size // _BLOCKS, (block + 1) * neurons.size // _BLOCKS):
            i, count = neurons[at], 0
            for s in range(fan_out):
                j = _draw(positions, start, side, way, seed, i, s)
                if j >= 0:
                    drawn[at] += 1
                    events[block, j] += rates[i]
                    if seen[core[j]] != i:
                        seen[core[j]] = i
                        reached[at, count] = core[j]
                        count += 1
            sizes[at] = count
