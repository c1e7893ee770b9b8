"""Coordinates and placement of every neuron as a table for other plotting tools."""

from __future__ import annotations

import csv

import numpy as np

from spsnn.atomic import replacing
from spsnn.errors import ExportError
from spsnn.hwmap.traffic.flat import coordinates


def write_csv(chip, path):
    """Write one row for each neuron: population, kind, neuron, core, tile, spikes per inference, coordinates.

    ``core`` is -1 for input units, whose tile is the port.  ``spikes`` and coordinates ``x0, x1, ...`` are empty where
    the network has none.

    Raises:
        ExportError: if the file cannot be written.
    """
    network = chip.network
    positions = {p.name: coordinates(p) for p in network.populations if p.positions is not None}
    dimension = max((x.shape[1] for x in positions.values()), default=0)
    header = [
        "population",
        "kind",
        "neuron",
        "core",
        "tile_x",
        "tile_y",
        "spikes",
        *(f"x{k}" for k in range(dimension)),
    ]
    with replacing(path, ExportError) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(header)
        for p in network.populations:
            core, tile = chip.core_of(p.name), chip.tile_of(p.name)
            rates = [""] * p.size if p.rates is None else np.asarray(p.rates, float).tolist()
            places = positions[p.name].tolist() if p.name in positions else [[""] * dimension] * p.size
            for k in range(p.size):
                out.writerow([p.name, p.kind, k, int(core[k]), *(int(x) for x in tile[k]), rates[k], *places[k]])
