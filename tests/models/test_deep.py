"""Skip connections, dropout, biases and normalised currents in whole models."""

import numpy as np
import pytest
import torch

import spsnn
from spsnn import ConfigError, Grid, SpikeBatch, SpSNN, TrainingConfig
from spsnn.models import from_graph, to_graph


def batch(seed=0, n=16):
    rng = np.random.default_rng(seed)
    trains = [(rng.uniform(0, 50, 60), rng.integers(0, 10, 60)) for _ in range(n)]
    return SpikeBatch.from_samples(trains, 10, 60.0, labels=rng.integers(0, 3, n))


def model(**settings):
    return SpSNN([10, 12, 14, 3], grid=Grid(dt=1.0), position_scale=5.0, **{"weight_gain": 2.0, **settings})


def trained(**settings):
    net = model(**settings)
    spsnn.fit(net, batch(), batch(1), TrainingConfig(epochs=3, batch_size=8, lr=0.01))
    return net


@pytest.mark.parametrize("engine", ["grid", "event"])
def test_a_skip_carries_spikes_past_a_silent_layer(engine):
    settings = {"skip": [[0, 2], [0, 3]], "engine": engine, "readout": "mean_membrane", "weight_mean": 4.0}
    net = model(**settings)
    assert [(a, b) for a, b, _ in net.synapses()][3:] == [("input", "hidden2"), ("input", "output")]
    with torch.no_grad():
        net.feedforward[0].weight.zero_()
        net.skips[0].weight.add_(0.5)
    out = net(batch())
    first, second = (s.counts().sum() for s in out.spikes)
    assert first == 0 and second > 0
    out.logits.sum().backward()
    assert all(s.weight.grad.abs().sum() > 0 for s in net.skips)


