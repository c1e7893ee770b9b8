"""MNIST from its IDX files, as pixels or as a sequence of rows."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

from spsnn.datasets._location import data_root
from spsnn.datasets.base import check_split
from spsnn.datasets.dense import DenseSet, hold_out
from spsnn.errors import DataError

FOLDER = "MNIST/raw"
PARTS = {"train": "train", "validation": "train", "test": "t10k"}


def read_idx(path):
    """Array of an IDX file of unsigned bytes, plain or gzipped.

        magic: 0, 0, type (8: unsigned byte), number of axes;  then one big-endian int32 per axis;  then the values

    Raises:
        DataError: if the file is absent, cut off or of another type.

    Source: LeCun, Cortes & Burges, "The MNIST database", file formats.
    """
    path = Path(path)
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError) as error:
        raise DataError(f"{path} cannot be read: {error}; fetch it again") from error
    if len(raw) < 4 or raw[:3] != b"\x00\x00\x08":
        raise DataError(f"{path} is not an IDX file of unsigned bytes: it starts with {raw[:4]!r}")
    start = 4 + 4 * raw[3]
    shape = tuple(int(n) for n in np.frombuffer(raw[4:start], ">i4"))
    if len(shape) != raw[3] or len(raw) - start != np.prod(shape):
        raise DataError(f"{path} is cut off: shape {shape} needs {np.prod(shape)} values, it has {len(raw) - start}")
    return np.frombuffer(raw, np.uint8, offset=start).reshape(shape)


def _find(data_dir, stem):
    root = data_root(data_dir, "MNIST", f"{FOLDER}/{stem}.gz")
    for name in (f"{stem}.gz", stem):
        path = root / FOLDER / name
        if path.is_file():
            return path
    raise DataError(f"there is no file {root / FOLDER / stem}.gz (or without .gz): the IDX files of MNIST go there")


def mnist(split, *, data_dir=None, n_validation=5000, rows=False):
    """MNIST as brightness in [0, 1]: ``[N, 784]``, or ``[N, 28, 28]`` with one row of pixels per time step.

    Args:
        split: "train" (55,000 samples), "validation" (5,000 of the training file, stratified) or "test" (10,000).
        data_dir: directory that holds ``MNIST/raw/train-images-idx3-ubyte.gz`` and its three siblings; None takes the
            environment variable SPSNN_DATA.
        n_validation: samples of the training file to hold out for validation.
        rows: give images as sequences of rows.

    Raises:
        DataError: if a file is missing or damaged.
    """
    name = "sequential_mnist" if rows else "mnist"
    check_split(split, name)
    part = PARTS[split]
    images = read_idx(_find(data_dir, f"{part}-images-idx3-ubyte"))
    labels = read_idx(_find(data_dir, f"{part}-labels-idx1-ubyte"))
    if images.ndim != 3 or labels.shape != images.shape[:1]:
        raise DataError(f"{name} {split}: images {images.shape} and labels {labels.shape} do not belong together")
    if part == "train":
        chosen = hold_out(labels, split, n_validation, name)
        images, labels = images[chosen], labels[chosen]
    features = images.astype(np.float32) / 255
    features = features if rows else features.reshape(len(features), -1)
    source = {"source": "MNIST, IDX files; brightness / 255", "n_validation": n_validation}
    return DenseSet(features, labels.astype(np.int64), range(10), name, split, source)


def sequential_mnist(split, *, data_dir=None, n_validation=5000):
    """`mnist` with rows as time: ``[N, 28, 28]``."""
    return mnist(split, data_dir=data_dir, n_validation=n_validation, rows=True)
