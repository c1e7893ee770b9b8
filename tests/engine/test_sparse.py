"""Lists of kept synapses against weights of zero and against the unrolled network."""

import itertools

import numpy as np
import pytest
import torch
from numba import get_num_threads, set_num_threads

from spsnn import ConfigError, SpatialSynapse, SpSNN
from spsnn.autograd import population
from spsnn.autograd.delays import Distances
from spsnn.autograd.population import Grid, run_population
from spsnn.autograd.synapse import delayed_current
from spsnn.kernels.cpu import kept as lists
from spsnn.kernels.events import SpikeBatch
from spsnn.neurons import LIF, AdaptiveLIF, AdEx, LeakyIntegrator

from .nets import dense_spikes, fixed, relative
from .unrolled import surrogate_spike, unroll

SIZES, N_STEPS = (30, 21, 5), 50
TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-5}
NEURONS = {
    "lif": LIF(12.0, 4.0, v_reset=-0.2),
    "lif-subtract": LIF(12.0, 4.0, reset="subtract"),
    "adlif-refractory": AdaptiveLIF(12.0, 4.0, tau_adapt=30.0, a=0.4, b=0.3, refractory=2.0),
}


def network(neuron, grid, dtype, storage, density=(0.3, 0.2, 0.4), seed=3, samples=5, masked=True):
    """Spikes, potentials and all gradients of input -> hidden (recurrent) -> output with pruned synapses, which lists
    leave out where it is ``masked``."""
    rng = np.random.default_rng(seed)
    z = fixed(dense_spikes(rng, (samples, N_STEPS, SIZES[0]), 0.1))
    ends = ((0, 1), (1, 1), (1, 2))
    masks = [torch.tensor(rng.random((SIZES[a], SIZES[b])) < d) for (a, b), d in zip(ends, density, strict=True)]
    tensor = lambda x: torch.tensor(np.asarray(x, np.float32), dtype=dtype, requires_grad=True)  # noqa: E731
    w = [tensor(rng.normal(0.5, 0.8, m.shape)) for m in masks]
    p, alpha = [tensor(rng.normal(0, 4, (n, 2))) for n in SIZES], tensor(1.2)
    if storage == "computed":
        d = [Distances(p[a], p[b], alpha, d_min=0.3, max_delay=15.0) for a, b in ends]
        leaves = [*w, *p, alpha]
    else:
        d = [tensor(rng.uniform(0, 15, m.shape)) for m in masks]
        leaves = [*w, *d]
    w = [x * m for x, m in zip(w, masks, strict=True)]
    known = masks if masked else [None] * 3
    s, _ = run_population(neuron, [(z, w[0], d[0], known[0])], grid, (w[1], d[1], known[1]))
    _, v = run_population(LeakyIntegrator(15.0, 5.0), [(s, w[2], d[2], known[2])], grid)
    c = torch.tensor(np.random.default_rng(0).normal(size=v.shape), dtype=dtype)
    return s.dense.detach(), v.detach(), torch.autograd.grad((v * c).sum(), leaves)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("neuron", NEURONS)
