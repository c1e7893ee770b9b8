"""Formats in which a mapped network leaves the package, by name; each is ``write(chip, path)``."""

from __future__ import annotations

from pathlib import Path

from spsnn.errors import ExportError
from spsnn.hwmap.layout import write_hdf5, write_json
from spsnn.hwmap.sanafe import write_sanafe

FORMATS = {
    "layout-json": lambda chip, path: write_json(chip.layout(), path),
    "layout-hdf5": lambda chip, path: write_hdf5(chip.layout(), path),
    "sanafe": write_sanafe,
}
SUFFIXES = {".json": "layout-json", ".h5": "layout-hdf5", ".hdf5": "layout-hdf5"}


def export(chip, path, format=None):
    """Write a mapped network.

    Args:
        chip: ``Chip``.
        path: file, or folder for formats of several files.
        format: a name in ``FORMATS``; None takes the one of the suffix.

    Raises:
        ExportError: unknown format or suffix (names the known ones), or the file cannot be written.
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
