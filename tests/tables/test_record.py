"""The record beside a table: runs that are only there count, wrong ones are named, nothing is lost or mixed."""

import json
import shutil

import pytest

from spsnn import ConfigError
from spsnn.cli import workflow
from spsnn.tables import execute
from spsnn.tables.reproduce import reproduce


@pytest.mark.parametrize(
    ("part", "value", "words"),
    [
        ("metrics", {"test_accuracy": 7.0}, r"accuracies must lie in \[0, 1\], got"),
        ("metrics", {"test_accuracy": float("nan")}, "accuracy must be finite numbers"),
        ("metrics", {"test_accuracy": None}, "accuracies must lie in"),
        ("metrics", {"best_epoch": "3"}, "best_epoch must be finite numbers, got .'3'"),
        ("metrics", {"statistics": {"active": "much"}}, "statistics must be finite numbers, got .'much'"),
        ("start", {"versions": "0.1.0"}, "its versions are no object"),
        ("damage", {"settings": {"drop": [0.5]}}, "'accuracy'"),
        ("damage", {"accuracy": [0.5]}, "'list' object"),
    ],
)
def test_a_line_with_wrong_values_is_named(part, value, words, table, tmp_path):
    path, results = table({"a": {}}, seeds=1, damage={"drop": [0.5]}), tmp_path / "mine.runs.jsonl"
    reproduce(path, out=tmp_path / "runs", results=tmp_path)
    shutil.rmtree(tmp_path / "runs")
    line = json.loads(results.read_text())
    kept = {} if part == "damage" else line[part]
    results.write_text(json.dumps({**line, part: {**kept, **value}}) + "\n")
    with pytest.raises(ConfigError, match=f"cannot be read .*{words}"):
        reproduce(path, out=tmp_path / "runs", results=tmp_path)


def test_a_record_that_others_write_to_keeps_their_lines(table, tmp_path, monkeypatch):
    path, train = table({"a": {}, "b": {}}, seeds=1), workflow.train
    options = {"results": tmp_path}

    def meanwhile(*arguments, **given):
        monkeypatch.setattr(execute.workflow, "train", train)
        reproduce(path, rows=["b"], out=tmp_path / "theirs", **options)
        return train(*arguments, **given)

    monkeypatch.setattr(execute.workflow, "train", meanwhile)
    values, _ = reproduce(path, rows=["a"], out=tmp_path / "ours", **options)
    assert values["finished"] == 2
    lines = (tmp_path / "mine.runs.jsonl").read_text().splitlines()
    assert sorted(json.loads(line)["run"] for line in lines) == ["a, seed 0", "b, seed 0"]


def test_figures_that_are_not_asked_for_any_more_go(table, tmp_path):
    options, keys = {"out": tmp_path / "runs", "results": tmp_path}, {"set": ["model.readout=mean_membrane"]}
    values, _ = reproduce(table({"a": {}}, joined=True, chip={"target": "loihi2"}, **keys), **options)
    assert {"2 joined", "energy_uj"} <= set(values["rows"][0]["statistics"])
    kept = json.loads((tmp_path / "mine.runs.jsonl").read_text().splitlines()[0])["chip"]
    values, _ = reproduce(table({"a": {}}, **keys), run=False, **options)
    assert values["rows"][0]["statistics"] == {}
    assert kept == json.loads((tmp_path / "mine.runs.jsonl").read_text().splitlines()[0])["chip"]


def test_a_folder_that_cannot_be_written_is_refused_before_training(table, tmp_path, counted, monkeypatch):
    def refuse(**options):
        raise PermissionError("denied")

    monkeypatch.setattr("spsnn.tables.reproduce.tempfile.TemporaryFile", refuse)
    with pytest.raises(ConfigError, match=r"cannot be written .denied.; choose another folder with --results"):
        reproduce(table({"a": {}}), out=tmp_path / "runs", results=tmp_path)
    assert counted == []


def test_a_table_outlives_the_folders_of_its_runs(table, tmp_path, counted):
    damage = {"drop": [0.5]}
    rows = {"a": {}, "b": {"positions_from": "a"}}
    path, options = table(rows, damage=damage), {"out": tmp_path / "runs", "results": tmp_path}
    first, _ = reproduce(path, seeds=1, **options)
    shutil.rmtree(tmp_path / "runs")
    again, _ = reproduce(path, seeds=1, **options)
    assert again == first and len(counted) == 2
    both, _ = reproduce(path, rows=["a"], **options)
    assert counted == ["a/seed0", "b/seed0", "a/seed1"] and both["missing"] == ["b, seed 1"]
    assert both["rows"][0]["runs"][0] == first["rows"][0]["runs"][0]
    assert both["made_with"][0]["runs"] == 3
    shutil.rmtree(tmp_path / "runs")
    whole, _ = reproduce(path, **options)  # coordinates are in no record, so their row is trained again for them
    assert counted[3:] == ["a/seed1", "b/seed1"]
    assert whole["rows"][0]["accuracy"] == both["rows"][0]["accuracy"]
    lines = [json.loads(text) for text in (tmp_path / "mine.runs.jsonl").read_text().splitlines()]
    assert [line["run"] for line in lines] == ["a, seed 0", "b, seed 0", "a, seed 1", "b, seed 1"]
    assert lines[1]["config"]["hidden"] == [6]
    shutil.rmtree(tmp_path / "runs")
    with pytest.raises(ConfigError, match=r"the line 'a, seed 0' of .* holds a run with other settings \(model.seed"):
        reproduce(table({"a": {"set": ["hidden=[7]"]}}), **options)
    path = table(rows, damage={"drop": [0.1]})
    with pytest.raises(ConfigError, match=r"has 4 finished runs, .* have 0 of the 4 asked"):
        reproduce(path, run=False, **options)  # other damage needs the networks


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "line 2 is no run"),
        ("[]", "line 2 is no run"),
        ('{"config": {}}', r"line 2 is no run \('run'\); remove the line"),
        ('{"run": "a, seed 1", "data": "yinyang"}', "the line 'a, seed 1' of .* cannot be read .*'config'"),
        (
            '{"run": "a, seed 1", "data": "yinyang", "config": {}, "start": {}, '
            '"damage": {}, "chip": {}, "metrics": {}}',
            "metrics lack param",
        ),
        ('{"run": "a, seed 0"}', "line 2 is no run .'a, seed 0' has a line already"),
    ],
)
def test_a_damaged_record_is_named(line, words, table, tmp_path):
    path = table({"a": {}})
    reproduce(path, seeds=1, out=tmp_path / "runs", results=tmp_path)
    with (tmp_path / "mine.runs.jsonl").open("a") as file:
        file.write(line + "\n")
    before = (tmp_path / "mine.runs.jsonl").read_text()
    with pytest.raises(ConfigError, match=words):
        reproduce(path, out=tmp_path / "runs", results=tmp_path)
    assert (tmp_path / "mine.runs.jsonl").read_text() == before
