"""The commands as a user runs them: outputs, files, JSON, and errors of one message and exit code 2."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

import spsnn
from spsnn.cli import main, workflow

from .command import run

SMALL = ("--set", "training.epochs=2", "--set", "hidden=[12]")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Folder of a short run on digits."""
    out = tmp_path_factory.mktemp("run") / "digits"
    argv, sys.argv = sys.argv, ["spsnn", "train", "digits", *SMALL, "--out", str(out)]
    try:
        with pytest.raises(SystemExit) as stop:
            main()
        assert not stop.value.code
    finally:
        sys.argv = argv
    return out


def test_train_writes_its_folder(trained):
    names = {p.name for p in trained.iterdir()}
    assert names == {"config.yaml", "checkpoint.h5", "model.h5", "history.json", "metrics.json"}
    metrics = json.loads((trained / "metrics.json").read_text())
    assert metrics["parameters"] == 64 * 12 + 12 * 10 + 2 * (64 + 12 + 10)
    assert np.sum(metrics["confusion"]) == 359
    assert np.trace(metrics["confusion"]) / 359 == pytest.approx(metrics["test_accuracy"])
    assert len(json.loads((trained / "history.json").read_text())) == 2


def test_a_sparse_run_prunes_and_reports_it(tmp_path, capsys):
    sparse = ("--set", "sparsity.density=0.25", "--set", "sparsity.end=0.75", "--set", "sparsity.every=10")
    code, _, _ = run(capsys, "train", "digits", *SMALL, *sparse, "--out", tmp_path / "run")
    assert code == 0
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    kept = 64 * 12 // 4 + 12 * 10 // 4
    assert metrics["density"] == 0.25 and metrics["storage"]["weights"] == metrics["storage"]["indices"] == kept
    assert metrics["parameters"] == kept + 2 * (64 + 12 + 10)
    assert metrics["best_epoch"] == 2  # the ramp ends in the second of two epochs, so that no other counts
    code, _, err = run(capsys, "train", "digits", *SMALL, "--set", "sparsity.length=3", "--out", tmp_path / "other")
    assert code == 2
    assert "length belongs to method='spatial'" in err


def test_train_refuses_to_overwrite_and_resumes(trained, capsys):
    code, _, err = run(capsys, "train", "digits", *SMALL, "--out", trained)
    assert code == 2
    assert err.startswith("error: ")
    assert "already holds a run; continue it with --resume" in err
    code, out, _ = run(capsys, "train", "digits", *SMALL, "--out", trained, "--resume", "--json")
    assert code == 0
    assert json.loads(out)["epochs"] == 2


def test_evaluate_agrees_with_training(trained, capsys):
    code, out, _ = run(capsys, "evaluate", trained / "model.h5", "--json")
    assert code == 0
    metrics = json.loads((trained / "metrics.json").read_text())
    assert json.loads(out)["accuracy"] == metrics["test_accuracy"]
    code, out, _ = run(capsys, "evaluate", trained / "checkpoint.h5", "--split", "validation", "--json")
    assert json.loads(out)["accuracy"] == metrics["validation_accuracy"]
    code, out, _ = run(capsys, "evaluate", trained / "model.h5", "--channel-shifts=-1,0,1", "--json")
    both = json.loads(out)
    assert code == 0
    assert both["spikes_per_neuron"] > 2 * metrics["spikes_per_neuron"]


def test_map_writes_layout_and_pictures(trained, capsys, tmp_path):
    out = tmp_path / "chip"
    code, text, _ = run(capsys, "map", trained / "model.h5", "--cores", 6, "--out", out, "--json")
    assert code == 0
    figures = json.loads(text)
    assert figures["cores_used"] == 6
    assert figures["energy_nj_per_inference"] > 0
    assert "inherited" in figures["energy_source"]
    assert abs(figures["mapped_accuracy"] - figures["float_accuracy"]) < 0.05
    names = {p.name for p in out.iterdir()}
    pictures = {f"{name}.png" for name in ("mesh", "placement", "links", "delays", "energy")}
    assert names == {"layout.json", "layout.h5", "graph.h5", "figures.json", "report.html", *pictures}
    page = (out / "report.html").read_text("utf-8")
    assert page.count("<figure") == 5 and "http://" not in page and "https://" not in page
    assert "inherited: no public per-operation energy of Loihi 2" in page


