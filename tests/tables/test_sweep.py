"""Sweeps: seeded, resumable, on validation data alone, and what is wrong is named before anything is trained."""

import json
import shutil
import sys

import numpy as np
import pytest
import yaml

from spsnn import ConfigError, DataError
from spsnn.cli import sweep as module
from spsnn.cli import workflow
from spsnn.cli.config import read_config
from spsnn.cli.parameters import Parameter, parse_parameter
from spsnn.cli.sweep import sweep
from spsnn.tables import execute

pytest.importorskip("optuna", reason="sweeps need Optuna")
TEXTS = ("training.lr=1e-3..1e-1:log", "hidden=[4],[6]", "model.position_scale=2..20")
PARAMETERS = [parse_parameter(text) for text in TEXTS]


@pytest.fixture
def base(table, tmp_path):
    """A configuration of Yin-Yang."""
    table({"a": {}})
    return tmp_path / "yy.yaml"


def tried(values):
    """Settings, accuracy and state of the trials in the order in which they were made."""
    return [(t["set"], t["accuracy"], t["state"]) for t in sorted(values["trials"], key=lambda t: t["trial"])]


@pytest.mark.parametrize(
    ("text", "parameter"),
    [
        ("training.lr=1e-3..1e-2:log", Parameter("training.lr", 1e-3, 1e-2, True)),
        ("model.position_scale=10..60", Parameter("model.position_scale", 10, 60)),
        ("model.position_scale=10..60.5", Parameter("model.position_scale", 10.0, 60.5)),
        ("model.weight_mean=-1..1", Parameter("model.weight_mean", -1, 1)),
        ("neuron.kind=lif,adlif", Parameter("neuron.kind", choices=("lif", "adlif"))),
        ("hidden=[64],[128, 64]", Parameter("hidden", choices=("[64]", "[128, 64]"))),
        ("training.clip_norm=null,0.5", Parameter("training.clip_norm", choices=("null", "0.5"))),
    ],
)
def test_parameters_are_read(text, parameter):
    assert parse_parameter(text) == parameter


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("training.lr", "--param takes key=lo..hi"),
        ("training.lr=a..b", "--param takes key=lo..hi"),
        ("training.lr=1..2:lin", "--param takes key=lo..hi"),
        ("training.lr=2..1", "must have lo < hi"),
        ("training.lr=0..1:log", "0 < lo with :log"),
        ("neuron.kind=lif", "two different values"),
        ("hidden=[3,", "--param takes key=lo..hi"),
    ],
)
def test_wrong_parameters_are_named(text, words):
    with pytest.raises(ConfigError, match=words):
        parse_parameter(text)


def test_a_sweep_is_seeded_and_goes_on_as_if_never_stopped(base, tmp_path, monkeypatch):
    whole = sweep(base, PARAMETERS, tmp_path / "whole", trials=13, seed=3)
    assert len({tuple(t["set"]) for t in whole["trials"]}) == 13
    objective = module.objective

    def stopping(trial, plan):
        accuracy = objective(trial, plan)
        if trial.number in (2, 11):  # once among the random trials, once among those of the estimator
            raise KeyboardInterrupt
        return accuracy

    monkeypatch.setattr(module, "objective", stopping)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            sweep(base, PARAMETERS, tmp_path / "stopped", trials=13, seed=3)
    stopped = sweep(base, PARAMETERS, tmp_path / "stopped", trials=13, seed=3)
    assert tried(stopped) == tried(whole)
    monkeypatch.undo()
    assert tried(sweep(base, PARAMETERS, tmp_path / "other", trials=2, seed=4)) != tried(whole)[:2]
    # A sweep that has its trials makes no more, and grows when asked for more.
    assert tried(sweep(base, PARAMETERS, tmp_path / "stopped", trials=13, seed=3)) == tried(whole)


def test_what_is_written(base, tmp_path):
    values = sweep(base, PARAMETERS, tmp_path / "out", trials=3, overrides=["training.select=last"])
    assert values == json.loads((tmp_path / "out" / "trials.json").read_text())
    finished = [t for t in values["trials"] if t["state"] == "finished"]
    assert values["accuracy"] == max(t["accuracy"] for t in finished) == finished[0]["accuracy"]
    assert values["best"] == finished[0]["set"]
    assert values["select"] == "last"
    best = read_config(tmp_path / "out" / "best.yaml")
    assert best.as_dict() == read_config(base, ["training.select=last", *values["best"]]).as_dict()
    assert values["best"][0] in (tmp_path / "out" / "trials.md").read_text()
    # The accuracy is that of training the best settings.
    sets = {split: workflow.load_split(best.data, split) for split in ("train", "validation")}
    history = workflow.fit_model(best, workflow.make_model(best, sets["train"]), sets)
    assert history[-1]["validation_accuracy"] == values["accuracy"]


def test_folds_are_averaged_and_the_test_set_is_not_needed(table, speech, tmp_path):
    table({"a": {}}, "speech")
    data = tmp_path / "data"
    shutil.copytree(speech, data)
    (data / "SHD" / "shd_test.h5").unlink()
    execute._load.cache_clear()
    values = sweep(tmp_path / "speech.yaml", PARAMETERS[:1], tmp_path / "out", trials=2, folds=((0, 11), (1, 2)),
                   data_dir=str(data))  # fmt: skip
    for trial in values["trials"]:
        assert len(trial["folds"]) == 2
        assert trial["accuracy"] == pytest.approx(np.mean(trial["folds"]))
    assert values["folds"] == [[0, 11], [1, 2]]
    assert read_config(tmp_path / "out" / "best.yaml").data == read_config(tmp_path / "speech.yaml").data


