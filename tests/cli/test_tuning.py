"""Graph files, stages and fine-tuning from the command line."""

import json
import sys

import numpy as np
import pytest

import spsnn
from spsnn.cli import main
from spsnn.graph import load_graph, save_graph
from spsnn.graph.nir import write_nir

from .command import run


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "digits"
    argv, sys.argv = sys.argv, ["spsnn", "train", "digits", "--set", "training.epochs=3", "--set", "hidden=[12]",
                                "--set", "training.lr=0.03", "--out", str(out)]  # fmt: skip
    try:
        with pytest.raises(SystemExit) as stop:
            main()
        assert not stop.value.code
    finally:
        sys.argv = argv
    return out


def test_a_graph_file_is_mapped_without_a_model(trained, capsys, tmp_path):
    model = spsnn.load(trained / "model.h5")
    events = spsnn.datasets.Digits("test", t_min=2.0, scale=30.0, duration=60.0).events
    network = spsnn.to_graph(model, events, source="digits", name="digits")
    for suffix in (".h5", ".json"):
        save_graph(network, tmp_path / f"graph{suffix}")
        code, text, _ = run(
            capsys, "map", tmp_path / f"graph{suffix}", "--cores", 4, "--out", tmp_path / "chip", "--json"
        )
        figures = json.loads(text)
        assert code == 0 and "mapped_accuracy" not in figures
        want = spsnn.hwmap.compile(network, "loihi2", cores=4).report()
        assert figures["energy_nj_per_inference"] == want["energy_nj_per_inference"]
    assert (tmp_path / "chip" / "layout.h5").is_file()
    again = spsnn.hwmap.compile(load_graph(tmp_path / "chip" / "graph.h5"), "loihi2", cores=4).report()
    assert again == want
    code, _, err = run(capsys, "map", tmp_path / "graph.json", "--stages")
    assert code == 2 and "give the model file" in err
    pytest.importorskip("nir")
    write_nir(network, tmp_path / "graph.nir")
    code, text, _ = run(capsys, "map", tmp_path / "graph.nir", "--cores", 4, "--json")
    assert code == 0 and json.loads(text)["synapses"] == want["synapses"]
    save_graph(spsnn.to_graph(model), tmp_path / "bare.json")
    code, _, err = run(capsys, "map", tmp_path / "bare.json")
    assert code == 2 and "no measured rates" in err


def test_stages_are_printed(trained, capsys):
    code, text, _ = run(
        capsys, "map", trained / "model.h5", "--target-set", "weight_bits=4", "--scale", "mse", "--stages", "--json"
    )
    rows = json.loads(text)["stages"]
    assert code == 0 and [row["stage"] for row in rows] == ["float", "weights", "delays", "fixed", "mapped"]
    code, text, _ = run(capsys, "map", trained / "model.h5", "--stages")
    assert code == 0 and "From float to mapped" in text


def test_fine_tuning_writes_a_run(trained, capsys, tmp_path):
    out = tmp_path / "tuned"
    code, text, err = run(
        capsys, "finetune", trained, "--out", out, "--target-set", "weight_bits=2", "--epochs", 2, "--json"
    )
    made = json.loads(text)
    assert code == 0, err
    assert made["trained"] and made["improved"] and made["after"] > made["before"]
    assert {p.name for p in out.iterdir()} == {"config.yaml", "history.json", "layout.json", "metrics.json", "model.h5"}
    code, text, _ = run(capsys, "map", out / "model.h5", "--target-set", "weight_bits=2", "--json")
    figures = json.loads(text)
    assert code == 0 and figures["weight_error_relative_rms"] < 1e-6
    assert figures["mapped_accuracy"] == figures["float_accuracy"] == made["mapped_test_accuracy"]
    code, _, err = run(capsys, "finetune", trained, "--out", out)
    assert code == 2 and "already holds a run" in err
    code, _, err = run(capsys, "report", out)
    assert code == 0, err


def test_within_the_bound_the_run_is_passed_on(trained, capsys, tmp_path):
    code, text, _ = run(capsys, "finetune", trained, "--out", tmp_path / "same", "--bound", 50, "--json")
    assert code == 0 and not json.loads(text)["trained"]
    old, new = (spsnn.load(folder / "model.h5").state_dict() for folder in (trained, tmp_path / "same"))
    assert all(np.array_equal(old[name], new[name]) for name in old)


def test_rounds_for_delays_made_by_hops(trained, capsys, tmp_path):
    code, text, _ = run(capsys, "finetune", trained, "--out", tmp_path / "hop", "--delay-mode", "hop", "--rounds", 2,
                        "--epochs", 1, "--cores", 8)  # fmt: skip
    assert code == 0 and "Rounds, accuracy on the validation set" in text
    metrics = json.loads((tmp_path / "hop" / "metrics.json").read_text())
    assert len(metrics["finetuning"]["rounds"]) == 2