def test_map_draws_the_front_of_placements(trained, capsys, tmp_path):
    picture = tmp_path / "front.png"
    options = ("--target", "mesh", "--cores", 6, "--pareto", picture, "--out", tmp_path / "chip")
    code, text, _ = run(capsys, "map", trained / "model.h5", *options)
    assert code == 0 and picture.read_bytes()[:4] == b"\x89PNG"
    rows = json.loads((tmp_path / "chip/figures.json").read_text())["pareto"]
    assert len(rows) == 6 and rows[0]["weights"] is None and not all(row["dominated"] for row in rows)
    for row in rows[1:]:
        assert "/".join(f"{w:g}" for w in row["weights"]) in text
    assert (tmp_path / "chip/pareto.png").is_file()
    code, _, err = run(capsys, "map", trained / "model.h5", "--pareto", tmp_path / "front.txt")
    assert code == 2 and ".png, .svg or .pdf" in err


def test_map_labels_hypothetical_delays(trained, capsys):
    code, text, _ = run(capsys, "map", trained / "model.h5", "--delay-mode", "computed", "--json")
    assert code == 0
    assert "hypothetical" in json.loads(text)["delay_label"].lower()


def test_export_writes_a_layout_that_reads_back(trained, capsys, tmp_path):
    for suffix in (".json", ".h5"):
        file = tmp_path / f"layout{suffix}"
        code, text, _ = run(capsys, "export", trained / "model.h5", file, "--json")
        assert code == 0
        assert json.loads(text)["bytes"] == file.stat().st_size
        assert spsnn.hwmap.read_layout(file).meta["target"]["name"] == "loihi2"
    code, _, err = run(capsys, "export", trained / "model.h5", tmp_path / "layout.txt")
    assert code == 2
    assert "unknown suffix '.txt'" in err


def test_export_for_sanafe_is_a_folder(trained, capsys, tmp_path):
    folder = tmp_path / "sim"
    options = ("--format", "sanafe", "--target", "loihi1_silicon", "--target-set", "n_cores=64", "--json")
    code, text, _ = run(capsys, "export", trained / "model.h5", folder, *options)
    assert code == 0
    assert sorted(f.name for f in folder.iterdir()) == ["architecture.yaml", "network.yaml"]
    assert json.loads(text)["bytes"] == sum(f.stat().st_size for f in folder.iterdir())
    code, _, err = run(capsys, "export", trained / "model.h5", folder, "--format", "netlist")
    assert code == 2 and "layout-json" in err


def test_a_target_that_needs_a_figure_says_how_to_give_it(trained, capsys):
    code, _, err = run(capsys, "map", trained / "model.h5", "--target", "crossbar")
    assert code == 2 and "--target-set energy_synaptic_op_pj=..." in err
    code, text, _ = run(
        capsys, "map", trained / "model.h5", "--target", "crossbar", "--target-set", "energy_synaptic_op_pj=2", "--json"
    )
    shown = json.loads(text)
    assert code == 0 and shown["crossbar_tiles"] == shown["cores_used"]
    assert shown["energy_synaptic_op_nj"] == pytest.approx(2e-3 * shown["count_synaptic_op"])
    assert shown["energy_synaptic_op_source"] == "user: override"


def test_simulate_tells_the_decision_that_evaluation_counts(trained, capsys, tmp_path):
    picture = tmp_path / "raster.png"
    code, text, _ = run(capsys, "simulate", trained / "model.h5", "--sample", 5, "--raster", picture, "--json")
    assert code == 0
    shown = json.loads(text)
    model = spsnn.load(trained / "model.h5")
    data = spsnn.datasets.load("digits", "test", **model.provenance["data"]["options"])
    logits = model(data.events[5]).logits[0].detach().numpy()
    assert np.allclose(shown["logits"], logits, atol=1e-5)
    assert shown["decision"] == data.class_names[logits.argmax()]
    assert shown["spikes_input"] == data.events[5].n_events == len(shown["trains"]["input"]["times_ms"])
    assert picture.stat().st_size > 5000
    for arguments, words in (
        (("--sample", 99999), "--sample must lie in [0, 359)"),
        (("--raster", tmp_path / "r.docx"), ".png, .svg or .pdf"),
        (("--raster", tmp_path / "absent" / "r.png"), "No such file"),
        (("--split", "tets"), "split must be one of"),
    ):
        code, _, err = run(capsys, "simulate", trained / "model.h5", *arguments)
        assert code == 2
        assert words in err


