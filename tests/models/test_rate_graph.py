"""Rate-coded models as graphs: weights, places, measured rates; and back from what a chip holds."""

import numpy as np
import pytest
import torch

import spsnn
from spsnn import ConfigError, ModelFileError, SpatialContextNetwork, SpatialPriorMLP
from spsnn.datasets import load
from spsnn.models.rate.coding import features
from spsnn.models.rate.gated_field import GatedField
from spsnn.models.rate.neural_field import NeuralField
from spsnn.tables.transfer import carry_positions, freeze_positions

DIGITS = load("digits_dense", "validation")
MODELS = {
    "scn": lambda **s: SpatialContextNetwork([64, 24, 10], gate="straight_through", **s),
    "scn vector": lambda **s: SpatialContextNetwork([64, 24, 10], context="vector", damping="odd", **s),
    "prior": lambda **s: SpatialPriorMLP([64, 20, 10], **s),
    "field": lambda **s: NeuralField([64, 8, 10, 12, 10], chunks=4, bias=-1.0, **s),
    "gated": lambda **s: GatedField([64, 20, 10], degree=8, **s),
}


@pytest.fixture(params=MODELS)
def model(request):
    return MODELS[request.param](seed=3)


def test_a_graph_gives_the_same_network_back(model, tmp_path):
    network = spsnn.to_graph(model, DIGITS, source="digits")
    again = spsnn.from_graph(model, network)
    assert torch.allclose(again(DIGITS).logits, model(DIGITS).logits, atol=1e-5)
    assert {p.kind for p in network.populations} == {"input", "rate"}
    assert all(p.delay.max() == 0 for p in network.projections)
    chip = spsnn.hwmap.compile(network, "loihi2", cores=4)
    held = spsnn.from_graph(model, chip.quantised)(DIGITS).logits
    assert not torch.equal(held, again(DIGITS).logits)
    agree = (held.argmax(1) == model(DIGITS).logits.argmax(1)).float().mean()
    assert agree > 0.9
    kept = spsnn.from_graph(model, chip.quantised)
    if kept.holds_chip:
        with pytest.raises(ModelFileError, match="no place for the weights of a chip"):
            spsnn.save(kept, tmp_path / "m.h5")
    else:
        spsnn.save(kept, tmp_path / "m.h5")
        assert torch.equal(spsnn.load(tmp_path / "m.h5")(DIGITS).logits, held)
    assert chip.report()["energy_nj_per_inference"] > 0


def test_the_read_out_of_the_graph_computes_the_logits():
    model = SpatialContextNetwork([64, 24, 10], seed=1)
    network = spsnn.to_graph(model)
    output = model(DIGITS)
    read = {(p.pre, p.post): p.to_dense((network[p.pre].size, network[p.post].size))[0] for p in network.projections}
    context = output.activity[1].detach().numpy()
    bias = read["bias of output", "output"].sum(0)
    assert np.allclose(context @ read["context", "output"] + bias, output.logits.detach(), atol=1e-5)
    assert np.array_equal(read["input", "hidden1"], model.mu.detach().numpy().T)
    assert np.array_equal(network["hidden1"].positions, model.mu.detach().numpy().astype(float))


def test_rates_are_those_of_the_code():
    model = SpatialPriorMLP([64, 20, 10], peak=20.0, seed=2)
    network = spsnn.to_graph(model, DIGITS)
    hidden = model(DIGITS).activity[0].detach().double().numpy()
    wanted = np.floor(20 * hidden + 0.5).mean(0)
    assert np.allclose(network["hidden1"].rates, wanted, atol=0.01)
    assert np.allclose(network["input"].rates, np.floor(20 * DIGITS.features.astype(float) + 0.5).mean(0))
    assert network["output"].rates.sum() == 0
    assert (network["bias of output"].rates == 20).all()
    noisy = spsnn.to_graph(model.copy(code="poisson"), DIGITS)
    assert noisy["hidden1"].rates.sum() == pytest.approx(20 * hidden.mean(0).sum(), rel=0.02)
    assert model(DIGITS).spikes_per_neuron() == pytest.approx(20 * hidden.mean(), rel=1e-5)


def test_a_bias_is_sent_whenever_it_is_used():
    rows = DIGITS.features.reshape(len(DIGITS), 8, 8)
    data = spsnn.datasets.DenseSet(rows, DIGITS.labels, DIGITS.class_names)
    fields = [NeuralField([8, 8, 10, 12, 10], repeats=2), GatedField([8, 20, 10], degree=8)]
    for field, name, steps in ((fields[0], "real", 16), (fields[1], "gate", 8)):
        network = spsnn.to_graph(field, data)
        assert set(network[f"bias of {name}"].rates) == {10.0 * steps}
        assert set(network["bias of output"].rates) == {10.0}
    cut = spsnn.to_graph(MODELS["field"](), DIGITS)
    assert set(cut["bias of real"].rates) == {40.0}


