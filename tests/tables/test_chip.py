"""Tables that map their networks: figures are those of ``spsnn map``, and belong to the options asked for."""

import pytest

import spsnn
from spsnn import ConfigError
from spsnn.cli import workflow
from spsnn.tables.plan import read_table
from spsnn.tables.record import Record
from spsnn.tables.reproduce import reproduce

RATE = {
    "data": {"name": "yinyang_dense"},
    "hidden": [12],
    "model": {"kind": "spatial_prior"},
    "training": {"epochs": 1, "batch_size": 200},
}


def test_rows_of_other_bases_are_trained_and_mapped(table, write_yaml, tmp_path):
    write_yaml("rate", RATE)
    rows = {"spikes": {}, "rates": {"base": "rate.yaml", "set": ["model.peak=20"]}}
    path = table(rows, seeds=1, chip={"target": "loihi2"}, set=["training.epochs=1"])
    options = {"out": tmp_path / "runs", "results": tmp_path / "results"}
    values, failures = reproduce(path, **options)
    assert not failures and not values["missing"]
    for row in values["rows"]:
        model = spsnn.load(tmp_path / "runs" / row["row"] / "seed0" / "model.h5")
        data = workflow.load_split(workflow.data_of(model, ""), "test")
        figures = workflow.map_model(model, data)[1]
        found = {name: value["mean"] for name, value in row["statistics"].items()}
        assert found["energy_uj"] == pytest.approx(figures["energy_nj_per_inference"] / 1000)
        assert found["latency_us"] == figures["latency_us_per_inference"]
        assert found["mapped_accuracy"] == figures["mapped_accuracy"]
        assert found["synaptic_ops"] == figures["count_synaptic_op"] > 0
    assert found["spikes"] > 20  # 20 for the full brightness of one feature, and four features that sum to two
    assert (
        "| row | mapped_accuracy | energy_uj | latency_us | spikes | synaptic_ops | cores |"
        in (tmp_path / "results" / "mine.md").read_text()
    )
    # Another chip: networks stay, figures are made anew.
    path = table(rows, seeds=1, chip={"target": "loihi2", "cores": 3}, set=["training.epochs=1"])
    run = read_table(path).runs()[0]
    assert Record(tmp_path / "runs", tmp_path / "results" / "mine.runs.jsonl").result(run) is None
    before = (tmp_path / "runs" / "spikes" / "seed0" / "model.h5").stat().st_mtime_ns
    values, _ = reproduce(path, **options)
    assert [row["statistics"]["cores"]["mean"] for row in values["rows"]] == [3, 3]
    assert (tmp_path / "runs" / "spikes" / "seed0" / "model.h5").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("chip", "words"),
    [
        ({"target": "loihi2", "core": 3}, "chip takes a target and cores, placement, scale"),
        ({"cores": 3}, "chip takes a target"),
        ({"target": "loihi9"}, "loihi9"),
        ({"target": "loihi2", "placement": "best"}, "unknown placement 'best'"),
        ({"target": "loihi2", "scale": "min"}, "scale must be one of max, mse, spikes, got 'min'"),
        ({"target": "loihi2", "cores": 0}, "cores must be a whole number of at least 1, got 0"),
    ],
)
def test_wrong_chips_are_refused_before_training(table, tmp_path, chip, words):
    with pytest.raises(ConfigError, match=words):
        reproduce(table({"a": {}}, chip=chip), out=tmp_path / "runs", results=tmp_path)
    assert not (tmp_path / "runs").exists()
