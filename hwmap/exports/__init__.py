"""Formats in which a mapped network leaves the package, by name; each is ``write(chip, path)``."""

from __future__ import annotations

from pathlib import Path

from spsnn.errors import ExportError
from spsnn.graph.files import save_graph
from spsnn.graph.nir import write_nir
from spsnn.hwmap.exports.lava import write_lava
from spsnn.hwmap.exports.layout import write_hdf5, write_json
from spsnn.hwmap.exports.netx import write_netx
from spsnn.hwmap.exports.places import write_csv
from spsnn.hwmap.exports.sanafe import write_sanafe

FORMATS = {
    "graph": lambda chip, path: save_graph(chip.network, path),
    "layout-json": lambda chip, path: write_json(chip.layout(), path),
    "layout-hdf5": lambda chip, path: write_hdf5(chip.layout(), path),
    "csv": write_csv,
    "lava": write_lava,
    "netx": write_netx,
    "sanafe": write_sanafe,
    "nir": lambda chip, path: write_nir(chip.quantised, path),
}
SUFFIXES = {
    ".json": "layout-json",
    ".h5": "layout-hdf5",
    ".hdf5": "layout-hdf5",
    ".csv": "csv",
    ".npz": "lava",
    ".net": "netx",
    ".nir": "nir",
}


def export(chip, path, format=None):
    """Write a mapped network.

    Args:
        chip: ``Chip``.
        path: file, or folder for formats of several files.
        format: a name in ``FORMATS``; None takes the one of the suffix.

    Raises:
        ExportError: unknown format or suffix (names the known ones), something in the network that the format cannot
            hold, or the file cannot be written.
    """
    if format is None:
        format = SUFFIXES.get(Path(path).suffix.lower())
        if format is None:
            known = ", ".join(SUFFIXES)
            raise ExportError(
                f"layout {str(path)!r} has an unknown suffix {Path(path).suffix!r}; known: {known}; or name a format: "
                f"{', '.join(FORMATS)}"
            )
    if format not in FORMATS:
        raise ExportError(f"unknown export format {format!r}; known: {', '.join(FORMATS)}")
    FORMATS[format](chip, path)
