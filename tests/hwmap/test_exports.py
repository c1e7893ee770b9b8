"""netx and CSV files, the table of formats, and refusals that leave nothing behind."""

import csv
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import h5py
import numpy as np
import pytest

from spsnn.errors import DataError, ExportError, ModelFileError
from spsnn.graph import Network, Population, Projection
from spsnn.hwmap import compile, load_target
from spsnn.hwmap.exports import FORMATS, SUFFIXES
from spsnn.hwmap.exports.netx import read_netx, save_netx
from spsnn.hwmap.quantise.integer import IntegerNetwork
from spsnn.kernels.reference.loihi import effective_weights

from .test_integer import random_network

LIF = {"tau_mem": 20.0, "tau_syn": 5.0, "threshold": 1.0}


def chain(**changes):
    """Input, two layers; the changes are constants of the first layer."""
    rng, sizes = np.random.default_rng(1), (8, 12, 4)
    kinds = ("input", "lif", "li")
    populations = tuple(
        Population(n, s, k, rng.normal(size=(s, 2)), {} if k == "input" else {**LIF, **(changes if k == "lif" else {})},
                   None if k == "li" else rng.uniform(0, 3, s))
        for n, s, k in zip(("in", "hidden", "out"), sizes, kinds, strict=True)
    )  # fmt: skip

    def connect(a, b, mask=None):
        shape = populations[a].size, populations[b].size
        delay = rng.integers(0, 63, shape).astype(float)
        return Projection.from_dense(populations[a].name, populations[b].name, rng.normal(2, 4, shape), delay, mask)

    projections = connect(0, 1, rng.random((8, 12)) < 0.7), connect(1, 2)
    return Network(populations, projections, 1.0, 100.0, "random", "chain")


def test_suffixes_name_formats():
    assert set(SUFFIXES.values()) <= set(FORMATS)


def test_netx_reads_back_with_equal_spikes(tmp_path):
    chip = compile(chain(), "loihi2")
    chip.export(tmp_path / "chain.net")
    read, wanted = read_netx(tmp_path / "chain.net", 1.0, 100), IntegerNetwork.of(chip.integers)
    x = np.random.default_rng(0).random((4, 100, 8)) < 0.1
    a, b = wanted.run({"in": x}), read.run({"input": x})
    np.testing.assert_array_equal(a.spikes["hidden"], b.spikes["layer1"])
    np.testing.assert_array_equal(np.rint(a.potential["out"] / wanted["out"].unit), b.potential["layer2"])
    assert a.spikes["hidden"].sum() > 50


def test_netx_holds_what_the_format_says(tmp_path):
    chip = compile(chain(), "loihi2")
    chip.export(tmp_path / "chain.net")
    p, q = IntegerNetwork.of(chip.integers)["hidden"], chip.integers.network.projections[0]
    with h5py.File(tmp_path / "chain.net") as file:
        layer = file["layer/1"]
        assert layer["type"][0] == b"dense" and layer["neuron/type"][0] == b"LOIHI"
        assert layer["neuron/iDecay"][()] == p.du + 1 and layer["neuron/vDecay"][()] == p.dv
        weight, delay = layer["weight"][()], layer["delay"][()]
        dense, steps, mask = q.to_dense((8, 12))
        # The weight that acts, after the cut of the last bit, is twice the integer of the chip.
        scale = chip.integers.scales["hidden"]
        np.testing.assert_array_equal(effective_weights(weight), 2 * np.rint(dense.T / scale))
        np.testing.assert_array_equal(delay[mask.T], steps.T[mask.T])


@pytest.mark.skipif(
    find_spec("lava") is None or find_spec("lava.lib") is None, reason="lava-dl is not installed; make install does it"
)
def test_lava_dl_reads_netx_with_equal_spikes(tmp_path):
    compile(chain(), "loihi2").export(tmp_path / "chain.net")
    x = np.random.default_rng(0).random((100, 8)) < 0.1
    np.savez(tmp_path / "x.npz", spikes=x)
    reader = Path(__file__).parents[2] / "benchmarks" / "netx_reader.py"
    files = [str(tmp_path / name) for name in ("chain.net", "x.npz", "out.npz")]
    subprocess.run([sys.executable, str(reader), *files], check=True, capture_output=True, timeout=300)
    wanted = read_netx(tmp_path / "chain.net", 1.0, 100).run({"input": x})
    with np.load(tmp_path / "out.npz") as found:
        np.testing.assert_array_equal(found["layer1"], wanted.spikes["layer1"][0])
        np.testing.assert_array_equal(found["potential"], wanted.potential["layer2"][0])
    assert wanted.spikes["layer1"].sum() > 10


