"""Cores to places on the mesh."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from spsnn.errors import ConfigError

METHODS = ("learned", "random", "row_major")


def place(flat, target, partition, *, method="learned", seed=0):
    """Give every core a place.

    All methods fill the same block of tiles, the squarest one at the port that holds the cores, so that they differ in
    order only.

    * ``learned``: mean learned coordinates of each core's neurons, fitted to the block by an affine map, then the
      linear assignment of least squared distance.  The map's orientation (turns of 15 degrees, mirrored or not) is the
      one with the fewest spike-weighted hops.  Spaces of more than two dimensions are projected on their two principal
      axes.
    * ``random``: a random order, from ``seed``.
    * ``row_major``: in order of core number, row by row.

    Args:
        flat: ``Flat``.
        target: ``Target``.
        partition: ``Partition``.
        method: ``learned``, ``random`` or ``row_major``.
        seed: of ``random``.

    Returns:
        place of every core ``[n_cores]``, numbered as ``Target.tile_of_slot`` says; no place twice.

    Raises:
        ConfigError: unknown method, or ``learned`` without coordinates (names the alternatives).
    """
    if method not in METHODS:
        raise ConfigError(f"unknown placement {method!r}; known: {', '.join(METHODS)}")
    slots = block_of_slots(target, partition.n_cores)
    if method == "row_major":
        return slots[: partition.n_cores]
    if method == "random":
        return np.random.default_rng(seed).permutation(slots)[: partition.n_cores]
    positions = flat.positions("placement='learned'", "placement='random' or 'row_major'")
    core = partition.core[flat.on_chip]
    held = np.bincount(core, minlength=partition.n_cores)
    means = np.stack([np.bincount(core, x, partition.n_cores) / np.maximum(held, 1) for x in positions.T], 1)
    means = means if partition.home is None else means[partition.home]
    return _learned(means, slots, target, traffic(flat, partition))


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
    return float((messages * np.abs(sources[:, None] - cores[None]).sum(-1)).sum())


def _learned(means, slots, target, messages):
    grid = np.stack(target.tile_of_slot(slots), 1).astype(float)
    flat_means = _two_axes(means)
    best = None
    for mirror in (1.0, -1.0):
        for angle in np.deg2rad(np.arange(0, 360, 15)):
            turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
            cloud = _fill(flat_means * [mirror, 1.0] @ turn.T, grid)
            chosen = _assign(cloud, grid)
            refined = _assign(_affine(flat_means, grid[chosen]), grid)
            for candidate in (chosen, refined):
                hops = weighted_hops(slots[candidate], target, messages)
                if best is None or hops < best[0]:
                    best = hops, slots[candidate]
    return best[1]


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
