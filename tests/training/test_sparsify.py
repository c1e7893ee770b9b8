"""Sparsification: the ramp, which synapses go and come, persistence, resume, choice of the epoch, settings refused."""

import math

import numpy as np
import pytest
import torch

import spsnn
from spsnn import ConfigError, ModelFileError, SparsityConfig
from spsnn.training.fit import make_optimizer
from spsnn.training.sparsify import Sparsifier

from .test_fit import TRAIN, VALID, make, settings, state

REGROW = {"method": "regrow", "drop": 0.4, "every": 3}
RANDOM = {**REGROW, "regrow": "random"}
GRADIENT = {**REGROW, "regrow": "gradient"}


@pytest.mark.parametrize(
    ("ramp", "values"),
    [
        # density + (1 - density) (1 - tau)^3 at tau = 0, 1/4, 1/2, 1 for a density of 0.2
        ("cubic", (1.0, 0.2 + 0.8 * 27 / 64, 0.2 + 0.8 / 8, 0.2)),
        ("linear", (1.0, 0.8, 0.6, 0.2)),
        ("constant", (0.2, 0.2, 0.2, 0.2)),
    ],
)
def test_the_ramp_follows_its_formula(ramp, values):
    config = SparsityConfig(density=0.2, ramp=ramp)
    assert [config.density_at(tau) for tau in (0, 0.25, 0.5, 1)] == pytest.approx(values, abs=1e-15)