def with_loop(network):
    loop = Projection.from_dense("hidden", "hidden", np.ones((12, 12)), np.full((12, 12), 3.0))
    return replace(network, projections=(*network.projections, loop))


def with_skip(network):
    skip = Projection.from_dense("in", "out", np.ones((8, 4)), np.ones((8, 4)))
    return replace(network, projections=(*network.projections, skip))


def with_bias(network):
    extra = Population("bias of hidden", 1, "input", rates=np.full(1, 100.0))
    bias = Projection.from_dense("bias of hidden", "hidden", np.full((1, 12), 0.1), np.zeros((1, 12)))
    return replace(
        network, populations=(*network.populations[:2], extra, network.populations[2]),
        projections=(*network.projections, bias),
    )  # fmt: skip


def adaptive(network):
    hidden = replace(network["hidden"], kind="adlif")
    return replace(network, populations=(network.populations[0], hidden, network.populations[2]))


@pytest.mark.parametrize(
    "change, suffix, message",
    [
        (with_loop, ".net", r"hidden -> hidden is recurrent with delays of 3 to 3 steps; netx has no recurrent delays"),
        (with_skip, ".net", r"in -> out is one too many"),
        (with_bias, ".net", r"netx has one input, this network has in, bias of hidden"),
        (adaptive, ".net", r"hidden has neurons of kind 'adlif'"),
        (adaptive, ".npz", r"hidden has neurons of kind 'adlif'"),
        (adaptive, ".nir", r"hidden has neurons of kind 'adlif'"),
        (lambda n: chain(refractory=2.0), ".npz", r"hidden has refractory 2.0"),
        (lambda n: chain(reset="subtract"), ".nir", r"hidden has reset 'subtract'"),
        (lambda n: chain(v_reset=-0.5), ".net", r"hidden has v_reset -0.5"),
    ],
)
def test_refuses_before_anything_is_written(tmp_path, change, suffix, message):
    chip = compile(change(chain()), "loihi2")
    with pytest.raises(ExportError, match=message):
        chip.export(tmp_path / f"file{suffix}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name, value, message",
    [("weight", 300, r"even and within 254, they reach 300"), ("weight", 3, "even"),
     ("delay", 63, r"delays of in -> one must lie in 0..62"), ("delay", -1, r"they run from -1 to")],
)  # fmt: skip
def test_netx_refuses_values_out_of_range(tmp_path, name, value, message):
    network = random_network(0, recurrent=False)
    a, b = network.populations[:2]
    p = network.projections[0]
    values = getattr(p, name).copy()
    values[0] = value
    bad = replace(network, populations=(a, replace(b, bias_mant=0)), projections=(replace(p, **{name: values}),))
    with pytest.raises(ExportError, match=message):
        save_netx(bad, tmp_path / "bad.net")
    assert list(tmp_path.iterdir()) == []


def test_long_and_negative_delays_are_refused(tmp_path):
    network = chain()
    last = replace(network.projections[1], delay=np.full(48, 90.0))
    far = replace(network, projections=(network.projections[0], last))
    chip = compile(far, load_target("mesh", delay_bits=8, max_delay_steps=255))
    for suffix in (".npz", ".net"):
        with pytest.raises(ExportError, match=r"hidden -> out has delays from 90 to 90 steps; Loihi holds 0 to 62"):
            chip.export(tmp_path / f"file{suffix}")
    with pytest.raises(DataError, match="delays >= 0"):
        replace(network.projections[1], delay=np.full(48, -1.0))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".npz", ".net"])