@pytest.mark.parametrize("mode", ["round", "exact"])
def test_lists_of_the_kept_agree_with_weights_of_zero(mode, neuron, dtype):
    for estimator, storage in itertools.product(("surrogate", "eventprop"), ("computed", "stored")):
        grid = Grid(delays=mode, estimator=estimator, slope=0.6, min_slope=0.1)
        if estimator == "eventprop" and NEURONS[neuron].reset == "subtract" and mode == "exact":
            continue
        runs = [network(NEURONS[neuron], grid, dtype, storage, masked=masked) for masked in (False, True)]
        (z, v, g), (z_s, v_s, g_s) = runs
        assert z.sum() > 50 and torch.equal(z, z_s)
        assert relative(v_s, v) < TOLERANCE[dtype]
        for x, y in zip(g, g_s, strict=True):
            assert y.abs().max() > 1e-3 and relative(y, x) < TOLERANCE[dtype], (estimator, storage)


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("mode", ["round", "exact"])
def test_against_the_unrolled_network(mode, masked):
    """An oracle that knows no kernel: torch autograd through all steps, absent synapses as zeros."""
    rng = np.random.default_rng(5)
    z = dense_spikes(rng, (16, 30, 9), 0.2)  # so many samples that a group has two tiles
    masks = [torch.tensor(rng.random(s) < 0.3) for s in ((9, 10), (10, 10))]
    start = [rng.normal(0.9, 0.8, m.shape) for m in masks] + [rng.uniform(0, 8, m.shape) for m in masks]
    grid, c = Grid(delays=mode, surrogate="superspike", slope=0.8), torch.tensor(rng.normal(size=(16, 30, 10)))
    found = []
    for unrolled in (False, True):
        leaves = [torch.tensor(x, requires_grad=True) for x in start]
        w = [x * m for x, m in zip(leaves, masks, strict=False)]
        if unrolled:
            spikes, _ = unroll(
                NEURONS["lif"], [(torch.from_numpy(z), w[0], leaves[2])], 1.0, mode, surrogate_spike("superspike", 0.8),
                (w[1], leaves[3]),
            )  # fmt: skip
        else:
            known = masks if masked else [None] * 2
            feed, loop = (w[0], leaves[2], known[0]), (w[1], leaves[3], known[1])
            spikes = run_population(NEURONS["lif"], [(fixed(z), *feed)], grid, loop)[0].dense
        assert spikes.sum() > 20
        found.append([spikes.detach(), *torch.autograd.grad((spikes * c).sum(), leaves)])
    assert torch.equal(found[0][0], found[1][0])
    for got, want, mask in zip(found[0][1:], found[1][1:], masks * 2, strict=True):
        assert relative(got, want) < 1e-9
        assert (got[~mask] == 0).all() and (got[mask] != 0).any()


def test_groups_of_any_width_give_the_same(monkeypatch):
    grid, runs = Grid(delays="exact", slope=0.6), []
    for size in (lists.GROUP_BYTES, N_STEPS * 16 * 8, 1):  # all in one group, two tiles each, one tile each
        monkeypatch.setattr(lists, "GROUP_BYTES", size)
        runs.append(network(NEURONS["lif"], grid, torch.float64, "computed", samples=20))  # 20: groups as wide as that
    for other in runs[1:]:
        assert torch.equal(runs[0][0], other[0]) and torch.equal(runs[0][1], other[1])
        assert all(relative(y, x) < 1e-13 for x, y in zip(runs[0][2], other[2], strict=True))
    widths = [lists.group_width(21, N_STEPS, 8)]
    monkeypatch.setattr(lists, "GROUP_BYTES", 384 * 1024)
    assert widths == [8] and lists.group_width(21, N_STEPS, 8) == 24
    assert lists.group_width(256, 250, 4) == 128 * 2 and lists.group_width(256, 2000, 4) == 48
    assert lists.group_width(256, 250, 4, 16) == 16 and lists.group_width(21, N_STEPS, 8, 16) == 8


@pytest.mark.parametrize(("mode", "samples"), [("round", 40), ("exact", 40), ("round", 3)])
def test_the_number_of_threads_changes_no_bit(mode, samples):
    before = get_num_threads()
    if before < 2:
        pytest.skip("one thread only")
    grid, runs = Grid(slope=0.6, delays=mode), []
    try:
        for n in (1, before):
            set_num_threads(n)
            runs.append(network(NEURONS["lif"], grid, torch.float32, "computed", samples=samples))
    finally:
        set_num_threads(before)
    assert all(torch.equal(x, y) for x, y in zip(runs[0][:2] + runs[0][2], runs[1][:2] + runs[1][2], strict=True))


@pytest.mark.parametrize("density", [(0.0, 0.0, 0.4), (0.3, 0.0, 0.0), (0.02, 1.0, 0.4), (1.0, 1.0, 1.0)])
def test_no_synapse_at_all_few_and_all(density):
    how = NEURONS["lif"], Grid(slope=0.6), torch.float64, "computed", density
    runs = [network(*how, masked=masked) for masked in (False, True)]
    for x, y in zip(runs[0][:2] + runs[0][2], runs[1][:2] + runs[1][2], strict=True):
        assert torch.isfinite(y).all() and relative(y, x) < 1e-12 if x.any() else not y.any()