def test_a_skip_to_the_output_adds_its_potential():
    """Potentials of a leaky integrator are linear in its inputs."""
    net = model(skip=[[0, 3]], readout="mean_membrane")
    both = net(batch()).logits
    with torch.no_grad():
        chain, skip = net.feedforward[-1].weight.clone(), net.skips[0].weight.clone()
        net.skips[0].weight.zero_()
        one = net(batch()).logits
        net.skips[0].weight.copy_(skip)
        net.feedforward[-1].weight.zero_()
        other = net(batch()).logits
        net.feedforward[-1].weight.copy_(chain)
    torch.testing.assert_close(both, one + other, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("skip", [[[0, 1]], [[2, 0]], [[0, 4]], [[0, 2], [0, 2]], [[0]], [[0.0, 2]], [[-1, 2]]])
def test_wrong_skips_are_named(skip):
    with pytest.raises(ConfigError, match="skip holds different pairs"):
        model(skip=skip)


def test_dropout_silences_whole_neurons_for_the_next_layer_only_while_training():
    net = model(dropout=0.5, readout="mean_membrane")
    sent = net.eval()(batch(0, 200)).spikes[0]
    net.train()
    dropped, share = net._dropped(sent)
    assert share == 0.5
    counts, before = dropped.counts(), sent.counts()
    assert ((counts == before) | (counts == 0)).all()
    kept = (counts[before > 0] > 0).mean()
    assert abs(kept - 0.5) < 5 * 0.5 / np.sqrt((before > 0).sum())
    first = [dropped.steps[slice(*dropped.ptr[b, i : i + 2])].tolist() for b, i in np.argwhere(counts)[:20]]
    assert first == [sent.steps[slice(*sent.ptr[b, i : i + 2])].tolist() for b, i in np.argwhere(counts)[:20]]
    assert len(net(batch()).spikes[0].steps) == len(net.eval()(batch()).spikes[0].steps)  # what is counted is undropped


def test_gradients_reach_only_kept_neurons():
    net = model(dropout=0.5, readout="mean_membrane")
    kept = np.zeros((16, 12), bool)
    kept[:, :5] = True
    net._dropped = lambda spikes: (spikes.only(kept if spikes.shape[2] == 12 else np.ones((16, 14), bool)), 0.5)
    net(batch()).logits.sum().backward()
    into = net.feedforward[1].weight.grad.abs().sum(1)
    assert (into[:5] > 0).any() and (into[5:] == 0).all()
    assert (net.feedforward[0].weight.grad[:, 5:] == 0).all()


@pytest.mark.parametrize(
    "settings", [{"normalise": "batch"}, {"bias": True}, {"normalise": "batch", "recurrent": True}]
)
def test_the_exported_network_is_the_same(settings, tmp_path):
    net = trained(**settings)
    assert not net.training
    want = net(batch(2)).logits.detach()
    graph = to_graph(net, batch(2))
    torch.testing.assert_close(from_graph(net, graph)(batch(2)).logits, want, atol=1e-5, rtol=1e-5)
    bias = [p for p in graph.populations if p.name.startswith("bias of")]
    assert len(bias) == 2 and all((p.rates == 60).all() and p.kind == "input" for p in bias)
    for p in graph.projections:  # one scale for all weights of a population: no bias may stretch it
        if p.pre.startswith("bias of"):
            others = [q.weight for q in graph.projections if q.post == p.post and q is not p]
            assert np.abs(p.weight).max() <= max(np.abs(w).max() for w in others) * (1 + 1e-6)
    chip = spsnn.hwmap.compile(graph, "loihi2")
    close = from_graph(net, chip.quantised)(batch(2)).logits
    assert (close - want).abs().mean() < 0.3 * want.std() and chip.report()["cores_used"] >= 1
    spsnn.save(net, tmp_path / "net.h5")
    again = spsnn.load(tmp_path / "net.h5")
    assert torch.equal(again(batch(2)).logits, want)


def test_normalised_populations_keep_their_activity_when_weights_are_scaled():
    net = model(normalise="batch", readout="mean_membrane")
    a = net(batch()).spikes[0].counts().sum()
    with torch.no_grad():
        net.feedforward[0].weight.mul_(100)
    assert abs(net(batch()).spikes[0].counts().sum() / a - 1) < 0.02


def test_two_backward_passes_through_one_graph_are_equal():
    net = model(normalise="batch", recurrent=True, readout="mean_membrane")
    total = net(batch()).logits.square().sum()
    parameters = [p for p in net.parameters() if p.requires_grad]
    first, second = (torch.autograd.grad(total, parameters, retain_graph=True) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("settings", [{}, {"dropout": 0.3}, {"normalise": "batch"}, {"recurrent": True}])
def test_a_batch_without_samples_changes_nothing(settings):
    net = model(readout="mean_membrane", **settings).train()
    net(batch())
    before = {name: x.clone() for name, x in net.state_dict().items()}
    logits = net(batch()[:0]).logits
    assert logits.shape == (0, 3)
    logits.sum().backward()
    assert all(p.grad is None or (p.grad == 0).all() for p in net.parameters())
    assert all(torch.equal(x, before[name]) for name, x in net.state_dict().items())


def test_bias_and_normalisation_are_of_linear_neurons():
    for settings in ({"normalise": "batch"}, {"bias": True}):
        with pytest.raises(ConfigError, match="scale the current of linear neurons, got 'adex'"):
            SpSNN([4, 5, 2], neuron=spsnn.AdEx(), output=spsnn.LeakyIntegrator(20.0, 5.0), readout="mean_membrane",
                  grid=Grid(dt=1.0, delays="round"), **settings)  # fmt: skip


def test_settings_of_hidden_neurons_need_some():
    given = {"recurrent": True, "dropout": 0.2, "normalise": "batch", "learn_neuron": ["tau_mem"]}
    for name, value in given.items():
        with pytest.raises(ConfigError, match=f"{name} is of hidden neurons, sizes .* have none"):
            SpSNN([4, 3], readout="mean_membrane", grid=Grid(dt=1.0, delays="round"), **{name: value})


@pytest.mark.parametrize(
    "settings, rule",
    [
        ({"learn_alpha": True, "delay": "free"}, "learn_alpha scales distances, delay='free' has none"),
        ({"dropout": 1.0}, "dropout is a share"),
        ({"normalise": "layer"}, "normalise must be one of none, batch"),
        ({"normalise": "batch", "bias": True}, "has a bias of its own"),
        ({"engine": "event", "readout": "first_spike", "bias": True}, "the event engine has no bias"),
    ],
)
def test_contradictions_are_named(settings, rule):
    with pytest.raises(ConfigError, match=rule):
        model(**settings)
