"""Graph files: nothing is lost on the way, every fault is named, an earlier file stays."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from spsnn.errors import DataError, ModelFileError
from spsnn.graph import Network, Population, Projection, is_graph, load_graph, save_graph
from spsnn.hwmap import compile

SUFFIXES = (".json", ".h5", ".hdf5")


def make_graph(kind="rate", rates=True):
    """Skip connection, recurrence, two synapses between one pair of neurons, and a population without coordinates."""
    rng = np.random.default_rng(1)
    sizes = {"in": 4, "hidden": 6, "out": 3}
    populations = (
        Population("in", 4, "input", rng.normal(size=(4, 2)), {}, rng.random(4) if rates else None),
        Population(
            "hidden", 6, kind, rng.normal(size=(6, 2)), {"tau_mem": rng.uniform(5, 30, 6), "threshold": 1.0,
            "reset": "zero"}, rng.random(6) if rates else None,
        ),
        Population("out", 3, "li", None, {"tau_mem": 20.0}),
    )  # fmt: skip

    def connect(pre, post):
        shape = sizes[pre], sizes[post]
        mask = rng.random(shape) < 0.6
        return Projection.from_dense(pre, post, rng.normal(size=shape), rng.uniform(0, 9, shape), mask)

    twice = Projection("in", "hidden", *(np.array(a) for a in ([0, 2, 2, 2, 2], [3, 3], [0.5, -0.25], [1.0, 4.0])))
    projections = (connect("in", "hidden"), twice, connect("hidden", "hidden"), connect("in", "out"))
    return Network(populations, (*projections, connect("hidden", "out")), 0.1, 20.0, "a test", "skip")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_round_trip_is_exact(tmp_path, suffix):
    network, path = make_graph(), tmp_path / f"graph{suffix}"
    save_graph(network, path)
    back = load_graph(path)
    assert is_graph(path)
    assert (back.name, back.dt, back.duration, back.activity_source) == ("skip", 0.1, 20.0, "a test")
    for a, b in zip(network.populations, back.populations, strict=True):
        assert (a.name, a.size, a.kind, set(a.parameters)) == (b.name, b.size, b.kind, set(b.parameters))
        np.testing.assert_equal(b.parameters, a.parameters)
        for what in ("positions", "rates"):
            np.testing.assert_equal(getattr(b, what), getattr(a, what))
    for a, b in zip(network.projections, back.projections, strict=True):
        assert (a.pre, a.post) == (b.pre, b.post)
        for what in ("indptr", "indices", "weight", "delay"):
            np.testing.assert_array_equal(getattr(b, what), getattr(a, what))


def test_a_graph_file_maps_like_its_network(tmp_path):
    network = make_graph()
    save_graph(network, tmp_path / "graph.h5")
    save_graph(network, tmp_path / "graph.json")
    want = compile(network, "loihi2", placement="row_major").report()
    for suffix in (".h5", ".json"):
        got = compile(load_graph(tmp_path / f"graph{suffix}"), "loihi2", placement="row_major").report()
        assert got == want
    assert want["neuron_label"].startswith("rate") and "li" in want["neuron_label"]


def test_a_rate_unit_costs_what_a_spiking_neuron_does():
    as_rate, as_lif = (compile(make_graph(kind), "loihi2", placement="row_major").cost for kind in ("rate", "lif"))
    assert as_rate == as_lif


def test_without_rates_nothing_is_mapped(tmp_path):
    save_graph(make_graph(rates=False), tmp_path / "graph.json")
    with pytest.raises(DataError, match="no measured rates"):
        compile(load_graph(tmp_path / "graph.json"), "loihi2", placement="row_major")


FAULTS = [
    (lambda t: t.update(format="spsnn-model"), "holds 'spsnn-model', expected 'spsnn-graph'"),
    (lambda t: t.update(schema=2), "schema 2, this version reads up to 1; upgrade"),
    (lambda t: t.update(schema="1"), "schema must be a whole number"),
    (lambda t: t.pop("dt_ms"), "lacks dt_ms"),
    (lambda t: t.update(dt_ms=0), "dt_ms must be a positive number of ms, got 0"),
    (lambda t: t.update(durations=3), "unknown entry 'durations'; did you mean 'duration_ms'"),
    (lambda t: t.update(populations=[]), "populations must be a list that is not empty"),
    (lambda t: t["populations"][1].update(kind="lfi"), "population 1 .'hidden'.: kind must be one of .* got 'lfi'"),
    (lambda t: t["populations"][1].update(size=5), r"positions must have shape \[5, D\], got \[6, 2\]"),
    (lambda t: t["populations"][1]["rates"].__setitem__(0, -1), "rates must be 6 numbers >= 0"),
    (lambda t: t["populations"][1]["rates"].__setitem__(0, float("nan")), "rates holds values that are not finite"),
    (lambda t: t["populations"][1]["rates"].pop(), r"rates must be 6 numbers >= 0.*shape \[5\]"),
    (lambda t: t["populations"][1]["positions"][2].pop(), "rows of different lengths"),
    (lambda t: t["populations"][1]["parameters"].update(tau_mem=[1.0]), "parameter tau_mem must be one value"),
    (lambda t: t["populations"][1].update(name="in"), "population names must be unique"),
    (lambda t: t["projections"][0].update(post="hiden"), "unknown population 'hiden'"),
    (lambda t: t["projections"][0]["indices"].__setitem__(0, 99), "in -> hidden does not fit its populations 4 -> 6"),
    (lambda t: t["projections"][0]["indptr"].__setitem__(1, -1), "indptr must rise from 0"),
    (lambda t: t["projections"][0]["indices"].__setitem__(0, 0.5), "indices must hold whole numbers"),
    (lambda t: t["projections"][0]["delay"].__setitem__(0, -0.5), "delays >= 0"),
    (lambda t: t["projections"][0]["weight"].pop(), "disagree in length"),
    (lambda t: t["projections"][0].pop("weight"), "projection 0 lacks weight"),
]


@pytest.mark.parametrize("change, message", FAULTS)
def test_faults_are_named(tmp_path, change, message):
    path = tmp_path / "graph.json"
    save_graph(make_graph(), path)
    tree = json.loads(path.read_text())
    change(tree)
    path.write_text(json.dumps(tree))
    with pytest.raises(ModelFileError, match=message) as error:
        load_graph(path)
    assert str(path) in str(error.value)


def test_damaged_files(tmp_path):
    for suffix in SUFFIXES:
        path = tmp_path / f"graph{suffix}"
        save_graph(make_graph(), path)
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(ModelFileError, match="damaged"):
            load_graph(path)
        with pytest.raises(ModelFileError, match="no file"):
            load_graph(tmp_path / f"absent{suffix}")
    with pytest.raises(ModelFileError, match=r"unknown suffix '.txt'; known: .json"):
        load_graph(tmp_path / "graph.txt")


def test_hdf5_faults(tmp_path):
    path = tmp_path / "graph.h5"
    for change, message in (
        (lambda h: h.__delitem__("projections/0/weight"), "projection 0 lacks weight"),
        (lambda h: h.__setitem__("projections/0/wieght", [1.0]), "unknown entry 'wieght'; did you mean 'weight'"),
        (lambda h: h.__setitem__("projections/9/weight", [1.0]), "damaged"),
        (lambda h: h.__delitem__("meta"), "damaged"),
        (lambda h: h.attrs.__setitem__("format", "spsnn-model"), "expected 'spsnn-graph'"),
    ):
        save_graph(make_graph(), path)
        with h5py.File(path, "r+") as h:
            change(h)
        with pytest.raises(ModelFileError, match=message):
            load_graph(path)
    assert not is_graph(path)


def test_what_cannot_be_read_is_not_written(tmp_path):
    path = tmp_path / "graph.json"
    save_graph(make_graph(), path)
    before = path.read_bytes()
    with pytest.raises(ModelFileError, match="kind must be one of"):
        save_graph(make_graph("izhikevich"), path)
    with pytest.raises(ModelFileError, match="unknown suffix"):
        save_graph(make_graph(), tmp_path / "graph.txt")
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["graph.json"]


def test_the_example_of_the_documentation_maps(tmp_path):
    text = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
    example = text.split("```json\n")[1].split("```")[0]
    (tmp_path / "graph.json").write_text(example)
    report = compile(load_graph(tmp_path / "graph.json"), "loihi2").report()
    assert report["synapses"] == 2 and report["count_synaptic_op"] == 6