def test_report_is_one_page(trained, capsys):
    code, text, _ = run(capsys, "report", trained, "--cores", 4, "--json")
    assert code == 0
    page = Path(json.loads(text)["report"]).read_text()
    assert "Loihi 2" in page
    assert page.count("<svg") + page.count("data:image/png") >= 7
    code, _, err = run(capsys, "report", trained.parent)
    assert code == 2
    assert "no finished run" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("train", "digitz"), "no configuration file digitz; shipped ones"),
        (("train", "digits", "--set", "training.epoch=1"), "did you mean 'epochs'"),
        (("train", "digits", "--set", "data.name=digit", "--out", "/nonexistent/x"), "no data set 'digit'"),
        (("train", "digits", "--set", "training.seed=-1"), "seed must be a whole number of at least 0, got -1"),
        (("train", "digits", "--device", "tpu"), "the device must be cpu or cuda, got 'tpu'"),
        (("evaluate", "absent.h5"), "no file absent.h5"),
        (("evaluate", "absent.h5", "--channel-shifts", "1;2"), "takes whole numbers between commas, such as -3,0,3"),
        (("map", "absent.h5"), "no file absent.h5"),
    ],
)
def test_errors_are_one_message_and_exit_code_two(capsys, arguments, words):
    code, out, err = run(capsys, *arguments)
    assert code == 2
    assert out == ""
    assert words in err
    assert "Traceback" not in err


@pytest.mark.parametrize("command", [("train", "digits"), ("evaluate", "absent.h5")])
def test_without_a_gpu_cuda_is_refused(capsys, monkeypatch, command):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    code, _, err = run(capsys, *command, "--device", "cuda")
    assert code == 2
    assert "torch finds no GPU here; use the device cpu" in err


def test_debug_shows_the_traceback(capsys):
    with pytest.raises(spsnn.ModelFileError):
        run(capsys, "--debug", "evaluate", "absent.h5")


@pytest.mark.parametrize("command", ["demo", "train", "evaluate", "map", "simulate", "export", "report", "reproduce",
                                     "sweep", "finetune", "join"])  # fmt: skip
def test_help_shows_an_example(capsys, command):
    code, out, _ = run(capsys, command, "--help")
    assert code == 0
    assert f"spsnn {command}" in out.split("Example:")[1]


def test_a_sweep_without_a_finished_trial_is_an_error(capsys, tmp_path):
    pytest.importorskip("optuna", reason="sweeps need Optuna")
    text = "{data: {name: digits_dense}, model: {kind: recurrent}, hidden: [8, 8], training: {epochs: 1}}"
    (tmp_path / "two.yaml").write_text(text)
    arguments = (tmp_path / "two.yaml", "--param", "model.n_layers=1,2", "--trials", "2", "--out", tmp_path / "out")
    code, _, err = run(capsys, "sweep", *arguments)
    assert code == 2
    assert "no trial was finished, see" in err
    assert "takes 1 hidden size" in (tmp_path / "out" / "trials.md").read_text()


def test_a_run_that_lost_its_settings_goes_on_with_the_right_ones_alone(trained, capsys, tmp_path):
    shutil.copytree(trained, tmp_path / "run")
    (tmp_path / "run" / "config.yaml").unlink()
    wrong = run(capsys, "train", "digits", *SMALL, "--set", "training.lr=0.5", "--out", tmp_path / "run", "--resume")
    assert wrong[0] == 2 and "other training settings" in wrong[2]
    assert not (tmp_path / "run" / "config.yaml").exists()
    code, _, err = run(capsys, "train", "digits", *SMALL, "--out", tmp_path / "run", "--resume")
    assert code == 0, err
    assert (tmp_path / "run" / "config.yaml").read_text() == (trained / "config.yaml").read_text()


def test_version(capsys):
    assert run(capsys, "--version")[1].strip() == spsnn.__version__


def test_resume_refuses_other_data_and_keeps_the_record(trained, capsys, tmp_path):
    record = (trained / "config.yaml").read_text()
    changed = ("--set", "data.options.scale=20.0")
    for arguments, words in (
        ((*SMALL, *changed), "other data settings"),
        ((*SMALL, "--set", "augment.drop=0.5"), "other augment settings"),
        (("--set", "training.epochs=9", "--set", "hidden=[12]"), "other training settings (epochs: 2"),
    ):
        code, _, err = run(capsys, "train", "digits", *arguments, "--out", trained, "--resume")
        assert code == 2
        assert words in err
        assert (trained / "config.yaml").read_text() == record
    code, out, err = run(
        capsys, "train", "digits", "--out", trained, "--resume", "--json"
    )  # takes the run's own settings
    assert code == 0
    assert "goes on with its own settings, not those of digits: " in err
    assert "training.epochs: 2 there, " in err
    code, _, err = run(capsys, "train", trained / "config.yaml", "--out", trained, "--resume")
    assert code == 0
    assert "its own settings" not in err
    assert json.loads(out)["epochs"] == 2
    code, _, err = run(capsys, "train", "yinyang", "--out", trained, "--resume")
    assert code == 2
    assert "holds a run on 'digits', not on 'yinyang'; choose another --out" in err
    other = tmp_path / "mlp.yaml"
    other.write_text("{data: {name: digits}, model: {kind: mlp}, hidden: [4]}")
    code, _, err = run(capsys, "train", other, "--out", trained, "--resume")
    assert code == 2
    assert "holds a run of kind 'spsnn', not of kind 'mlp'" in err


