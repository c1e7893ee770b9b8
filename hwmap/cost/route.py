"""XY routes of spike messages and the load they put on links."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

EAST, WEST, NORTH, SOUTH = range(4)


@dataclass(frozen=True)
class Route:
    """Messages that leave one tile for the same destinations.

    Attributes:
        source: tile ``(x, y)``; the port for spikes of the host.
        destinations: tiles reached; more than one only on a multicast mesh.
        messages: spike messages per inference.
    """

    source: tuple
    destinations: tuple
    messages: float

    def links(self):
        """Directed links that one message crosses: the union of its XY routes, a tree."""
        return sorted({link for tile in self.destinations for link in xy_route(self.source, tile)})


@dataclass(frozen=True)
class Routing:
    """All routes of a placed network.

    Attributes:
        routes: tuple of ``Route``.
        link_load: messages per inference out of tile ``(x, y)`` towards east, west, north (y + 1), south,
            ``[height, width, 4]``.
        core_tile: tile ``(x, y)`` of every core ``[n_cores, 2]``.
    """

    routes: tuple
    link_load: np.ndarray
    core_tile: np.ndarray

    @property
    def hops_ew(self):
        """Links crossed eastward or westward per inference, over all messages."""
        return float(self.link_load[..., :2].sum())

    @property
    def hops_ns(self):
        """Links crossed northward or southward per inference, over all messages."""
        return float(self.link_load[..., 2:].sum())


def xy_route(source, destination):
    """Links ``(x, y, direction)`` from one tile to another: along x first, then along y."""
    (x, y), (to_x, to_y) = source, destination
    links = []
    while x != to_x:
        links.append((x, y, EAST if to_x > x else WEST))
        x += 1 if to_x > x else -1
    while y != to_y:
        links.append((x, y, NORTH if to_y > y else SOUTH))
        y += 1 if to_y > y else -1
    return links


def route(flat, target, partition, slots, sums=()):
    """Route every axon of a placed network.

    A unicast mesh sends one message for each destination core.  A multicast mesh sends one message for each spike,
    which travels the union of the XY routes to its destination tiles.  A partial sum travels alone.

    Args:
        flat: ``Flat``.
        target: ``Target``.
        partition: ``Partition``.
        slots: place of every core ``[n_cores]``.
        sums: partial sums per inference ``(from core [P], to core [P], messages [P])``, see ``Wiring``.

    Returns:
        Routing.
    """
    width, height = target.mesh_width, target.mesh_height
    core_tile = np.stack(target.tile_of_slot(np.asarray(slots)), 1).astype(np.int64)
    number = core_tile[:, 1] * width + core_tile[:, 0]
    port = target.port[1] * width + target.port[0]
    source = np.where(flat.is_input, port, number[partition.core])
    copies = np.zeros((flat.n, width * height), np.int64)  # destination cores of every neuron on every tile
    np.add.at(copies.T, number, partition.reached.T)
    routes = _multicast(source, copies, flat.rates) if target.multicast else _unicast(source, copies, flat.rates)
    if sums and len(sums[0]):
        routes += _sums(number[sums[0]], number[sums[1]], sums[2], copies.shape[1])
    routes = tuple(
        Route(_tile(start, width), tuple(_tile(end, width) for end in ends), messages)
        for start, ends, messages in routes
    )
    load = np.zeros((height, width, 4))
    for r in routes:
        for x, y, direction in r.links():
            load[y, x, direction] += r.messages
    return Routing(routes, load, core_tile)


def synapse_hops(flat, target, partition, routing):
    """Tiles that each synapse's spikes cross, one array ``[n_synapses]`` for each projection."""
    tiles = np.where(flat.is_input[:, None], np.array(target.port), routing.core_tile[partition.core])
    hops = np.abs(tiles[flat.pre] - tiles[flat.post]).sum(1)
    return np.split(hops, flat.bounds[1:-1])


def _tile(number, width):
    return int(number) % width, int(number) // width


def _unicast(source, copies, rates):
    messages = np.zeros((copies.shape[1], copies.shape[1]))
    used = np.zeros(messages.shape, bool)
    np.add.at(messages, source, rates[:, None] * copies)
    np.logical_or.at(used, source, copies > 0)
    return [(a, (b,), float(messages[a, b])) for a, b in np.argwhere(used)]


def _sums(start, end, messages, tiles):
    pairs, member = np.unique(start * tiles + end, return_inverse=True)
    total = np.bincount(member.ravel(), messages, len(pairs))
    return [(pair // tiles, (pair % tiles,), float(m)) for pair, m in zip(pairs, total, strict=True)]


def _multicast(source, copies, rates):
    has_target = copies.any(1)
    if not has_target.any():
        return []
    keys = np.concatenate([source[:, None], copies > 0], 1)[has_target]
    groups, member = np.unique(keys, axis=0, return_inverse=True)
    messages = np.bincount(member.ravel(), rates[has_target], len(groups))
    return [(g[0], tuple(np.flatnonzero(g[1:])), float(m)) for g, m in zip(groups, messages, strict=True)]
