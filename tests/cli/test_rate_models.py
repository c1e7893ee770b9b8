"""Rate-coded models through the same commands as SpSNN."""

import json

import numpy as np
import pytest
import yaml

from spsnn import ConfigError
from spsnn.cli.config import build_config, read_config
from spsnn.tables.reproduce import reproduce

from .command import run

CONFIG = {
    "data": {"name": "digits_dense"},
    "hidden": [24],
    "model": {"kind": "scn", "context": "vector", "gate": "straight_through"},
    "training": {"epochs": 3, "batch_size": 32, "lr": 0.02},
}
FIELD = {**CONFIG, "hidden": [8, 10, 22], "model": {"kind": "neural_field", "chunks": 8, "bias": -1.0}}
GATED = {**CONFIG, "hidden": [30], "model": {"kind": "gated_field", "degree": 8}}
RSGN = {
    **CONFIG,
    "data": {"name": "hierarchical", "train": {"n": 60}, "validation": {"n": 20}, "test": {"n": 359}},
    "model": {"kind": "rsgn_tuned", "width": 16, "degree": 6, "active": 0.25},
    "training": {"epochs": 10, "batch_size": 16, "lr": 0.01},
}
PRIOR = {**CONFIG, "model": {"kind": "spatial_prior", "k": 5.0, "sharpen_to": 20.0}}


@pytest.fixture
def write(tmp_path):
    def write(values):
        path = tmp_path / "c.yaml"
        path.write_text(yaml.safe_dump(values))
        return path

    return write


@pytest.mark.parametrize(
    ("config", "population"),
    [(CONFIG, "hidden1"), (PRIOR, "hidden1"), (RSGN, "nodes"), (FIELD, "real"), (GATED, "imaginary")],
    ids=["scn", "prior", "rsgn", "field", "gated"],
)
def test_train_evaluate_simulate_and_map(config, population, write, tmp_path, capsys):
    out = tmp_path / "run"
    code, text, err = run(capsys, "train", write(config), "--out", out, "--json")
    assert code == 0, err
    trained = json.loads(text)
    assert trained["test_accuracy"] > (0.03 if config is RSGN else 0.12)
    assert np.sum(trained["confusion"]) == 359 and trained["density"] == 1
    kept = yaml.safe_load((out / "config.yaml").read_text())
    assert set(kept) == {"data", "hidden", "model", "training", "augment", "sparsity"}
    assert build_config(kept).as_dict() == kept
    code, text, err = run(capsys, "evaluate", out / "model.h5", "--json")
    assert code == 0, err
    again = json.loads(text)
    assert again["accuracy"] == trained["test_accuracy"]
    assert again["statistics"].items() <= trained["statistics"].items()
    code, text, err = run(capsys, "map", out / "model.h5", "--cores", "4", "--out", out / "chip", "--json")
    assert code == 0, err
    mapped = json.loads(text)
    assert mapped["float_accuracy"] == trained["test_accuracy"]
    assert abs(mapped["mapped_accuracy"] - mapped["float_accuracy"]) < 0.1
    assert mapped["latency_us_per_inference"] > 0
    assert {"layout.json", "mesh.png"} <= {p.name for p in (out / "chip").iterdir()}
    for command in (
        ("map", out / "model.h5", "--timing", "noc"),
        ("simulate", out / "model.h5", "--engine", "integer"),
    ):
        code, _, err = run(capsys, *command)
        assert code == 2 and "needs a spiking network, this is a rate-coded model" in " ".join(err.split())
    code, text, err = run(capsys, "simulate", out / "model.h5", "--raster", out / "r.png", "--json")
    assert code == 0, err
    assert json.loads(text)[f"spikes_{population}"] > 0 and (out / "r.png").stat().st_size > 5000
    code, _, err = run(capsys, "train", write(config), "--out", out, "--resume")
    assert code == 0, err
    code, text, err = run(capsys, "report", out, "--cores", "4", "--json")
    assert code == 0, err
    assert (out / "report.html").stat().st_size > 20000


def test_resuming_a_run_that_never_finished_an_epoch_writes_its_own_settings(write, tmp_path, capsys):
    out = tmp_path / "run"
    code, _, err = run(capsys, "train", write(CONFIG), "--out", out, "--set", "training.lr=1.0e+30")
    assert code != 0 and not (out / "checkpoint.h5").exists(), err
    code, _, err = run(capsys, "train", write(CONFIG), "--out", out, "--resume", "--set", "training.lr=0.002")
    assert code == 0, err
    assert yaml.safe_load((out / "config.yaml").read_text())["training"]["lr"] == 0.002


