"""Several input spikes of a unit in one step on their way to a chip."""

import numpy as np

import spsnn
from spsnn import SpikeBatch
from spsnn.cli import workflow
from spsnn.datasets import EventSet


def test_map_says_how_they_reach_the_chip():
    data = spsnn.datasets.load("digits", "test")
    once = data.events[:30]
    doubled = SpikeBatch(
        np.repeat(once.times, 2), np.repeat(once.units, 2), 2 * once.offsets, once.n_units, once.duration, once.labels
    )
    model = spsnn.SpSNN([once.n_units, 12, 10], weight_mean=2.0, weight_gain=2.0, readout="mean_membrane")
    single, double = (EventSet("test", events, data.class_names) for events in (once, doubled))
    plain, figures = workflow.map_model(model, single)
    assert once.distinct(model.grid.dt) is once and "inputs_label" not in figures
    for target, events, label in (
        ("loihi1_davies", once, "spikes of one step are one, the others are lost"),
        ("loihi2", doubled, "graded spikes carry how many"),
    ):
        chip, figures = workflow.map_model(model, double, target=target)
        assert figures["inputs_joined_percent"] == 50 and figures["inputs_label"] == label
        mapped = spsnn.from_graph(model, chip.quantised)
        assert figures["mapped_accuracy"] == spsnn.evaluate(mapped, events)["accuracy"]
        assert np.array_equal(chip.network["input"].rates, plain.network["input"].rates)
    halved = spsnn.evaluate(mapped, once)["spikes_per_neuron"]
    assert halved < 0.9 * spsnn.evaluate(mapped, doubled)["spikes_per_neuron"]  # the two are told apart
