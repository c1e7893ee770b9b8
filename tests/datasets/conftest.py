"""Small SHD and SSC files in the public layout."""

import h5py
import numpy as np
import pytest

SHD_KEYS = [f"word{k}".encode() for k in range(20)]


def write_file(path, samples, labels, speakers=None, keys=SHD_KEYS):
    """``samples``: [(times in s, units), ...]."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as h:
        times = h.create_dataset("spikes/times", (len(samples),), dtype=h5py.vlen_dtype(np.float16))
        units = h.create_dataset("spikes/units", (len(samples),), dtype=h5py.vlen_dtype(np.uint16))
        for i, (t, u) in enumerate(samples):
            times[i], units[i] = np.asarray(t, np.float16), np.asarray(u, np.uint16)
        h["labels"] = np.asarray(labels, np.uint16)
        if speakers is not None:
            h["extra/speaker"] = np.asarray(speakers, np.uint16)
        if keys is not None:
            h["extra/keys"] = np.array(keys)
    path.with_suffix(".h5.zip").touch()


def random_samples(n, seed, longest=0.9):
    rng = np.random.default_rng(seed)
    samples = []
    for _ in range(n):
        size = rng.integers(5, 60)
        samples.append((np.sort(rng.random(size) * longest), rng.integers(0, 700, size)))
    return samples


@pytest.fixture
def write():
    return write_file


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory):
    """A data directory with SHD (600 training, 9 test samples) and SSC (4 / 3 / 2 samples)."""
    root = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    # More samples than the loader reads at a time, speakers mixed.
    speakers = np.arange(600) % 12
    write_file(root / "SHD" / "shd_train.h5", random_samples(600, 1), rng.integers(0, 20, 600), speakers)
    write_file(root / "SHD" / "shd_test.h5", random_samples(9, 2), np.arange(9), np.full(9, 4))
    keys = [f"w{k}".encode() for k in range(35)]
    for part, n in (("train", 4), ("valid", 3), ("test", 2)):
        write_file(root / "SSC" / f"ssc_{part}.h5", random_samples(n, n), np.arange(n) + 30, np.zeros(n), keys)
    return root
