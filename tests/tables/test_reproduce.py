"""Running tables: partial, resumed bit for bit, never twice, never mixed; transfer and damage do what they say."""

import itertools
import json
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

import spsnn
from spsnn import ConfigError, DataError, SpikeBatch
from spsnn.cli import workflow
from spsnn.tables import execute, robustness
from spsnn.tables.efficiency import write_efficiency
from spsnn.tables.plan import read_table
from spsnn.tables.reproduce import reproduce
from spsnn.tables.transfer import carry_positions

from .conftest import YINYANG


def test_a_table_grows_run_by_run(table, tmp_path, counted):
    path, out, results = table({"2-D": {}, "none": {"set": ["model.delay=none"]}}), tmp_path / "runs", tmp_path / "res"
    options = {"out": out, "results": results}
    values, failures = reproduce(path, rows=["2-D"], seeds=1, **options)
    assert counted == ["2-D/seed0"]
    assert (values["finished"], values["planned"], values["missing"], failures) == (1, 2, ["none, seed 0"], [])
    text = (results / "mine.md").read_text()
    assert "**Partial: 1 of 2 runs are finished.**" in text and "## Missing\n\n- none: seed 0\n" in text
    values, _ = reproduce(path, **options)
    assert counted == ["2-D/seed0", "none/seed0", "2-D/seed1", "none/seed1"]
    assert (values["finished"], values["missing"]) == (4, [])
    assert values == json.loads((results / "mine.json").read_text())
    text = (results / "mine.md").read_text()
    assert "Partial" not in text
    assert "Deviates" not in text
    for row, folder in zip(values["rows"], ("2-D", "none"), strict=True):
        found = [json.loads((out / folder / f"seed{k}" / "metrics.json").read_text()) for k in (0, 1)]
        accuracies = [m["test_accuracy"] for m in found]
        assert row["accuracy"]["mean"] == pytest.approx(np.mean(accuracies))
        assert row["accuracy"]["std"] == pytest.approx(np.std(accuracies, ddof=1))
        assert row["parameters"] == 5 * 6 + 6 * 3 + (2 * (5 + 6 + 3) if folder == "2-D" else 0)
        assert f"| {folder} | {100 * np.mean(accuracies):.1f} ±" in text
        assert row["epoch"].startswith("best on validation")
        assert row["train_accuracy"] == pytest.approx(np.mean([m["train_accuracy"] for m in found]))
        for k, m in enumerate(found):
            history = json.loads((out / folder / f"seed{k}" / "history.json").read_text())
            assert m["train_accuracy"] == history[m["best_epoch"] - 1]["train_accuracy"]
    assert values["data"] == "yinyang"
    (made_with,) = values["made_with"]
    assert made_with["runs"] == 4 and made_with["spsnn"] == spsnn.__version__ and "thread" in made_with["device"]
    assert f"4 runs with spsnn {spsnn.__version__}, " in text and "without a record" not in text
    reproduce(path, run=False, **options)
    assert len(counted) == 4


def test_a_stopped_run_goes_on_bit_for_bit(table, tmp_path, monkeypatch):
    path, train = table({"a": {}}), workflow.train

    def stopping(*arguments, **options):
        def stop(entry):
            if entry["epoch"] == 1:
                raise KeyboardInterrupt

        return train(*arguments, **{**options, "on_epoch": stop})

    monkeypatch.setattr(execute.workflow, "train", stopping)
    with pytest.raises(KeyboardInterrupt):
        reproduce(path, seeds=1, out=tmp_path / "stopped", results=tmp_path)
    assert reproduce(path, seeds=1, out=tmp_path / "stopped", results=tmp_path, run=False)[0]["finished"] == 0
    monkeypatch.setattr(execute.workflow, "train", train)
    for out in ("stopped", "whole"):
        reproduce(path, seeds=1, out=tmp_path / out, results=tmp_path / out)
    stopped, whole = (spsnn.load(tmp_path / out / "a" / "seed0" / "model.h5") for out in ("stopped", "whole"))
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, stopped.state_dict()[name]), name


