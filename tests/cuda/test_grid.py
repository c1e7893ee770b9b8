"""The grid engine's CUDA kernels against the slow reference, the unrolled network and the CPU kernels."""

import numpy as np
import pytest
import torch

from spsnn.autograd import population, synapse
from spsnn.autograd.delays import Distances
from spsnn.autograd.device import DeviceSpikes
from spsnn.autograd.population import Grid, run_population
from spsnn.autograd.spikes import Spikes
from spsnn.autograd.synapse import delayed_current
from spsnn.kernels.events import SpikeBatch
from spsnn.kernels.reference.grid import simulate_grid
from spsnn.neurons import LIF, AdaptiveLIF, LeakyIntegrator
from spsnn.space import Euclidean

from ..engine.nets import dense_spikes, events_of, fixed, relative, settings
from ..engine.unrolled import surrogate_spike, unroll

N_SAMPLES, N_STEPS, N_PRE, N_POST, N_OUT = 2, 22, 5, 4, 3
LIF_12 = {"tau_mem": 12.0, "tau_syn": 4.0}
ADAPTIVE = {**LIF_12, "tau_adapt": 30.0, "a": 0.5, "b": 0.4}
KINDS = {
    "zero": LIF(**LIF_12, v_reset=-0.2),
    "subtract": LIF(**LIF_12, reset="subtract"),
    "refractory": LIF(**LIF_12, v_reset=0.3, refractory=2.0),
    "adaptive": AdaptiveLIF(**ADAPTIVE, v_reset=0.1),
    "adaptive-refractory": AdaptiveLIF(**ADAPTIVE, refractory=3.0),
}


@pytest.fixture
def on_cpu(monkeypatch):
    """``on_cpu(f, *args)`` calls ``f`` with the CPU kernels."""

    def call(f, *args):
        with monkeypatch.context() as patch:
            for module in (population, synapse):
                patch.setattr(module, "on_cuda", lambda tensor: False)
            return f(*args)

    return call


def leaves(arrays, device="cpu", dtype=torch.float64):
    return {k: torch.tensor(x, dtype=dtype, device=device, requires_grad=True) for k, x in arrays.items()}


def network(seed, n_pre=N_PRE, n_post=N_POST):
    """Spikes ``[B, T, I]``, and weights and delays of input -> recurrent hidden -> output."""
    rng = np.random.default_rng(seed)
    z = dense_spikes(rng, (N_SAMPLES, N_STEPS, n_pre), 0.25)
    return z, {
        "w": rng.normal(8 / n_pre, 1.0, (n_pre, n_post)), "d": rng.uniform(0, 6, (n_pre, n_post)),
        "w_loop": rng.normal(0.2, 0.8, (n_post, n_post)), "d_loop": rng.uniform(0, 6, (n_post, n_post)),
        "w_out": rng.normal(2.5, 1.5, (n_post, N_OUT)), "d_out": rng.uniform(0, 6, (n_post, N_OUT)),
    }  # fmt: skip


def two_layers(p, z, neurons, grid, loop=True):
    """``(spikes or None, potential or None)`` of both layers."""
    keep = grid.estimator == "surrogate"
    s_1, v_1 = run_population(
        neurons[0], [(fixed(z), p["w"], p["d"])], grid, (p["w_loop"], p["d_loop"]) if loop else None, keep
    )
    s_2, v_2 = run_population(
        neurons[1], [(s_1, p["w_out"], p["d_out"])], grid, keep_potential=keep and neurons[1].spiking
    )
    return [(s_1.dense, v_1 if keep else None), (s_2 and s_2.dense, v_2 if v_2.numel() else None)]


def gradients(p, layers):
    """Gradients of a fixed linear function of all outputs."""
    rng, total = np.random.default_rng(7), 0
    for z, v in layers:
        for x in (z, v):
            if x is not None:
                x = x.cpu().double()
                total = total + torch.where(x > -1e20, x * torch.tensor(rng.normal(size=x.shape)), 0.0).sum()
    total.backward()
    return {k: x.grad.cpu() for k, x in p.items() if x.grad is not None}


