"""Small data, configurations and tables."""

import h5py
import numpy as np
import pytest
import yaml

from spsnn.cli import workflow
from spsnn.tables import execute

YINYANG = {
    "data": {
        "name": "yinyang",
        "options": {"t_min": 2.0, "bias_time": 2.0},
        "train": {"n": 80},
        "validation": {"n": 40},
        "test": {"n": 40},
    },
    "hidden": [6],
    "neuron": {"kind": "lif", "tau_mem": 20.0, "tau_syn": 5.0},
    "output": {"kind": "li", "tau_mem": 20.0, "tau_syn": 5.0},
    "grid": {"dt": 2.0},
    "model": {"readout": "max_membrane", "readout_scale": 10.0, "weight_mean": 2.0, "weight_gain": 2.0},
    "training": {"epochs": 3, "batch_size": 20, "lr": 0.02, "rescue": 0.001},
}
SHD = {
    "data": {
        "name": "shd",
        "options": {"n_channels": 70, "duration": 100.0, "dt": 5.0, "merge": True},
        "train": {"hold_out": [0, 11]},
        "validation": {"hold_out": [0, 11]},
    },
    "hidden": [8],
    "grid": {"dt": 5.0, "delays": "round"},
    "model": {"readout": "mean_membrane", "weight_gain": 2.0},
    "training": {"epochs": 2, "batch_size": 40, "lr": 0.02},
}


@pytest.fixture
def write_yaml(tmp_path):
    """Write nested values as ``NAME.yaml``; returns the path."""

    def write(name, values):
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(values, sort_keys=False))
        return path

    return write


@pytest.fixture
def table(write_yaml):
    """Write the base configurations ``yy`` and ``speech`` and a table of rows over one of them; returns its path."""

    def write(rows, base="yy", **keys):
        write_yaml("yy", YINYANG)
        write_yaml("speech", SHD)
        return write_yaml("mine", {"title": "Mine on {data}", "base": f"{base}.yaml", "rows": rows, "seeds": 2, **keys})

    return write


@pytest.fixture(scope="session")
def speech(tmp_path_factory):
    """A data directory with an SHD in which a class is a band of channels: 2 samples of each class and speaker."""
    root = tmp_path_factory.mktemp("speech")
    rng = np.random.default_rng(0)
    (root / "SHD").mkdir()
    for part, speakers in (("train", (0, 1, 2, 3, 6, 7, 8, 9, 10, 11)), ("test", (4, 5))):
        labels = np.tile(np.arange(20), 2 * len(speakers))
        with h5py.File(root / "SHD" / f"shd_{part}.h5", "w") as h:
            times = h.create_dataset("spikes/times", (len(labels),), dtype=h5py.vlen_dtype(np.float16))
            units = h.create_dataset("spikes/units", (len(labels),), dtype=h5py.vlen_dtype(np.uint16))
            for k, label in enumerate(labels):
                times[k] = np.sort(rng.uniform(0, 0.09, 30)).astype(np.float16)
                units[k] = rng.integers(35 * label, 35 * label + 35, 30).astype(np.uint16)
            h["labels"] = labels.astype(np.uint16)
            h["extra/speaker"] = np.repeat(speakers, 40).astype(np.uint16)
            h["extra/keys"] = np.array([f"word{k}".encode() for k in range(20)])
    return root


@pytest.fixture
def counted(monkeypatch):
    """Folders of the trainings that took place."""
    done, train = [], workflow.train

    def wrapper(config, out, *arguments, **options):
        done.append("/".join(out.parts[-2:]))
        return train(config, out, *arguments, **options)

    monkeypatch.setattr(execute.workflow, "train", wrapper)
    return done
