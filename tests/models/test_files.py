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
from spsnn import ConfigError, ModelFileError, SpSNN
from spsnn.graph import hdf5
from spsnn.models import RateModel, SpatialPriorMLP, register, registry


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


@pytest.mark.parametrize("change", [torch.nn.Module.double, torch.nn.Module.float])
def test_other_precisions_are_read_as_the_model_has_them(change, tmp_path):
    model = SpSNN([4, 6, 3], learn_neuron=["tau_mem"])
    before = {name: x.clone() for name, x in model.state_dict().items()}
    spsnn.save(change(model), tmp_path / "m.h5")
    for name, x in spsnn.load(tmp_path / "m.h5").state_dict().items():
        assert x.dtype == before[name].dtype and torch.allclose(x, before[name]), name


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
        (lambda h: h.attrs.__setitem__("schema", 99), "schema 99.*reads up to 2; upgrade"),
        (lambda h: h.attrs.__setitem__("format", "other"), "holds 'other', expected"),
        (lambda h: h.__delitem__("state"), "lacks state"),
        (lambda h: h["state"].__delitem__("feedforward.0.weight"), "missing .*feedforward.0.weight"),
        (replace("state/feedforward.0.weight", np.zeros((2, 2), np.float32)), r"should be float32 \(4, 6\)"),
        (replace("state/feedforward.0.weight", np.zeros((4, 6), int)), "has int64"),
        (replace("state/feedforward.0.weight", np.full((4, 6), np.nan, np.float32)), "not finite"),
        (replace("config", "{not json"), "damaged"),
        (with_config("readout", "votes"), "readout must be one of"),
        (with_config("sizes", "many"), "configuration is not that of a model"),
        (with_config("surprise", 1), "unknown settings"),
    ],
)
def test_damage_is_named(saved, change, words):
    _, path = saved
    edit(path, change)
    with pytest.raises(ModelFileError, match=words):
        spsnn.load(path)


@pytest.fixture
def pruned(tmp_path):
    """A file whose first projection keeps 5 of 24 synapses, with a kept weight of 0, and the second half."""
    model = SpSNN([4, 6, 4])
    keep = torch.zeros(4, 6, dtype=torch.bool)
    keep[[0, 0, 2, 2, 3], [1, 4, 0, 5, 3]] = True
    model.feedforward[0].prune_(keep)
    model.feedforward[1].prune_(torch.arange(24).reshape(6, 4) % 2 == 0)
    with torch.no_grad():
        model.feedforward[0].weight[2, 0] = 0.0
    path = tmp_path / "pruned.h5"
    spsnn.save(model, path)
    return model, path


def test_few_synapses_are_stored_as_compressed_rows(pruned):
    model, path = pruned
    with h5py.File(path) as h:
        stored = {name: d[()] for name, d in h["state"].items()}
    assert "feedforward.0.weight" not in stored and "feedforward.0.mask" not in stored
    assert stored["feedforward.0.weight.indptr"].tolist() == [0, 2, 2, 4, 5]
    assert stored["feedforward.0.weight.indices"].tolist() == [1, 4, 0, 5, 3]
    weight = model.feedforward[0].weight.detach()
    assert stored["feedforward.0.weight.values"].tolist() == weight[[0, 0, 2, 2, 3], [1, 4, 0, 5, 3]].tolist()
    assert stored["feedforward.1.weight"].shape == stored["feedforward.1.mask"].shape == (6, 4)
    back = spsnn.load(path)
    for name, tensor in model.state_dict().items():
        assert torch.equal(back.state_dict()[name], tensor), name
    spsnn.save(back, path)
    assert set(h5py.File(path)["state"]) == set(stored)


@pytest.mark.parametrize("keep", [0, 1, 11, 12, 24])
def test_any_number_of_synapses_survives(keep, tmp_path):
    model = SpSNN([4, 6, 4])
    mask = torch.zeros(24, dtype=torch.bool)
    mask[torch.randperm(24, generator=torch.Generator().manual_seed(keep))[:keep]] = True
    model.feedforward[0].prune_(mask.reshape(4, 6))
    spsnn.save(model, tmp_path / "m.h5")
    back = spsnn.load(tmp_path / "m.h5").state_dict()
    assert all(torch.equal(back[name], tensor) for name, tensor in model.state_dict().items())
    with h5py.File(tmp_path / "m.h5") as h:
        assert ("feedforward.0.weight.values" in h["state"]) == (2 * keep < 24)


def test_weights_under_a_mask_that_are_not_zero_are_not_lost(tmp_path):
    model = SpSNN([4, 6, 4])
    model.feedforward[0].mask[1:] = False
    spsnn.save(model, tmp_path / "m.h5")
    back = spsnn.load(tmp_path / "m.h5")
    assert torch.equal(back.feedforward[0].weight, model.feedforward[0].weight)
    assert torch.equal(back.feedforward[0].mask, model.feedforward[0].mask)


