"""Models on the event engine: against the oracle and the grid, training, files, graphs, refusals."""

import json
import sys

import numpy as np
import pytest
import torch

import spsnn
from spsnn import ConfigError, Grid, SpikeBatch, SpSNN
from spsnn.cli import main
from spsnn.cli.pages import sample_trains
from spsnn.kernels.reference.events import leaky_integral, simulate_events


def batch(n_units=4, n=6, duration=25.0, seed=0, events=12):
    rng = np.random.default_rng(seed)
    trains = [(rng.uniform(0, 15, events), rng.integers(0, n_units, events)) for _ in range(n)]
    return SpikeBatch.from_samples(trains, n_units, duration, rng.integers(0, 3, n))


def make(readout="first_spike", **settings):
    given = {"recurrent": True, "weight_mean": 4.0, "weight_gain": 2.0, "position_scale": 2.0, "d_min": 0.5}
    return SpSNN([4, 10, 3], neuron=spsnn.LIF(12.0, 4.0), engine="event", readout=readout, **{**given, **settings})


def plain(synapse):
    """Weights and delays as the oracle takes them."""
    return (synapse.weights() * 1.0).detach().double().numpy(), synapse.delays().detach().double().numpy()


@pytest.mark.parametrize("readout", ["first_spike", "mean_membrane"])
def test_layers_are_those_of_the_oracle(readout):
    """A recurrent hidden layer with masked synapses, then the output: spikes, first spikes, mean potential."""
    model, events = make(readout, readout_scale=0.5), batch(n=2)
    model.feedforward[0].mask[1, ::2] = False
    out = model(events)
    taus = {"tau_mem": 12.0, "tau_syn": 4.0}
    for b in range(2):
        mine = slice(events.offsets[b], events.offsets[b + 1])
        inputs = list(zip(events.times[mine].astype(float), events.units[mine], strict=True))
        hidden = simulate_events([(inputs, *plain(model.feedforward[0]))], 10, 25.0, plain(model.loops[0]), **taus)
        assert len(hidden) > 10
        ptr = out.spikes[0].ptr[b]
        found = [(t, j) for j in range(10) for t in out.spikes[0].times[ptr[j] : ptr[j + 1]]]
        assert np.allclose(sorted(found), hidden, rtol=1e-6)
        feed = [(hidden, *plain(model.feedforward[1]))]
        if readout == "mean_membrane":
            want = 0.5 * leaky_integral(25.0, feed, 3, **taus) / 25.0
            assert len(out.spikes) == 1
        else:
            spikes = simulate_events(feed, 3, 25.0, **taus)
            first = [min((t for t, u in spikes if u == c), default=25.0) for c in range(3)]
            assert np.allclose(out.first_spike[b].detach(), first, rtol=1e-6)
            want = -0.5 * np.array(first)
        assert np.allclose(out.logits[b].detach(), want, rtol=1e-5, atol=1e-7)


def test_a_silent_output_has_the_window_and_no_gradient():
    model = make(weight_mean=0.0, weight_gain=0.01)
    out = model(batch())
    assert (out.first_spike == 25.0).all()
    out.logits.sum().backward()
    assert model.feedforward[1].weight.grad.abs().sum() == 0


@pytest.mark.parametrize("readout", ["first_spike", "mean_membrane"])
@pytest.mark.parametrize("delay", ["spatial", "free", "axonal", "none"])
def test_every_parameter_trains(readout, delay):
    model = make(readout, delay=delay)
    torch.nn.functional.cross_entropy(model(batch()).logits, torch.from_numpy(batch().labels)).backward()
    for name, p in model.named_parameters():
        if p.requires_grad:
            assert p.grad.abs().sum() > 0, name


