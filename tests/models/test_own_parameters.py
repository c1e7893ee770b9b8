"""Neuron parameters of a model: settings, files, graph, training that resumes bit for bit."""

import numpy as np
import pytest
import torch

import spsnn
from spsnn import ConfigError, Grid, SpSNN, TrainingConfig
from spsnn.training.fit import make_optimizer

from ..training.test_fit import TRAIN, VALID, order_task

ALL = ["tau_mem", "tau_syn", "tau_adapt", "a", "b"]


def make(**settings):
    given = {
        "learn_neuron": ALL, "learn_output": ["tau_mem"], "recurrent": True, "weight_mean": 2.0, "readout_scale": 4.0,
        "position_scale": 5.0, "seed": 1, "neuron_spread": {"tau_mem": [5, 25], "a": (0.0, 1.0)},
    }  # fmt: skip
    return SpSNN([2, 12, 2], neuron=spsnn.AdaptiveLIF(10, 4), grid=Grid(slope=1.0), **{**given, **settings})


def own(model):
    return {f"{k}.{name}": v.detach().clone() for k, n in enumerate(model.neurons) for name, v in n().items()}


def test_every_parameter_trains_from_its_start_and_the_weights_start_as_without():
    model, plain = make(), make(learn_neuron=[], learn_output=[], neuron_spread={})
    for name, tensor in plain.state_dict().items():
        assert torch.equal(model.state_dict()[name], tensor), name
    assert model.n_parameters() == plain.n_parameters() + 12 * 5 + 2
    start = own(model)
    assert torch.allclose(start["0.tau_adapt"], torch.full((12,), 100.0, dtype=torch.float64))
    assert torch.allclose(start["1.tau_mem"], torch.full((2,), 10.0, dtype=torch.float64))
    assert 5 < start["0.tau_mem"].min() < 10 < 15 < start["0.tau_mem"].max() < 25
    spsnn.fit(model, TRAIN, VALID, TrainingConfig(epochs=3, batch_size=20, lr=0.02))
    for name, value in own(model).items():
        assert (value - start[name]).abs().max() > 1e-3 * start[name].abs().max(), name


def test_a_spread_alone_stays_as_drawn():
    model = make(learn_neuron=[], learn_output=[])
    start = own(model)
    assert set(start) == {"0.tau_mem", "0.a"}
    spsnn.fit(model, TRAIN, VALID, TrainingConfig(epochs=1, batch_size=20, lr=0.02))
    assert all(torch.equal(v, start[k]) for k, v in own(model).items())


def test_files_give_back_the_same_model(tmp_path):
    model = make()
    spsnn.save(model, tmp_path / "m.h5")
    back = spsnn.load(tmp_path / "m.h5")
    assert back.config() == model.config()
    assert all(torch.equal(v, own(model)[k]) for k, v in own(back).items())
    with torch.no_grad():
        assert torch.equal(back(VALID).logits, model(VALID).logits)


def test_resume_is_bit_for_bit(tmp_path, monkeypatch):
    """With own parameters, a growing slope and a delay penalty that samples its synapses."""
    monkeypatch.setattr("spsnn.training.losses.MOST_DELAYS", 50)
    bounds = {"max_delay": 30.0, "on_exceed": "clip"}
    config = TrainingConfig(
        epochs=4, batch_size=20, lr=0.02, slope_start=0.3, delay_weight=5.0, delay_band=(0.2, 0.5), rescue=0.01
    )
    whole = make(**bounds)
    full = spsnn.fit(whole, TRAIN, VALID, config)

    def stop(entry):
        if entry["epoch"] == 1:
            raise KeyboardInterrupt

    path = tmp_path / "run.h5"
    with pytest.raises(KeyboardInterrupt):
        spsnn.fit(make(**bounds), TRAIN, VALID, config, checkpoint=path, on_epoch=stop)
    rest = make(**bounds)
    history = spsnn.fit(rest, TRAIN, VALID, config, checkpoint=path, resume=True)
    for name, tensor in whole.state_dict().items():
        assert torch.equal(rest.state_dict()[name], tensor), name
    assert [e["train_loss"] for e in history] == [e["train_loss"] for e in full]
    assert rest.config() == whole.config() and rest.grid.slope == 1.0


