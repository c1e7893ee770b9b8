"""Time constants of each neuron on a chip: rounded to whole decays, exported, and evaluated as rounded."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import spsnn
from spsnn.errors import DataError
from spsnn.graph.network import Population
from spsnn.hwmap import compile, load_target, read_layout
from spsnn.hwmap.quantise import quantise, round_decays


def test_decays_by_hand():
    # 16 levels: decays of 1/2, of 1/16 from below and above, and those that would be 0 and 16.
    tau = np.array([1 / np.log(2), -1 / np.log1p(-1.2 / 16), -1 / np.log1p(-0.7 / 16), 1e6, 1e-3])
    p = round_decays(Population("a", 5, "lif", None, {"tau_mem": tau, "tau_syn": 5.0, "b": np.ones(5)}), 1.0, 4)
    want = [1 / np.log(2), *[-1 / np.log(15 / 16)] * 3, 1 / np.log(16)]
    assert np.allclose(p.parameters["tau_mem"], want)
    assert p.parameters["tau_syn"] == 5.0 and p.parameters["b"].tolist() == [1] * 5


@pytest.mark.parametrize("dt", [0.5, 2.0])
def test_the_decay_is_within_half_a_level_and_rounds_once(network, dt):
    tau = np.geomspace(1.0, 1000.0, 12)
    own = replace(network["hidden"], parameters={"tau_mem": tau})
    network = replace(network, dt=dt, populations=(network.populations[0], own, network.populations[2]))
    q = quantise(network, load_target("loihi2"))
    held = q.network["hidden"].parameters["tau_mem"]
    assert np.abs(np.exp(-dt / held) - np.exp(-dt / tau)).max() <= 0.5 / 4096 * (1 + 1e-9)
    again = quantise(q.network, load_target("loihi2")).network["hidden"].parameters["tau_mem"]
    assert np.allclose(again, held, rtol=1e-9)
    report = compile(network, "loihi2", partition="geometric").report()
    assert report["time_constant_error_max_percent"] == pytest.approx(100 * np.abs(held / tau - 1).max())


def test_a_learned_model_is_mapped_exported_and_run_as_the_chip_holds_it(tmp_path):
    model = spsnn.SpSNN(
        [3, 8, 2], neuron=spsnn.AdaptiveLIF(), learn_neuron=["tau_mem", "a"], learn_output=["tau_mem"],
        neuron_spread={"tau_mem": [3.0, 450.0]}, weight_mean=4.0, position_scale=2.0, grid=spsnn.Grid(dt=0.5),
    )  # fmt: skip
    with torch.no_grad():
        model.neurons[0].raw["tau_mem"][0] = 12.0  # next to the upper bound, which the nearest decay exceeds
    rng = np.random.default_rng(0)
    trains = [(rng.uniform(0, 20, 30), rng.integers(0, 3, 30)) for _ in range(4)]
    events = spsnn.SpikeBatch.from_samples(trains, 3, 20.0, rng.integers(0, 2, 4))
    chip = compile(spsnn.to_graph(model, events), "loihi2", partition="geometric")
    held = chip.quantised["hidden1"].parameters
    assert held["tau_mem"].max() > 500
    back = spsnn.from_graph(model, chip.quantised)
    for name, value in back.neurons[0]().items():
        assert np.allclose(value.detach().numpy(), held[name], rtol=1e-9), name
    for path in (tmp_path / "chip.json", tmp_path / "chip.h5"):
        chip.export(path)
        hidden = read_layout(path).meta["populations"][1]["parameters"]
        assert np.allclose(hidden["tau_mem"], held["tau_mem"]) and len(hidden["a"]) == 8
        assert hidden["tau_syn"] == 5.0


def test_parameters_that_do_not_fit_the_population_are_refused():
    with pytest.raises(DataError, match=r"tau_mem of population 'a' must be finite, one for each neuron \(3\)"):
        Population("a", 3, "lif", None, {"tau_mem": np.ones(2)})
