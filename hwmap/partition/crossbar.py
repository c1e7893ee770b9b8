"""Networks on crossbar tiles: neurons to columns, delayed inputs to rows, rows that do not fit to helper tiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from spsnn.errors import CapacityError, ConfigError
from spsnn.hwmap.partition.cores import Partition, neuron_order, resolve
from spsnn.hwmap.partition.resources import LIMITS


@dataclass(frozen=True)
class Tile:
    """One crossbar.

    Attributes:
        home: tile that holds the neurons of the columns; the tile itself unless it is a helper.
        projections: ``(pre, post)`` names of the projections that have synapses on it.
        rows: rows in use; a row is one presynaptic neuron of one projection at one delay.
        columns: columns with a synapse.
        cells: synapses.
    """

    home: int
    projections: tuple
    rows: int
    columns: int
    cells: int


@dataclass(frozen=True)
class CrossbarPartition(Partition):
    """`Partition` whose cores are crossbars; rows and columns take the place of limits on memory and incoming axons.

    Attributes:
        tiles: a ``Tile`` for each core, home tiles first.
    """

    tiles: tuple = ()

    limits: ClassVar = {name: LIMITS[name] for name in ("neurons", "axons_out")}


def assign_tiles(flat, target, delays, *, method="auto", cores=None, seed=0):
    """Assign neurons to the columns and synapses to the cells of crossbar tiles.

    Neurons fill *home* tiles, a column each, in the order of ``method``.  All synapses into the neurons of a home need
    one row for each presynaptic neuron, projection and delay.  The first ``crossbar_rows`` of them lie on the home, the
    others on *helper* tiles, which send a partial sum for each of their columns to the home, where it is added.

    Args:
        flat: ``Flat``.
        target: ``Target`` of the crossbar family.
        delays: delay steps of every synapse ``[n_synapses]``.
        method: ``mtkahypar`` (neurons with the same inputs together) or ``geometric`` (neighbours together).
        cores: number of home tiles; None takes as few as hold the neurons.
        seed: of ``mtkahypar``.

    Returns:
        CrossbarPartition.

    Raises:
        ConfigError: unknown method, or ``cores`` out of range.
        CapacityError: too few tiles; names how many would fit.
    """
    method = resolve(method, flat)
    n, width = len(flat.on_chip), min(target.crossbar_columns, target.neurons_per_core)
    least = -(-n // width)
    homes = least if cores is None else cores
    if not isinstance(homes, (int, np.integer)) or isinstance(homes, bool) or not least <= homes <= n:
        raise ConfigError(f"cores must be a whole number of home tiles in {least}..{n} for {n} neurons, got {cores!r}")
    core = np.full(flat.n, -1, np.int64)
    order = neuron_order(flat, homes, method=method, seed=seed)
    core[flat.on_chip[order]] = np.arange(n) * homes // n
    row, tile, home = _rows_to_tiles(flat, target, core[flat.post], delays, homes)
    k = len(home)
    if k > target.n_cores:
        raise CapacityError(
            f"network {flat.network.name!r} needs {k} tiles of {target.crossbar_rows} x {target.crossbar_columns}, "
            f"{homes} for its neurons and {k - homes} for rows beyond the first {target.crossbar_rows}; {target.name} "
            f"has n_cores {target.n_cores}: take a target with n_cores >= {k} or larger tiles, or prune synapses"
        )
    return _result(flat, target, core, row, tile, home)


def tiles_again(flat, target, delays, held):
    """The tiles of a ``CrossbarPartition`` with the rows that other delays need.

    Raises:
        CapacityError: the rows take another number of tiles.
    """
    homes = int((held.home == np.arange(held.n_cores)).sum())
    row, tile, home = _rows_to_tiles(flat, target, held.core[flat.post], delays, homes)
    if len(home) != held.n_cores:
        raise CapacityError(
            f"network {flat.network.name!r} lies on {held.n_cores} tiles, with its delays now it needs {len(home)}; "
            "compile it anew"
        )
    return _result(flat, target, held.core, row, tile, home)


def _rows_to_tiles(flat, target, block, delays, homes):
    """Row and tile of every synapse, and the home of every tile."""
    projection = np.repeat(np.arange(len(flat.network.projections)), np.diff(flat.bounds))
    keys = np.stack([block, projection, flat.pre, np.asarray(delays, np.int64)], 1)
    rows, row = np.unique(keys, axis=0, return_inverse=True)
    row = row.ravel()
    first = np.searchsorted(rows[:, 0], np.arange(homes))
    part = (np.arange(len(rows)) - first[rows[:, 0]]) // target.crossbar_rows
    # Helpers are numbered after the homes, in order of home and part.
    helpers = np.unique(rows[part > 0, 0] * (part.max(initial=0) + 1) + part[part > 0])
    number = np.searchsorted(helpers, rows[:, 0] * (part.max(initial=0) + 1) + part)
    tile = np.where(part > 0, homes + number, rows[:, 0])
    home = np.concatenate([np.arange(homes), helpers // (part.max(initial=0) + 1)]).astype(np.int64)
    return row, tile[row], home


def _result(flat, target, core, row, tile, home):
    k, homes = len(home), int((home == np.arange(len(home))).sum())
    reached = np.zeros((flat.n, k), bool)
    reached[flat.pre, tile] = True

    def distinct(values):
        """Number of different values on every tile."""
        return np.bincount(np.unique(np.stack([tile, values], 1), axis=0)[:, 0], minlength=k)

    rows, columns, cells = distinct(row), distinct(flat.post), np.bincount(tile, minlength=k)
    inside = flat.on_chip
    copies = reached.any(1).astype(np.int64) if target.multicast else reached.sum(1)
    use = {
        "neurons": np.bincount(core[inside], minlength=k),
        "synapse_memory_bits": cells * target.weight_bits,
        "axons_in": rows,
        "axons_out": np.bincount(core[inside], copies[inside], minlength=k).astype(np.int64),
    }
    sent = use["axons_out"].max()
    if sent > target.axons_out_per_core:
        raise CapacityError(
            f"network {flat.network.name!r} does not fit {target.name}: a tile needs {sent} axons_out, limit "
            f"axons_out_per_core is {target.axons_out_per_core}; spread neurons with cores=..., or prune synapses"
        )
    names = [(p.pre, p.post) for p in flat.network.projections]
    projection = np.repeat(np.arange(len(names)), np.diff(flat.bounds))
    tiles = tuple(
        Tile(int(home[t]), tuple(names[p] for p in np.unique(projection[tile == t])), *map(int, counts))
        for t, counts in enumerate(zip(rows, columns, cells, strict=True))
    )
    shares = {
        "rows": rows / target.crossbar_rows,
        "columns": columns / target.crossbar_columns,
        "cells": cells / (target.crossbar_rows * target.crossbar_columns),
    }
    split = np.unique(flat.post[tile != core[flat.post]])
    figures = {
        "crossbar_tiles": k,
        "crossbar_helper_tiles": k - homes,
        "crossbar_split_neurons": len(split),
        **{f"utilisation_{name}_max": float(share.max()) for name, share in shares.items()},
        **{f"utilisation_{name}_mean": float(share.mean()) for name, share in shares.items()},
        "tiles_per_neuron_max": int(reached.sum(1).max()),
    }
    return CrossbarPartition(core, k, use, reached, 0, tile, home, figures=figures, tiles=tiles)
