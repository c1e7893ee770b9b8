"""`spsnn simulate --engine` and `spsnn export --format` on a small trained network."""

import json
from importlib.util import find_spec

import pytest

import spsnn
from spsnn.cli import workflow
from spsnn.hwmap import load_target
from spsnn.hwmap.quantise import quantise
from spsnn.hwmap.quantise.integer import IntegerNetwork
from spsnn.models.spiking.integer import IntegerModel

from .command import exit_code, run


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Model file of a short run on digits."""
    out = tmp_path_factory.mktemp("engines") / "run"
    small = ("--set", "training.epochs=6", "--set", "hidden=[30]")
    assert exit_code("train", "digits", *small, "--out", out) == 0
    return out / "model.h5"


def test_integers_are_as_right_as_the_quantised_network(model):
    net = spsnn.load(model)
    data = workflow.load_split(workflow.data_of(net, model), "test")
    integers = quantise(spsnn.to_graph(net, name="digits"), load_target("loihi2"))
    stand = IntegerModel(net, IntegerNetwork.of(integers))
    chip = spsnn.evaluate(stand, data.events)
    rounded = spsnn.evaluate(spsnn.from_graph(net, integers.network), data.events)
    assert rounded["accuracy"] > 0.7 and abs(chip["accuracy"] - rounded["accuracy"]) < 0.02
    assert chip["spikes_per_neuron"] == pytest.approx(rounded["spikes_per_neuron"], rel=0.02)
    assert chip["loss"] == pytest.approx(rounded["loss"], rel=0.05)
    assert (stand.wrapped, stand.clipped) == (0, 0)


def test_simulates_integers_with_a_picture(model, capsys, tmp_path):
    picture = tmp_path / "run.png"
    code, out, _ = run(
        capsys, "simulate", model, "--engine", "integer", "--sample", 4, "--count", 40, "--picture", picture, "--json"
    )
    values = json.loads(out)
    assert code == 0 and picture.stat().st_size > 10_000
    assert values["samples"] == 40 and 0.6 < values["accuracy"] <= 1
    assert values["currents_wrapped"] == values["potentials_clipped"] == 0
    assert 0 < values["energy_dynamic_nj"] < values["energy_nj"] and values["latency_us"] > 0
    net = spsnn.load(model)
    batch = workflow.load_split(workflow.data_of(net, model), "test").events[4]
    assert values["spikes_input"] == len(batch.times)
    # Most spikes fall into the same step as in the grid engine.
    spikes = net(batch).spikes[0].counts().sum()
    assert values["spikes_hidden1"] == pytest.approx(spikes, abs=max(3, 0.1 * spikes))


@pytest.mark.skipif(
    find_spec("lava") is None or find_spec("lava.proc") is None, reason="Lava is not installed; make install does it"
)
@pytest.mark.parametrize("engine, other", [("lava", "integer"), ("lava-float", "grid")])
def test_lava_runs_a_trained_network_spike_for_spike(model, capsys, engine, other):
    code, out, _ = run(capsys, "simulate", model, "--engine", engine, "--count", 3, "--json")
    values = json.loads(out)
    assert code == 0 and values["spikes_hidden1"] > 5
    assert values[f"spikes_unlike_{other}"] == 0 and values.get(f"potentials_unlike_{other}", 0) == 0


def test_refuses(model, capsys, tmp_path):
    for arguments, message in (
        (("--engine", "analogue"), "engine must be one of float, integer, lava, lava-float"),
        (("--engine", "integer", "--sample", 10, "--count", 10_000), "must stay within"),
        (("--count", 3), "add --engine"),
        (("--engine", "integer", "--picture", tmp_path / "x.bmp"), "pictures are written as"),
    ):
        code, _, err = run(capsys, "simulate", model, *arguments)
        assert code == 2 and message in " ".join(err.split())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".csv", ".npz", ".net", ".nir"])
def test_exports_by_suffix_and_by_name(model, capsys, tmp_path, suffix):
    code, out, _ = run(capsys, "export", model, tmp_path / f"digits{suffix}", "--json")
    assert code == 0 and json.loads(out)["bytes"] == (tmp_path / f"digits{suffix}").stat().st_size
    name = {".csv": "csv", ".npz": "lava", ".net": "netx", ".nir": "nir"}[suffix]
    code, _, _ = run(capsys, "export", model, tmp_path / "named", "--format", name, "--json")
    assert code == 0 and (tmp_path / "named").exists()
    code, _, err = run(capsys, "export", model, tmp_path / "other", "--format", "vhdl")
    assert code == 2 and "unknown export format 'vhdl'; known: " in " ".join(err.split())
    assert not (tmp_path / "other").exists()


def test_what_a_format_cannot_hold_is_one_message(model, capsys, tmp_path):
    trained = spsnn.load(model)
    loop = spsnn.SpSNN([64, 12, 10], recurrent=True, readout="mean_membrane", max_delay=60.0, on_exceed="clip")
    spsnn.save(loop, tmp_path / "loop.h5", provenance=trained.provenance)
    code, out, err = run(capsys, "export", tmp_path / "loop.h5", tmp_path / "loop.net")
    assert code == 2 and out == "" and err.startswith("error: hidden1 -> hidden1 is recurrent with delays")
    assert [p.name for p in tmp_path.iterdir()] == ["loop.h5"]
