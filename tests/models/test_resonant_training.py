"""Resonant networks as models of the toolkit: training with the slow rule, files, resumption, and the way to a chip."""

import numpy as np
import pytest
import torch

import spsnn
from spsnn.datasets import load
from spsnn.errors import CapacityError, ConfigError
from spsnn.models import (
    ResonantSparseGeometryNetwork,
    SparseResonantNetwork,
    TunedResonantNetwork,
)
from spsnn.models.rate.baselines import Transformer

TRAIN, VALIDATION = load("hierarchical", "train", n=96), load("hierarchical", "validation", n=48)
SMALL = {"width": 8, "rank": 4, "seed": 3}
MAKE = {
    "published": lambda **s: ResonantSparseGeometryNetwork([32, 24, 20], n_steps=2, head="mean", **SMALL, **s),
    "sparse": lambda **s: SparseResonantNetwork(
        [32, 40, 20], n_steps=2, degree=6, content="local", node_code=True, **SMALL, **s
    ),
    "both": lambda **s: SparseResonantNetwork([32, 40, 20], n_steps=2, degree=6, content="both", **SMALL, **s),
    "tuned": lambda **s: TunedResonantNetwork([32, 40, 20], degree=6, **SMALL, **s),
    "hidden readout": lambda **s: TunedResonantNetwork([32, 40, 20], degree=6, head_width=12, **SMALL, **s),
}


@pytest.fixture(params=MAKE)
def make(request):
    return MAKE[request.param]


def settings(epochs, **options):
    return spsnn.TrainingConfig(epochs=epochs, batch_size=32, lr=0.01, optimizer="adamw", warmup=0.0, **options)


def test_fit_takes_the_slow_steps_in_order():
    calls = []

    class Watched(ResonantSparseGeometryNetwork):
        def slow_step(self, loss):
            calls.append("step")
            super().slow_step(loss)

        def restructure(self, generator=None):
            calls.append("restructure")
            return super().restructure(generator)

    sizes, options = [32, 12, 20], {"n_steps": 1, "head": "mean", **SMALL}
    spsnn.fit(Watched(sizes, **options), TRAIN[:32], None, settings(12))
    assert calls == ["step"] * 10 + ["restructure"] + ["step"] * 2
    calls.clear()
    spsnn.fit(Watched(sizes, rule="none", **options), TRAIN[:32], None, settings(12))
    assert not calls


def test_active_share_falls_in_training_and_is_final_in_evaluation():
    model = MAKE["tuned"](active=0.1)
    shares = []
    for epoch in range(10):
        model.start_epoch(epoch, 10)
        shares.append((model.train().most, model.eval().most))
    # Linear from 40 nodes to 4 over 6 of 10 epochs.
    assert shares == [(40, 4), (34, 4), (28, 4), (22, 4), (16, 4), (10, 4), *[(4, 4)] * 4]


@pytest.mark.parametrize("name", ["published", "tuned", "transformer"])
def test_a_stopped_run_goes_on_bit_for_bit(name, tmp_path):
    make = MAKE.get(name, lambda: Transformer([32, 8, 20], seed=1))
    whole, half, other = make(), make(), make()
    spsnn.fit(whole, TRAIN, VALIDATION, settings(12))

    def stop(entry):
        if entry["epoch"] == 4:  # the restructuring after ten epochs sees all of them
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        spsnn.fit(half, TRAIN, VALIDATION, settings(12), checkpoint=tmp_path / "c.h5", on_epoch=stop)
    torch.rand(3)  # dropout does not depend on what others draw
    spsnn.fit(other, TRAIN, VALIDATION, settings(12), checkpoint=tmp_path / "c.h5", resume=True)
    states = whole.state_dict(), other.state_dict()
    assert all(torch.equal(states[0][k], states[1][k]) for k in states[0])


def test_files_give_the_model_back(make, tmp_path):
    model = make().eval()
    spsnn.save(model, tmp_path / "m.h5")
    again = spsnn.load(tmp_path / "m.h5")
    assert type(again) is type(model) and again.config() == model.config()
    assert torch.equal(again(VALIDATION).logits, model(VALIDATION).logits)


