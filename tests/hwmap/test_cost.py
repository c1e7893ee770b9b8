"""The simple cost model, every picojoule and nanosecond counted by hand."""

from dataclasses import replace

import numpy as np
import pytest

from spsnn.graph.network import Network, Population, Projection
from spsnn.hwmap import compile, load_target
from spsnn.hwmap.cost import barrier_ns, cost_of_cores

PRICES = {
    "energy_synaptic_op_pj": 2,
    "energy_neuron_active_pj": 3,
    "energy_neuron_inactive_pj": 5,
    "energy_spike_out_pj": 7,
    "energy_axon_out_pj": 11,
    "energy_axon_in_pj": 13,
    "energy_within_tile_pj": 17,
    "energy_hop_ew_pj": 19,
    "energy_hop_ns_pj": 23,
    "time_synaptic_op_ns": 1,
    "time_neuron_active_ns": 2,
    "time_neuron_inactive_ns": 3,
    "time_spike_out_ns": 4,
    "time_axon_out_ns": 5,
    "time_axon_in_ns": 6,
    "time_within_tile_ns": 7,
    "barrier_one_tile_ns": 100,
    "barrier_all_tiles_ns": 130,
    "static_power_mw": 2,
}


def three_neurons():
    """One input unit (3 spikes) -> hidden a (2 spikes), b (1 spike) -> one output; 10 steps."""
    populations = (
        Population("in", 1, "input", None, {}, np.array([3.0])),
        Population("hidden", 2, "lif", np.array([[0.0, 0.0], [1.0, 0.0]]), {}, np.array([2.0, 1.0])),
        Population("out", 1, "li", np.array([[10.0, 0.0]])),
    )
    projections = (
        Projection.from_dense("in", "hidden", [[0.5, 0.5]], [[1.0, 2.0]]),
        Projection.from_dense("hidden", "out", [[1.0], [-1.0]], [[3.0], [1.0]]),
    )
    return Network(populations, projections, 1.0, 10.0, "by hand", "hand")


def map_by_hand(**overrides):
    target = load_target("mesh", **({"mesh_width": 4, "mesh_height": 1, "neurons_per_core": 2} | PRICES | overrides))
    return compile(three_neurons(), target, partition="geometric", placement="row_major")


def test_every_picojoule_and_nanosecond():
    chip = map_by_hand()
    # Core 0 at (0, 0), the port, holds a and b; core 1 at (1, 0) holds the output.
    assert chip.core_of("hidden").tolist() == [0, 0] and chip.core_of("out").tolist() == [1]
    assert chip.tile_of("in").tolist() == [[0, 0]] and chip.tile_of("out").tolist() == [[1, 0]]
    r = chip.report()
    counts = {k.removeprefix("count_"): v for k, v in r.items() if k.startswith("count_")}
    assert counts == {
        "synaptic_op": 3 * 2 + 2 + 1,
        "neuron_active": 3 + 3 + 3,  # events that reach a, b and the output
        "neuron_inactive": 3 * 10 - 9,
        "spike_out": 2 + 1,
        "axon_out": 2 + 1,
        "axon_in": 3 + 2 + 1,
        "within_tile": 3 + 2 + 1,
        "hop_ew": 2 + 1,
        "hop_ns": 0,
    }
    picojoule = 9 * 2 + 9 * 3 + 21 * 5 + 3 * 7 + 3 * 11 + 6 * 13 + 6 * 17 + 3 * 19
    assert r["energy_dynamic_nj_per_inference"] == pytest.approx(picojoule * 1e-3) == pytest.approx(0.441)
    # Core 0: updates 6 active, 14 inactive, 3 spikes, 3 messages out, 3 in, 6 synaptic operations.
    assert r["step_generation_ns"] == pytest.approx((6 * 2 + 14 * 3 + 3 * 4 + 3 * 5) / 10)
    assert r["step_reception_ns"] == pytest.approx((3 * (6 + 7) + 6 * 1) / 10)
    assert r["step_barrier_ns"] == pytest.approx(100 + 30 / 3)  # 2 of 4 tiles
    assert r["step_busiest_core"] == 0
    # Core 1 updates and receives less: 3 active, 7 inactive; 3 messages, 3 synaptic operations.
    assert r["step_ns"] == pytest.approx(max(8.1, 4.5) + 110)
    assert r["latency_us_per_inference"] == pytest.approx(1.181)
    assert r["energy_static_nj"] == pytest.approx(2 * 1.181)
    assert r["energy_nj_per_inference"] == pytest.approx(0.441 + 2.362)
    assert r["edp_nj_us"] == pytest.approx(2.803 * 1.181)
    assert r["throughput_inferences_per_s"] == pytest.approx(1e6 / 1.181)
    assert (r["link_load_max"], r["hops_per_message"]) == (3.0, 0.5)