def test_a_large_sparse_file_is_small(tmp_path):
    sizes = {}
    for density in (1.0, 0.05):
        model = SpSNN([700, 256, 20])
        generator = torch.Generator().manual_seed(0)
        for s in model.feedforward:
            s.prune_(torch.rand(s.mask.shape, generator=generator) < density)
        spsnn.save(model, tmp_path / "m.h5")
        sizes[density] = (tmp_path / "m.h5").stat().st_size
    assert sizes[0.05] < 0.15 * sizes[1.0]


def test_a_file_of_schema_1_with_matrices_opens(saved):
    model, path = saved
    edit(path, lambda h: h.attrs.__setitem__("schema", 1))
    assert torch.equal(spsnn.load(path).feedforward[0].mask, model.feedforward[0].mask)


def rows(part, values, dtype):
    return replace(f"state/feedforward.0.weight.{part}", np.array(values, dtype))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda h: h["state"].__delitem__("feedforward.0.weight.indices"), "of feedforward.0.weight lack indices"),
        (lambda h: h.move("state/feedforward.0.weight.values", "state/x.weight.values"), "0.weight lack"),
        (rows("indptr", [0, 2, 2, 5], np.int64), "indptr should have 5 entries, it has 4"),
        (rows("indptr", [0, 2, 2, 4, 6], np.int64), "indptr ends at 6, there are 5 indices and 5 values"),
        (rows("indptr", [0, 4, 2, 4, 5], np.int64), "indptr must rise from 0"),
        (rows("indptr", [1, 2, 2, 4, 5], np.int64), "indptr must rise from 0"),
        (rows("indptr", [0, 2, 2, 4, 5], np.float64), "must be whole numbers, got float64 and int32"),
        (rows("indices", [1, 4, 0, 6, 3], np.int32), r"indices must lie in \[0, 6\), they run from 0 to 6"),
        (rows("indices", [1, -4, 0, 5, 3], np.int32), "they run from -4 to 5"),
        (rows("indices", [4, 1, 0, 5, 3], np.int32), "indices must rise within a row"),
        (rows("indices", [1, 1, 0, 5, 3], np.int32), "indices must rise within a row"),
        (rows("indices", [[1, 4, 0, 5, 3]], np.int32), "must be vectors"),
        (rows("values", [1, 2, 3, 4], np.float32), "5 indices and 4 values"),
        (rows("values", [1, 2, 3, 4, 5], np.int64), r"should be float32 \(4, 6\), the file has int64"),
        (rows("values", [1, 2, np.nan, 4, 5], np.float32), "not finite"),
        (lambda h: [h["state"].move(f"feedforward.0.weight.{p}", f"other.weight.{p}") for p in
                                   ("indptr", "indices", "values")], "other.weight belong to no weight of this model"),
    ],
)  # fmt: skip
def test_damaged_rows_are_named(pruned, change, words):
    _, path = pruned
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
    with pytest.raises(ModelFileError, match=r"x.h5 cannot be written, config: object is not JSON-able; give numbers"):
        hdf5.write(tmp_path / "x.h5", "spsnn-model", {"config": object()}, {})
    assert not list(tmp_path.iterdir())


def test_numbers_of_numpy_are_kept_as_numbers(saved):
    model, path = saved
    spsnn.save(model, path, metrics={"accuracy": np.float32(0.5), "confusion": np.eye(2, dtype=np.int64)})
    assert spsnn.load(path).metrics == {"accuracy": 0.5, "confusion": [[1, 0], [0, 1]]}
    with pytest.raises(ModelFileError, match="metrics must be a dictionary, got ndarray"):
        spsnn.save(model, path, metrics=np.eye(2))


def test_a_model_of_your_own_is_loaded_once_its_kind_is_registered(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "RATE_MODELS", dict(registry.RATE_MODELS))
    monkeypatch.setattr(registry, "MODELS", dict(registry.MODELS))

    class Doubled(SpatialPriorMLP):
        kind = "doubled"

        def rates(self, x):
            return super().rates(2 * x)

    model = Doubled([3, 4, 2], kernel="none")
    spsnn.save(model, tmp_path / "m.h5")
    with pytest.raises(ModelFileError, match="no model of kind 'doubled'"):
        spsnn.load(tmp_path / "m.h5")
    assert register(Doubled) is Doubled
    x, back = torch.ones(1, 3), spsnn.load(tmp_path / "m.h5")
    assert type(back) is Doubled
    assert torch.equal(back(x).logits, model(x).logits)

    class Taken(SpatialPriorMLP):
        kind = "scn"

    class Odd(SpatialPriorMLP):
        kind = 3

    class Bare(RateModel):
        kind = "bare"

    class Unset(SpatialPriorMLP):
        kind, Settings = "unset", dict

    for wrong, words in (
        (Taken, "a kind that no other model has, got 'scn'"),
        (Odd, r"a kind that no other model has, got 3"),
        (Bare, "Bare needs rates, places, wiring, rewire"),
        (Unset, "Settings that are a child of RateSettings"),
        (dict, "only children of RateModel"),
    ):
        with pytest.raises(ConfigError, match=words):
            register(wrong)