def test_hopeless_trials_are_given_up(base, tmp_path, monkeypatch):
    """From the sixth trial on, one below the median of the others at the same epoch stops there."""
    epochs = []

    def fit(config, model, sets, *, on_epoch):
        trial = len(epochs)
        epochs.append(0)
        history = []
        for epoch in range(config.training.epochs):
            epochs[trial] = epoch + 1
            history.append(
                {"epoch": epoch, "validation_accuracy": 0.1 if trial == 6 else 0.5 + 0.01 * trial, "best": 1}
            )
            on_epoch(history[-1])
        return history

    monkeypatch.setattr(module.workflow, "fit_model", fit)
    values = sweep(base, PARAMETERS, tmp_path / "out", trials=8, overrides=["training.epochs=9"])
    assert epochs == [9, 9, 9, 9, 9, 9, 4, 9]  # epochs 0 to 2 are spared, the fourth is compared
    assert [t["state"] for t in values["trials"]] == ["finished"] * 7 + ["given up"]
    assert values["accuracy"] == pytest.approx(0.57)


def test_a_trial_that_diverges_is_no_end(base, tmp_path):
    wild = [parse_parameter("training.lr=3.0e+37,0.01")]
    values = sweep(base, wild, tmp_path / "out", trials=6, overrides=["training.position_lr=1.0"])
    errors = {t["set"][0]: t["error"] for t in values["trials"]}
    assert errors["training.lr=0.01"] is None
    assert "not finite" in errors["training.lr=3e+37"] or "the loss is" in errors["training.lr=3e+37"]
    assert values["best"] == ["training.lr=0.01"]


def test_a_trial_whose_settings_do_not_fit_is_no_end(base, tmp_path):
    """``time_weight`` is right by itself, but needs one of the readouts."""
    odd = [parse_parameter("model.readout=max_membrane,first_spike"), parse_parameter("training.time_weight=0.0,0.5")]
    values = sweep(base, odd, tmp_path / "out", trials=8, overrides=["training.epochs=1"])
    errors = {(t["set"][0].split("=")[1], t["set"][1].split("=")[1]): t["error"] for t in values["trials"]}
    assert "time_weight needs readout='first_spike'" in errors["max_membrane", "0.5"]
    assert errors["max_membrane", "0.0"] is None
    assert len(values["trials"]) == 8


@pytest.mark.parametrize("swept", [TEXTS, ("data.options.n_channels=70,140",), ("data.name=yinyang,shd",)])
def test_missing_data_are_named_before_any_trial(swept, table, tmp_path):
    table({"a": {}}, "speech")
    with pytest.raises(DataError, match=r"shd_train\.h5"):
        sweep(tmp_path / "speech.yaml", [parse_parameter(t) for t in swept], tmp_path / "out", data_dir=tmp_path)
    assert not (tmp_path / "out").exists()


def test_a_sequence_too_short_for_a_trial_is_no_end(write_yaml, tmp_path):
    """An error of the data that follows from the settings of one trial alone."""
    path = write_yaml("rsgn", {
        "data": {"name": "hierarchical", "options": {"n": 40}},
        "model": {"kind": "rsgn_tuned", "width": 4}, "hidden": [20], "training": {"epochs": 1},
    })  # fmt: skip
    values = sweep(path, [parse_parameter("model.span=5,65")], tmp_path / "out", trials=5)
    errors = {t["set"][0]: t["error"] for t in values["trials"]}
    assert errors["model.span=5"] is None
    assert "at least span=65 steps, got 64" in errors["model.span=65"]


def test_processes_share_the_trials(base, tmp_path):
    values = sweep(base, PARAMETERS, tmp_path / "out", trials=4, jobs=2)
    assert len(values["trials"]) == len({tuple(t["set"]) for t in values["trials"]}) == 4


def test_wrong_sweeps_are_named(base, tmp_path, monkeypatch):
    out = tmp_path / "out"
    for arguments, options, words in (
        ([parse_parameter("training.rate=1..2")], {}, "unknown key 'training.rate'"),
        ([parse_parameter("training.lr=-1..2")], {}, "lr must be positive"),
        ([parse_parameter("neuron.kind=lif,lfi")], {}, "neuron.kind must be one of"),
        (PARAMETERS, {"folds": ((0, 11),)}, "folds hold out speakers of 'shd'"),
        (PARAMETERS, {"overrides": ["data.validation=null"]}, "a sweep needs a validation set"),
        (PARAMETERS, {"trials": 0}, "--trials must be at least 1"),
        (PARAMETERS, {"seed": -1}, "--seed must not be negative"),
        (PARAMETERS * 2, {}, "--param, one for each key"),
    ):
        with pytest.raises(ConfigError, match=words):
            sweep(base, arguments, out, **options)
        assert not out.exists()
    sweep(base, PARAMETERS, out, trials=1)
    with pytest.raises(ConfigError, match=r"holds another sweep \(seed: 0 there, 1 now\)"):
        sweep(base, PARAMETERS, out, trials=1, seed=1)
    values = yaml.safe_load(base.read_text())
    base.write_text(yaml.safe_dump({**values, "hidden": [7]}))
    with pytest.raises(ConfigError, match=r"holds another sweep \(config.hidden: \[6\] there, \[7\] now\)"):
        sweep(base, PARAMETERS, out, trials=1)
    file = tmp_path / "text.db"
    file.write_text("not a data base, though long enough to be read as the header of one" * 20)
    for text in (file.read_text(), "x"):
        file.write_text(text)
        with pytest.raises(ConfigError, match="is not an SQLite file; choose another --storage"):
            sweep(base, PARAMETERS, tmp_path / "new", storage=file)
        assert file.read_text() == text
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConfigError, match=r"pip install 'spsnn\[sweep\]'"):
        sweep(base, PARAMETERS, out)