def test_runs_with_other_settings_are_never_mixed(table, tmp_path, counted):
    path = table({"a": {}})
    reproduce(path, seeds=1, out=tmp_path / "runs", results=tmp_path)
    with pytest.raises(ConfigError, match=r"other settings \(training.epochs: 3 there, 1 now\); choose another"):
        reproduce(path, seeds=1, epochs=1, out=tmp_path / "runs", results=tmp_path)
    assert len(counted) == 1
    values, _ = reproduce(path, seeds=1, epochs=1, out=tmp_path / "short", results=tmp_path)
    fewer = "number of seeds 1 in place of 2"
    assert values["deviations"] == ["1 epochs in place of those of the table", fewer]
    assert "Deviates from the table as defined: 1 epochs" in (tmp_path / "mine-1epochs.md").read_text()
    assert json.loads((tmp_path / "mine.json").read_text())["deviations"] == [fewer]
    assert reproduce(path, out=tmp_path / "runs", results=tmp_path, run=False)[0]["deviations"] == []
    more = reproduce(path, seeds=3, out=tmp_path / "runs", results=tmp_path, run=False)[0]
    assert more["deviations"] == ["number of seeds 3 in place of 2"]
    (tmp_path / "runs" / "a" / "seed0" / "start.json").unlink()  # as an earlier version left its runs
    reproduce(path, out=tmp_path / "runs", results=tmp_path, run=False)
    assert "1 runs without a record" in (tmp_path / "mine.md").read_text()


def test_a_run_that_diverges_stops_only_itself(table, tmp_path):
    path = table({"wild": {"set": ["training.lr=3.0e+37", "training.position_lr=1.0"]}, "tame": {}})
    values, failures = reproduce(path, seeds=1, out=tmp_path / "runs", results=tmp_path)
    assert [(str(run), "not finite" in wrong or "loss is" in wrong) for run, wrong in failures] == [
        ("wild, seed 0", True)
    ]
    assert (values["finished"], values["missing"]) == (1, ["wild, seed 0"])


def test_processes_give_the_same_table(table, tmp_path):
    path = table({"a": {}, "b": {"positions_from": "a", "freeze_positions": True}})
    one, two = (
        reproduce(path, seeds=1, jobs=jobs, out=tmp_path / str(jobs), results=tmp_path / str(jobs))[0]["rows"]
        for jobs in (1, 2)
    )
    assert [row["accuracy"] for row in one] == [row["accuracy"] for row in two]


LINGER = """
import time
from pathlib import Path
from spsnn.tables.execute import workers

def linger(path):
    for beat in range(1200):
        Path(path).write_text(str(beat))
        time.sleep(0.05)

if __name__ == "__main__":
    with workers(2) as submit:
        list(submit(linger, [("beat",)], [0]))
"""


def test_processes_end_with_the_one_that_started_them(tmp_path):
    (tmp_path / "linger.py").write_text(LINGER)
    process, beat = subprocess.Popen([sys.executable, "linger.py"], cwd=tmp_path), tmp_path / "beat"
    for _ in range(1200):
        if beat.exists() or process.poll() is not None:
            break
        time.sleep(0.1)
    process.kill()
    process.wait()
    assert beat.exists()
    time.sleep(1)
    last = beat.read_text()
    time.sleep(1)
    assert beat.read_text() == last