def test_the_grid_converges_to_it():
    model = make("mean_membrane")
    want, errors = model(batch()).logits.detach(), []
    for dt in (0.1, 0.05, 0.025):
        config = {**model.config(), "engine": "grid", "grid": {"dt": dt, "delays": "exact", "estimator": "eventprop"}}
        grid = SpSNN.from_config(config)
        grid.load_state_dict(model.state_dict())
        errors.append(float((grid(batch()).logits.detach() - want).abs().max() / want.abs().max()))
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.04


def order_task(n, seed):
    """Two inputs, one spike each; the class says which came first."""
    rng = np.random.default_rng(seed)
    gap, labels = rng.uniform(3, 10, n), rng.integers(0, 2, n)
    trains = [([5.0, 5.0 + g], [label, 1 - label]) for g, label in zip(gap, labels, strict=True)]
    return SpikeBatch.from_samples(trains, 2, 40.0, labels)


@pytest.mark.parametrize(("readout", "scale"), [("first_spike", 1.0), ("mean_membrane", 20.0)])
def test_it_learns_the_order_of_two_spikes(readout, scale):
    model = SpSNN(
        [2, 12, 2], neuron=spsnn.LIF(10, 4), engine="event", readout=readout, readout_scale=scale,
        weight_mean=2.0, weight_gain=1.0, position_scale=5.0, seed=1,
    )  # fmt: skip
    settings = spsnn.TrainingConfig(epochs=15, batch_size=20, lr=0.02, position_lr=0.2, rescue=0.01, clip_norm=1.0)
    history = spsnn.fit(model, order_task(200, 0), order_task(100, 1), settings)
    assert spsnn.evaluate(model, order_task(100, 2))["accuracy"] >= 0.95
    assert history[-1]["silent"] < 12


def test_rates_need_a_surrogate():
    settings = spsnn.TrainingConfig(epochs=1, rate_weight=0.1)
    with pytest.raises(ConfigError, match="no gradient for spike rates"):
        spsnn.fit(make(), batch(), batch(), settings)


def test_files_and_graphs(tmp_path):
    model, events = make(), batch()
    spsnn.save(model, tmp_path / "model.h5")
    assert torch.equal(spsnn.load(tmp_path / "model.h5")(events).logits, model(events).logits)
    graph = spsnn.to_graph(model, events, batch_size=4)
    assert graph["input"].rates.sum() == pytest.approx(events.distinct(graph.dt).n_events / 6)
    assert np.allclose(graph["hidden1"].rates, model(events).spikes[0].counts().sum(0) / 6)
    mapped = spsnn.from_graph(model, graph)  # chips advance in steps
    assert mapped.settings.engine == "grid" and mapped.grid.delays == "round" and mapped.grid.dt == model.grid.dt
    again = SpSNN.from_config({**mapped.config(), "grid": {**mapped.config()["grid"], "dt": 0.01}})
    again.load_state_dict(mapped.state_dict())
    assert torch.allclose(again(events).logits, model(events).logits, atol=0.1)


def test_raster_takes_the_times_as_they_are():
    trains, _ = sample_trains(make(), batch(), 1)
    (name, times, units, n), spikes = trains[1], make()(batch()[1]).spikes[0]
    assert (name, n) == ("hidden1", 10)
    assert np.array_equal(times, spikes.times)
    assert np.array_equal(np.bincount(units, minlength=10), spikes.counts()[0])