def test_they_move_with_the_rate_of_weights_and_do_not_decay():
    model = make(learn_alpha=True)
    groups = make_optimizer(model, TrainingConfig(lr=0.01, position_lr=0.5, weight_decay=0.1)).param_groups
    where = {id(p): g for g in groups for p in g["params"]}
    for neurons in model.neurons:
        for x in neurons.raw.values():
            assert (where[id(x)]["lr"], where[id(x)]["weight_decay"]) == (0.01, 0.0)
    assert where[id(model.points[0].position)]["lr"] == 0.5


def test_the_graph_holds_one_value_for_each_neuron_and_gives_them_back():
    model = make()
    network = spsnn.to_graph(model, VALID)
    hidden = network["hidden1"]
    assert set(hidden.own_parameters()) == set(ALL)
    assert np.allclose(hidden.parameters["tau_mem"], own(model)["0.tau_mem"].numpy())
    assert network["output"].own_parameters().keys() == {"tau_mem"}
    back = spsnn.from_graph(model, network)
    with torch.no_grad():
        assert torch.allclose(back(VALID).logits, model(VALID).logits, rtol=1e-5, atol=1e-5)
    with pytest.raises(ConfigError, match="a tau_mem for each neuron of hidden1, the graph has not"):
        spsnn.from_graph(model, spsnn.to_graph(make(learn_neuron=[], neuron_spread={})))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"learn_neuron": ["tau"]}, "learn_neuron must be a list of names"),
        ({"learn_neuron": "tau_mem"}, "learn_neuron must be a list of names"),
        ({"learn_output": ["b"]}, "'li' neuron can learn one of tau_mem, tau_syn"),
        ({"neuron_spread": {"tau_mem": [5, 5]}}, "neuron_spread.tau_mem must be two increasing numbers above 0"),
        ({"neuron_bounds": {"a": [-2, 5]}}, "neuron_bounds.a must be two increasing numbers above -1"),
        ({"neuron_bounds": {"tau_mem": [20, 50]}}, r"inside its bounds \(20, 50\), got \[5.0, 25.0\]"),
        ({"neuron_bounds": {"b": [1, 5]}}, r"inside its bounds \(1, 5\), got 0.2"),
        ({"engine": "event", "readout": "mean_membrane"}, "event engine a population shares its parameters"),
    ],
)
def test_settings_that_cannot_be(settings, words):
    with pytest.raises(ConfigError, match=words):
        make(**settings)


def test_the_models_of_neurons_without_own_parameters_refuse_them():
    for neuron, grid, words in (
        (spsnn.AdEx(), Grid(), "'adex' neuron can learn none"),
        (spsnn.LIF(), Grid(delays="exact"), "grid.delays='round'"),
        (spsnn.LIF(), Grid(estimator="eventprop"), "grid.estimator='surrogate'"),
    ):
        with pytest.raises(ConfigError, match=words):
            SpSNN([2, 12, 2], neuron=neuron, grid=grid, learn_neuron=["tau_mem"])


def test_a_task_with_more_than_one_layer_has_parameters_in_each():
    model = SpSNN([2, 6, 5, 2], learn_neuron=["tau_syn"], weight_mean=9.0)
    assert [set(n.raw) for n in model.neurons] == [{"tau_syn"}, {"tau_syn"}, set()]
    labels = torch.from_numpy(order_task(50, 3).labels)
    torch.nn.functional.cross_entropy(model(order_task(50, 3)).logits, labels).backward()
    assert all(n.raw["tau_syn"].grad.abs().sum() > 0 for n in model.neurons[:2])
