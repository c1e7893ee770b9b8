"""The table of exports (benchmarks/exports.py) on an untrained network: every reader has the same spikes."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

import spsnn


@pytest.fixture
def table(monkeypatch):
    folder = Path(__file__).parents[2] / "benchmarks"
    monkeypatch.syspath_prepend(str(folder))
    spec = spec_from_file_location("exports_table", folder / "exports.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.modules.pop("common", None)


def test_rows(table, monkeypatch):
    monkeypatch.setattr(table, "has", lambda package: False)  # Lava has its own tests
    data = spsnn.datasets.Digits("test", t_min=2.0, scale=30.0, duration=60.0)
    model = spsnn.SpSNN(
        [64, 12, 10], readout="max_membrane", max_delay=60.0, on_exceed="clip", weight_mean=1.5, position_scale=6.0
    )
    accuracy, exports = table.tables({"digits": (model, data)}, 15)
    (row,) = accuracy
    assert row["test samples"] == len(data) and row["currents wrapped"] == row["potentials cut"] == 0
    assert float(row["float [%]"]) == pytest.approx(100 * spsnn.evaluate(model, data.events)["accuracy"], abs=0.01)
    assert float(row["float - integers [points]"]) == pytest.approx(
        float(row["float [%]"]) - float(row["integers [%]"]), abs=0.011
    )
    assert [r["format"] for r in exports] == ["layout (json)", "layout (h5)", "nir", "netx"]
    for r in exports:
        assert r["samples"] == 15 and r["spikes"] > 300 and float(r["kB"]) > 5
        assert r["spikes unlike"] == r["potentials unlike"] == 0
        assert r["accuracy [%]"] == row["integers [%]"]


def test_a_changed_file_is_noticed(table):
    """The comparison can fail: one weight of a layout is changed."""
    data = spsnn.datasets.Digits("test", t_min=2.0, scale=30.0, duration=60.0)
    model = spsnn.SpSNN([64, 12, 10], readout="max_membrane", max_delay=60.0, on_exceed="clip", weight_mean=1.5)
    chip = spsnn.hwmap.compile(spsnn.to_graph(model, data.events), "loihi2")
    original = table.IntegerNetwork.of(table.of_layout(chip.layout()))
    layout = chip.layout()
    layout.arrays["projection/0/weight"] = layout.arrays["projection/0/weight"].copy()
    layout.arrays["projection/0/weight"][::3] *= -1
    changed = table.IntegerNetwork.of(table.of_layout(layout))
    x = {"input": (data.events[:5].to_dense(1.0) > 0)}
    assert (original.run(x).spikes["hidden1"] != changed.run(x).spikes["hidden1"]).any()