def test_a_kept_weight_of_zero_has_a_gradient():
    """Which synapses there are is what the mask says, not which weights are zero: so that what regrows can learn."""
    z = fixed(dense_spikes(np.random.default_rng(0), (1, 20, 2), 0.5))
    w, mask = torch.zeros(2, 2, requires_grad=True), torch.tensor([[True, False], [False, False]])
    _, v = run_population(LeakyIntegrator(), [(z, w * mask, torch.ones(2, 2), mask)], Grid())
    v.sum().backward()
    assert w.grad[0, 0] > 0 and (w.grad[~mask] == 0).all()


@pytest.mark.parametrize("neuron", [LIF(10.0, 4.0), AdEx()])
def test_an_absent_synapse_has_no_gradient_whatever_its_weight(neuron):
    rng = np.random.default_rng(0)
    z = fixed(dense_spikes(rng, (3, 40, 9), 0.3).astype(np.float32))
    shapes = (9, 6), (6, 6)
    masks = [torch.from_numpy(rng.random(shape) < 0.5) for shape in shapes]
    w = [torch.from_numpy((30 * rng.random(m.shape) * m.numpy()).astype(np.float32)).requires_grad_() for m in masks]
    d = [torch.full(shape, 2.0, requires_grad=True) for shape in shapes]
    s, _ = run_population(neuron, [(z, w[0], d[0], masks[0])], Grid(slope=0.3), (w[1], d[1], masks[1]))
    s.dense.sum().backward()
    for leaf, mask in zip([*w, *d], masks * 2, strict=True):
        assert leaf.grad[mask].any() and not leaf.grad[~mask].any()


def test_a_mask_of_another_shape_or_type_is_refused():
    z, w = fixed(dense_spikes(np.random.default_rng(0), (1, 5, 2))), torch.zeros(2, 3)
    for mask in (torch.ones(3, 2, dtype=torch.bool), torch.ones(2, 3)):
        with pytest.raises(ConfigError, match=r"a mask must be bool \(2, 3\)"):
            run_population(LIF(), [(z, w, w, mask)], Grid())


def test_models_tell_the_kernels_which_synapses_there_are(monkeypatch):
    masks = []
    spread = population.spread
    monkeypatch.setattr(population, "spread", lambda *a: masks.append(a[6]) or spread(*a))
    model, rng = SpSNN([10, 12, 4], neuron=LIF(10.0, 4.0), weight_mean=3.0), np.random.default_rng(0)
    batch = SpikeBatch.from_samples([(rng.uniform(0, 30, 60), rng.integers(0, 10, 60))], 10, 30.0)
    model(batch)
    assert [mask.size for mask in masks] == [0, 0]
    keep = rng.random((10, 12)) < 0.4
    model.feedforward[0].prune_(torch.from_numpy(keep))
    model(batch)
    assert np.array_equal(masks[2], keep) and masks[3].size == 0


def test_a_synapse_alone_and_a_neuron_model_of_ones_own():
    rng = np.random.default_rng(1)
    dense = torch.tensor(dense_spikes(rng, (2, 25, 12), 0.2), dtype=torch.float32)
    runs = []
    for masked in (False, True):
        synapse = SpatialSynapse(12, 9, position_scale=5.0, generator=torch.Generator().manual_seed(0))
        synapse.init_weight(2.0, 6.0, torch.Generator().manual_seed(1))
        synapse.prune_(torch.from_numpy(np.random.default_rng(2).random((12, 9)) < 0.4))
        z = dense.clone().requires_grad_()
        mask = synapse.mask if masked else None
        x = delayed_current(z, synapse.weights(), synapse.kernel_delays(), 1.0, mask)
        neuron = AdEx()
        spikes, u = run_population(
            neuron,
            [(fixed(dense.numpy()), synapse.weights(), synapse.kernel_delays(), mask)],
            Grid(),
            None,
            True,
        )
        (x.square().sum() + u.sum() + spikes.dense.sum()).backward()
        runs.append([x.detach(), u.detach(), z.grad, synapse.weight.grad, synapse.pre.position.grad])
        assert x.abs().max() > 0.1 and z.grad.abs().max() > 0.1
    for a, b in zip(*runs, strict=True):
        assert relative(b, a) < 1e-5
