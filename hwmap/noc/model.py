"""A mapped network as a network of queues: channels, buffers, routes and service times for the NoC models."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np

from spsnn.errors import ConfigError, DataError
from spsnn.hwmap.traffic.events import Wiring
from spsnn.kernels.cpu.noc_messages import mark_active, produce, xy_trees

DIRECTIONS = ("east", "west", "north", "south")


@dataclass(frozen=True)
class NocSettings:
    """What a target does not say of its network on the chip; no public figures exist, so all are the user's.

    Attributes:
        flits: flits of a spike message; each takes the time of one hop to cross a link.
        buffer_depth: messages that an input buffer of a router, and the injection buffer of a core, hold.
        receive_depth: messages that wait in a core for its synaptic unit.
        hop_ew_ns, hop_ns_ns: time of one hop; None takes the target's.
        host_gap_ns: time between two messages of the host; 0 has all input spikes of a step wait at its start.
    """

    flits: int = 1
    buffer_depth: int = 4
    receive_depth: int = 16
    hop_ew_ns: float | None = None
    hop_ns_ns: float | None = None
    host_gap_ns: float = 0.0

    def __post_init__(self):
        for name in ("flits", "buffer_depth", "receive_depth"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
                raise ConfigError(f"{name} must be a whole number >= 1, got {value!r}")
        for name in ("hop_ew_ns", "hop_ns_ns", "host_gap_ns"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < np.inf:
                raise ConfigError(f"{name} must be a finite time >= 0 ns, got {value!r}")

    def hops(self, target):
        """Time of a hop east-west and north-south in ns, and where it is from.

        Raises:
            ConfigError: neither the target nor the user gives it.
        """
        given = (self.hop_ew_ns, self.hop_ns_ns)
        names = ("time_hop_ew_ns", "time_hop_ns_ns")
        times = [getattr(target, n) if value is None else value for n, value in zip(names, given, strict=True)]
        if not all(times):
            raise ConfigError(
                f"target {target.name} gives no time of a hop, got {times[0]} and {times[1]} ns: set its "
                "time_hop_ew_ns and time_hop_ns_ns, or hop_ew_ns and hop_ns_ns"
            )
        if None not in given:
            return *times, "user"
        own = {target.source_of(n) if value is None else "user" for n, value in zip(names, given, strict=True)}
        return *times, "; ".join(sorted(own))

    def as_dict(self):
        """Settings for a report."""
        return asdict(self)


@dataclass(frozen=True)
class Messages:
    """Messages of one trace in the order of their production; see `kernels.cpu.noc_messages.produce`.

    Attributes:
        entry: kind of each message ``[M]``: source and destinations.
        gap: ns after the message before it of the same core and step (or after the step's start) ``[M]``.
        delivery: its first delivery ``[M]``; a message has one for each destination core.
        groups: ``source``, ``ptr``, ``tail``, ``step_group``: messages of one source in one step.
        floor: ns that each step lasts at least: the longest generation ``[T]``.
        n_deliveries: number of deliveries.
    """

    entry: np.ndarray
    gap: np.ndarray
    delivery: np.ndarray
    groups: tuple
    floor: np.ndarray
    n_deliveries: int

    @property
    def step(self):
        """Step of each message ``[M]``."""
        _, ptr, _, step_group = self.groups
        return np.repeat(np.arange(len(self.floor)), np.diff(ptr[step_group]))


class NocModel:
    """Channels and routes of a placed network.

    Channel numbers: links ``4 * (y * width + x) + direction`` out of every tile, then the port from the router to each
    core, then the synaptic unit of each core, then the injection buffer of each core, and last the host's.

    Args:
        chip: ``Chip``.
        settings: ``NocSettings``.

    Raises:
        ConfigError: more cores on a tile than a router arbitrates (57), or no time of a hop.
    """

    def __init__(self, chip, settings=None):
        self.settings = settings or NocSettings()
        self.flat, self.target, self.partition, self.routing = chip.flat, chip.target, chip.partition, chip.routing
        self.wiring = Wiring.of(self.flat, self.target, self.partition, chip.bits)
        self.delays = np.concatenate([np.zeros(0, np.int64), *chip.integers.delays]).astype(np.int64)
        self.hop_ew_ns, self.hop_ns_ns, self.hop_source = self.settings.hops(self.target)
        self._channels()
        self._destinations()

    def _channels(self):
        target, n_cores, s = self.target, self.partition.n_cores, self.settings
        tiles = target.mesh_width * target.mesh_height
        if target.cores_per_tile > 57:
            raise ConfigError(f"routers arbitrate between at most 57 cores on a tile, got {target.cores_per_tile}")
        self.core_tile = self.routing.core_tile[:, 1] * target.mesh_width + self.routing.core_tile[:, 0]
        self.port_tile = target.port[1] * target.mesh_width + target.port[0]
        self.eject, self.engine = 4 * tiles, 4 * tiles + n_cores
        self.inject = self.engine + n_cores
        self.n_channels = self.inject + n_cores + 1
        unit = np.zeros(self.n_channels)
        unit[: self.eject] = self._link_ns()
        unit[self.eject : self.engine] = target.time_within_tile_ns
        depth = np.full(self.n_channels, s.buffer_depth)
        depth[self.eject : self.engine] = s.receive_depth
        row, port = np.zeros(self.n_channels, np.int64), np.zeros(self.n_channels, np.int64)
        ports = np.full((tiles + n_cores, 5 + target.cores_per_tile), -1)
        link = np.arange(self.eject)
        row[: self.eject] = link // 4
        port[: self.eject] = link % 4
        x, y = link // 4 % target.mesh_width, link // 4 // target.mesh_width
        dx, dy = np.array([1, -1, 0, 0])[link % 4], np.array([0, 0, 1, -1])[link % 4]
        inside = (x + dx >= 0) & (x + dx < target.mesh_width) & (y + dy >= 0) & (y + dy < target.mesh_height)
        ports[((y + dy) * target.mesh_width + x + dx)[inside], (link % 4)[inside]] = link[inside]
        core = np.arange(n_cores)
        row[self.eject + core], row[self.engine + core] = self.core_tile, tiles + core
        ports[tiles + core, 0] = self.eject + core
        order = np.argsort(self.core_tile, kind="stable")
        first = np.searchsorted(self.core_tile[order], self.core_tile[order])
        port[self.inject + order] = 4 + core - first
        ports[self.core_tile, port[self.inject + core]] = self.inject + core
        port[-1] = 4 + target.cores_per_tile
        ports[self.port_tile, port[-1]] = self.n_channels - 1
        # Messages pass links along x, then along y, then ports, then synaptic units.
        width, height = target.mesh_width, target.mesh_height
        along = np.choose(link % 4, [x, width - 1 - x, width + y, width + height - 1 - y])
        rest = np.arange(self.n_channels - self.eject) + width + height
        self.rank = np.concatenate([along, rest])
        self.net = (unit, depth, row, ports, port, self.engine, self.inject)

    def _link_ns(self):
        """Time of one flit on every link; a link between two chips has its own."""
        target = self.target
        out = np.tile([self.hop_ew_ns] * 2 + [self.hop_ns_ns] * 2, target.mesh_width * target.mesh_height)
        if target.time_chip_link_ns is not None:
            link = np.arange(len(out))
            x, y = link // 4 % target.mesh_width, link // 4 // target.mesh_width
            to = x + np.array([1, -1, 0, 0])[link % 4], y + np.array([0, 0, 1, -1])[link % 4]
            out[target.chip_of_tile(x, y) != target.chip_of_tile(*to)] = target.time_chip_link_ns
        return out

    def _destinations(self):
        """Kinds of message: who sends them, to which cores, on which tree."""
        flat, target, core = self.flat, self.target, self.partition.core
        n_cores, wiring = self.partition.n_cores, self.wiring
        key, at = np.unique(flat.pre * n_cores + wiring.synapse_core, return_inverse=True)
        dense, sparse = target.time_synaptic_op_ns, target.time_synaptic_op_sparse_ns
        synapse_ns = np.where(wiring.sparse, dense if sparse is None else sparse, dense)
        # Partial sums are numbered after the neurons; each goes from its helper core to the neuron's.
        _, self.helper, summed = wiring.sums
        sums = flat.n + np.arange(len(summed))
        self.pair_neuron = np.concatenate([key // n_cores, sums])
        self.pair_core = np.concatenate([key % n_cores, core[summed]])
        served = target.time_axon_in_ns + np.bincount(at, synapse_ns, minlength=len(key))
        merged = target.time_axon_in_ns + dense if wiring.relays else target.time_merge_ns or 0.0
        self.service = np.append(served, np.full(len(sums), merged))
        tile = np.where(flat.is_input, self.port_tile, self.core_tile[core])
        tile = np.concatenate([tile, self.core_tile[self.helper]])
        if target.multicast:
            per_neuron = np.bincount(self.pair_neuron, minlength=len(tile))
            self.entry_ptr = np.concatenate([[0], np.cumsum(per_neuron > 0)])
            self.entry_neuron = np.flatnonzero(per_neuron)
            self.entry_pairs = per_neuron[self.entry_neuron]
        else:
            self.entry_ptr = np.searchsorted(self.pair_neuron, np.arange(len(tile) + 1))
            self.entry_neuron = self.pair_neuron
            self.entry_pairs = np.ones(len(self.pair_neuron), np.int64)
        self.entry_first = np.concatenate([[0], np.cumsum(self.entry_pairs)])[:-1].astype(np.int64)
        self._trees(tile)
        held = np.concatenate([self.helper, core[flat.on_chip]])
        order = np.argsort(held, kind="stable")
        own = np.concatenate([sums, flat.on_chip])[order]
        self.core_neurons = np.concatenate([own, np.flatnonzero(flat.is_input)])
        self.core_ptr = np.concatenate([[0], np.cumsum(np.bincount(held, minlength=n_cores)), [len(tile)]])

    def _trees(self, tile):
        """Routes of every kind of message; ``tile`` is where each sender sits."""
        # Neurons of one tile that reach the same cores share a tree.
        which, groups = np.empty(len(self.entry_first), np.int64), {}
        for e, (neuron, first, n) in enumerate(
            zip(self.entry_neuron.tolist(), self.entry_first.tolist(), self.entry_pairs.tolist(), strict=True)
        ):
            which[e] = groups.setdefault((tile[neuron], self.pair_core[first : first + n].tobytes()), len(groups))
        source, target = np.array([t for t, _ in groups], np.int64), self.target
        cores = [np.frombuffer(c, np.int64) for _, c in groups]
        ptr = np.concatenate([[0], np.cumsum([len(c) for c in cores])]).astype(np.int64)
        root, *tree, way, worst = xy_trees(
            source, ptr, np.concatenate([np.zeros(0, np.int64), *cores]), self.core_tile, target.mesh_width, self.eject,
            self.engine, self.net[0],
        )  # fmt: skip
        channel, first_child, n_children, leaf = tree
        # Children of a node have consecutive numbers.
        inner = np.flatnonzero(n_children)
        parent, self.reach = np.full(len(channel), -1), (leaf >= 0).astype(np.int64)
        children = np.repeat(first_child[inner] - np.cumsum(n_children[inner]) + n_children[inner], n_children[inner])
        children += np.arange(len(children))
        parent[children] = np.repeat(inner, n_children[inner])
        self.tree = (*tree, parent)
        below = parent.copy()
        while (at := np.flatnonzero((leaf >= 0) & (below >= 0))).size:
            np.add.at(self.reach, below[at], 1)
            below[at] = parent[below[at]]
        self.entry_root = root[which]
        self.entry_end = np.append(root, len(tree[0]))[which + 1]
        at = np.repeat(ptr[which] - self.entry_first, self.entry_pairs) + np.arange(len(self.pair_core))
        # The first flit takes every channel's time, those after it follow at the pace of the slowest.
        self.travel = way[at] + (self.settings.flits - 1) * worst[at]

    @cached_property
    def _reached(self):
        """What a spike of each neuron makes active: ``indptr``, ``post`` (partial sums after neurons) and delays."""
        flat, pair = self.flat, self.wiring.sums[0]
        away = np.flatnonzero(pair >= 0)
        pre, post = np.append(flat.pre, flat.pre[away]), np.append(flat.post, flat.n + pair[away])
        order = np.argsort(pre, kind="stable")
        delays = np.append(self.delays, self.wiring.sum_delays(self.delays))[order]
        return np.searchsorted(pre[order], np.arange(flat.n + 1)), post[order], delays

    def messages(self, trace):
        """Messages that a trace makes the cores send.

        Args:
            trace: ``Trace``.

        Returns:
            Messages.

        Raises:
            DataError: the trace names a neuron that does not exist.
        """
        flat, target = self.flat, self.target
        if len(trace.neuron) and not 0 <= trace.neuron.min() <= trace.neuron.max() < flat.n:
            wrong = trace.neuron.min() if trace.neuron.min() < 0 else trace.neuron.max()
            raise DataError(f"trace names neuron {wrong}, the network has neurons 0 to {flat.n - 1}")
        active = np.zeros((trace.n_steps, flat.n + len(self.helper)), np.uint8)
        mark_active(trace.step, trace.neuron, *self._reached, active)
        step_ptr = np.searchsorted(trace.step, np.arange(trace.n_steps + 1))
        times = np.array([getattr(target, f"time_{name}_ns") for name in
                          ("neuron_active", "neuron_inactive", "spike_out", "axon_out")])  # fmt: skip
        timed = active.shape[1] if self.wiring.relays else flat.n
        entry, gap, delivery, *groups, floor, n = produce(
            step_ptr, trace.neuron, active, flat.n, timed, self.core_ptr, self.core_neurons, self.entry_ptr,
            self.entry_pairs, times, self.settings.host_gap_ns,
        )  # fmt: skip
        return Messages(entry, gap, delivery, tuple(groups), floor, n)

    def name(self, channel):
        """Channel in words, e.g. ``link (0, 0) east`` or ``core 3 synapses``."""
        if channel < self.eject:
            tile, direction = divmod(int(channel), 4)
            return f"link {divmod(tile, self.target.mesh_width)[::-1]} {DIRECTIONS[direction]}"
        for first, what in ((self.inject, "injection"), (self.engine, "synapses"), (self.eject, "port")):
            if channel >= first:
                core = int(channel) - first
                return f"host {what}" if core == self.partition.n_cores else f"core {core} {what}"
        raise KeyError(channel)
