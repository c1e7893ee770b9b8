"""Two cores, three neurons, every picojoule and nanosecond of a recorded inference counted by hand."""

import numpy as np
import pytest

from spsnn.graph.network import Network, Population, Projection
from spsnn.hwmap import compile, load_target
from spsnn.hwmap.cost import cost_of_trace
from spsnn.hwmap.traffic.trace import Trace

PRICES = {
    "energy_synaptic_op_pj": 2, "energy_neuron_active_pj": 3, "energy_neuron_inactive_pj": 5, "energy_spike_out_pj": 7,
    "energy_axon_out_pj": 11, "energy_axon_in_pj": 13, "energy_within_tile_pj": 17, "energy_hop_ew_pj": 19,
    "energy_hop_ns_pj": 23, "time_synaptic_op_ns": 1, "time_neuron_active_ns": 2, "time_neuron_inactive_ns": 3,
    "time_spike_out_ns": 4, "time_axon_out_ns": 5, "time_axon_in_ns": 6, "time_within_tile_ns": 7,
    "barrier_one_tile_ns": 100, "barrier_all_tiles_ns": 130, "static_power_mw": 2,
}  # fmt: skip
STEPS = 6


def three_neurons():
    """a -> b (delay 1), a -> c (delay 2), b -> c (delay 0); no input units, 6 steps of 1 ms."""
    a = Population("a", 1, "lif", np.array([[0.0, 0.0]]), {}, np.array([2.0]))
    b = Population("b", 1, "lif", np.array([[1.0, 0.0]]), {}, np.array([1.0]))
    c = Population("c", 1, "li", np.array([[10.0, 0.0]]))
    projections = tuple(
        Projection.from_dense(pre, post, [[0.5]], [[delay]])
        for pre, post, delay in (("a", "b", 1.0), ("a", "c", 2.0), ("b", "c", 0.0))
    )
    return Network((a, b, c), projections, 1.0, float(STEPS), "by hand", "hand")


def trains(chip):
    """a spikes in steps 0 and 4, b in step 1."""
    a, b = np.zeros((STEPS, 1), bool), np.zeros((STEPS, 1), bool)
    a[[0, 4]] = b[1] = True
    return Trace.of(chip.flat, {"a": a, "b": b})


def mapped(name="mesh", **overrides):
    sides = {"mesh_width": 2, "mesh_height": 1, "neurons_per_core": 2}
    target = load_target(name, **(sides | PRICES | overrides))
    chip = compile(three_neurons(), target, partition="geometric", placement="row_major")
    # a and b on core 0 at (0, 0), c on core 1 at (1, 0).
    assert [chip.tile_of(n).tolist() for n in "abc"] == [[[0, 0]], [[0, 0]], [[1, 0]]]
    return chip


def counts(figures):
    return {k.removeprefix("count_"): v for k, v in figures.items() if k.startswith("count_") and v}


# What all cases share.  Arrivals: a's spikes reach b in steps 1 and 5, and c in step 2 (the second in step 6, too
# late); b's spike has delay 0 but cores update before they receive: it reaches c in step 2, together with a's.
ACTIVE, UPDATES = 2 + 1, 3 * STEPS
COMMON = {"synaptic_op": 2 * 2 + 1, "neuron_active": ACTIVE, "neuron_inactive": UPDATES - ACTIVE, "spike_out": 3}


def test_unicast():
    r = cost_of_trace(mapped(multicast=False), trains(mapped()))
    # a sends to its own core and to the other, b to the other: 2 x 2 + 1 messages, of which 3 cross the link.
    assert counts(r) == COMMON | {"axon_out": 5, "axon_in": 5, "within_tile": 5, "hop_ew": 3}
    picojoule = 5 * 2 + 3 * 3 + 15 * 5 + 3 * 7 + 5 * 11 + 5 * 13 + 5 * 17 + 3 * 19
    assert r["energy_dynamic_nj_per_inference"] == pytest.approx(picojoule * 1e-3)
    # Core 0 generates; both receive 6 + 7 + 1 ns a message.
    generation = [
        2 * 3 + 4 + 2 * 5,  # a spikes, two messages
        2 + 3 + 4 + 5,  # b is updated and spikes, one message
        2 * 3,  # core 1 has only c, updated in 2 ns
        2 * 3,
        2 * 3 + 4 + 2 * 5,
        2 + 3,
    ]
    reception = [14, 14, 0, 0, 14, 0]
    steps = [max(g, r) + 130 for g, r in zip(generation, reception, strict=True)]
    assert r["latency_us_per_inference"] == pytest.approx(sum(steps) * 1e-3)
    assert r["step_max_ns"] == 20 + 130
    assert r["energy_static_nj"] == pytest.approx(2 * sum(steps) * 1e-3)


