"""Reading of the HDF5 layout of SHD and SSC, with every check that a damaged file needs."""

import os
from contextlib import contextmanager

import numpy as np

from spsnn.errors import DataError

LAYOUT = "spikes/times (vlen float, s), spikes/units (vlen uint), labels, extra/speaker, extra/keys"


@contextmanager
def open_spikes(path):
    """Open a spike file for reading; every failure inside becomes a `DataError` that names the file."""
    import h5py

    try:
        with h5py.File(path, "r") as h:
            _check_layout(h, path)
            yield h
    except (OSError, RuntimeError) as e:
        size = os.path.getsize(path) if os.path.exists(path) else 0
        raise DataError(
            f"{path} ({size} bytes) cannot be read as HDF5: {e}. It is truncated or not an HDF5 file; "
            "delete it and fetch or unpack it again"
        ) from e


def _check_layout(h, path):
    import h5py

    for key in ("spikes/times", "spikes/units", "labels"):
        if not isinstance(h.get(key), h5py.Dataset):
            raise DataError(f"{path}: there is no data set '{key}'; an SHD or SSC file holds {LAYOUT}")
        if h[key].ndim != 1:
            raise DataError(f"{path}: '{key}' must have one entry a sample, got shape {h[key].shape}")
    for key, kind, what in (("spikes/times", "f", "float"), ("spikes/units", "iu", "integer")):
        base = h5py.check_vlen_dtype(h[key].dtype)
        if base is None or np.dtype(base).kind not in kind:
            raise DataError(f"{path}: '{key}' must hold variable-length {what} vectors, got dtype {h[key].dtype}")
    if h["labels"].dtype.kind not in "iu":
        raise DataError(f"{path}: 'labels' must be integers, got dtype {h['labels'].dtype}")
    counts = {key: len(h[key]) for key in ("spikes/times", "spikes/units", "labels")}
    if len(set(counts.values())) != 1:
        raise DataError(f"{path}: the numbers of samples differ: {counts}")
    if not counts["labels"]:
        raise DataError(f"{path}: the file holds no sample")


def read_labels(h, n_classes, path):
    """Class labels in ``[0, n_classes)``, int64 ``[B]``."""
    labels = h["labels"][:].astype(np.int64)
    bad = (labels < 0) | (labels >= n_classes)
    if bad.any():
        k = int(np.flatnonzero(bad)[0])
        raise DataError(f"{path}: sample {k} has the label {labels[k]}; labels must lie in [0, {n_classes})")
    return labels


def read_speakers(h, path):
    """Speaker of each sample, int64 ``[B]``, or None if the file has no 'extra/speaker'."""
    if "extra/speaker" not in h:
        return None
    speakers = h["extra/speaker"]
    if speakers.shape != h["labels"].shape or speakers.dtype.kind not in "iu":
        raise DataError(
            f"{path}: 'extra/speaker' must hold one integer a sample ({len(h['labels'])}), "
            f"got shape {speakers.shape}, dtype {speakers.dtype}"
        )
    return speakers[:].astype(np.int64)


def read_class_names(h, n_classes, path):
    """The ``n_classes`` names in 'extra/keys', or the numbers as text if the file has none."""
    if "extra/keys" not in h:
        return [str(c) for c in range(n_classes)]
    names = [k.decode() if isinstance(k, bytes) else str(k) for k in h["extra/keys"][:]]
    if len(names) != n_classes:
        raise DataError(f"{path}: 'extra/keys' must name {n_classes} classes, got {len(names)}")
    return names


def read_events(h, rows, path, n_units):
    """Events of the samples ``rows`` (rising indices), as they stand in the file.

    Returns:
        float32 ``times [E]`` in ms, int32 ``units [E]``, int64 ``counts [B]``.

    Raises:
        DataError: if times and units differ in length, a time is NaN, infinite or negative, or a unit is
            outside ``[0, n_units)``.
    """
    first, last = int(rows[0]), int(rows[-1]) + 1
    times = h["spikes/times"][first:last][rows - first]
    units = h["spikes/units"][first:last][rows - first]
    counts = np.array([len(t) for t in times], np.int64)
    for row, n, u in zip(rows, counts, units, strict=True):
        if len(u) != n:
            raise DataError(f"{path}: sample {row} has {n} spike times but {len(u)} units; the file is damaged")
    times = np.concatenate(times).astype(np.float32) * np.float32(1000)
    units = np.concatenate(units)

    def owner(event):
        return rows[np.searchsorted(np.cumsum(counts), event, side="right")]

    bad = ~((times >= 0) & (times < np.inf))  # also true for NaN
    if bad.any():
        k = int(np.flatnonzero(bad)[0])
        raise DataError(f"{path}: sample {owner(k)} has a spike at {times[k]} ms; times must be finite and >= 0")
    bad = (units < 0) | (units >= n_units)
    if bad.any():
        k = int(np.flatnonzero(bad)[0])
        raise DataError(f"{path}: sample {owner(k)} has a spike in unit {units[k]}; units must lie in [0, {n_units})")
    return times, units.astype(np.int32), counts