@pytest.mark.parametrize(("multicast", "sent", "hops"), [(False, 2 * 2, 2 * 3), (True, 2, 2 * 2)])
def test_messages_to_two_cores(multicast, sent, hops):
    # One neuron at the port fires twice and reaches cores one and two tiles to the east.
    positions = [np.array([[0.0, 0.0]]), np.array([[5.0, 0.0], [10.0, 0.0]])]
    populations = (Population("a", 1, "lif", positions[0], {}, np.array([2.0])), Population("b", 2, "li", positions[1]))
    network = Network(populations, (Projection.from_dense("a", "b", np.ones((1, 2)), np.ones((1, 2))),), 1.0, 10.0)
    target = load_target("mesh", mesh_width=4, mesh_height=1, multicast=multicast, **PRICES)
    r = compile(network, target, partition="geometric", placement="row_major", cores=3).report()
    assert (r["count_axon_out"], r["count_axon_in"], r["hops_per_inference"]) == (sent, 4, hops)
    assert r["routing"] == ("multicast" if multicast else "unicast")


def test_components_add_up_to_the_total():
    r = map_by_hand().report()
    parts = [v for k, v in r.items() if k.startswith("energy_") and k.endswith("_nj")]
    assert len(parts) == 10 and sum(parts) == pytest.approx(r["energy_nj_per_inference"])


def test_north_south_hops_have_their_own_price():
    chip = map_by_hand(mesh_width=1, mesh_height=4)
    assert chip.report()["energy_hop_ns_nj"] == pytest.approx(3 * 23e-3)
    assert chip.report()["energy_hop_ew_nj"] == 0


def test_memory_and_axons_by_hand():
    use = map_by_hand().partition.use
    # Dense: 1 axon x 2 neurons x (8 + 6) bits = 28 on core 0; 2 axons x 1 neuron x 14 = 28 on core 1.
    assert {name: amount.tolist() for name, amount in use.items()} == {
        "neurons": [2, 1],
        "synapse_memory_bits": [28, 28],
        "axons_in": [1, 2],
        "axons_out": [2, 0],
    }
    r = map_by_hand().report()
    assert (r["delay_storage_bits"], r["utilisation_neurons_max"], r["utilisation_neurons_mean"]) == (24, 1.0, 0.75)


def test_active_updates_never_exceed_the_steps():
    network = three_neurons()
    loud = tuple(replace(p, rates=None if p.rates is None else 100 * p.rates) for p in network.populations)
    r = compile(replace(network, populations=loud), "mesh").report()
    assert (r["count_neuron_active"], r["count_neuron_inactive"]) == (30, 0)


def test_silent_network_costs_updates_and_static_only():
    network = three_neurons()
    silent = tuple(replace(p, rates=0 * p.rates) if p.rates is not None else p for p in network.populations)
    r = compile(replace(network, populations=silent), "loihi2").report()
    assert r["energy_dynamic_nj_per_inference"] == pytest.approx(30 * 52e-3)
    assert r["latency_us_per_inference"] == pytest.approx(10 * (3 * 2.65 + 113) * 1e-3)
    assert r["hops_per_message"] == 0


def test_barrier_grows_from_one_tile_to_all():
    target = load_target("loihi2")
    assert [barrier_ns(target, n) for n in (1, 32)] == [113.0, 465.0]
    assert barrier_ns(load_target("mesh", mesh_width=1, mesh_height=1), 1) == 113.0


def test_energy_source_travels():
    r = compile(three_neurons(), "loihi2").report()
    assert r["energy_source"].startswith("inherited: no public per-operation energy of Loihi 2")
    assert r["activity_source"] == "by hand"
    assert "upper bound" in r["cost_assumptions"]


def test_cost_of_given_events_by_hand():
    chip = map_by_hand()
    per_core = {"active": [6, 3], "inactive": [14, 7], "spikes": [3, 0], "synops": [6, 3], "received": [3, 3]}
    arrays = {name: np.array(values, float) for name, values in per_core.items()}
    r = cost_of_cores(chip.target, 10, chip.routing, sent=np.array([3.0, 0.0]), activity_source="by hand", **arrays)
    assert r == chip.cost
