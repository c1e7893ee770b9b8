"""Stages: each is what it says, on networks that lose something and on ones that lose nothing."""

import numpy as np
import pytest

import spsnn
from spsnn.deploy import staged
from spsnn.errors import CapacityError, DataError
from spsnn.hwmap import load_target
from spsnn.hwmap.quantise.integer import IntegerNetwork, IntegerPopulation, IntegerProjection
from spsnn.hwmap.quantise.overflow import check_range


def test_stages_of_a_trained_network(digits):
    model, sets = digits
    events = sets["test"].events
    rows, chip = staged(model, events, load_target("loihi2", weight_bits=3), scale="mse")
    by = {row["stage"]: row for row in rows}
    assert list(by) == ["float", "weights", "delays", "fixed", "mapped"]
    assert by["float"]["accuracy"] == spsnn.evaluate(model, events)["accuracy"]
    assert by["float"]["spike_distance"] == by["float"]["loss_points"] == 0
    # delays of this model are rounded to the step already
    assert by["delays"]["spike_distance"] == by["weights"]["spike_distance"] > 0
    assert by["delays"]["accuracy"] == spsnn.evaluate(spsnn.from_graph(model, chip.quantised), events)["accuracy"]
    assert by["mapped"]["accuracy"] == by["fixed"]["accuracy"]
    for row in rows:
        assert row["loss_points"] == pytest.approx(100 * (by["float"]["accuracy"] - row["accuracy"]))
        assert row["tau_ms"] == 5.0
    more = staged(model, events, load_target("loihi2", weight_bits=6), scale="mse")[0]
    assert more[1]["spike_distance"] < by["weights"]["spike_distance"]


def test_exact_delays_lose_only_where_delays_are_rounded(digits):
    _, sets = digits
    model = spsnn.SpSNN([64, 12, 10], grid=spsnn.Grid(delays="exact"), weight_mean=2.0, position_scale=4.0)
    rows, _ = staged(model, sets["test"].events[:40], load_target("mesh", weight_bits=16))
    by = {row["stage"]: row for row in rows}
    assert by["weights"]["spike_distance_relative"] < 0.01 < by["delays"]["spike_distance_relative"]


def test_the_delay_mode_shows_in_the_last_stage_alone(digits):
    model, sets = digits
    target = load_target("loihi2", coordinate_bits=3)
    stored, computed = (
        staged(model, sets["test"].events[:60], target, delay_mode=mode)[0] for mode in ("stored", "computed")
    )
    assert [r["spike_distance"] for r in stored[:4]] == [r["spike_distance"] for r in computed[:4]]
    assert computed[4]["spike_distance"] > stored[4]["spike_distance"]


def test_event_engine_and_neurons_that_fixed_point_cannot_hold(digits):
    _, sets = digits
    events = sets["test"].events[:20]
    continuous = spsnn.SpSNN([64, 8, 10], engine="event", readout="mean_membrane", weight_mean=2.0)
    assert [r["stage"] for r in staged(continuous, events)[0]][:3] == ["float", "grid", "weights"]
    adaptive = spsnn.SpSNN([64, 8, 10], neuron=spsnn.AdaptiveLIF(), weight_mean=2.0)
    rows, _ = staged(adaptive, events)
    assert rows[-2]["accuracy"] is None and "kind 'adlif'" in rows[-2]["note"]
    assert rows[-1]["accuracy"] is not None and rows[-1]["note"] == "float neurons"


def test_normalised_currents_pass_all_stages(digits):
    _, sets = digits
    model = spsnn.SpSNN([64, 12, 8, 10], normalise="batch", readout="mean_membrane")
    spsnn.fit(model, sets["train"].events[:200], None, spsnn.TrainingConfig(epochs=1, lr=0.01))
    target = load_target("mesh", weight_bits=16, coordinate_bits=16)
    rows, _ = staged(model, sets["test"].events[:60], target)
    assert rows[2]["spike_distance_relative"] < 0.05
    # Bias units have no place; their synapses keep their one delay.
    rows, chip = staged(model, sets["test"].events[:60], target, delay_mode="computed")
    assert rows[-1]["spike_distance_relative"] < 0.05 and chip.delay_mode == "computed"


def test_an_overflow_names_the_neuron():
    # 64 * 200 a step, decay of 1 / 4096: the sum passes 2^23 in the 656th step of arrivals, if nothing leaked.
    a, b = IntegerPopulation("a", 2, "input"), IntegerPopulation("b", 3, "lif", 0, 0, 2**17 - 1)
    p = IntegerProjection("a", "b", np.array([0, 1, 1]), np.array([2]), np.array([200]), np.array([4]))
    network = IntegerNetwork((a, b), (p,), 1.0, 900)
    spikes = {"a": np.ones((2, 900, 2), np.uint8)}
    spikes["a"][0] = 0
    run = network.run(spikes)
    assert run.wrapped
    u, step = 0, 0
    while u < 2**23:
        u, step = (u * 4095 >> 12) + 64 * 200, step + 1
    # the first arrival is in step 5
    with pytest.raises(CapacityError, match=rf"neuron 2 of population 'b' reaches {u} in step {step + 4} of sample 1"):
        check_range(network, run.spikes)


def test_labels_are_needed(digits):
    model, sets = digits
    e = sets["test"].events
    bare = spsnn.SpikeBatch(e.times, e.units, e.offsets, e.n_units, e.duration)
    with pytest.raises(DataError, match="with labels="):
        staged(model, bare)
