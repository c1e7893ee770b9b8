"""What happens on every core: events per inference from mean rates, or per step from a recorded trace."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import coo_array

from spsnn.errors import DataError
from spsnn.hwmap.traffic.flat import NEVER_SPIKES

KINDS = ("synaptic_op", "synaptic_op_sparse", "neuron_active", "neuron_inactive", "spike_out", "axon_out", "axon_in",
         "merge")  # fmt: skip


@dataclass(frozen=True)
class Events:
    """Counts of events in rows of time by core.

    Attributes:
        counts: ``{kind: [S, K]}`` for the names in ``KINDS``; ``S`` is 1 for means, the number of steps for a trace.
        steps: steps that one row stands for.
        sums: partial sums sent from helper core to home core per inference ``(helper [P], home [P], messages [P])``.
        rates: spikes per neuron and inference ``[n]``.
        sums_of_row: partial sums sent in every row ``[S]``.
    """

    counts: dict
    steps: int
    sums: tuple = ()
    rates: np.ndarray | None = None
    sums_of_row: np.ndarray | None = None


@dataclass(frozen=True)
class Wiring:
    """Where the spikes of every neuron of a partitioned network go.

    A synapse lies on ``partition.synapse_core``, or on the core of its postsynaptic neuron.  Where the two differ, the
    core of the synapse (a helper) sends a partial sum for that neuron to the neuron's core (its home).  On crossbars
    the home merges it; elsewhere relays (``partition.part``) send it as graded spikes, which cost what neurons, spikes
    and synapses cost, and are a step earlier than the neuron's update.

    Attributes:
        flat: ``Flat``.
        target: ``Target``.
        partition: ``Partition``.
        sparse: bool ``[n_synapses]``, synapses that are stored with an index; none where the target has one price.
    """

    flat: object
    target: object
    partition: object
    sparse: np.ndarray

    @classmethod
    def of(cls, flat, target, partition, bits=None):
        """Wiring of a partition; ``bits`` are the ``DelayBits`` that decide between dense and sparse storage."""
        if target.energy_synaptic_op_sparse_pj is None and target.time_synaptic_op_sparse_ns is None:
            return cls(flat, target, partition, np.zeros(len(flat.pre), bool))
        delay_bits = target.delay_bits if bits is None else bits.per_synapse
        return cls(flat, target, partition, sparse_synapses(flat, target, partition, target.weight_bits + delay_bits))

    @cached_property
    def synapse_core(self):
        """Core of every synapse ``[n_synapses]``."""
        own = self.partition.synapse_core
        return self.partition.core[self.flat.post] if own is None else own

    @cached_property
    def sums(self):
        """Partial sums: ``(pair of every synapse or -1, helper core of every pair, neuron of every pair)``."""
        home, part = self.partition.core[self.flat.post], self.partition.part
        part = (self.synapse_core != home).astype(np.int64) if part is None else part
        away, n_parts = np.flatnonzero(part), int(part.max(initial=0)) + 1
        pair = np.full(len(home), -1)
        keys = (self.synapse_core * self.flat.n + self.flat.post) * n_parts + part
        keys, pair[away] = np.unique(keys[away], return_inverse=True)
        return pair, keys // n_parts // self.flat.n, keys // n_parts % self.flat.n

    @property
    def relays(self):
        """Whether partial sums are graded spikes of relays."""
        return self.partition.part is not None

    def sum_delays(self, delays):
        """Steps from a spike to the partial sum that it is in, for the synapses that have one."""
        return delays[self.sums[0] >= 0] - self.relays

    @cached_property
    def copies(self):
        """Messages for each spike of every neuron ``[n]``: one for each core it reaches, or one (multicast)."""
        reached = self.partition.reached
        return reached.any(1).astype(np.int64) if self.target.multicast else reached.sum(1)

    def synapses(self, chosen):
        """Chosen synapses of every neuron on every core, sparse ``[n, K]``."""
        at = self.flat.pre[chosen], self.synapse_core[chosen]
        return coo_array((np.ones(len(at[0])), at), (self.flat.n, self.partition.n_cores)).tocsr()

    def mean(self):
        """Events per inference from the measured rates of the network, as one row.

        Active updates are ``min(steps, events that reach the neuron)``; partial sums are counted the same way.
        """
        flat, k, steps = self.flat, self.partition.n_cores, self.flat.network.n_steps
        inside, rates = flat.on_chip, flat.rates
        core = self.partition.core[inside]

        def per_core(values):
            return np.bincount(core, values[inside], minlength=k)

        active = per_core(np.minimum(np.bincount(flat.post, rates[flat.pre], minlength=flat.n), steps))
        pair, helper, neuron = self.sums
        away = pair >= 0
        sent = np.minimum(np.bincount(pair[away], rates[flat.pre[away]], minlength=len(helper)), steps)
        home = self.partition.core[neuron]
        counts = {
            "synaptic_op": rates @ self.synapses(~self.sparse),
            "synaptic_op_sparse": rates @ self.synapses(self.sparse),
            "neuron_active": active,
            "neuron_inactive": steps * np.bincount(core, minlength=k) - active,
            "spike_out": per_core(rates),
            "axon_out": per_core(rates * self.copies),
            "axon_in": rates @ self.partition.reached,
        }
        counts = {name: row[None] for name, row in counts.items()}
        self._count_sums(counts, sent[None], steps)
        return Events(counts, steps, (helper, home, sent), rates, np.array([sent.sum()]))

    def _count_sums(self, counts, sent, steps):
        """Add the events of partial sums ``sent [S, P]`` to counts whose rows stand for ``steps`` steps."""
        k, (_, helper, neuron) = self.partition.n_cores, self.sums
        at_home, at_helper = (
            sent @ coo_array((np.ones(len(core)), (np.arange(len(core)), core)), (len(core), k)).tocsr()
            for core in (self.partition.core[neuron], helper)
        )
        if not self.relays:
            counts["merge"] = at_home
            return
        at_rest = steps * np.bincount(helper, minlength=k) - at_helper
        more = {"neuron_active": at_helper, "neuron_inactive": at_rest, "spike_out": at_helper, "axon_out": at_helper,
                "axon_in": at_home, "synaptic_op": at_home}  # fmt: skip
        counts |= {name: counts[name] + rows for name, rows in more.items()} | {"merge": 0 * at_home}

    def traced(self, trace, delays):
        """Events of every step of a recorded inference.

        Messages are sent, received and looked up in the step of the spike; the neuron is updated, and partial sums are
        merged, ``max(delay, 1)`` steps later, as cores update their neurons before they receive.  What would arrive
        after the last step is not counted.  A relay is updated, and sends, one step before its neuron is updated.

        Args:
            trace: ``Trace``.
            delays: delay of every synapse in steps ``[n_synapses]``.

        Raises:
            DataError: the trace names a neuron that does not exist or that never spikes on the chip.
        """
        flat, k, steps = self.flat, self.partition.n_cores, trace.n_steps
        if len(trace.neuron) and not 0 <= trace.neuron.min() <= trace.neuron.max() < flat.n:
            raise DataError(f"trace names neuron {trace.neuron.max()}, the network has neurons 0 to {flat.n - 1}")
        for p in flat.network.populations:
            members = flat.members(p.name)
            if p.kind in NEVER_SPIKES and ((trace.neuron >= members.start) & (trace.neuron < members.stop)).any():
                raise DataError(f"trace has spikes of {p.name}, whose neurons ({p.kind}) never spike; leave them out")
        inside = flat.on_chip
        held = np.bincount(self.partition.core[inside], minlength=k)
        spikes = coo_array((np.ones(len(trace.step)), (trace.step, trace.neuron)), (steps, flat.n)).tocsr()
        place = coo_array((np.ones(len(inside)), (inside, self.partition.core[inside])), (flat.n, k)).tocsr()
        pair, helper, neuron = self.sums
        away = pair >= 0
        arrived = np.zeros((steps, flat.n + len(helper)), bool)
        starts, ends = np.append(flat.pre, flat.pre[away]), np.append(flat.post, flat.n + pair[away])
        waits = np.maximum(np.append(delays, self.sum_delays(delays)), 1)
        for wait in np.unique(waits):
            if wait >= steps:
                break
            at = starts[waits == wait], ends[waits == wait]
            reach = coo_array((np.ones(len(at[0])), at), (flat.n, arrived.shape[1])).tocsr()
            hit = (spikes[: steps - wait] @ reach).tocoo()
            arrived[hit.row + wait, hit.col] = True
        active = arrived[:, : flat.n] @ place
        counts = {
            "synaptic_op": spikes @ self.synapses(~self.sparse),
            "synaptic_op_sparse": spikes @ self.synapses(self.sparse),
            "neuron_active": active,
            "neuron_inactive": held - active,
            "spike_out": spikes @ place,
            "axon_out": spikes @ (place * self.copies[:, None]),
            "axon_in": spikes @ self.partition.reached.astype(float),
        }
        counts = {name: np.asarray(m.todense() if hasattr(m, "todense") else m) for name, m in counts.items()}
        sent = arrived[:, flat.n :].astype(float)
        self._count_sums(counts, sent, 1)
        sums = helper, self.partition.core[neuron], sent.sum(0)
        return Events(counts, 1, sums, trace.counts(flat.n).astype(float), sent.sum(1))


def sparse_synapses(flat, target, partition, synapse_bits):
    """Synapses stored with an index, bool ``[n_synapses]``: those of a projection on a core where that takes less room.

    The rule is that of ``Resources``: ``synapses * (synapse_bits + index) < axons * neurons * synapse_bits``.
    """
    k, out = partition.n_cores, np.zeros(len(flat.pre), bool)
    index = np.maximum(target.index_bits, np.ceil(np.log2(np.maximum(partition.use["neurons"], 1))))
    core, part = partition.core[flat.post], np.zeros(len(flat.post), np.int64)
    if partition.part is not None:
        core, part = partition.synapse_core, partition.part
    relays = np.unique(np.stack([core, flat.post, part], 1)[part > 0], axis=0)
    for p, start, stop in zip(flat.network.projections, flat.bounds[:-1], flat.bounds[1:], strict=True):
        members, relayed = flat.members(p.post), part[start:stop] > 0
        own = relays[(relays[:, 1] >= members.start) & (relays[:, 1] < members.stop), 0]
        for there, posts in ((~relayed, partition.core[members]), (relayed, own)):
            at = core[start:stop][there]
            reach = np.zeros((flat.network[p.pre].size, k), bool)
            reach[p.sources[there], at] = True
            dense = reach.sum(0) * np.bincount(posts, minlength=k) * synapse_bits
            out[start:stop][there] = (np.bincount(at, minlength=k) * (synapse_bits + index) < dense)[at]
    return out