def test_positions_are_carried_over_and_frozen(table, tmp_path):
    rows = {
        "source": {},
        "fixed": {"positions_from": "source", "freeze_positions": True, "set": ["training.lr=0.01"]},
        "free": {"positions_from": "source"},
        "still": {"freeze_positions": True},
    }
    values, _ = reproduce(table(rows), seeds=1, out=tmp_path / "runs", results=tmp_path)
    places = {
        row: [p.position.detach() for p in spsnn.load(tmp_path / "runs" / row / "seed0" / "model.h5").points]
        for row in rows
    }
    start = workflow.make_model(
        read_table(tmp_path / "mine.yaml").runs()[3].config, spsnn.datasets.YinYang("train", n=3, t_min=2.0)
    )
    same = lambda a, b: all(torch.equal(x, y) for x, y in zip(a, b, strict=True))  # noqa: E731
    assert same(places["fixed"], places["source"])
    assert not same(places["free"], places["source"])
    assert same(places["still"], [p.position for p in start.points])
    assert [row["parameters"] for row in values["rows"]] == [76, 48, 76, 48]  # 48 weights, 28 coordinates
    runs = read_table(tmp_path / "mine.yaml").runs()
    assert [run.config.model.seed for run in runs] == [1000, 0, 0, 0, 1001, 1, 1, 1]  # a source has weights of its own
    table({**rows, "fixed": {"positions_from": "source", "set": ["training.lr=0.01"]}})
    with pytest.raises(ConfigError, match=r"fixed.seed0 holds a run with other settings .*'frozen': True"):
        reproduce(tmp_path / "mine.yaml", seeds=1, out=tmp_path / "runs", results=tmp_path)
    with pytest.raises(ConfigError, match="do not fit a model"):
        carry_positions(spsnn.SpSNN([5, 6, 3], spsnn.Euclidean(3)), tmp_path / "runs" / "source" / "seed0" / "model.h5")


def test_speech_is_retrained_without_validation_or_validated_without_test(table, speech, tmp_path):
    path = table({"a": {}}, "speech", protocol="retrain", text="On {data}.")
    values, _ = reproduce(path, seeds=1, data_dir=speech, out=tmp_path / "runs", results=tmp_path, label="SHD-R")
    with pytest.raises(ConfigError, match="is of a run on SHD-R, not on SHD; write elsewhere with --results, or name"):
        reproduce(path, data_dir=speech, out=tmp_path / "elsewhere", results=tmp_path)
    with pytest.raises(ConfigError, match="is of a run on SHD-R, not on SHD; write"):
        reproduce(path, seeds=1, data_dir=speech, out=tmp_path / "runs", results=tmp_path, run=False)
    assert values["rows"][0]["epoch"] == "the last of 2"
    assert values["rows"][0]["runs"][0]["validation_accuracy"] is None
    assert (values["title"], values["text"], values["data"]) == ("Mine on SHD-R", "On SHD-R.", "SHD-R")
    assert "validation_accuracy" not in json.loads((tmp_path / "runs" / "a" / "seed0" / "history.json").read_text())[0]
    model = spsnn.load(tmp_path / "runs" / "a" / "seed0" / "model.h5")
    test = spsnn.datasets.SHD("test", speech, n_channels=70, duration=100.0, dt=5.0, merge=True)
    assert values["rows"][0]["accuracy"]["mean"] == spsnn.evaluate(model, test)["accuracy"]
    data = tmp_path / "without_test"
    shutil.copytree(speech, data)
    (data / "SHD" / "shd_test.h5").unlink()
    execute._load.cache_clear()
    values, _ = reproduce(path, seeds=2, folds=[(0, 11), (1, 2)], data_dir=data, results=tmp_path, out=tmp_path / "f")
    row = values["rows"][0]
    assert [(r["seed"], r["held_out"]) for r in row["runs"]] == [(0, [0, 11]), (0, [1, 2]), (1, [0, 11]), (1, [1, 2])]
    scores = np.array([r["validation_accuracy"] for r in row["runs"]]).reshape(2, 2).mean(1)
    assert row["accuracy"]["mean"] == pytest.approx(scores.mean())
    assert row["accuracy"]["std"] == pytest.approx(scores.std(ddof=1))
    assert "The test set is not read" in (tmp_path / "mine-folds.md").read_text()
    with pytest.raises(DataError, match="no file"):
        reproduce(path, seeds=1, data_dir=tmp_path / "absent", out=tmp_path / "g", results=tmp_path / "g")


