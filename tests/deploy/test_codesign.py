"""Placement that stays, hop delays, and training for what a placement realises."""

from dataclasses import replace

import numpy as np
import pytest

import spsnn
from spsnn.deploy import codesign, finetune
from spsnn.errors import CapacityError, ConfigError
from spsnn.graph import Network, Population, Projection
from spsnn.hwmap import compile, load_target
from spsnn.hwmap.cost.route import synapse_hops
from spsnn.hwmap.delays.hop_ticks import best_hop_ticks
from spsnn.hwmap.remap import remap

SETTINGS = spsnn.TrainingConfig(epochs=2, batch_size=32, lr=0.005, position_lr=0.05)


@pytest.mark.parametrize("mode", ["stored", "computed", "hop"])
def test_the_same_network_is_mapped_the_same_again(digits, mode):
    model, sets = digits
    network = spsnn.to_graph(model, sets["test"].events[:50])
    chip = compile(network, "loihi2", delay_mode=mode, cores=6)
    again = remap(chip, network)
    assert again.report() == chip.report()
    twice = tuple(replace(p, rates=None if p.rates is None else 2 * p.rates) for p in network.populations)
    louder = remap(chip, replace(network, populations=twice))
    assert louder.report()["hops_per_inference"] == pytest.approx(2 * chip.report()["hops_per_inference"])
    np.testing.assert_array_equal(louder.slots, chip.slots)
    with pytest.raises(ConfigError, match="same populations and synapses"):
        remap(chip, replace(network, projections=network.projections[:1]))


def test_what_no_longer_fits_its_cores_is_refused():
    rng = np.random.default_rng(0)
    populations = (
        Population("in", 60, "input", rng.normal(size=(60, 2)), {}, np.ones(60)),
        Population("out", 60, "li", rng.normal(size=(60, 2)), {"tau_mem": 20.0, "tau_syn": 5.0}),
    )
    projection = Projection.from_dense("in", "out", rng.normal(size=(60, 60)), np.zeros((60, 60)))
    network = Network(populations, (projection,), 1.0, 50.0)
    spread = replace(network, projections=(replace(projection, delay=rng.integers(0, 20, 3600).astype(float)),))
    tiles = compile(network, load_target("crossbar", energy_synaptic_op_pj=1.0))
    with pytest.raises(CapacityError, match=r"lies on 1 tiles, with its delays now it needs \d+; compile it anew"):
        remap(tiles, spread)
    memory = 60 * 60 * 8 + 1000
    chip = compile(network, load_target("loihi2", synapse_memory_bits_per_core=memory))
    with pytest.raises(CapacityError, match="the 1 cores that it lies on; compile it anew"):
        remap(chip, spread)
    roomy = compile(network, "loihi2")
    chips = roomy, remap(roomy, spread), compile(spread, "loihi2", cores=1)
    before, again, fresh = (chip.report()["utilisation_synapse_memory_bits_max"] for chip in chips)
    assert before < again == fresh


def test_hop_ticks_by_hand():
    """Neurons 0 to 3 hops from the port whose delays are five steps a hop."""
    populations = (
        Population("in", 1, "input", None, {}, np.ones(1)),
        Population("out", 4, "li", np.arange(4.0)[:, None]),
    )
    projection = Projection.from_dense("in", "out", np.ones((1, 4)), np.ones((1, 4)))
    target = load_target("mesh", mesh_width=4, mesh_height=1, neurons_per_core=1, hop_residual_bits=0)
    network = Network(populations, (projection,), 1.0, 20.0)
    chip = compile(network, target, delay_mode="hop", partition="geometric", placement="row_major")
    hops = synapse_hops(chip.flat, target, chip.partition, chip.routing)[0]
    assert sorted(hops) == [0, 1, 2, 3]
    assert best_hop_ticks(remap(chip, replace(network, projections=(replace(projection, delay=5.0 * hops),)))) == 5


def test_fine_tuning_for_hop_delays_runs_as_the_chip_does(digits):
    model, sets = digits
    events = sets["validation"].events
    target = load_target("loihi2", hop_ticks=3)
    result = finetune(model, sets["train"].events[:640], events, SETTINGS, target, bound=None, delay_mode="hop",
                      cores=12, partition="geometric")  # fmt: skip
    assert result.improved
    run = spsnn.from_graph(result.model, result.chip.quantised)
    assert spsnn.evaluate(run, events)["accuracy"] == result.after
    assert result.chip.hypothetical


def test_rounds_place_train_and_keep_the_best(digits):
    model, sets = digits
    result = codesign(model, sets["train"].events[:512], sets["validation"], SETTINGS, rounds=2, cores=12,
                      partition="geometric")  # fmt: skip
    assert [row["round"] for row in result.rows] == [1, 2]
    first = result.rows[0]
    assert first["tuned_accuracy"] > first["placed_accuracy"]
    assert len({row["hop_ticks"] for row in result.rows}) == 1
    best = max(row["tuned_accuracy"] for row in result.rows)
    run = spsnn.from_graph(result.model, result.chip.quantised)
    assert spsnn.evaluate(run, sets["validation"].events)["accuracy"] == best
    with pytest.raises(ConfigError, match="rounds must be a whole number >= 1, got 0"):
        codesign(model, sets["train"], sets["validation"], SETTINGS, rounds=0)