def test_updates_fall_on_their_steps_and_keep_the_share_of_the_ramp():
    model = make()  # 24 + 24 synapses
    s = Sparsifier(model, SparsityConfig(density=0.25, ramp="linear", start=0.1, end=0.5, every=10), 100)
    assert [k for k in range(101) if s.due(k)] == [10, 20, 30, 40, 50]
    optimizer, kept = make_optimizer(model, settings()), []
    for k in range(1, 101):
        s.update(k, optimizer, None)
        kept.append(int(model.feedforward[0].mask.sum()))
    share = [1 - 0.75 * min(max(k // 10 - 1, 0), 4) / 4 for k in range(1, 101)]
    assert kept == [round(24 * x) for x in share]
    assert s.density() == 0.25


def test_an_end_between_two_updates_is_an_update_itself():
    s = Sparsifier(make(), SparsityConfig(density=0.5, start=0.0, end=0.5, every=100), 300)
    assert [k for k in range(301) if s.due(k)] == [1, 101, 150]


def pruned(config, model=None, step=None, rng=None):
    """A model after the last update of a run of 100 steps (or the update after ``step``)."""
    model = model or make()
    s = Sparsifier(model, config, 100)
    s.update(step or s.last, make_optimizer(model, settings()), rng)
    return model


def test_magnitude_keeps_the_largest_weights_of_each_projection():
    model = make()
    before = [s.weight.detach().abs() for s in model.feedforward]
    pruned(SparsityConfig(density=0.25), model)
    for synapse, size in zip(model.feedforward, before, strict=True):
        want = size >= size.flatten().sort(descending=True).values[5]
        assert torch.equal(synapse.mask, want)
        assert torch.equal(synapse.weight.detach() != 0, want)


def test_global_scope_ranks_over_all_projections():
    model = make()
    with torch.no_grad():
        model.feedforward[0].weight.mul_(100)
    pruned(SparsityConfig(density=0.5, scope="global"), model)
    assert model.feedforward[0].mask.all()
    assert not model.feedforward[1].mask.any()


def test_erdos_renyi_leaves_small_projections_denser():
    # 10 -> 30 -> 2 has 300 + 60 synapses, of which k (10 + 30) and k (30 + 2) stay: k = .1 * 360 / 72.
    model = spsnn.SpSNN([10, 30, 2], spsnn.Euclidean(2), spsnn.LIF())
    sizes = [s.weight.detach().abs() for s in model.feedforward]
    pruned(SparsityConfig(density=0.1, scope="erdos_renyi"), model)
    for size, synapse, n in zip(sizes, model.feedforward, (20, 16), strict=True):
        assert torch.equal(synapse.mask, size >= size.flatten().sort(descending=True).values[n - 1])
    # No share is above 1: the small projection is full and the other has the rest.
    model = spsnn.SpSNN([10, 30, 2], spsnn.Euclidean(2), spsnn.LIF())
    pruned(SparsityConfig(density=0.5, scope="erdos_renyi"), model)
    assert [int(s.mask.sum()) for s in model.feedforward] == [120, 60]


def test_only_the_named_projections_are_pruned():
    model = pruned(SparsityConfig(density=0.25, projections=["hidden1 -> output"]))
    assert model.feedforward[0].mask.all()
    assert int(model.feedforward[1].mask.sum()) == 6


@pytest.mark.parametrize("delay", ["spatial", "free"])
def test_spatial_weighs_magnitude_by_the_length_of_the_wire(delay):
    for length in (0.0, 3.0, 1e9):
        model = make(delay=delay)
        synapse = model.feedforward[0]
        d, w = synapse.delays().detach().double(), synapse.weight.detach().abs().double()
        score = {0.0: -d, 3.0: w * torch.exp(-d / 3.0), 1e9: w}[length]
        pruned(SparsityConfig(density=0.25, method="spatial", length=length), model)
        assert torch.equal(synapse.mask, score >= score.flatten().sort(descending=True).values[5]), length


def test_long_wires_go_first_shortens_the_mean_delay():
    model = make()
    d = model.feedforward[0].delays().detach()
    kept = {}
    for name, config in {
        "spatial": SparsityConfig(density=0.3, method="spatial", length=1.0),
        "magnitude": SparsityConfig(density=0.3),
    }.items():
        kept[name] = float(d[pruned(config).feedforward[0].mask].mean())
    assert kept["spatial"] < 0.8 * kept["magnitude"]


def test_regrowth_drops_the_smallest_and_grows_as_many_where_there_was_none():
    config = SparsityConfig(density=0.5, ramp="constant", start=0.0, end=1.0, **RANDOM)
    model = make(recurrent=True, self_connections=False)
    s, optimizer, rng = Sparsifier(model, config, 100), make_optimizer(model, settings()), np.random.default_rng(0)
    loop = model.loops[0]  # 132 synapses that may be, 66 kept
    for p in model.parameters():
        optimizer.state[p] = {
            "exp_avg": torch.ones_like(p),
            "exp_avg_sq": torch.ones_like(p),
            "step": torch.tensor(1.0),
        }
    seen = torch.zeros_like(loop.mask)
    for step in range(1, 101):
        before, weight = loop.mask.clone(), loop.weight.detach().clone()
        s.update(step, optimizer, rng)
        if not s.due(step):
            assert torch.equal(loop.mask, before)
            continue
        seen |= loop.mask
        gone, come = before & ~loop.mask, loop.mask & ~before
        tau = (step - 1) / 99
        moved = int(0.4 * (1 + math.cos(math.pi * tau)) / 2 * 66)
        assert int(loop.mask.sum()) == 66 and not loop.mask.diagonal().any()
        if step > 1:
            assert int(come.sum()) == int(gone.sum()) == moved
            if moved:
                assert weight[gone].abs().max() <= weight[before & loop.mask].abs().min()
        assert (loop.weight[come] == 0).all() and (loop.weight[~loop.mask] == 0).all()
        clean = come | ~loop.mask
        for value in (optimizer.state[loop.weight][k] for k in ("exp_avg", "exp_avg_sq")):
            assert (value[clean] == 0).all()
        assert optimizer.state[loop.weight]["step"] == 1
        with torch.no_grad():  # training goes on: every kept weight becomes different from 0
            loop.weight += loop.mask * torch.from_numpy(rng.normal(size=loop.weight.shape)).float()
        optimizer.state[loop.weight]["exp_avg"].copy_(loop.mask)
    assert seen.sum() > 90


def test_a_pruned_synapse_keeps_its_delay():
    model = make(delay="free")
    config = settings(epochs=6, position_lr=0.5)
    s = Sparsifier(model, SparsityConfig(density=0.5, ramp="constant", start=0.0, end=1.0, every=5), 30)
    synapse, optimizer = model.feedforward[0], make_optimizer(model, config)
    for step in range(1, 31):
        optimizer.zero_grad()
        model(TRAIN[:20]).logits.square().sum().backward()
        optimizer.step()
        synapse.project_()
        model.feedforward[1].project_()
        s.update(step, optimizer, None)
        if step == 1:
            gone, then = ~synapse.mask, synapse.delay.detach().clone()
    assert gone.sum() == 12 and torch.equal(synapse.delay[gone], then[gone])
    assert not torch.equal(synapse.delay[~gone], then[~gone])
    for key in ("exp_avg", "exp_avg_sq"):
        assert (optimizer.state[synapse.delay][key][gone] == 0).all()


def test_gradient_regrowth_takes_the_largest_gradient_of_an_absent_weight():
    """The gradient of absent weights is that of the same network with all weights trainable and these at 0."""
    model, config = make(recurrent=True), SparsityConfig(density=0.5, ramp="constant", end=1.0, **GRADIENT)
    s, optimizer = Sparsifier(model, config, 100), make_optimizer(model, settings())
    rng = np.random.default_rng(3)
    for _, _, synapse in model.synapses():
        synapse.prune_(torch.from_numpy(rng.random(synapse.mask.shape) < 0.5))
    before = {name: synapse.mask.clone() for name, synapse in s.synapses.items()}
    twin = make(recurrent=True)
    for (_, _, mine), (_, _, other) in zip(model.synapses(), twin.synapses(), strict=True):
        other.weight.data.copy_(mine.weights().detach())
    for net in (model, twin):
        with s.watching(4):
            output = net(TRAIN[:40])
        output.logits.square().sum().backward()
    want = {f"{a}->{b}": other.weight.grad for a, b, other in twin.synapses()}
    s.update(4, optimizer, rng)
    moved = 0
    for name, synapse in s.synapses.items():
        come = synapse.mask & ~before[name]
        moved += int(come.sum())
        size = want[name].abs()
        assert size[come].min() >= size[~before[name] & ~come].max()
        assert torch.allclose(synapse.weight.grad, want[name] * before[name], rtol=1e-4, atol=1e-6)
        assert synapse.effective is None and not synapse.watched
    assert moved > 20


def test_a_second_training_step_after_a_gradient_update_runs_sparse_again():
    history = spsnn.fit(
        model := make(recurrent=True),
        TRAIN,
        VALID,
        settings(epochs=2),
        sparsity=SparsityConfig(density=0.3, **GRADIENT),
    )
    assert history[-1]["density"] == pytest.approx(0.3, abs=0.01)
    assert all(s.kernel_mask() is s.mask for _, _, s in model.synapses())


CASES = {
    "magnitude": SparsityConfig(density=0.3, end=0.6, every=7),
    "spatial": SparsityConfig(density=0.3, method="spatial", length=5.0, end=0.6, every=7, scope="global"),
    "random": SparsityConfig(density=0.3, end=0.8, **RANDOM),
    "gradient": SparsityConfig(density=0.3, end=0.8, **GRADIENT),
}


@pytest.mark.parametrize("case", CASES)
def test_resume_continues_bit_for_bit(case, tmp_path):
    sparsity = CASES[case]
    start = lambda: make(recurrent=True, self_connections=False, seed=2)  # noqa: E731
    whole = start()
    full = spsnn.fit(whole, TRAIN, VALID, settings(optimizer="adamw", weight_decay=0.1), sparsity=sparsity)

    class Stop(Exception):
        pass

    def stop(entry):
        if entry["epoch"] == 2:
            raise Stop

    path, options = tmp_path / "run.h5", {"sparsity": sparsity, "checkpoint": tmp_path / "run.h5"}
    config = settings(optimizer="adamw", weight_decay=0.1)
    with pytest.raises(Stop):
        spsnn.fit(start(), TRAIN, VALID, config, on_epoch=stop, **options)
    rest = start()
    history = spsnn.fit(rest, TRAIN, VALID, config, resume=True, **options)
    for name, tensor in state(whole).items():
        assert torch.equal(state(rest)[name], tensor), name
    drop = lambda h: [{k: v for k, v in e.items() if k != "seconds"} for e in h]  # noqa: E731
    assert drop(history) == drop(full)
    for name, tensor in state(spsnn.load(path)).items():
        assert torch.equal(tensor, state(whole)[name]), name
    with pytest.raises(ConfigError, match=r"other sparsity settings \(density: 0.3 in the checkpoint, 1.0 now"):
        spsnn.fit(start(), TRAIN, VALID, config, checkpoint=path, resume=True)
    with pytest.raises(ModelFileError, match="masks at the start of training are not those of this model"):
        spoil(path)
        spsnn.fit(start(), TRAIN, VALID, config, resume=True, **options)


def spoil(path):
    import h5py

    with h5py.File(path, "r+") as h:
        del h["allowed/hidden1->output"]


@pytest.mark.parametrize("delay", ["spatial", "free", "axonal", "none"])
def test_every_model_is_pruned_learns_and_chooses_an_epoch_at_the_final_density(delay):
    model = make(delay=delay)
    config = SparsityConfig(density=0.5, start=0.1, end=0.5, every=5)
    history = spsnn.fit(model, TRAIN, VALID, settings(epochs=8), sparsity=config)
    density = [e["density"] for e in history]
    assert density == sorted(density, reverse=True) and density[0] > density[-1] == 0.5 == density[4]
    final = [e for e in history if e["density"] == 0.5]
    best = next(e for e in reversed(history) if e["best"])
    assert best["validation_accuracy"] == max(e["validation_accuracy"] for e in final)
    assert best["epoch"] >= final[0]["epoch"] >= 3
    assert all(int(s.mask.sum()) == 12 for s in model.feedforward)
    assert all((s.weight[~s.mask] == 0).all() for s in model.feedforward)
    assert spsnn.evaluate(model, VALID)["accuracy"] == best["validation_accuracy"]
    if delay != "none":
        assert history[-1]["train_loss"] < history[0]["train_loss"]


def test_pruned_weights_have_no_delay_to_count_and_an_index_to_store():
    sizes = [5, 12, 3]
    free = spsnn.SpSNN(sizes, delay="free", neuron=spsnn.LIF())
    assert free.n_parameters() == 2 * (60 + 36)
    for synapse in free.feedforward:
        synapse.prune_(torch.arange(synapse.mask.numel()).reshape(synapse.mask.shape) % 6 == 0)
    assert free.n_parameters() == 2 * (10 + 6)
    got = free.storage()
    assert (got["weights"], got["delays"], got["coordinates"], got["delay_scales"]) == (16, 16, 0, 0)
    # rows: 10 targets of 12 -> 4 bits, 6 bounds of 4 bits (0..10); then 6 targets of 3 -> 2 bits, 13 bounds of 3 bits
    assert (got["indices"], got["index_bits"], got["mask_bits"]) == (16, 10 * 4 + 6 * 4 + 6 * 2 + 13 * 3, 96)
    # LIF: tau_mem, tau_syn, threshold, v_reset, refractory; leaky integrator: tau_mem, tau_syn
    assert got["neuron_parameters"] == 7
    assert got["numbers"] == 16 + 16 + 7
    plane = spsnn.SpSNN(sizes)
    assert plane.storage() | {"neuron_parameters": 0, "numbers": 0} == {
        "weights": 96, "delays": 0, "delay_scales": 2, "coordinates": 40, "neuron_parameters": 0, "numbers": 0,
        "indices": 0, "index_bits": 0, "mask_bits": 0,
    }  # fmt: skip
    assert spsnn.SpSNN(sizes, delay="axonal").storage()["delays"] == 17


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"density": 0.0}, "density must be positive"),
        ({"density": 1.5}, r"density is the share of synapses kept, in \(0, 1\]"),
        ({"method": "random"}, "method must be one of magnitude, regrow, spatial"),
        ({"ramp": "square"}, "ramp must be one of cubic, linear, constant"),
        ({"scope": "layer"}, "scope must be one of projection, global, erdos_renyi"),
        ({"every": 0}, "every must be positive"),
        ({"start": 0.6, "end": 0.5}, "0 <= start <= end <= 1"),
        ({"end": 1.2}, "0 <= start <= end <= 1"),
        ({"length": 3.0}, "length belongs to method='spatial'"),
        ({"drop": 0.3}, "drop belongs to method='regrow'"),
        ({"method": "spatial"}, "method='spatial' needs length"),
        ({"method": "regrow", "drop": 0.3}, "method='regrow' needs regrow"),
        ({**GRADIENT, "drop": 1.0}, r"drop is a share of the kept synapses, in \(0, 1\)"),
        ({"density": 1.0, "start": 0.2}, "density=1 prunes nothing"),
        ({"projections": "input->hidden1"}, "projections must be a list"),
    ],
)
def test_contradicting_settings_are_named(changes, words):
    with pytest.raises(ConfigError, match=words):
        SparsityConfig(**{"density": 0.5, **changes})


def test_what_a_model_cannot_do_is_refused_before_training():
    with pytest.raises(ConfigError, match=r"no projection input->output; known: input->hidden1, hidden1->output"):
        spsnn.fit(make(), TRAIN, VALID, sparsity=SparsityConfig(density=0.5, projections=["input->output"]))
    event = spsnn.SpSNN([2, 12, 2], engine="event", readout="mean_membrane", neuron=spsnn.LIF(10, 4))
    with pytest.raises(ConfigError, match="no gradient for absent synapses"):
        spsnn.fit(event, TRAIN, VALID, sparsity=SparsityConfig(density=0.5, **GRADIENT))


def test_the_event_engine_is_pruned_too():
    model = spsnn.SpSNN(
        [2, 12, 2],
        engine="event",
        readout="mean_membrane",
        neuron=spsnn.LIF(10, 4),
        weight_mean=2.0,
        position_scale=5.0,
    )
    history = spsnn.fit(
        model, TRAIN[:60], VALID[:20], settings(epochs=2), sparsity=SparsityConfig(density=0.5, **RANDOM)
    )
    assert history[-1]["density"] == 0.5
    assert all((s.weight[~s.mask] == 0).all() for s in model.feedforward)
