"""Neurons, time constants and delays that a target cannot hold."""

from dataclasses import replace

import numpy as np
import pytest

from spsnn.errors import CapacityError, ConfigError
from spsnn.hwmap import compile, load_target


def as_kind(network, kind):
    return replace(
        network, populations=tuple(replace(p, kind=kind) if p.kind == "lif" else p for p in network.populations)
    )


def with_own_tau(network, tau):
    hidden = replace(network["hidden"], parameters={"tau_mem": tau, "tau_syn": 5.0})
    return replace(network, populations=(network.populations[0], hidden, network.populations[2]))


def test_foreign_neurons_are_labelled_or_refused(network):
    assert compile(network, "loihi2").report()["neuron_label"] == "lif, li"
    label = compile(as_kind(network, "adex"), "loihi2").report()["neuron_label"]
    assert label == "adex (not native to loihi2: its figures are those of lif, li), li"
    assert "not native" in compile(network, "truenorth").report()["neuron_label"]
    assert compile(as_kind(network, "adex"), "brainscales2").report()["neuron_label"] == "adex, li"
    with pytest.raises(ConfigError, match="'hidden' is 'adlif'"):
        compile(as_kind(network, "adlif"), "loihi1_davies")


def test_decays_shared_by_a_core(network):
    own = with_own_tau(network, np.geomspace(2.0, 200.0, 12))
    # Twelve sets of the hidden neurons and one of the outputs on one core.
    few = load_target("loihi1_davies", decay_sets_per_core=12)
    with pytest.raises(CapacityError, match=r"core 0 needs 13 different sets of tau_mem, tau_syn; .* 12"):
        compile(own, few, cores=1)
    compile(own, load_target("loihi1_davies", decay_sets_per_core=13), cores=1)
    # Spread over four cores no core holds more than a few of them; shared constants are one set.
    compile(own, few, cores=4)
    compile(with_own_tau(network, 20.0), load_target("loihi1_davies", decay_sets_per_core=2), cores=1)
    # Time constants closer than a decay level are one set.
    alike = with_own_tau(network, 20.0 + 1e-6 * np.arange(12))
    compile(alike, load_target("loihi1_davies", decay_sets_per_core=2), cores=1)


def test_shortest_and_longest_delay(network):
    network = replace(
        network, projections=tuple(replace(p, delay=np.linspace(0, 20, p.n_synapses)) for p in network.projections)
    )
    chip = compile(network, "truenorth")
    for p, steps, cut in zip(network.projections, chip.integers.delays, chip.integers.clipped, strict=True):
        assert (steps == np.clip(np.rint(p.delay), 1, 15)).all()
        assert (cut == ((np.rint(p.delay) < 1) | (np.rint(p.delay) > 15))).all()
    none = compile(network, "brainscales2")
    assert all((steps == 0).all() for steps in none.integers.delays)
    assert none.report()["delay_clipped_percent"] > 90
