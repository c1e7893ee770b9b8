"""Networks side by side in one file: the mean of their logits, everywhere a network goes."""

import itertools

import numpy as np
import pytest
import torch

import spsnn
from spsnn import ConfigError, SpikeBatch
from spsnn.models import join


def batch(seed, n_samples=12):
    rng = np.random.default_rng(seed)
    trains = [(np.sort(rng.uniform(0, 40, 60)), rng.integers(0, 9, 60)) for _ in range(n_samples)]
    return SpikeBatch.from_samples(trains, 9, 60.0, labels=rng.integers(0, 3, n_samples))


def network(seed, hidden=(12, 10), neuron=None, **settings):
    settings = {"readout": "mean_membrane", "readout_scale": 3.0, "weight_gain": 3.0, "seed": seed, **settings}
    net = spsnn.SpSNN([9, *hidden, 3], neuron=neuron, grid=spsnn.Grid(dt=1.0, delays="round"), **settings)
    spsnn.fit(net, batch(seed, 40), None, spsnn.TrainingConfig(epochs=2, batch_size=20, lr=0.01, seed=seed))
    for _, _, synapse in net.synapses():
        synapse.prune_(torch.rand(synapse.mask.shape, generator=torch.Generator().manual_seed(seed)) < 0.6)
    return net.eval()


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"bias": True},
        {"normalise": "batch", "dropout": 0.3, "recurrent": True, "skip": [[0, 2], [1, 3]]},
        {"learn_neuron": ["tau_mem"], "neuron_spread": {"tau_syn": [4.0, 12.0]}, "recurrent": True},
        {"engine": "event"},
    ],
)
def test_logits_are_the_mean_of_the_networks(settings, tmp_path):
    networks = [
        network(0, **settings),
        network(1, (7, 14), **settings),
        network(2, space=spsnn.Euclidean(3), **settings),
    ]
    whole = join(networks)
    events = batch(9)
    logits = [net(events).logits.detach() for net in networks]
    assert min((a - b).abs().max() for a, b in itertools.pairwise(logits)) > 0.1
    torch.testing.assert_close(whole(events).logits, sum(logits) / 3, atol=2e-5, rtol=2e-5)
    assert whole.sizes == [9, 31, 34, 3]
    count = lambda net: sum(int(s.mask.sum()) for _, _, s in net.synapses())  # noqa: E731
    assert count(whole) == sum(map(count, networks))
    spsnn.save(whole, tmp_path / "whole.h5")
    assert torch.equal(spsnn.load(tmp_path / "whole.h5")(events).logits, whole(events).logits)


def test_a_joined_network_goes_to_a_chip():
    networks = [network(seed, normalise="batch") for seed in (0, 1)]
    whole = join(networks)
    graph = spsnn.to_graph(whole, batch(9))
    torch.testing.assert_close(spsnn.from_graph(whole, graph)(batch(9)).logits, whole(batch(9)).logits)
    chip = spsnn.hwmap.compile(graph, "loihi2", placement="spectral")
    assert chip.report()["synapses"] == sum(p.n_synapses for p in graph.projections)
    assert [graph[name].size for name in ("input", "hidden1", "hidden2", "output")] == [9, 24, 20, 3]


def test_it_keeps_double_precision():
    networks = [network(seed).double() for seed in (0, 1)]
    whole, events = join(networks), batch(9)
    torch.testing.assert_close(
        whole(events).logits, (networks[0](events).logits + networks[1](events).logits) / 2, atol=1e-12, rtol=1e-12
    )


def test_networks_that_are_still_in_training_are_joined_as_they_are_used():
    networks = [network(seed, normalise="batch", dropout=0.3) for seed in (0, 1)]
    want = sum(net(batch(9)).logits for net in networks) / 2
    for net in networks:
        net.train()
    torch.testing.assert_close(join(networks)(batch(9)).logits, want, atol=2e-5, rtol=2e-5)
    assert all(net.training for net in networks)


def test_settings_of_training_may_differ():
    grids = [spsnn.Grid(dt=1.0, slope=s, estimator=e) for s, e in ((1.0, "surrogate"), (2.0, "eventprop"))]
    networks = [spsnn.SpSNN([9, 5, 3], grid=g, readout="mean_membrane", seed=k) for k, g in enumerate(grids)]
    want = sum(net(batch(9)).logits for net in networks) / 2
    torch.testing.assert_close(join(networks)(batch(9)).logits, want, atol=2e-5, rtol=2e-5)


def simple(**settings):
    return spsnn.SpSNN([9, 5, 3], **{"readout": "mean_membrane", **settings})


@pytest.mark.parametrize(
    ("networks", "words"),
    [
        ([simple()], "at least two SpSNN, got .'SpSNN'"),
        (simple(), "a list of at least two SpSNN, got .'SpSNN'"),
        ([simple(), spsnn.models.SpatialPriorMLP([9, 5, 3])], "at least two SpSNN, got .*SpatialPriorMLP"),
        ([simple(readout="max_membrane")] * 2, "readout mean_membrane .* got 'max_membrane'; such networks cannot"),
        ([simple(skip=[[0, 2]])] * 2, "synapses lead from the input to the output"),
        ([simple(skip=[(0, 2)])] * 2, "synapses lead from the input to the output"),
        ([spsnn.SpSNN([9, 3], readout="mean_membrane")] * 2, "synapses lead from the input to the output"),
        (
            [
                simple(
                    learn_output=["tau_mem"],
                ),
                simple(),
            ],
            r"learned constants of their own \(tau_mem\)",
        ),
        ([simple(), simple(readout_scale=2.0)], "network 2 differs from the first: readout_scale: 1.0 and 2.0"),
        (
            [simple(), simple(), spsnn.SpSNN([9, 5, 4], readout="mean_membrane")],
            "network 3 .*classes: 3 and 4; join",
        ),
        ([simple(), simple(normalise="batch")], "bias or normalisation: False and True"),
        ([simple(), simple(neuron=spsnn.LIF(tau_mem=7.0))], "network 2 differs from the first: neuron: "),
        ([simple(), simple(grid=spsnn.Grid(dt=2.0))], "network 2 differs from the first: grid: "),
    ],
)
def test_networks_that_cannot_be_joined_are_named(networks, words):
    with pytest.raises(ConfigError, match=words):
        join(networks)