def test_what_stands_in_the_way_is_one_message(trained, capsys, tmp_path):
    file = tmp_path / "file"
    file.write_text("mine")
    (tmp_path / "run").mkdir()
    for name in ("model.h5", "history.json"):
        (tmp_path / "run" / name).write_bytes((trained / name).read_bytes())
    (tmp_path / "run" / "metrics.json").write_text("{}")
    (tmp_path / "digits").mkdir()
    for arguments, words in (
        (("map", trained / "model.h5", "--out", file), "could not make the folder"),
        (("export", trained / "model.h5", file / "x.json"), "could not write"),
        (("train", "digits", "--out", file), "could not make the folder"),
        (("report", tmp_path / "run"), "entries are missing"),
        (("demo", "--out", tmp_path), "was not made by an earlier demo"),
    ):
        code, _, err = run(capsys, *arguments)
        assert code == 2, arguments
        assert words in err
    assert file.read_text() == "mine"


def test_a_step_longer_than_the_window_is_one_step(capsys, tmp_path):
    code, out, _ = run(capsys, "train", "digits", *SMALL, "--set", "grid.dt=1e9", "--out", tmp_path / "r", "--json")
    assert code == 0
    assert json.loads(out)["spikes_per_neuron"] <= 1


def test_tables_are_listed_run_and_refused(capsys, tmp_path):
    code, out, _ = run(capsys, "reproduce", "--json")
    assert code == 0
    assert set(json.loads(out)) >= {"best", "dimensions-shd", "dimensions-yinyang", "efficiency", "sparsity"}
    code, out, err = run(
        capsys, "reproduce", "dimensions-yinyang", "--rows", "none", "--seeds", 1, "--epochs", 1, "--out",
        tmp_path / "runs", "--results", tmp_path, "--json",
    )  # fmt: skip
    assert code == 0
    values = json.loads(out)
    assert (values["finished"], values["planned"]) == (1, 8)
    assert "none, seed 0: " in err
    assert values == json.loads((tmp_path / "dimensions-yinyang-1epochs.json").read_text())
    for arguments, words in (
        (("dimension",), "there is no table 'dimension'; tables: best"),
        (("dimensions-yinyang", "--rows", "6-D"), "no row '6-D'; rows: none, axonal"),
        (("dimensions-yinyang", "--folds", "0,11"), "folds hold out speakers of 'shd'"),
        (("dimensions-yinyang", "--seeds", 0), "--seeds must be at least 1, got 0"),
        (("efficiency", "--results", tmp_path / "none"), "holds none of the tables best, dimensions-shd, sparsity"),
    ):
        code, out, err = run(capsys, "reproduce", *arguments)
        assert (code, out) == (2, "")
        assert words in err.replace("\n", " ")


def test_a_sweep_from_the_command_line(capsys, tmp_path):
    options = ("--trials", 2, "--out", tmp_path / "s", *SMALL, "--set", "training.epochs=1", "--json")
    code, out, err = run(capsys, "sweep", "digits", "--param", "training.lr=1e-3..1e-1:log", *options)
    assert code == 0
    assert len(json.loads(out)["trials"]) == 2
    assert "trial 1: " in err
    code, _, _ = run(
        capsys, "train", tmp_path / "s" / "best.yaml", "--out", tmp_path / "run", "--json"
    )  # the best settings train
    assert code == 0
    history = json.loads((tmp_path / "run" / "history.json").read_text())
    assert history[-1]["validation_accuracy"] == json.loads(out)["accuracy"]
    for arguments, words in (
        (("--param", "training.lr"), "--param takes key=lo..hi"),
        (("--param", "training.rl=1..2"), "did you mean 'lr'"),
    ):
        code, _, err = run(capsys, "sweep", "digits", *arguments, "--out", tmp_path / "t")
        assert code == 2
        assert words in err


