"""The traffic between cores as hyperedges: all that placement needs to know of a network."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import coo_array

from spsnn.errors import DataError
from spsnn.kernels.cpu import placement as kernels


@dataclass(frozen=True)
class Hyperedges:
    """Spikes from one core to a set of cores; neurons of one core that reach the same cores are one hyperedge.

    Attributes:
        n_cores: number of cores ``K``.
        source: core that sends ``[E]``; ``K`` stands for the port where spikes of the host enter.
        indptr, cores: cores reached by hyperedge ``e``: ``cores[indptr[e]:indptr[e + 1]]``, each once.
        spikes: spikes per inference ``[E]``.
        centres: mean coordinates of the neurons of every core ``[K, D]``, or None.
        wanted: delays that synapses between cores want, for the hop delay mode, or None.
    """

    n_cores: int
    source: np.ndarray
    indptr: np.ndarray
    cores: np.ndarray
    spikes: np.ndarray
    centres: np.ndarray | None = None
    wanted: WantedDelays | None = None

    def __post_init__(self):
        sizes = np.diff(self.indptr)
        if not (len(self.source) == len(self.spikes) == len(sizes)) or (len(sizes) and sizes.min() < 1):
            raise DataError("hyperedges need one source, one spike count and at least one core each")

    @classmethod
    def empty(cls, n_cores, centres=None):
        """Cores without traffic."""
        none = np.zeros(0, np.int32)
        return cls(n_cores, none, np.zeros(1, np.int64), none, np.zeros(0), centres)

    @classmethod
    def of(cls, flat, partition, *, network=None, centres=None, sums=()):
        """Hyperedges of a partitioned network.

        Args:
            flat: ``Flat``.
            partition: ``Partition``.
            network: the network, if wanted delays are needed too.
            centres: ``[K, D]``.
            sums: partial sums that cores send to others, as ``route`` takes them.
        """
        k = partition.n_cores
        source = np.where(flat.is_input, k, partition.core)
        reached = np.asarray(partition.reached)
        used = reached.any(1) & (flat.rates > 0)
        keys = np.concatenate([source[used, None].astype(np.int32).view(np.uint8), np.packbits(reached[used], 1)], 1)
        _, first, member = np.unique(
            np.ascontiguousarray(keys).view([("", f"V{keys.shape[1]}")]).ravel(), return_index=True, return_inverse=True
        )
        rows = reached[used][first]
        spikes = np.bincount(member.ravel(), flat.rates[used], len(first))
        indptr = np.concatenate([[0], np.cumsum(rows.sum(1))]).astype(np.int64)
        wanted = None if network is None else WantedDelays.of(flat, partition, network)
        cores, start = np.nonzero(rows)[1].astype(np.int32), source[used][first].astype(np.int32)
        if sums and len(sums[0]):
            start, cores = (np.concatenate([a, b.astype(np.int32)]) for a, b in ((start, sums[0]), (cores, sums[1])))
            indptr = np.append(indptr, indptr[-1] + 1 + np.arange(len(sums[0])))
            spikes = np.append(spikes, sums[2])
        return cls(k, start, indptr, cores, spikes, centres, wanted)

    @cached_property
    def messages(self):
        """Unicast messages per inference from every core, and from the port as last row, ``[K + 1, K]``, sparse."""
        sizes = np.diff(self.indptr)
        entries = np.repeat(self.spikes, sizes), (np.repeat(self.source, sizes), self.cores)
        return coo_array(entries, shape=(self.n_cores + 1, self.n_cores)).tocsr()

    @cached_property
    def attraction(self):
        """Messages between two cores, either way, the port as last core ``[K + 1, K + 1]``, sparse and symmetric."""
        k, one_way = self.n_cores, self.messages.tocoo()
        apart = one_way.row != one_way.col
        entries = one_way.data[apart], (one_way.row[apart], one_way.col[apart])
        square = coo_array(entries, shape=(k + 1, k + 1)).tocsr()
        return (square + square.T).tocsr()

    def link_load(self, target, slots):
        """Messages per inference on every link ``[height, width, 4]``, as in ``Routing``, for a placement."""
        edges = self if target.multicast else self.unicast()
        x, y = (np.append(t, at) for t, at in zip(target.tile_of_slot(np.asarray(slots)), target.port, strict=True))
        arrays = kernels.Edges(edges.source, edges.indptr, edges.cores, edges.spikes)
        return kernels.load_of(arrays, x, y, target.mesh_width, target.mesh_height)

    def unicast(self):
        """The same traffic with one hyperedge for each pair of cores."""
        pairs = self.messages.tocoo()
        indptr = np.arange(len(pairs.data) + 1)
        return Hyperedges(
            self.n_cores,
            pairs.row.astype(np.int32),
            indptr,
            pairs.col.astype(np.int32),
            pairs.data,
            self.centres,
            self.wanted,
        )

    def sample(self, most_pins, seed=0):
        """An unbiased sample with about ``most_pins`` pins in all; unchanged if there are fewer.

        From every core hyperedges are drawn in proportion to their spikes (systematic sampling), and share the core's
        spikes, so that the expected hops of every placement stay the same.
        """
        if len(self.cores) <= most_pins:
            return self
        share = most_pins / len(self.cores)
        order = np.argsort(self.source, kind="stable")
        filled = np.concatenate([[0.0], np.cumsum(self.spikes[order])])
        bounds = np.searchsorted(self.source[order], np.arange(self.n_cores + 2))
        totals = np.diff(filled[bounds])
        draws = np.where(totals > 0, np.maximum(np.rint(np.diff(bounds) * share), 1), 0).astype(np.int64)
        of = np.repeat(np.arange(len(draws)), draws)
        rank = np.arange(len(of)) - np.repeat(np.cumsum(draws) - draws, draws)
        shift = np.random.default_rng(seed).random(len(draws))[of]
        at = filled[bounds[:-1]][of] + (rank + shift) / draws[of] * totals[of]
        picked = np.clip(np.searchsorted(filled, at, side="right") - 1, bounds[:-1][of], bounds[1:][of] - 1)
        kept, first, count = np.unique(picked, return_index=True, return_counts=True)
        spikes = totals[of[first]] / draws[of[first]] * count
        edges = order[kept]
        sizes = np.diff(self.indptr)[edges]
        indptr = np.concatenate([[0], np.cumsum(sizes)])
        pins = np.repeat(self.indptr[edges] - indptr[:-1], sizes) + np.arange(indptr[-1])
        return Hyperedges(self.n_cores, self.source[edges], indptr, self.cores[pins], spikes, self.centres, self.wanted)


@dataclass(frozen=True)
class WantedDelays:
    """Histogram of wanted delays for every pair of cores with a synapse.

    Attributes:
        pre, post: cores ``[P]``; ``K`` stands for the port.
        indptr, steps, weight: bins of pair ``p``: ``indptr[p]:indptr[p + 1]``; delay in steps, and the spikes per
            inference of the synapses that want it.
    """

    pre: np.ndarray
    post: np.ndarray
    indptr: np.ndarray
    steps: np.ndarray
    weight: np.ndarray

    @classmethod
    def of(cls, flat, partition, network):
        """Collect them from the synapses of a partitioned network, before delays are quantised."""
        k = partition.n_cores
        core = np.where(flat.is_input, k, partition.core)
        steps = [np.rint(p.delay / network.dt).astype(np.int64) for p in network.projections]
        steps = np.concatenate([np.zeros(0, np.int64), *steps])
        top = int(steps.max(initial=0)) + 1
        pair = core[flat.pre] * k + core[flat.post]
        keys, member = np.unique(pair * top + steps, return_inverse=True)
        weight = np.bincount(member.ravel(), flat.rates[flat.pre], len(keys))
        pairs, first = np.unique(keys // top, return_index=True)
        indptr = np.append(first, len(keys)).astype(np.int64)
        return cls(
            (pairs // k).astype(np.int32), (pairs % k).astype(np.int32), indptr, (keys % top).astype(np.int32), weight
        )

    def error(self, target, slots):
        """Delay error of a placement in the ``hop`` mode: spikes times steps missed, summed over synapses."""
        x, y = (np.append(t, at) for t, at in zip(target.tile_of_slot(np.asarray(slots)), target.port, strict=True))
        held = target.hop_ticks * (np.abs(x[self.pre] - x[self.post]) + np.abs(y[self.pre] - y[self.post]))
        missing = self.steps - np.repeat(held, np.diff(self.indptr))
        top = 2**target.hop_residual_bits - 1
        return float(self.weight @ np.maximum(np.maximum(-missing, missing - top), 0))
