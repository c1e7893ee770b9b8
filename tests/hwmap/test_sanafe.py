"""SANA-FE on the same mapped networks and spikes: energy and simple latency."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from spsnn.errors import ExportError
from spsnn.hwmap import compile, load_target
from spsnn.hwmap.cost import barrier_ns, cost_of_trace
from spsnn.hwmap.traffic.trace import Trace


def simulate(folder, steps):
    """Energy in nJ and latency in us of SANA-FE's ``simple`` timing."""
    sanafe = pytest.importorskip("sanafe", reason="SANA-FE is not installed: pip install sanafe==2.2.9")
    arch = sanafe.load_arch(str(folder / "architecture.yaml"))
    chip = sanafe.SpikingChip(arch)
    chip.load(sanafe.load_net(str(folder / "network.yaml"), arch))
    out = chip.sim(steps, timing_model="simple")
    return out["energy"]["total"] * 1e9, out["sim_time"] * 1e6, out


def recorded(chip, seed=0, share=0.1, steps=40):
    rng = np.random.default_rng(seed)
    sizes = {p.name: p.size for p in chip.network.populations if p.kind != "li"}
    return Trace.of(chip.flat, {name: rng.random((steps, n)) < share for name, n in sizes.items()})


def unit_delays(network):
    return replace(network, projections=tuple(replace(p, delay=np.ones_like(p.delay)) for p in network.projections))


@pytest.mark.parametrize("name", ["loihi1_davies", "loihi1_silicon", "loihi2", "mesh", "truenorth", "crossbar"])
@pytest.mark.parametrize(("cores", "port"), [(1, (0, 0)), (4, (3, 1)), (9, (5, 2))])
def test_equal_to_rounding_where_sana_fe_can_be(build, tmp_path, name, cores, port):
    # Its delays do not work: spikes always arrive in the next step, so all delays here are one step.
    network = unit_delays(build(seed=3, sizes=(20, 60, 10), density=1.1, duration=40.0))
    more = {
        "crossbar": {"energy_synaptic_op_pj": 1.2, "time_axon_in_ns": 10.0, "crossbar_rows": 256},
        "truenorth": {"mesh_width": 7, "mesh_height": 5},
    }
    target = load_target(name, multicast=False, port=port, **more.get(name, {}))
    chip = compile(network, target, cores=cores, placement="random")
    trace = recorded(chip)
    chip.export_sanafe(tmp_path, trace)
    energy, latency, out = simulate(tmp_path, trace.n_steps)
    ours = cost_of_trace(chip, trace)
    assert ours["energy_dynamic_nj_per_inference"] == pytest.approx(energy, rel=1e-9)
    assert ours["latency_us_per_inference"] == pytest.approx(latency, rel=1e-8)
    host = trace.counts(chip.flat.n)[chip.flat.is_input]
    assert out["packets_sent"] == ours["count_axon_out"] + host @ chip.partition.reached[chip.flat.is_input].sum(1)
    assert out["spikes"] == ours["count_synaptic_op"] + ours.get("count_synaptic_op_sparse", 0)


def test_within_a_hundredth_with_both_storages_and_delays(build, tmp_path):
    network = build(seed=3, sizes=(20, 60, 10), density=0.5, duration=150.0)
    chip = compile(network, "loihi1_silicon", cores=9)
    trace = recorded(chip, steps=150)
    chip.export_sanafe(tmp_path, trace)
    energy, latency, _ = simulate(tmp_path, trace.n_steps)
    ours = cost_of_trace(chip, trace)
    assert 0 < ours["count_synaptic_op_sparse"] != ours["count_synaptic_op"] > 0
    assert ours["energy_dynamic_nj_per_inference"] == pytest.approx(energy, rel=0.01)
    assert ours["latency_us_per_inference"] == pytest.approx(latency, rel=0.01)


def test_means_where_there_is_no_trace(build, tmp_path):
    chip = compile(build(seed=1, duration=400.0), "loihi2", cores=3)
    chip.export(tmp_path / "sim", "sanafe")
    _, _, out = simulate(tmp_path / "sim", 400)
    expected = chip.flat.rates.sum()
    assert abs(out["neurons_fired"] - expected) < 5 * np.sqrt(expected)


def test_the_silicon_profile_is_the_description_that_it_ships():
    sanafe = pytest.importorskip("sanafe", reason="SANA-FE is not installed: pip install sanafe==2.2.9")
    text = (Path(sanafe.__file__).parent / "examples" / "loihi.yaml").read_text(encoding="utf-8")
    loihi = yaml.safe_load(text)["architecture"]
    target = load_target("loihi1_silicon")
    for tiles, seconds in loihi["attributes"]["latency_sync"].items():
        assert barrier_ns(target, tiles) == pytest.approx(1e9 * seconds)
    tile = loihi["tile"][0]
    units = {u["name"]: u["attributes"] for kind in tile["core"][0].values() if isinstance(kind, list) for u in kind}
    lif = units["loihi_lif"]
    for quantity, prefix, unit, scale in (("energy", "energy", "pj", 1e12), ("time", "latency", "ns", 1e9)):
        theirs = {
            "synaptic_op": units["loihi_dense_synapse"][f"{prefix}_process_spike"],
            "synaptic_op_sparse": units["loihi_sparse_synapse"][f"{prefix}_process_spike"],
            "neuron_inactive": lif[f"{prefix}_access_neuron"],
            "neuron_active": lif[f"{prefix}_access_neuron"] + lif[f"{prefix}_update_neuron"],
            "spike_out": lif[f"{prefix}_spike_out"],
            "axon_out": units["loihi_out"][f"{prefix}_message_out"],
            "axon_in": units["loihi_in"][f"{prefix}_message_in"],
            "hop_ew": tile["attributes"][f"{prefix}_east_hop"],
            "hop_ns": tile["attributes"][f"{prefix}_north_hop"],
        }
        for event, value in theirs.items():
            assert getattr(target, f"{quantity}_{event}_{unit}") == pytest.approx(scale * value), event


def test_what_it_lacks_is_refused(network, tmp_path):
    link = {"chips": (2, 1), "energy_chip_link_pj": 1.0, "time_chip_link_ns": 1.0}
    small = load_target("crossbar", energy_synaptic_op_pj=1.0, multicast=False, crossbar_rows=8)
    for target, message in (
        ("mesh", "multicast"),
        (load_target("loihi2", **link), "2 chips"),
        (small, "partial sums"),
    ):
        with pytest.raises(ExportError, match=message):
            compile(network, target).export_sanafe(tmp_path / "none")
    assert not (tmp_path / "none").exists()
    with pytest.raises(ExportError, match="unknown export format 'netlist'"):
        compile(network, "loihi2").export(tmp_path / "x", "netlist")
