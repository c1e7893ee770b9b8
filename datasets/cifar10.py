"""CIFAR-10 from its binary files, or from a folder of images."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from spsnn.datasets._location import data_root
from spsnn.datasets.base import check_split
from spsnn.datasets.dense import DenseSet, hold_out
from spsnn.errors import DataError

BINARY, IMAGES = "cifar-10-batches-bin", "cifar10_jpg"
RECORD = 1 + 3 * 32 * 32
CLASS_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def cifar10(split, *, data_dir=None, n_validation=5000):
    """CIFAR-10 as brightness in [0, 1], ``[N, 3072]``: 1,024 red values by rows, then green, then blue.

    Two layouts are read, the first one that is there:

    * ``cifar-10-batches-bin/``: the public binary version (``data_batch_1.bin`` ... ``test_batch.bin``);
    * ``cifar10_jpg/{train,test}/CLASS/*.jpg``: images sorted into folders.  JPEG loses detail, so say "CIFAR-10 (JPEG
      copy)" of results.

    The version for Python holds pickles, which can run code, and is not read.

    Args:
        split: "train" (45,000 samples), "validation" (5,000 of the training part, stratified) or "test" (10,000).
        data_dir: directory that holds one of the folders; None takes the environment variable SPSNN_DATA.
        n_validation: samples of the training part to hold out for validation.

    Raises:
        DataError: if there are no such files, or one is damaged.
    """
    check_split(split, "cifar10")
    root = data_root(data_dir, "cifar10", f"{BINARY}/ or {IMAGES}/")
    part = "test" if split == "test" else "train"
    if (root / BINARY).is_dir():
        pixels, labels, source = *_read_binary(root / BINARY, part), "binary version"
    elif (root / IMAGES / part).is_dir():
        pixels, labels, source = *_read_images(root / IMAGES / part), "JPEG copy"
    else:
        pickled = "; the version for Python is not read, take the binary one" * (root / "cifar-10-batches-py").is_dir()
        raise DataError(f"there is neither {root / BINARY} nor {root / IMAGES / part}{pickled}")
    if part == "train":
        rows = hold_out(labels, split, n_validation, "cifar10")
        pixels, labels = pixels[rows], labels[rows]
    notes = {"source": f"CIFAR-10 ({source}); brightness / 255", "n_validation": n_validation}
    features = pixels.astype(np.float32)
    features /= 255
    return DenseSet(features, labels, CLASS_NAMES, "cifar10", split, notes)


def _read_binary(folder, part):
    """Records of one label byte and 3,072 pixels."""
    names = ["test_batch.bin"] if part == "test" else [f"data_batch_{k}.bin" for k in range(1, 6)]
    records = []
    for name in names:
        try:
            raw = np.fromfile(folder / name, np.uint8)
        except OSError as error:
            raise DataError(f"{folder / name} cannot be read: {error}") from error
        if not len(raw) or len(raw) % RECORD:
            raise DataError(f"{folder / name} is cut off: {len(raw)} bytes are no multiple of {RECORD}")
        records.append(raw.reshape(-1, RECORD))
    records = np.concatenate(records)
    return records[:, 1:], records[:, 0].astype(np.int64)


def _read_images(folder):
    """Images in folders named by class, by class and file name."""
    from PIL import Image

    paths = [(path, label) for label, name in enumerate(CLASS_NAMES) for path in sorted((folder / name).glob("*.jpg"))]
    missing = sorted(set(CLASS_NAMES) - {path.parent.name for path, _ in paths})
    if missing:
        raise DataError(f"{folder} must hold a folder of .jpg files for every class; there are none for {missing}")
    pixels = np.empty((len(paths), 3, 32, 32), np.uint8)
    for k, (path, _) in enumerate(paths):
        pixels[k] = _pixels(Path(path), Image)
    return pixels.reshape(len(paths), -1), np.array([label for _, label in paths], np.int64)


def _pixels(path, image_library):
    try:
        with image_library.open(path) as image:
            values = np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError) as error:
        raise DataError(f"{path} is not an image: {error}") from error
    if values.shape != (32, 32, 3):
        raise DataError(f"{path} must have 32 x 32 pixels, it has {values.shape[1]} x {values.shape[0]}")
    return values.transpose(2, 0, 1)