def test_weights_beyond_eight_bits_are_refused(tmp_path, suffix):
    chip = compile(chain(), load_target("loihi2", weight_bits=12))
    with pytest.raises(ExportError, match=r"weights into hidden reach 2047; Loihi holds integers up to 127"):
        chip.export(tmp_path / f"file{suffix}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "entry, value, message",
    [
        ("layer/1/weight", np.zeros((3, 3), int), "weight and delay of layer1 must be"),
        ("layer/1/weight", np.full((12, 8), 1), "even and within 254"),
        ("layer/1/delay", np.full((12, 8), 63), r"delays of layer1 in .* must lie in 0..62"),
        ("layer/2/neuron/vThMant", 2**17, "vThMant in 1..131071"),
        ("layer/1/neuron/refDelay", 2, "without refractory period"),
        ("layer/2/neuron/iDecay", None, "layer2 lacks or garbles 'neuron/iDecay'"),
        ("layer/1/type", np.array([b"conv"], "S10"), "layer1 is of type 'conv'"),
    ],
)
def test_netx_files_are_checked(tmp_path, entry, value, message):
    path = tmp_path / "chain.net"
    compile(chain(), "loihi2").export(path)
    with h5py.File(path, "a") as file:
        del file[entry]
        if value is not None:
            file[entry] = value
    with pytest.raises(ModelFileError, match=message):
        read_netx(path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ModelFileError, match="damaged or not a netx file"):
        read_netx(path)


def test_csv_has_a_row_for_every_neuron(tmp_path):
    chip = compile(chain(), "loihi2", cores=3)
    chip.export(tmp_path / "chain.csv")
    with open(tmp_path / "chain.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8 + 12 + 4
    hidden = [row for row in rows if row["population"] == "hidden"]
    population = chip.network["hidden"]
    assert [int(row["neuron"]) for row in hidden] == list(range(12))
    assert [int(row["core"]) for row in hidden] == chip.core_of("hidden").tolist()
    assert [[int(row["tile_x"]), int(row["tile_y"])] for row in hidden] == chip.tile_of("hidden").tolist()
    np.testing.assert_allclose([[float(row["x0"]), float(row["x1"])] for row in hidden], population.positions)
    np.testing.assert_allclose([float(row["spikes"]) for row in hidden], population.rates)
    assert {row["core"] for row in rows if row["population"] == "in"} == {"-1"} and rows[-1]["spikes"] == ""


def test_csv_of_neurons_on_a_line(tmp_path):
    network = chain()
    line = tuple(replace(p, positions=p.positions[:, 0]) for p in network.populations)
    compile(replace(network, populations=line), "loihi2", partition="mtkahypar").export(tmp_path / "line.csv")
    with open(tmp_path / "line.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["x0"]) for row in rows[:8]] == pytest.approx(line[0].positions)


def test_what_a_matrix_cannot_hold_is_refused(tmp_path):
    network = chain()
    first, last = network.projections
    again = replace(first, weight=-0.5 * first.weight, delay=np.minimum(first.delay + 3, 62))
    two = compile(replace(network, projections=(first, again, last)), "loihi2")
    with pytest.raises(ExportError, match=r"in -> hidden is there more than once, netx holds one matrix"):
        two.export(tmp_path / "two.net")
    doubled = Projection(
        "in", "hidden", 2 * first.indptr, *(np.repeat(x, 2) for x in (first.indices, first.weight, first.delay))
    )
    twice = compile(replace(network, projections=(doubled, last)), "loihi2")
    for name in ("twice.net", "twice.npz"):
        with pytest.raises(ExportError, match=r"in -> hidden has 2 synapses from neuron 0 to \d+"):
            twice.export(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("target", ["loihi1_davies", "loihi1_silicon", "loihi2"])
def test_every_loihi_exports_what_it_holds(tmp_path, target):
    """Weights of mixed sign are even there, which leaves 8 bits of the 9."""
    chip = compile(chain(), target)
    for p in IntegerNetwork.of(chip.integers).projections:
        assert (p.weight % 2 == 0).all() and 200 < np.abs(p.weight).max() <= 254
    chip.export(tmp_path / "chain.net")
    chip.export(tmp_path / "chain.npz")