def test_a_run_without_validation_is_trained_and_reported(capsys, tmp_path):
    out = tmp_path / "run"
    assert run(capsys, "train", "digits", *SMALL, "--set", "data.validation=null", "--out", out)[0] == 0
    metrics = json.loads((out / "metrics.json").read_text())
    assert (metrics["select"], metrics["best_epoch"], metrics["validation_accuracy"]) == ("last", 2, None)
    assert run(capsys, "report", out, "--json")[0] == 0
    assert "the last epoch was taken" in (out / "report.html").read_text()
    code, _, err = run(capsys, "evaluate", out / "model.h5", "--split", "validation")
    assert code == 2
    assert "this run has no validation set" in err


def test_joined_networks_are_one_file_for_every_command(capsys, tmp_path):
    files = [tmp_path / str(seed) / "model.h5" for seed in (0, 1)]
    for seed, file in enumerate(files):
        options = ("--set", f"model.seed={seed}", "--out", file.parent)
        assert run(capsys, "train", "digits", *SMALL, *options)[0] == 0
    code, out, _ = run(capsys, "join", *files, "--out", tmp_path / "both.h5", "--json")
    found, networks = json.loads(out), [spsnn.load(file) for file in files]
    assert code == 0 and found["neurons"] == [64, 24, 10]
    assert found["parameters of the networks"] == 2 * networks[0].n_parameters()
    assert spsnn.load(tmp_path / "both.h5").provenance["joined"] == [str(file) for file in files]
    code, out, _ = run(capsys, "evaluate", tmp_path / "both.h5", "--json")
    test = workflow.load_split(workflow.data_of(networks[0], files[0]), "test").events
    decided = sum(net(test).logits for net in networks).argmax(1).numpy()
    assert code == 0 and json.loads(out)["accuracy"] == (decided == test.labels).mean()
    code, out, _ = run(capsys, "map", tmp_path / "both.h5", "--placement", "spectral", "--json")
    assert code == 0 and abs(json.loads(out)["float_accuracy"] - (decided == test.labels).mean()) < 1e-9
    for arguments, words in (
        ((files[0],), "at least two SpSNN"),
        ((files[0], tmp_path / "absent.h5"), "no file"),
    ):
        code, _, err = run(capsys, "join", *arguments, "--out", tmp_path / "none.h5")
        assert code == 2 and words in " ".join(err.split()) and not (tmp_path / "none.h5").exists()
    code, _, err = run(capsys, "join", *files, "--out", files[1])
    assert code == 2 and "is there already; choose another --out" in " ".join(err.split())
    for option, words in (("data.options.t_min=5.0", "join networks of the same data"),
                          ("data.validation=null", "join networks of the same data"),
                          ("model.readout_scale=2.0", "network 2 differs from the first: readout_scale")):  # fmt: skip
        other = tmp_path / option
        assert run(capsys, "train", "digits", *SMALL, "--set", option, "--out", other)[0] == 0
        code, _, err = run(capsys, "join", files[0], other / "model.h5", "--out", tmp_path / "none.h5")
        assert code == 2 and words in " ".join(err.split()) and not (tmp_path / "none.h5").exists()


@pytest.mark.parametrize("timing", ["noc", "queue"])
def test_map_times_spike_traces(trained, capsys, tmp_path, timing):
    options = ("--cores", 4, "--timing", timing, "--samples", 3, "--out", tmp_path, "--json")
    code, out, _ = run(capsys, "map", trained / "model.h5", *options)
    found = json.loads(out)
    assert code == 0 and found[f"{timing}_traces"] == 3
    ordered = [found[f"{timing}_latency_us_per_inference_{p}"] for p in ("p50", "p95", "max")]
    assert found[f"{timing}_latency_us_without_network"] < ordered[0] <= ordered[1] <= ordered[2]
    assert found[f"{timing}_energy_source"].startswith("inherited")
    assert (tmp_path / "latency.png").exists() == (timing == "noc") and (tmp_path / "inferences.png").exists()
    page = (tmp_path / "report.html").read_text("utf-8")
    assert f"Recorded spikes, timing model {timing}" in page and "what saturates first" in page


def test_map_refuses_an_unknown_timing(trained, capsys):
    code, _, err = run(capsys, "map", trained / "model.h5", "--timing", "exact")
    assert code == 2 and "timing must be one of simple, noc, queue" in err


def test_map_shows_a_summary_with_units_and_sources(trained, capsys):
    code, text, err = run(capsys, "map", trained / "model.h5")
    assert code == 0
    for words in ("accuracy as mapped", "energy per inference, nJ", "[nJ]", "inherited", "synaptic op"):
        assert words in text
    assert "figures: --json" in err
