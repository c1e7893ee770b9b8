"""Model files: exact round trip, every kind of damage refused by name, an earlier file never lost."""

import json
import os
import subprocess
import sys

import h5py
import numpy as np
import pytest
import torch

import spsnn
from spsnn import ModelFileError, SpSNN
from spsnn.graph import hdf5


@pytest.fixture
def saved(tmp_path):
    model = SpSNN([4, 6, 3], recurrent=True, neuron=spsnn.AdaptiveLIF(a=0.1), learn_alpha=True, max_delay=90.0)
    model.feedforward[0].mask[1, 2] = False
    path = tmp_path / "model.h5"
    spsnn.save(model, path, metrics={"test_accuracy": 0.5}, provenance={"note": "made for a test"})
    return model, path


def test_round_trip_is_exact(saved):
    model, path = saved
    back = spsnn.load(path)
    assert back.config() == model.config()
    for name, tensor in model.state_dict().items():
        assert torch.equal(back.state_dict()[name], tensor), name
    assert back.metrics == {"test_accuracy": 0.5}
    assert back.provenance["note"] == "made for a test"
    assert back.provenance["spsnn"] == spsnn.__version__


def edit(path, change):
    with h5py.File(path, "r+") as h:
        change(h)


def set_text(h, name, value):
    del h[name]
    h[name] = json.dumps(value)


def with_config(key, value):
    def change(h):
        config = json.loads(h["config"][()])
        config[key] = value
        set_text(h, "config", config)

    return change


def replace(name, array):
    def change(h):
        del h[name]
        h[name] = array

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda h: h.attrs.__setitem__("schema", 99), "schema 99.*reads up to 1; upgrade"),
        (lambda h: h.attrs.__setitem__("format", "other"), "holds 'other', expected"),
        (lambda h: h.__delitem__("state"), "lacks state"),
        (lambda h: h["state"].__delitem__("feedforward.0.weight"), "missing .*feedforward.0.weight"),
        (replace("state/feedforward.0.weight", np.zeros((2, 2), np.float32)), r"should be float32 \(4, 6\)"),
        (replace("state/feedforward.0.weight", np.zeros((4, 6))), "has float64"),
        (replace("state/feedforward.0.weight", np.full((4, 6), np.nan, np.float32)), "not finite"),
        (replace("config", "{not json"), "damaged"),
        (with_config("readout", "votes"), "readout must be one of"),
        (with_config("sizes", "many"), "configuration is not that of an SpSNN"),
        (with_config("surprise", 1), "unknown settings"),
    ],
)
def test_damage_is_named(saved, change, words):
    _, path = saved
    edit(path, change)
    with pytest.raises(ModelFileError, match=words):
        spsnn.load(path)


def test_a_truncated_file_and_a_file_of_another_kind_are_refused(saved, tmp_path):
    _, path = saved
    data = path.read_bytes()
    for size in (0, 10, len(data) // 2, len(data) - 100):
        path.write_bytes(data[:size])
        with pytest.raises(ModelFileError, match="damaged or not an spsnn file"):
            spsnn.load(path)
    with pytest.raises(ModelFileError, match="there is no file"):
        spsnn.load(tmp_path / "absent.h5")


def test_a_failure_while_writing_keeps_the_earlier_file(saved, monkeypatch):
    model, path = saved
    before = path.read_bytes()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ModelFileError, match=r"No space left on device.*untouched"):
        spsnn.save(model, path)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == ["model.h5"]


def test_a_disk_that_fills_up_in_the_middle_keeps_the_earlier_file(saved):
    """A real limit on file size, so that HDF5 itself meets the failing write."""
    _, path = saved
    before = path.read_bytes()
    code = (
        "import resource, signal, sys, spsnn\n"
        "model = spsnn.SpSNN([700, 64, 20])\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))\n"
        "try:\n"
        "    spsnn.save(model, sys.argv[1])\n"
        "except spsnn.ModelFileError as error:\n"
        "    print('refused:', error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=120)
    assert "refused: could not write" in done.stdout, done.stderr
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == ["model.h5"]


def test_a_kill_in_the_middle_keeps_the_earlier_file(saved):
    model, path = saved
    before = path.read_bytes()
    code = (
        "import os, sys, spsnn\n"
        "from spsnn.graph import hdf5\n"
        "os.replace = lambda *_: os.kill(os.getpid(), 9)\n"
        "spsnn.save(spsnn.SpSNN([4, 6, 3]), sys.argv[1])\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, timeout=120)
    assert done.returncode == -9
    assert path.read_bytes() == before
    spsnn.save(model, path)  # a leftover of the killed process does not stand in the way
    assert spsnn.load(path).config() == model.config()


def test_the_writer_refuses_nothing_silently(tmp_path):
    with pytest.raises(TypeError):
        hdf5.write(tmp_path / "x.h5", "spsnn-model", {"config": object()}, {})
    assert not list(tmp_path.iterdir())