def test_command_line(tmp_path, capsys, monkeypatch):
    sets = ("model.engine=event", "model.readout=mean_membrane", "hidden=[8]", "training.epochs=1",
            "data.train={n: 200}")  # fmt: skip
    chosen = [word for s in sets for word in ("--set", s)]
    monkeypatch.setattr(sys, "argv", ["spsnn", "train", "yinyang", *chosen, "--out", str(tmp_path / "run")])
    with pytest.raises(SystemExit) as stop:
        main()
    assert not stop.value.code
    assert 0 < json.loads((tmp_path / "run" / "metrics.json").read_text())["test_accuracy"] < 1
    assert spsnn.load(tmp_path / "run" / "model.h5").settings.engine == "event"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"engine": "events"}, "grid, event"),
        ({"readout": "max_membrane"}, "first_spike or mean_membrane, got 'max_membrane'"),
        ({"readout": "spike_count"}, "first_spike or mean_membrane"),
        ({"neuron": spsnn.AdaptiveLIF()}, "AdaptiveLIF"),
        ({"neuron": spsnn.AdEx()}, "AdEx"),
        ({"neuron": spsnn.LIF(refractory=1.0)}, "refractory=1.0"),
        ({"output": spsnn.LIF(refractory=2.0)}, "refractory=2.0"),
    ],
)
def test_what_it_does_not_do_is_named(arguments, words):
    with pytest.raises(ConfigError, match=words):
        SpSNN([4, 5, 3], **{"engine": "event", "readout": "first_spike", **arguments})


def test_wrong_data_is_refused():
    with pytest.raises(ConfigError, match="takes 4 input units, the data has 5"):
        make()(batch(5))
    with pytest.raises(ConfigError, match="takes a SpikeBatch"):
        make()(spsnn.autograd.spikes.Spikes.from_batch(batch(), 1.0))


def test_reset_by_subtraction_is_the_same_in_continuous_time():
    model, other = make(), make()
    other.neuron = other.output = spsnn.LIF(12.0, 4.0, reset="subtract")
    assert torch.equal(model(batch()).logits, other(batch()).logits)


def test_min_slope_bounds_the_gradient():
    grads = []
    for least in (1e-6, 10.0):
        model = make(grid=Grid(min_slope=least))
        model(batch()).logits.sum().backward()
        grads.append(float(model.feedforward[0].weight.grad.norm()))
    assert grads[1] < grads[0]


def test_silent_pull_reaches_silent_outputs_alone():
    """dL/d(times) = c gives a silent output neuron the gradient ``-silent_pull c d(mean V)``; times stay the same."""
    kinds = {}
    for pull in (0.0, 4.0):
        model = spsnn.SpSNN([3, 6, 2], engine="event", readout="first_spike", weight_mean=3.0, silent_pull=pull, seed=1)
        with torch.no_grad():
            model.feedforward[1].weight[:, 1] *= 0.02  # output 1 stays silent
        rng = np.random.default_rng(0)
        batch = spsnn.SpikeBatch.from_samples([(rng.uniform(0, 20, 9), rng.integers(0, 3, 9))], 3, 60.0)
        output = model(batch)
        assert output.first_spike[0, 0] < 60 and output.first_spike[0, 1] == 60
        (grad,) = torch.autograd.grad(output.first_spike[0, 1], model.feedforward[1].weight, retain_graph=True)
        kinds[pull] = output.first_spike.detach(), grad
    assert torch.equal(kinds[0.0][0], kinds[4.0][0])
    assert torch.equal(kinds[0.0][1], torch.zeros(6, 2))
    # The mean potential is linear in the weights: mean V = sum_k w_k g_k, and the gradient is -4 g.
    assert (kinds[4.0][1][:, 0] == 0).all() and (kinds[4.0][1][:, 1] < 0).any()
    mean = -(kinds[4.0][1] * model.feedforward[1].weight)[:, 1].sum() / 4
    with torch.no_grad():
        reader = spsnn.SpSNN([3, 6, 2], engine="event", readout="mean_membrane", weight_mean=3.0, seed=1)
        reader.load_state_dict(model.state_dict())
        assert torch.isclose(reader(batch).logits[0, 1], mean, rtol=1e-4)


def test_silent_pull_elsewhere_is_refused():
    with pytest.raises(spsnn.ConfigError, match="silent_pull needs"):
        spsnn.SpSNN([3, 2], readout="first_spike", silent_pull=1.0)


def test_a_reset_that_is_no_number_is_refused():
    with pytest.raises(ConfigError, match="v_reset must be a finite number"):
        spsnn.LIF(v_reset=float("nan"))