def test_damage_is_scored_beside_the_clean_accuracy(table, tmp_path, counted):
    damage = {"drop": [0.0, 1.0], "channels": [0.4], "delay_step": [8]}
    path = table({"a": {}, "b": {"set": ["model.delay=free"]}}, damage=damage, compare=[["a", "b"]])
    values, _ = reproduce(path, seeds=2, out=tmp_path / "runs", results=tmp_path)
    row = values["rows"][0]
    assert list(row["damage"]) == ["drop 0", "drop 1", "channels 0.4", "delay_step 8 ms"]
    assert row["damage"]["drop 0"] == row["accuracy"]
    test = spsnn.datasets.YinYang("test", n=40, t_min=2.0, bias_time=2.0).events
    empty = SpikeBatch(test.times[:0], test.units[:0], np.zeros(41, int), 5, test.duration, test.labels)
    model = spsnn.load(tmp_path / "runs" / "a" / "seed0" / "model.h5")
    assert row["runs"][0]["drop 1"] == spsnn.evaluate(model, empty)["accuracy"]
    assert [c["figure"] for c in values["comparisons"]] == ["accuracy", *row["damage"]]
    assert "## Accuracy under damage" in (tmp_path / "mine.md").read_text()
    assert len(counted) == 4
    # Other damage is scored anew on the trained networks.
    table({"a": {}, "b": {"set": ["model.delay=free"]}}, damage={"jitter": [2.0]})
    values, _ = reproduce(path, seeds=2, out=tmp_path / "runs", results=tmp_path)
    assert len(counted) == 4
    assert list(values["rows"][0]["damage"]) == ["jitter 2 ms"]


def test_lost_channels_are_silent_in_all_samples():
    rng = np.random.default_rng(0)
    batch = SpikeBatch.from_samples(
        [(np.sort(rng.uniform(0, 9, 200)), rng.integers(0, 10, 200)) for _ in range(5)], 10, 10.0
    )
    damaged = robustness.LoseChannels(0.3)(batch, 1)
    kept = np.unique(damaged.units)
    assert len(kept) == 7
    for k in range(5):
        inside = np.isin(batch[k].units, kept)
        assert np.array_equal(damaged[k].times, batch[k].times[inside])
        assert np.array_equal(damaged[k].units, batch[k].units[inside])


def test_rounded_delays_are_multiples_of_the_step():
    model = spsnn.SpSNN([4, 5, 3], grid=spsnn.Grid(dt=1.0), seed=3, recurrent=True)
    rounded = robustness.rounded_delays(model, 4.0)
    for (_, _, own), (_, _, other) in zip(model.synapses(), rounded.synapses(), strict=True):
        assert torch.allclose(other.delays(), (own.delays() / 4).round() * 4)
        assert torch.equal(other.weight, own.weight)
    batch = SpikeBatch.from_samples([([1.0, 2.0], [0, 3])], 4, 60.0, [0])
    assert torch.allclose(robustness.rounded_delays(model, 1.0)(batch).logits, model(batch).logits, atol=1e-5)


def test_the_picture_takes_what_is_there(write_yaml, table, tmp_path):
    reproduce(table({"a": {}}), seeds=2, rows=["a"], out=tmp_path / "runs", results=tmp_path)
    published = [{"name": "theirs", "parameters": 1000, "accuracy": 90.0}]
    path = write_yaml("both", {"title": "On {data}", "pictured": ["mine", "absent"], "published": published})
    values, failures = reproduce(path, results=tmp_path, label="SHD-R")
    row = json.loads((tmp_path / "mine.json").read_text())["rows"][0]
    assert values["points"] == [{"table": "mine", **{k: row[k] for k in ("row", "parameters", "accuracy")}}]
    assert values["missing"] == [f"absent: no absent.json in {tmp_path}"]
    assert not failures
    text = (tmp_path / "both.md").read_text()
    assert "accuracy on SHD-R" in text
    assert "| theirs | 1,000 | 90.0 |" in text
    assert "Published on SHD" in text
    assert (tmp_path / "both.png").stat().st_size > 5000
    (tmp_path / "mine.json").unlink()
    with pytest.raises(ConfigError, match="holds none of the tables mine, absent"):
        write_efficiency(read_table(path), tmp_path)
    with pytest.raises(ConfigError, match="runs nothing"):
        reproduce(path, seeds=1, results=tmp_path)