def test_populations_draw_numbers_of_their_own():
    model = SpatialPriorMLP([64, 64, 64, 10], code="poisson", peak=50.0)
    with torch.no_grad():  # a chain that hands the features on
        for layer in model.layers[:2]:
            layer.weight.copy_(torch.eye(64) / layer.kernel)
            layer.bias.zero_()
    trains = dict(model.emit(DIGITS[:20]))
    assert not np.array_equal(trains["input"].units, trains["hidden1"].units)
    rates = spsnn.to_graph(model, DIGITS[:20])
    assert not np.array_equal(rates["hidden1"].rates, rates["hidden2"].rates)


def test_spikes_come_in_as_they_are_counted():
    spikes = load("digits", "validation", encoding="rate").events
    model = SpatialPriorMLP([64, 20, 10], input_scale=0.05)
    network = spsnn.to_graph(model, spikes)
    assert np.allclose(network["input"].rates, np.bincount(spikes.units, minlength=64) / len(spikes))
    assert torch.equal(model.features(spikes), torch.from_numpy(features(spikes)) * 0.05)
    rows = SpatialPriorMLP([5 * 64, 10], bins=5)
    assert rows(spikes).logits.shape == (len(spikes), 10)
    with pytest.raises(ConfigError, match="takes 64 input features, the data has 320"):
        SpatialPriorMLP([64, 10], bins=5)(spikes)


def test_emitted_trains_are_what_the_rates_count():
    model = SpatialPriorMLP([64, 20, 10], seed=2)
    trains = dict(model.emit(DIGITS[:30]))
    assert set(trains) == {"input", "hidden1"}
    network = spsnn.to_graph(model, DIGITS[:30])
    for name, spikes in trains.items():
        assert spikes.duration == 100
        assert np.allclose(np.bincount(spikes.units, minlength=spikes.n_units) / 30, network[name].rates)


def test_a_graph_of_another_model_is_refused(model):
    with pytest.raises(ConfigError, match="not those of the model"):
        spsnn.from_graph(model, spsnn.to_graph(SpatialPriorMLP([64, 5, 4, 10])))


def test_files_give_the_model_back(model, tmp_path):
    spsnn.save(model, tmp_path / "m.h5", metrics={"a": 1})
    again = spsnn.load(tmp_path / "m.h5")
    assert type(again) is type(model) and again.config() == model.config() and again.metrics == {"a": 1}
    assert torch.equal(again(DIGITS).logits, model(DIGITS).logits)


def test_a_stopped_run_goes_on_bit_for_bit(tmp_path):
    train = load("digits_dense", "train")
    settings = spsnn.TrainingConfig(epochs=4, batch_size=64, lr=0.01)
    make = lambda: SpatialPriorMLP([64, 20, 10], sharpen_to=15.0)  # noqa: E731
    whole, half = make(), make()
    spsnn.fit(whole, train, DIGITS, settings)

    def stop(entry):
        if entry["epoch"] == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        spsnn.fit(half, train, DIGITS, settings, checkpoint=tmp_path / "c.h5", on_epoch=stop)
    other = make()
    spsnn.fit(other, train, DIGITS, settings, checkpoint=tmp_path / "c.h5", resume=True)
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), other.parameters(), strict=True))


def test_coordinates_take_their_own_rate_only_where_it_is_set():
    model = SpatialContextNetwork()
    plain = model.parameter_groups(spsnn.TrainingConfig(lr=0.1))
    assert [g["lr"] for g in plain] == [0.1, 0.1]
    own = model.parameter_groups(spsnn.TrainingConfig(lr=0.1, position_lr=0.5, weight_decay=0.01))
    assert [(g["lr"], g["weight_decay"]) for g in own] == [(0.1, 0.01), (0.5, 0.01)]
    assert len(own[1]["params"]) == 1 and own[1]["params"][0] is model.mu


def test_what_is_about_spikes_is_refused(tmp_path):
    spsnn.save(MODELS["prior"](), tmp_path / "m.h5")
    with pytest.raises(ConfigError, match="transfer of coordinates needs a spiking network"):
        carry_positions(MODELS["prior"](), tmp_path / "m.h5")
    with pytest.raises(ConfigError, match=r"freezing coordinates needs a spiking network, this is .* 'scn'"):
        freeze_positions(MODELS["scn"]())


def test_pruning_a_model_without_synapses_is_refused():
    with pytest.raises(ConfigError, match="no synapses that can be pruned"):
        spsnn.fit(
            MODELS["scn"](), DIGITS, None, spsnn.TrainingConfig(epochs=1), sparsity=spsnn.SparsityConfig(density=0.5)
        )