def test_a_graph_gives_the_same_network_back(make):
    model = make()
    spsnn.fit(model, TRAIN, None, settings(6))
    network = spsnn.to_graph(model, VALIDATION, source="validation")
    again = spsnn.from_graph(model, network)
    assert torch.allclose(again(VALIDATION).logits, model(VALIDATION).logits, atol=1e-4)
    with torch.no_grad():  # what the graph holds is what the copy computes with
        again.held_weight.zero_()
    again.eval()
    assert not torch.allclose(again(VALIDATION).logits, model(VALIDATION).logits, atol=1e-4)
    chip = spsnn.hwmap.compile(network, "loihi2", cores=4)
    held = spsnn.from_graph(model, chip.quantised)(VALIDATION).logits
    assert (held.argmax(1) == model(VALIDATION).logits.argmax(1)).float().mean() > 0.8
    assert chip.report()["energy_nj_per_inference"] > 0
    places = network["nodes"].positions
    assert places.shape == (model.sizes[1], 3) and (np.linalg.norm(places, axis=1) < 1).all()


def test_rates_count_the_messages_of_the_equations():
    """Absolute values of all H-vectors that nodes send in L rounds and to the head, from hooks on the modules."""
    model = MAKE["published"](peak=40.0).eval()
    sent = []
    x = torch.from_numpy(VALIDATION.features)
    with torch.no_grad():
        einsum = torch.einsum
        try:
            torch.einsum = lambda rule, w, value: sent.append(value) or einsum(rule, w, value)
            logits = model(VALIDATION).logits
        finally:
            torch.einsum = einsum
        assert len(sent) == 2
        final = (logits - model.head.bias) @ torch.linalg.pinv(model.head.weight).T * 24  # sum_i a_i h_i, 8 numbers
    rounds = torch.stack(sent).abs().sum(0)  # (B, N, H)
    network = spsnn.to_graph(model, VALIDATION)
    assert model.node_activity() == pytest.approx(model.activation.mean(0).numpy())
    nodes, state = network["nodes"].rates / 40, network["state"].rates / 40
    assert nodes.sum() == pytest.approx(state.sum(), rel=0.01)
    last = nodes - rounds.sum(2).mean(0).numpy()  # what goes to the head
    assert (last > -0.02).all()
    # |sum| <= sum of absolute values, channel by channel.
    assert (state - rounds.sum(1).mean(0).numpy() > final.abs().mean(0).numpy() - 0.1).all()
    assert network["input"].rates == pytest.approx(40 * x.abs().sum(1).mean(0).numpy(), rel=0.01)


def test_synapses_of_the_graph_are_those_of_the_neighbourhood():
    model = MAKE["sparse"]().eval()
    projections = {(p.pre, p.post): p for p in spsnn.to_graph(model).projections}
    loop = projections["nodes", "nodes"]
    _, ptr, _, post = model.graph()
    assert np.array_equal(loop.indptr, ptr) and np.array_equal(loop.indices, post)
    assert np.allclose(loop.weight, model.weights().detach().numpy())
    assert projections["nodes", "state"].n_synapses == 40 * 8
    taps = {(p.pre, p.post): p for p in spsnn.to_graph(MAKE["tuned"]()).projections}["input", "window"]
    x = torch.from_numpy(VALIDATION.features[:1])
    window = MAKE["tuned"]().windows(x)[0, 7]
    assert [window[j].item() for j in taps.indices[:5]] == x[0, 7:12, 0].tolist()  # feature 0 at its five delays


def test_a_sparse_network_refuses_another_device():
    with pytest.raises(ConfigError, match="runs on the CPU"):
        MAKE["sparse"]().rates(torch.zeros(1, 4, 32, device="meta"))


@pytest.mark.parametrize("make", MAKE)
def test_storage_counts_every_matrix_once(make):
    model = MAKE[make]().eval()
    projections, biases = model.wiring()
    kept = sum(w.numel() if mask is None else int(mask.sum()) for _, _, w, mask in projections)
    assert model.storage()["weights"] == kept + sum(b.numel() for b in biases.values())


def test_a_network_too_large_for_a_matrix_is_stored():
    model = SparseResonantNetwork([4, 9000, 2], width=4, rank=4, degree=4).eval()
    assert model.storage()["weights"] > model.graph()[3].size > 9000


def test_a_network_too_large_for_a_matrix_is_not_mapped():
    with pytest.raises(CapacityError, match="at most 8,192 nodes, the model has 9,000"):
        spsnn.to_graph(SparseResonantNetwork([4, 9000, 2], width=4, rank=4, degree=4))