def test_networks_of_a_row_are_scored_side_by_side(table, tmp_path):
    path = table({"a": {}}, joined=True, seeds=3, set=["model.readout=mean_membrane"])
    options = {"out": tmp_path / "runs", "results": tmp_path}
    values, _ = reproduce(path, **options)
    figures = values["rows"][0]["statistics"]
    assert {name: value["n"] for name, value in figures.items()} == {"2 joined": 3, "3 joined": 1}
    networks = [spsnn.load(tmp_path / "runs" / "a" / f"seed{k}" / "model.h5") for k in range(3)]
    test = spsnn.datasets.YinYang("test", n=40, t_min=2.0, bias_time=2.0)
    pairs = [spsnn.evaluate(spsnn.join(pair), test)["accuracy"] for pair in itertools.combinations(networks, 2)]
    assert figures["2 joined"]["mean"] == pytest.approx(np.mean(pairs))
    assert figures["3 joined"]["mean"] == pytest.approx(spsnn.evaluate(spsnn.join(networks), test)["accuracy"])
    assert "| a | " in (tmp_path / "mine.md").read_text().split("| row | 2 joined | 3 joined |")[1]
    shutil.rmtree(tmp_path / "runs" / "a" / "seed2")
    again, _ = reproduce(path, run=False, **options)
    assert again == values  # more networks than are left now
    with pytest.raises(
        ConfigError, match=r"row 'a' cannot be joined: only the mean of .*; leave joined or the row out"
    ):
        reproduce(table({"a": {}}, joined=True), out=tmp_path / "other", results=tmp_path / "other")


def test_similarity_is_about_models_with_effective_weights(table, tmp_path):
    with pytest.raises(ConfigError, match="similarity compares models of kind 'spatial_prior', row 'a' is of kind"):
        reproduce(table({"a": {}}, similarity=True), out=tmp_path / "runs", results=tmp_path)


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("metrics.json", "{}", "metrics lack parameters, seconds_train, spikes_per_neuron, best_epoch"),
        ("metrics.json", "[]", "holds no object"),
        ("config.yaml", "", "a configuration must hold sections"),
    ],
)
def test_a_damaged_run_is_named(file, text, words, table, tmp_path):
    path = table({"a": {}})
    reproduce(path, seeds=1, out=tmp_path / "runs", results=tmp_path)
    (tmp_path / "runs" / "a" / "seed0" / file).write_text(text)
    with pytest.raises(ConfigError, match=f"seed0 cannot be read .*{words}.*; remove it"):
        reproduce(path, seeds=1, out=tmp_path / "runs", results=tmp_path)


def test_a_fuller_table_stays(table, tmp_path, counted):
    path, results = table({"a": {}}), tmp_path / "res"
    reproduce(path, out=tmp_path / "runs", results=results)
    before = (results / "mine.md").read_text()
    (results / "mine.runs.jsonl").unlink()
    for run in (True, False):
        with pytest.raises(ConfigError, match=r"has 2 finished runs, .*empty and .*jsonl have 0 of the 2 asked"):
            reproduce(path, out=tmp_path / "empty", results=results, run=run)
    assert (results / "mine.md").read_text() == before
    assert len(counted) == 2
    assert reproduce(path, out=tmp_path / "runs", results=results, run=False)[0]["finished"] == 2


RATES = {"base": "rates.yaml"}