def test_multicast():
    r = cost_of_trace(mapped(multicast=True), trains(mapped()))
    # One message for each spike; it reaches the same cores over the same link.
    assert counts(r) == COMMON | {"axon_out": 3, "axon_in": 5, "within_tile": 5, "hop_ew": 3}
    picojoule = 5 * 2 + 3 * 3 + 15 * 5 + 3 * 7 + 3 * 11 + 5 * 13 + 5 * 17 + 3 * 19
    assert r["energy_dynamic_nj_per_inference"] == pytest.approx(picojoule * 1e-3)
    assert r["latency_us_per_inference"] == pytest.approx((15 + 14 + 6 + 6 + 15 + 5 + 6 * 130) * 1e-3)


def test_two_chips():
    # Two chips of one tile each: the link between the tiles leaves the chip; 101 pJ instead of a hop, power of both.
    chip = mapped(chips=(2, 1), mesh_width=2, mesh_height=1, n_cores=2, energy_chip_link_pj=101, time_chip_link_ns=50)
    r = cost_of_trace(chip, trains(chip))
    assert counts(r) == COMMON | {"axon_out": 3, "axon_in": 5, "within_tile": 5, "chip_link": 3}
    picojoule = 5 * 2 + 3 * 3 + 15 * 5 + 3 * 7 + 3 * 11 + 5 * 13 + 5 * 17 + 3 * 101
    assert r["energy_dynamic_nj_per_inference"] == pytest.approx(picojoule * 1e-3)
    assert r["chips_used"] == 2
    # A chip of one tile: its barrier is that of all its tiles.
    assert r["step_barrier_ns"] == 100
    assert r["energy_static_nj"] == pytest.approx(2 * 2 * r["latency_us_per_inference"])
    assert chip.report()["energy_chip_link_source"].startswith("user")


def test_means_agree_with_the_trace_where_they_must():
    chip = mapped(multicast=False)
    mean, traced = chip.report(), cost_of_trace(chip, trains(chip))
    for name in ("synaptic_op", "spike_out", "axon_out", "axon_in", "within_tile", "hop_ew"):
        assert mean[f"count_{name}"] == traced[f"count_{name}"], name
    # 5 events, two of them together and one too late.
    assert (mean["count_neuron_active"], traced["count_neuron_active"]) == (5, 3)


def test_crossbar():
    # Tiles of 2 rows and 2 columns.  Home 0 holds a and b with one row (a, 1); home 1 holds c with rows (a, 2), (b, 0).
    chip = mapped("crossbar", crossbar_rows=2, crossbar_columns=2, energy_merge_pj=31, time_merge_ns=9)
    assert [(t.home, t.rows, t.columns, t.cells) for t in chip.partition.tiles] == [(0, 1, 1, 1), (1, 2, 1, 2)]
    assert chip.partition.use["axons_in"].tolist() == [1, 2]
    assert chip.report()["utilisation_cells_mean"] == pytest.approx((1 / 4 + 2 / 4) / 2)
    r = cost_of_trace(chip, trains(chip))
    assert counts(r) == COMMON | {"axon_out": 3, "axon_in": 5, "within_tile": 5, "hop_ew": 3}


def test_crossbar_with_split_rows():
    # Tiles of 1 row: (b, 0) -> c does not fit beside (a, 2) -> c and goes to a helper, which sends sums to c's home.
    chip = mapped("crossbar", mesh_width=3, crossbar_rows=1, crossbar_columns=2, energy_merge_pj=31, time_merge_ns=9)
    assert [(t.home, t.rows, t.columns, t.cells) for t in chip.partition.tiles] == [(k, 1, 1, 1) for k in (0, 1, 1)]
    assert chip.partition.synapse_core.tolist() == [0, 1, 2]
    r = cost_of_trace(chip, trains(chip))
    # a: tiles 0 and 1, one multicast message each; b: tile 2, two links away.  One partial sum 2 -> 1 in step 2.
    assert counts(r) == COMMON | {"axon_out": 3, "axon_in": 5, "within_tile": 6, "hop_ew": 2 + 2 + 1, "merge": 1}
    picojoule = 5 * 2 + 3 * 3 + 15 * 5 + 3 * 7 + 3 * 11 + 5 * 13 + 6 * 17 + 5 * 19 + 31
    assert r["energy_dynamic_nj_per_inference"] == pytest.approx(picojoule * 1e-3)
    # Step 2: the home of c receives the sum (7 + 9 ns), nothing else happens but updates.
    generation, reception = [15, 14, 6, 6, 15, 5], [14, 14, 16, 0, 14, 0]
    steps = [max(g, r) + 130 for g, r in zip(generation, reception, strict=True)]
    assert r["latency_us_per_inference"] == pytest.approx(sum(steps) * 1e-3)
    assert chip.report()["crossbar_split_neurons"] == 1
