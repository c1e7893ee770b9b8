"""Reports and layout files."""

import json

import h5py
import numpy as np
import pytest

from spsnn.errors import ExportError, ModelFileError
from spsnn.hwmap import compile, load_target, read_layout
from spsnn.hwmap.exports.layout import write_json


@pytest.fixture
def chip(network):
    return compile(network, load_target("loihi2"), cores=5)


@pytest.mark.parametrize("mode", ["stored", "computed", "hop"])
@pytest.mark.parametrize("suffix", [".json", ".h5", ".hdf5"])
def test_round_trip(network, tmp_path, mode, suffix):
    chip = compile(network, "loihi2", cores=5, delay_mode=mode)
    path = tmp_path / f"layout{suffix}"
    chip.export(path)
    chip.export(path)  # a second export replaces the first
    layout = read_layout(path)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert layout.meta["delay_mode"] == mode and layout.meta["hypothetical"] is (mode != "stored")
    assert layout.meta["report"] == chip.report()
    for p in network.populations:
        np.testing.assert_array_equal(layout.population(p.name), chip.core_of(p.name))
    np.testing.assert_array_equal(layout.arrays["core_tile"], chip.routing.core_tile)
    for at, p in enumerate(chip.quantised.projections):
        scale = layout.meta["populations"][[q.name for q in network.populations].index(p.post)]["weight_scale"]
        np.testing.assert_array_equal(layout.arrays[f"projection/{at}/weight"] * scale, p.weight)
        np.testing.assert_array_equal(layout.arrays[f"projection/{at}/delay_steps"] * layout.meta["dt_ms"], p.delay)
        np.testing.assert_array_equal(layout.arrays[f"projection/{at}/indices"], p.indices)
    assert layout.arrays["route/messages"].sum() == pytest.approx(chip.cost["count_within_tile"])
    assert ("projection/0/residual_steps" in layout.arrays) is (mode == "hop")
    assert ("population/0/coordinates" in layout.arrays) is (mode == "computed")
    assert layout.meta["target"]["provenance"]["energy_hop_ew_pj"]["kind"] == "inherited"


def test_report_is_flat_and_plain(network):
    report = compile(network, "mesh", cores=4, delay_mode="computed").report()
    assert json.loads(json.dumps(report)) == report
    assert not any(isinstance(v, (dict, list)) for v in report.values())
    assert report["delay_label"] == "computed (hypothetical on mesh)" and report["hypothetical"] is True
    assert report["delay_fit_residual_rms_steps"] < 1e-9


def test_defaults_map_a_random_network(network):
    report = compile(network).report()
    assert (report["target"], report["delay_mode"], report["hypothetical"]) == ("loihi2", "stored", False)
    assert report["cores_used"] == 1 and report["synapses"] == sum(p.n_synapses for p in network.projections)


def test_unknown_suffix_names_the_known(chip, tmp_path):
    with pytest.raises(ExportError, match=r"'.yaml'; known: .json, .h5, .hdf5"):
        chip.export(tmp_path / "layout.yaml")
    with pytest.raises(ExportError, match="could not write"):
        chip.export(tmp_path / "nowhere" / "layout.json")


def test_parameter_that_a_file_cannot_hold(network, tmp_path):
    network.populations[1].parameters["reset"] = object()
    with pytest.raises(ExportError, match="parameter"):
        compile(network).export(tmp_path / "a.json")


def test_failed_write_leaves_the_old_file(chip, tmp_path, monkeypatch):
    path = tmp_path / "layout.json"
    chip.export(path)
    before = path.read_bytes()

    def full(_):
        raise OSError("disk full")

    monkeypatch.setattr("spsnn.atomic.os.fsync", full)
    with pytest.raises(ExportError, match="disk full"):
        chip.export(path)
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


def put(name, index, value):
    def edit(layout):
        layout.arrays[name][index] = value

    return edit


def meta(name, value):
    def edit(layout):
        layout.meta[name] = value

    return edit


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (meta("format", "other"), "format"),
        (meta("schema", 2), "schema 2"),
        (meta("hypothetical", True), "must be labelled 'stored'"),
        (meta("delay_mode", "magic"), "unknown delay_mode"),
        (meta("dt_ms", 0), "dt_ms"),
        (lambda layout: layout.meta["target"].update(weight_bits=0), "target is invalid"),
        (lambda layout: layout.meta.pop("populations"), "populations"),
        (lambda layout: layout.arrays.pop("core"), "core"),
        (put("core", 0, 0), "input unit sits on a core"),
        (put("core", -1, 99), "core lies outside"),
        (put("core_slot", 0, 500), "place lies outside"),
        (lambda layout: put("core_slot", 0, layout.arrays["core_slot"][1])(layout), "same place"),
        (put("core_tile", 0, 7), "contradicts"),
        (put("projection/0/indptr", 0, 1), "indptr"),
        (put("projection/0/indices", 0, 12), "does not exist"),
        (put("projection/0/weight", 0, 128), "beyond 8 bits"),
        (put("projection/0/delay_steps", 0, 63), "above 62 steps"),
        (put("projection/0/delay_steps", 0, -1), "negative"),
        (put("route/source", 0, 8), "leaves the mesh"),
        (put("route/messages", 0, -1.0), "bad counts"),
        (
            lambda layout: layout.arrays.update({"projection/1/weight": layout.arrays["projection/1/weight"][:-1]}),
            "must hold",
        ),
    ],
)
def test_reader_names_what_is_wrong(chip, tmp_path, edit, message):
    layout = chip.layout()
    edit(layout)
    write_json(layout, tmp_path / "bad.json")
    with pytest.raises(ModelFileError, match=message):
        read_layout(tmp_path / "bad.json")


def test_damaged_files(chip, tmp_path):
    path = tmp_path / "layout.json"
    chip.export(path)
    path.write_text(path.read_text()[:-20])
    with pytest.raises(ModelFileError, match="cannot be read"):
        read_layout(path)
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(ModelFileError, match="cannot be read"):
        read_layout(tmp_path / "list.json")
    other = tmp_path / "layout.h5"
    chip.export(other)
    with h5py.File(other, "a") as file:
        del file["arrays/core"]
    with pytest.raises(ModelFileError, match="core"):
        read_layout(other)
    other.write_bytes(b"not hdf5")
    with pytest.raises(ModelFileError, match="cannot be read"):
        read_layout(other)
    for name in ("none.json", "none.h5", "layout.txt"):
        with pytest.raises(ModelFileError):
            read_layout(tmp_path / name)
