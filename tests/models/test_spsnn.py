"""The model: parameter counts from the paper's formula, matched baselines, read-outs, graph round trip."""

import numpy as np
import pytest
import torch

import spsnn
from spsnn import ConfigError, Grid, SpikeBatch, SpSNN
from spsnn.models.spiking.readouts import first_spike_time, read_out


def batch(n_units=4, n=6, duration=20.0, seed=0, events=12):
    rng = np.random.default_rng(seed)
    trains = [(rng.uniform(0, duration, events), rng.integers(0, n_units, events)) for _ in range(n)]
    return SpikeBatch.from_samples(trains, n_units, duration, rng.integers(0, 3, n))


@pytest.mark.parametrize(
    ("delay", "dim", "count"),
    [
        ("none", 2, 4 * 45 + 45 * 3),
        ("spatial", 1, 315 + 52),
        ("spatial", 2, 419),  # Yin-Yang in 2-D and 3-D: the published counts
        ("spatial", 3, 471),
        ("free", 2, 630),
        ("axonal", 2, 315 + 49),
    ],
)
def test_parameter_counts(delay, dim, count):
    assert SpSNN([4, 45, 3], spsnn.Euclidean(dim), delay=delay).n_parameters() == count


def test_recurrent_counts_include_shared_coordinates_once_and_skip_masked_weights():
    model = SpSNN([7, 5, 5, 3], recurrent=True, self_connections=False)
    weights = 7 * 5 + 5 * 5 + 5 * 3 + 2 * (25 - 5)
    assert model.n_parameters() == weights + 2 * (7 + 5 + 5 + 3)


def test_baselines_start_from_the_same_delays_and_weights():
    spatial, free, axonal, none = (SpSNN([4, 9, 3], delay=d, seed=3) for d in ("spatial", "free", "axonal", "none"))
    for s, f, a, n in zip(*(m.feedforward for m in (spatial, free, axonal, none)), strict=True):
        assert torch.allclose(s.delays(), f.delays())
        matched = s.delays().detach()
        assert all(a.delays()[i, 0] in matched[i] for i in range(len(matched)))
        assert n.delays().abs().max() == 0
    assert torch.equal(spatial.feedforward[0].weight, free.feedforward[0].weight)


@pytest.mark.parametrize("readout", ["spike_count", "first_spike", "max_membrane", "mean_membrane", "softmax_membrane"])
def test_every_readout_trains_every_parameter(readout):
    model = SpSNN([4, 20, 3], readout=readout, weight_mean=4.0, weight_gain=2.0, recurrent=True, position_scale=2.0)
    out = model(batch())
    assert out.logits.shape == (6, 3)
    assert (out.first_spike is not None) == (readout == "first_spike")
    torch.nn.functional.cross_entropy(out.logits, torch.from_numpy(batch().labels)).backward()
    for name, p in model.named_parameters():
        if p.requires_grad:
            assert p.grad.abs().sum() > 0, name


def test_readouts_are_what_they_say():
    model = SpSNN([4, 20, 3], readout="first_spike", readout_scale=0.5, weight_mean=4.0, weight_gain=2.0)
    out = model(batch())
    z = out.spikes[-1].dense.detach().numpy()
    want = np.array([[np.flatnonzero(z[b, :, c])[0] if z[b, :, c].any() else 20 for c in range(3)] for b in range(6)])
    assert np.array_equal(out.first_spike.detach().numpy(), want)
    assert np.allclose(out.logits.detach().numpy(), -0.5 * want)


def test_steps_vote_in_the_softmax_readout():
    potential = np.random.default_rng(0).normal(size=(2, 7, 3))
    votes = np.exp(4.0 * potential)
    votes /= votes.sum(2, keepdims=True)
    logits, _ = read_out("softmax_membrane", None, torch.from_numpy(potential), 1.0, 4.0, "surrogate")
    assert np.allclose(logits.numpy(), votes.sum(1), rtol=1e-12)
    assert np.allclose(logits.sum(1), 7.0)  # one vote per step


def test_first_spike_gradients():
    z = torch.tensor([[[0.0, 0], [1, 0], [0, 0], [1, 0], [0, 0]]], requires_grad=True)
    (exact,) = torch.autograd.grad(first_spike_time(z, 2.0, "eventprop").sum(), z)
    assert exact[0, :, 0].tolist() == [0, 1, 0, 0, 0]  # dL/dt on the first spike alone, nothing where silent
    assert exact[0, :, 1].abs().sum() == 0
    t = first_spike_time(z, 2.0, "surrogate")
    assert t.tolist() == [[2.0, 10.0]]
    (smooth,) = torch.autograd.grad(t.sum(), z)
    # A spike one step earlier would save one step, the first spike itself saves the wait until the second.
    assert smooth[0, :, 0].tolist() == [-2.0, -4.0, 0, 0, 0]
    assert smooth[0, :, 1].tolist() == [-10.0, -8.0, -6.0, -4.0, -2.0]


def test_an_empty_sample_is_silent_and_finite():
    events = SpikeBatch.from_samples([([], []), ([1.0], [0])], 4, 20.0, [0, 1])
    out = SpSNN([4, 5, 3], weight_mean=20.0)(events)
    assert out.logits[0].abs().sum() == 0
    assert torch.isfinite(out.logits).all()
    assert [int(s.counts()[0].sum()) for s in out.spikes] == [0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"sizes": [4]}, "an input and an output"),
        ({"delay": "spacial"}, "spatial, free, axonal, none"),
        ({"readout": "votes"}, "spike_count, first_spike"),
        ({"output": spsnn.LIF()}, "leaky integrator"),
        ({"readout": "spike_count", "output": spsnn.LeakyIntegrator()}, "spiking output"),
        ({"readout": "spike_count", "grid": Grid(estimator="eventprop")}, "no gradient for a number of spikes"),
        ({"neuron": spsnn.LeakyIntegrator()}, "must spike"),
        ({"hidden": 3}, "unknown settings"),
        ({"position_scale": 0}, "position_scale must be positive"),
    ],
)
def test_wrong_settings_are_named(arguments, words):
    with pytest.raises(ConfigError, match=words):
        SpSNN(**{"sizes": [4, 5, 3], **arguments})


def test_data_of_another_width_is_refused():
    with pytest.raises(ConfigError, match="takes 4 input units, the data has 5"):
        SpSNN([4, 5, 3])(batch(5))


def test_graph_carries_measured_rates_and_comes_back_as_the_same_network():
    model = SpSNN([4, 12, 3], recurrent=True, self_connections=False, weight_mean=3.0, position_scale=3.0)
    events = batch(n=8)
    graph = spsnn.to_graph(model, events, batch_size=3, source="random")
    assert graph["input"].rates.sum() == pytest.approx(events.distinct(model.grid.dt).n_events / 8)
    hidden = model(events).spikes[0].counts().sum(0) / 8
    assert np.allclose(graph["hidden1"].rates, hidden)
    assert hidden.sum() > 0
    assert graph.projections[-1].n_synapses == 12 * 11
    copy = spsnn.from_graph(model, graph)
    assert torch.allclose(copy(events).logits, model(events).logits, atol=1e-5)


def test_a_graph_of_another_network_is_refused():
    graph = spsnn.to_graph(SpSNN([4, 12, 3]))
    with pytest.raises(ConfigError, match="not those of the model"):
        spsnn.from_graph(SpSNN([4, 11, 3]), graph)