def assert_same(got, want, tolerance):
    """Two runs ``(layers, gradients)`` agree."""
    for pair, other in zip(got[0], want[0], strict=True):
        for x, y in zip(pair, other, strict=True):
            assert (x is None) == (y is None)
            if x is not None:
                assert torch.allclose(x.detach().cpu().double(), y.detach().double(), rtol=tolerance, atol=tolerance)
    assert set(got[1]) == set(want[1])
    errors = {k: relative(got[1][k], want[1][k]) for k in want[1]}
    assert max(errors.values()) < tolerance, errors


def learn(f, arrays, *args, device="cpu", dtype=torch.float64):
    p = leaves(arrays, device, dtype)
    layers = f(p, *args)
    return layers, gradients(p, layers)


@pytest.mark.parametrize("mode", ["round", "exact"])
@pytest.mark.parametrize("kind", KINDS)
def test_forward_is_that_of_the_reference(kind, mode, device):
    """Two projections, one of them silent, recurrent self-loops, more neurons than threads in a block."""
    neuron, n_post = KINDS[kind], 11
    z, p = network(3, n_post=n_post)
    if mode == "exact":
        p["d"][0] = 40.0  # beyond the window
    silent = np.zeros((N_SAMPLES, N_STEPS, 2))
    more = np.ones((2, n_post))
    want = simulate_grid(
        [(events_of(z), p["w"], p["d"]), (events_of(silent), more, more)], (p["w_loop"], p["d_loop"]),
        n_samples=N_SAMPLES, n_steps=N_STEPS, n_post=n_post, dt=0.5, delays=mode, **settings(neuron),
    )  # fmt: skip
    put = lambda x: torch.tensor(x, device=device)  # noqa: E731
    spikes, v = run_population(
        neuron, [(fixed(z), put(p["w"]), put(p["d"])), (fixed(silent), put(more), put(more))],
        Grid(dt=0.5, delays=mode), (put(p["w_loop"]), put(p["d_loop"])), keep_potential=True,
    )  # fmt: skip
    assert want.spikes.sum() > 20
    assert np.array_equal(spikes.dense.cpu().numpy(), want.spikes)
    assert np.array_equal(spikes.counts().cpu().numpy(), want.spikes.sum(1))
    free = ~np.isnan(want.potential)
    assert np.allclose(v.cpu().numpy()[free], want.potential[free], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("kind", "mode", "surrogate", "detach", "dtype"),
    [
        ("zero", "exact", "superspike", True, torch.float64),
        ("subtract", "round", "arctan", False, torch.float64),
        ("refractory", "round", "triangular", False, torch.float64),
        ("adaptive", "exact", "box", True, torch.float64),
        ("adaptive-refractory", "exact", "triangular", True, torch.float32),
    ],
)
def test_surrogate_gradients_are_those_of_the_unrolled_network(kind, mode, surrogate, detach, dtype, device):
    neurons = KINDS[kind], LeakyIntegrator(15.0, 6.0) if kind == "zero" else KINDS[kind]
    grid = Grid(delays=mode, surrogate=surrogate, slope=0.7, detach_reset=detach)
    z, arrays = network(5)
    arrays = {k: x.astype(np.float32) for k, x in arrays.items()}

    def unrolled(p):
        layers, passed, loop = [], torch.from_numpy(z), (p["w_loop"], p["d_loop"])
        for neuron, w, d in ((neurons[0], "w", "d"), (neurons[1], "w_out", "d_out")):
            spike = surrogate_spike(surrogate, grid.slope) if neuron.spiking else None
            passed, v = unroll(neuron, [(passed, p[w], p[d])], grid.dt, mode, spike, loop, detach)
            n, loop = neuron.refractory_steps(grid.dt), None
            earlier = torch.nn.functional.pad(passed.detach(), (0, 0, n, 0))
            held = sum((earlier[:, n - m : N_STEPS + n - m] for m in range(1, n + 1)), torch.zeros_like(v)) > 0
            layers.append((passed if spike else None, torch.where(held, -(2.0**100), v)))
        return layers

    got = learn(two_layers, arrays, z, neurons, grid, device=device, dtype=dtype)
    assert got[0][0][0].sum() > 10
    assert_same(got, learn(unrolled, arrays), 1e-9 if dtype == torch.float64 else 1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_eventprop_is_that_of_the_cpu_kernels(kind, device, on_cpu):
    grid = Grid(dt=0.5, delays="exact" if "adaptive" in kind else "round", estimator="eventprop")
    z, arrays = network(8)
    neurons = KINDS[kind], KINDS[kind]
    got = learn(two_layers, arrays, z, neurons, grid, device=device)
    assert all(g.abs().max() > 1e-3 for g in got[1].values()) and len(got[1]) == 6
    assert_same(got, on_cpu(learn, two_layers, arrays, z, neurons, grid), 1e-9)


def test_potentials_after_eventprop_and_without_recurrence(device, on_cpu):
    z, arrays = network(8)
    args = z, (KINDS["zero"], LeakyIntegrator(15.0, 6.0)), Grid(delays="exact", estimator="eventprop"), False
    assert_same(learn(two_layers, arrays, *args, device=device), on_cpu(learn, two_layers, arrays, *args), 1e-9)


@pytest.mark.parametrize(
    ("estimator", "setting", "value"),
    [("surrogate", "SHARED", 0), ("eventprop", "SHARED", 0), ("surrogate", "chunks", lambda n: 1)],
)
def test_rings_in_global_memory_and_one_chunk(estimator, setting, value, device, on_cpu, monkeypatch):
    from spsnn.autograd import cuda_projection

    z, arrays = network(9)
    args = z, (KINDS["zero"], KINDS["zero"]), Grid(delays="exact", estimator=estimator)
    monkeypatch.setattr(cuda_projection, setting, value)
    assert_same(learn(two_layers, arrays, *args, device=device), on_cpu(learn, two_layers, arrays, *args), 1e-9)


@pytest.mark.parametrize("mode", ["round", "exact"])
def test_several_spikes_of_a_channel_in_a_step(mode, device, on_cpu):
    _, arrays = network(6)
    rng = np.random.default_rng(0)
    trains = [(rng.uniform(0, 11, 99), rng.integers(0, N_PRE, 99)) for _ in range(3)]
    spikes = Spikes.from_batch(SpikeBatch.from_samples(trains, N_PRE, 11.0), 0.5)
    assert spikes.repeats
    assert np.array_equal(DeviceSpikes.of(spikes, device).counts().cpu(), spikes.counts())

    def run(p):
        z, v = run_population(KINDS["zero"], [(spikes, p["w"] / 4, p["d"])], Grid(dt=0.5, delays=mode), None, True)
        return [(z.dense, v)]

    arrays = {k: arrays[k] for k in ("w", "d")}
    got = learn(run, arrays, device=device)
    assert all(g.abs().max() > 1e-3 for g in got[1].values())
    assert_same(got, on_cpu(learn, run, arrays), 1e-9)


def test_a_window_without_steps_has_zero_gradients(device):
    z = torch.zeros(2, 0, 3, device=device, requires_grad=True)
    p = leaves({"w": np.ones((3, 4)), "d": np.ones((3, 4))}, device)
    spikes, _ = run_population(KINDS["zero"], [(Spikes.from_dense(z), p["w"], p["d"])], Grid())
    spikes.dense.sum().backward()
    assert not p["w"].grad.any() and z.grad.shape == (2, 0, 3)


def test_more_neurons_than_threads_bits_and_tiles(device, on_cpu):
    z, arrays = network(2, n_post=35)
    args = z[:1, :16], (KINDS["zero"], KINDS["zero"]), Grid(surrogate="superspike", slope=0.7)
    got = learn(two_layers, arrays, *args, device=device)
    assert all(g.abs().max() > 1e-3 for g in got[1].values())
    assert_same(got, on_cpu(learn, two_layers, arrays, *args), 1e-9)


def test_equal_inputs_give_equal_bits(device):
    z, arrays = network(4)
    args = z, (KINDS["adaptive"], KINDS["adaptive"]), Grid()
    first, second = (learn(two_layers, arrays, *args, device=device, dtype=torch.float32)[1] for _ in range(2))
    assert all(torch.equal(first[k], second[k]) for k in first)


@pytest.mark.parametrize(("metric", "mode"), [("l2", "exact"), ("l1", "round")])
def test_delays_from_coordinates(metric, mode, device, on_cpu):
    """Against the matrix that torch makes of the same coordinates, and torch's own derivative of it."""
    z, arrays = network(6)
    rng = np.random.default_rng(2)
    arrays = {k: x for k, x in arrays.items() if k.startswith("w")} | {
        "p": rng.normal(0, 2, (N_PRE, 3)), "q": rng.normal(0, 2, (N_POST, 3)), "alpha": np.array(1.3),
        "d_out": np.zeros((N_POST, N_OUT)),
    }  # fmt: skip
    space, grid = Euclidean(3, metric, 0.3), Grid(delays=mode, estimator="eventprop")
    pairs = {"d": ("p", "q"), "d_loop": ("q", "q")}
    cut = 5.0

    def matrices(p):
        raw = {k: 0.4 + p["alpha"] * space.distance(p[a], p[b]) for k, (a, b) in pairs.items()}
        assert all(0.1 < (d > cut).double().mean() < 0.9 for d in raw.values())
        return two_layers(p | {k: d.clamp(max=cut) for k, d in raw.items()}, z, (KINDS["zero"],) * 2, grid)

    def computed(p):
        rule = {"d_min": 0.4, "max_delay": cut, "metric": metric, "eps": 0.3}
        delays = {k: Distances(p[a], p[b], p["alpha"], **rule) for k, (a, b) in pairs.items()}
        return two_layers(p | delays, z, (KINDS["zero"],) * 2, grid)

    got = learn(computed, arrays, device=device)
    assert set(got[1]) == set(arrays) and all(g.abs().max() > 1e-3 for g in got[1].values())
    assert_same(got, on_cpu(learn, matrices, arrays), 1e-9)


def test_coordinates_without_a_bound_in_float32(device, on_cpu):
    z, arrays = network(6)
    arrays = {"w": arrays["w"], "p": np.random.default_rng(2).normal(0, 2, (N_PRE, 2))}

    def run(p, delay):
        w = torch.cat([p["w"], p["w"][:, :1]], 1)
        return [run_population(LeakyIntegrator(), [(fixed(z), w, delay(p["p"]))], Grid(delays="exact"))]

    got = learn(run, arrays, lambda p: Distances(p, p, p.new_tensor(1.0)), device=device, dtype=torch.float32)
    want = on_cpu(learn, run, arrays, lambda p: Euclidean(2).distance(p, p))
    assert_same(got, want, 1e-4)


@pytest.mark.parametrize("given", ["fixed", "tensor", "spikes"])
def test_a_projection_alone(given, device, on_cpu):
    z, arrays = network(1)
    arrays = {k: arrays[k] for k in ("w", "d")} | ({} if given == "fixed" else {"z": z})

    def run(p):
        spikes = p.get("z", torch.from_numpy(z).to(p["w"].device))
        spikes = Spikes.from_dense(spikes) if given == "spikes" else spikes
        return [(None, delayed_current(spikes, p["w"], p["d"], 0.5))]

    assert_same(learn(run, arrays, device=device), on_cpu(learn, run, arrays), 1e-9)


def test_a_weight_changed_between_the_passes_is_refused(device):
    z, arrays = network(1)
    p = leaves(arrays, device)
    ((s, _), _) = two_layers(p, z, (KINDS["zero"],) * 2, Grid())
    with torch.no_grad():
        p["w"] += 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        s.sum().backward()