@pytest.mark.parametrize(
    ("row", "keys", "words"),
    [
        (RATES, {"damage": {"drop": [0.1]}}, "row 'b' is of kind 'mlp'; leave damage or the row out"),
        (
            RATES,
            {"chip": {"target": "loihi2"}},
            "row 'b' is of kind 'mlp', which goes to no chip; leave chip or the row",
        ),
        ({**RATES, "positions_from": "a"}, {}, "row 'b' is about learned coordinates, row 'b' has none"),
        ({"set": ["model.delay=free"], "freeze_positions": True}, {}, "row 'b' is about learned coordinates"),
        (
            {"positions_from": "a", "set": ["space.dim=3"]},
            {},
            r"dim are \(\[6\], 3\) and \(\[6\], 2\); make them alike",
        ),
    ],
)
def test_rows_without_what_the_table_asks_are_refused_before_training(
    row, keys, words, table, write_yaml, tmp_path, counted
):
    write_yaml("rates", {"data": YINYANG["data"], "model": {"kind": "mlp"}, "hidden": [4]})
    with pytest.raises(ConfigError, match=words):
        reproduce(table({"a": {}, "b": row}, **keys), out=tmp_path / "runs", results=tmp_path)
    assert counted == []


def test_coordinates_come_from_a_row_that_has_some(table, write_yaml, tmp_path, counted):
    write_yaml("rates", {"data": YINYANG["data"], "model": {"kind": "mlp"}, "hidden": [4]})
    with pytest.raises(ConfigError, match="row 'b' is about learned coordinates, row 'a' has none"):
        reproduce(table({"a": RATES, "b": {"positions_from": "a"}}), out=tmp_path / "runs", results=tmp_path)
    assert counted == []


def test_a_run_that_fits_no_chip_stops_only_itself_and_stays_trained(table, tmp_path, counted):
    path = table({"a": {}, "wide": {"set": ["hidden=[7]"]}}, chip={"target": "loihi2", "cores": 10}, seeds=1)
    values, failures = reproduce(path, out=tmp_path / "runs", results=tmp_path)
    assert [(str(run), wrong) for run, wrong in failures] == [
        ("a, seed 0", "cores must not exceed the 9 neurons that need a core, got 10")
    ]
    assert (values["finished"], counted) == (1, ["a/seed0", "wide/seed0"])
    reproduce(path, out=tmp_path / "runs", results=tmp_path)
    assert len(counted) == 2  # what is trained stays


def test_a_row_without_data_stops_only_itself_and_is_free_again_once_corrected(table, tmp_path, counted):
    rows = {"a": {}, "b": {"set": ["data.name=shd", "data.options={}", "data.train={}"]}, "c": {"set": ["hidden=[4]"]}}
    values, failures = reproduce(table(rows, seeds=1), out=tmp_path / "runs", results=tmp_path, data_dir=tmp_path)
    assert (values["finished"], [str(run) for run, _ in failures]) == (2, ["b, seed 0"])
    (tmp_path / "runs" / "b" / "seed0").mkdir(parents=True, exist_ok=True)
    (tmp_path / "runs" / "b" / "seed0" / "config.yaml").write_text("{}")  # as a run leaves it that fit refuses
    values, failures = reproduce(table({**rows, "b": {}}, seeds=1), out=tmp_path / "runs", results=tmp_path)
    assert (values["finished"], failures) == (3, [])
    assert counted == ["a/seed0", "c/seed0", "b/seed0"]


def test_a_table_that_asks_for_more_is_not_emptied(table, tmp_path):
    options = {"out": tmp_path / "runs", "results": tmp_path}
    reproduce(table({"a": {}}, seeds=1), **options)
    path = table({"a": {}}, seeds=1, chip={"target": "loihi2"})
    with pytest.raises(ConfigError, match=r"has 1 finished runs, .* have 0 of the 1 asked for"):
        reproduce(path, run=False, **options)
    assert reproduce(path, **options)[0]["finished"] == 1


def test_a_run_that_lost_its_settings_is_named(table, tmp_path):
    path = table({"a": {}}, seeds=1)
    reproduce(path, out=tmp_path / "runs", results=tmp_path)
    (tmp_path / "runs" / "a" / "seed0" / "config.yaml").unlink()
    with pytest.raises(ConfigError, match=r"seed0 cannot be read .*config\.yaml.*; remove it"):
        reproduce(path, out=tmp_path / "runs", results=tmp_path)
