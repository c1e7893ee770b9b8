"""Cores to places on the mesh."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import issparse

from spsnn.errors import ConfigError
from spsnn.hwmap.place import blind, curves
from spsnn.hwmap.place.refine import refine
from spsnn.hwmap.traffic.hyperedges import Hyperedges

METHODS = ("learned", "random", "row_major", "hilbert", "force_directed", "spectral", "qap")
REFINED = "+refine"
# Up to here every orientation of a cloud is matched by linear assignment; up to the second, the best one is.
_ASSIGN_ALL, _ASSIGN_ONE = 128, 2048


def place(flat, target, partition, *, method="learned", seed=0, objective=None, network=None, sums=()):
    """Give every core a place.

    All methods fill the same block of tiles, the squarest one at the port that holds the cores, so that they differ in
    order only.

    * ``learned``: mean learned coordinates of each core's neurons, fitted to the block by an affine map, then the
      linear assignment of least squared distance.  The map's orientation (turns of 15 degrees, mirrored or not) is the
      one with the fewest spike-weighted hops.  Spaces of more than two dimensions are projected on their two principal
      axes.
    * ``random``: a random order, from ``seed``.
    * ``row_major``: in order of core number, row by row.
    * ``hilbert``: in order of core number along a Hilbert curve.
    * ``force_directed``: ``hilbert``, then swaps of neighbours along the strongest tension (Jin et al. 2023).
    * ``spectral``: as ``learned``, with two eigenvectors of the traffic's Laplacian for coordinates.
    * ``qap``: quadratic assignment of traffic to distances (scipy).

    ``+refine`` after any of them, e.g. ``learned+refine``, adds the swap search of `refine`.

    Args:
        flat: ``Flat``.
        target: ``Target``.
        partition: ``Partition``.
        method: one of the above.
        seed: of ``random``, ``spectral``, ``qap`` and ``+refine``.
        objective: ``Objective`` of ``+refine``; None weighs hops alone.
        network: the network before quantisation, where the objective weighs delay error.
        sums: partial sums that cores send to others, as ``route`` takes them.

    Returns:
        place of every core ``[n_cores]``, numbered as ``Target.tile_of_slot`` says; no place twice.

    Raises:
        ConfigError: unknown method, or ``learned`` without coordinates (names the alternatives).
        CapacityError: too many cores for ``qap``.
    """
    base, refined = split(method)
    centres = messages = None
    if base == "learned":
        positions = flat.positions("placement='learned'", "placement='random' or 'row_major'")
        core = partition.core[flat.on_chip]
        held = np.bincount(core, minlength=partition.n_cores)
        centres = np.stack([np.bincount(core, x, partition.n_cores) / np.maximum(held, 1) for x in positions.T], 1)
        centres = centres if partition.home is None else centres[partition.home]
        messages = traffic(flat, partition)
    if base in ("random", "row_major", "hilbert", "learned") and not refined:
        edges = Hyperedges.empty(partition.n_cores, centres)
    else:
        wanted = network if refined and objective is not None and objective.delay else None
        edges = Hyperedges.of(flat, partition, network=wanted, centres=centres, sums=sums)
    return arrange(edges, target, method=method, seed=seed, objective=objective, messages=messages)


def split(method):
    """``(method, refined)`` of a placement's name.

    Raises:
        ConfigError: unknown name.
    """
    base, refined = (method.removesuffix(REFINED), method.endswith(REFINED)) if isinstance(method, str) else ("", False)
    if base not in METHODS:
        raise ConfigError(
            f"unknown placement {method!r}; known: {', '.join(METHODS)}, each also with {REFINED}, "
            f"e.g. learned{REFINED}"
        )
    return base, refined


def arrange(edges, target, *, method="learned", seed=0, objective=None, messages=None, **search):
    """Give every core of a network in hyperedge form a place, as `place` does.

    Args:
        edges: ``Hyperedges``, with ``centres`` for ``learned``.
        target: ``Target``.
        method: as in `place`.
        seed: as in `place`.
        objective: as in `place`.
        messages: ``edges.messages`` where it is known already.
        **search: options of `refine`.

    Returns:
        place of every core ``[K]``.

    Raises:
        ConfigError, CapacityError: as in `place`.
    """
    base, refined = split(method)
    if edges.n_cores > target.n_cores:
        raise ConfigError(f"{edges.n_cores} cores do not fit the {target.n_cores} places of {target.name}")
    places = block_of_slots(target, edges.n_cores)
    k = edges.n_cores
    if base == "row_major":
        slots = places[:k]
    elif base == "random":
        slots = np.random.default_rng(seed).permutation(places)[:k]
    elif base in ("hilbert", "force_directed"):
        slots = curves.hilbert_places(places, target)[:k]
        if base == "force_directed":
            slots = curves.force_directed(edges, target, slots, places)
    elif base == "qap":
        slots = blind.qap(edges, target, places, seed)
    else:
        cloud = edges.centres if base == "learned" else blind.spectral_coordinates(edges, seed)
        if cloud is None:
            raise ConfigError("placement 'learned' needs centres of the cores; use 'spectral' or 'force_directed'")
        slots = _learned(cloud, places, target, edges.messages if messages is None else messages)
    return refine(edges, target, slots, places, objective, seed=seed, **search) if refined else slots


def block_of_slots(target, n_cores):
    """Places of the squarest block of tiles at the port that holds ``n_cores``, in row-major order.

    In a system of several chips the block lies within the fewest chips that hold the cores.
    """
    best, (left, low, columns, rows) = None, _chips_of_block(target, n_cores)
    for width in range(1, columns + 1):
        for height in range(1, rows + 1):
            x0 = min(max(target.port[0] - (width - 1) // 2, left), left + columns - width)
            y0 = min(max(target.port[1] - (height - 1) // 2, low), low + rows - height)
            x, y = np.meshgrid(np.arange(x0, x0 + width), np.arange(y0, y0 + height))
            tiles = (y * target.mesh_width + x).ravel()
            slots = (tiles[:, None] * target.cores_per_tile + np.arange(target.cores_per_tile)).ravel()
            slots = slots[target.has_core(slots)]
            size = (max(width, height), width * height, height)
            if len(slots) >= n_cores and (best is None or size < best[0]):
                best = size, slots
    return best[1]


def _chips_of_block(target, n_cores):
    """Tiles ``(left, low, columns, rows)`` of the squarest block of fewest chips at the port that holds the cores."""
    (columns, rows), each = target.chip_tiles, target.n_cores // target.n_chips
    sizes = [(a, b) for a in range(1, target.chips[0] + 1) for b in range(1, target.chips[1] + 1)]
    a, b = min((s for s in sizes if s[0] * s[1] * each >= n_cores), key=lambda s: (s[0] * s[1], max(s), s[1]))
    left = min(max(target.port[0] // columns - (a - 1) // 2, 0), target.chips[0] - a)
    low = min(max(target.port[1] // rows - (b - 1) // 2, 0), target.chips[1] - b)
    return left * columns, low * rows, a * columns, b * rows


def traffic(flat, partition):
    """Messages per inference from every core, and from the port as last row, to every core ``[K + 1, K]``."""
    source = np.where(flat.is_input, partition.n_cores, partition.core)
    messages = np.zeros((partition.n_cores + 1, partition.n_cores))
    np.add.at(messages, source, flat.rates[:, None] * partition.reached)
    return messages


def weighted_hops(slots, target, messages):
    """Spike-weighted hops of a placement: sum over core pairs of messages times the distance of their tiles."""
    cores = np.stack(target.tile_of_slot(np.asarray(slots)), 1)
    sources = np.concatenate([cores, [target.port]])
    if issparse(messages):
        pairs = messages.tocoo()
        return float(pairs.data @ np.abs(sources[pairs.row] - cores[pairs.col]).sum(-1))
    return float((messages * np.abs(sources[:, None] - cores[None]).sum(-1)).sum())


def _learned(means, slots, target, messages):
    grid = np.stack(target.tile_of_slot(slots), 1).astype(float)
    flat_means = _two_axes(means)
    assign = _assign if len(means) <= _ASSIGN_ALL else _match
    best = None
    for mirror in (1.0, -1.0):
        for angle in np.deg2rad(np.arange(0, 360, 15)):
            turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
            cloud = _fill(flat_means * [mirror, 1.0] @ turn.T, grid)
            chosen = assign(cloud, grid)
            candidates = [chosen, assign(_affine(flat_means, grid[chosen]), grid)]
            for candidate in candidates:
                hops = weighted_hops(slots[candidate], target, messages)
                if best is None or hops < best[0]:
                    best = hops, candidate
    if len(means) > _ASSIGN_ALL and len(grid) <= _ASSIGN_ONE:
        chosen = _assign(_affine(flat_means, grid[best[1]]), grid)
        hops = weighted_hops(slots[chosen], target, messages)
        best = min(best, (hops, chosen), key=lambda found: found[0])
    return slots[best[1]]


def _two_axes(points):
    """Centred points on their two principal axes ``[K, 2]``."""
    points = points - points.mean(0)
    if points.shape[1] > 2:
        axes = np.linalg.svd(points, full_matrices=False)[2][:2]
        points = points @ axes.T
    return np.pad(points, ((0, 0), (0, 2 - points.shape[1])))


def _fill(points, grid):
    """Scale each axis so that the points spread as widely as the grid."""
    spread, wanted = points.std(0), grid.std(0)
    return points * np.divide(wanted, spread, out=np.zeros(2), where=spread > 1e-12) + grid.mean(0)


def _affine(points, wanted):
    """Points under the affine map that comes nearest to ``wanted`` in least squares."""
    design = np.pad(points, ((0, 0), (0, 1)), constant_values=1.0)
    return design @ np.linalg.lstsq(design, wanted, rcond=None)[0]


def _assign(cloud, grid):
    distance = ((cloud[:, None] - grid[None]) ** 2).sum(-1)
    return linear_sum_assignment(distance)[1]


def _match(cloud, grid):
    """Match points to a grid by rank: into its columns along x, then within each along y; O(K log K)."""
    columns, size = np.unique(grid[:, 0], return_counts=True)
    by_place = np.lexsort((grid[:, 1], grid[:, 0]))
    by_point = np.argsort(cloud[:, 0], kind="stable")
    starts = np.concatenate([[0], np.cumsum(size)])
    cuts = np.rint(len(cloud) * starts / len(grid)).astype(np.int64)
    chosen = np.empty(len(cloud), np.int64)
    for c in range(len(columns)):
        points = by_point[cuts[c] : cuts[c + 1]]
        points = points[np.argsort(cloud[points, 1], kind="stable")]
        spread = ((np.arange(len(points)) + 0.5) * size[c] / max(len(points), 1)).astype(np.int64)
        chosen[points] = by_place[starts[c] + spread]
    return chosen