@pytest.mark.parametrize("model", [{"kind": "logistic"}, {"kind": "recurrent", "cell": "gru"}])
def test_yardsticks_train_and_go_to_no_chip(model, write, tmp_path, capsys):
    config = {**RSGN, "hidden": [] if model["kind"] == "logistic" else [8], "model": model}
    code, text, err = run(capsys, "train", write(config), "--out", tmp_path / "run", "--json")
    assert code == 0, err
    assert json.loads(text)["parameters"] == (
        660 if model["kind"] == "logistic" else 3 * 8 * (32 + 8 + 2) + 8 * 20 + 20
    )
    code, _, err = run(capsys, "map", tmp_path / "run" / "model.h5")
    assert code == 2 and "is a yardstick without places or spikes" in " ".join(err.split())
    code, _, err = run(capsys, "report", tmp_path / "run", "--cores", 4)
    assert code == 2 and "it has no cores; leave out --cores" in " ".join(err.split())
    code, _, err = run(capsys, "report", tmp_path / "run")
    assert code == 0, err
    page = (tmp_path / "run" / "report.html").read_text()
    assert model["kind"] in page and "Energy per" not in page


def test_spike_trains_train_a_rate_model_beside_the_spiking_one(write, tmp_path, capsys):
    config = {**PRIOR, "data": {"name": "digits", "options": {"encoding": "rate"}}}
    config["model"] = {"kind": "spatial_prior", "bins": 2, "input_scale": 0.1}
    config["augment"] = {"drop": 0.05}
    code, text, err = run(capsys, "train", write(config), "--out", tmp_path / "run", "--json")
    assert code == 0, err
    assert json.loads(text)["test_accuracy"] > 0.5
    assert json.loads(text)["parameters"] == 128 * 24 + 24 + 24 * 10 + 10


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model": {"kind": "scm"}}, "no model of kind 'scm'; did you mean 'scn'? known: spsnn, scn"),
        ({"model": {"kind": ["scn"]}}, "no model of kind ['scn']"),
        ({"model": {"kind": "scn", "contxt": "vector"}}, "unknown key 'model.contxt'; did you mean 'context'"),
        ({"model": {"kind": "scn", "gate": "open"}}, "model: gate must be one of hard, straight_through"),
        ({"neuron": {"kind": "lif"}}, "a model of kind 'scn' has no neuron; leave the section out"),
        ({"augment": {"jitter": 1.0}}, "augmentation changes spikes, digits_dense holds features"),
        ({"model": {}}, "digits_dense holds features, a spiking network takes spikes"),
        ({"hidden": [3, 4]}, "sizes [inputs, neurons, outputs]"),
        ({"model": {"kind": "rsgn_tuned", "metric": "euclidean"}}, "unknown key 'model.metric'; did you mean"),
        ({"model": {"kind": "rsgn", "head": "max"}}, "model: head must be one of sum, mean"),
        ({"training": {"rescue": 0.1}}, "rescue is about spikes and delays"),
        ({"sparsity": {"density": 0.5}}, "no synapses that can be pruned"),
    ],
)
def test_wrong_settings_are_named(changes, words, write, tmp_path, capsys):
    code, _, err = run(capsys, "train", write({**CONFIG, **changes}), "--out", tmp_path / "run")
    assert code == 2
    assert words in " ".join(err.split())


@pytest.mark.parametrize("name", ["scn", "spatial-prior", "rsgn", "rsgn-tuned", "neural-field", "gated-field"])
def test_shipped_configurations_of_rate_models_round_trip(name):
    config = read_config(name)
    assert build_config(yaml.safe_load(yaml.safe_dump(config.as_dict()))).as_dict() == config.as_dict()
    with pytest.raises(ConfigError, match="has no grid"):
        read_config(name, ["grid.dt=1"])


def test_a_table_of_rate_models_shows_their_figures(write, tmp_path):
    base = write({**PRIOR, "training": {"epochs": 1, "batch_size": 64}})
    rows = {"plain": {}, "none": {"set": ["model.kernel=none", "model.sharpen_to=null"]}}
    table = {"title": "T", "base": base.name, "protocol": "retrain", "seeds": 2, "similarity": True, "rows": rows}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(table))
    values, failures = reproduce(str(tmp_path / "mine.yaml"), out=tmp_path / "runs", results=tmp_path / "results")
    assert not failures and not values["missing"]
    found = {row["row"]: row for row in values["rows"]}
    plain, none = found["plain"], found["none"]
    assert none["statistics"]["sparsity"]["mean"] == 0 and none["statistics"]["pruned_density"]["mean"] == 1
    assert -1 < plain["statistics"]["similarity"]["mean"] < 1
    assert plain["statistics"]["pruned_accuracy"]["n"] == 2
    text = (tmp_path / "results" / "mine.md").read_text()
    assert "| row | sparsity | density | pruned_accuracy | pruned_density | similarity |" in text
