"""Surrogate gradients of the grid engine against torch autograd through the unrolled network."""

import itertools

import numpy as np
import pytest
import torch

from spsnn import AdEx
from spsnn.autograd.population import Grid, run_population
from spsnn.kernels.cpu.surrogate import SURROGATES
from spsnn.neurons.linear import LIF, AdaptiveLIF, LeakyIntegrator

from .nets import dense_spikes, fixed, relative
from .unrolled import PSI, smooth_spike, surrogate_spike, unroll

N_PRE, N_HIDDEN, N_OUT, N_STEPS = 6, 5, 4, 40
TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-9}


def parameters(seed, dtype=torch.float64):
    """Coordinates, scale and weights of input -> hidden (recurrent) -> output, as leaves."""
    rng = np.random.default_rng([seed, 1])
    p = {
        "p_in": rng.normal(0, 2, (N_PRE, 3)), "p_hidden": rng.normal(0, 2, (N_HIDDEN, 3)),
        "p_out": rng.normal(0, 2, (N_OUT, 3)), "alpha": np.array(1.3),
        "w": rng.normal(1.2, 0.9, (N_PRE, N_HIDDEN)), "w_loop": rng.normal(0.1, 0.7, (N_HIDDEN, N_HIDDEN)),
        "w_out": rng.normal(2.0, 1.5, (N_HIDDEN, N_OUT)),
    }  # fmt: skip
    return {k: torch.tensor(x.astype(np.float32), dtype=dtype, requires_grad=True) for k, x in p.items()}


def delay(p, q, alpha):
    """``d = d_min + alpha sqrt(|p_i - p_j|^2 + eps^2)``, with self-loops at ``d_min + alpha eps``."""
    return 0.4 + alpha * ((p[:, None] - q[None]).square().sum(-1) + 1e-2).sqrt()


def delays_of(p):
    pairs = {"d": ("p_in", "p_hidden"), "d_loop": ("p_hidden", "p_hidden"), "d_out": ("p_hidden", "p_out")}
    delays = {k: delay(p[a], p[b], p["alpha"]) for k, (a, b) in pairs.items()}
    for d in delays.values():
        d.retain_grad()
    return delays


def loss_of(layers, seed):
    """Random linear functional of spikes and of potentials (where there is one) of every layer."""
    rng = np.random.default_rng([seed, 2])
    total = 0
    for z, v in layers:
        c_z, c_v = (torch.tensor(rng.normal(size=v.shape), dtype=v.dtype) for _ in range(2))
        total = total + torch.where(v > -1e20, v * c_v, torch.zeros_like(v)).sum()
        if z is not None:
            total = total + (z * c_z).sum()
    return total


def engine(p, z, neurons, grid, loop):
    d = delays_of(p)
    s_1, v_1 = run_population(
        neurons[0], [(z, p["w"], d["d"])], grid, (p["w_loop"], d["d_loop"]) if loop else None, keep_potential=True
    )
    s_2, v_2 = run_population(neurons[1], [(s_1, p["w_out"], d["d_out"])], grid, keep_potential=True)
    return d, [(s_1.dense, v_1), (None if s_2 is None else s_2.dense, v_2)]


def unrolled(p, z, neurons, grid, loop, spike):
    d = delays_of(p)
    hold = lambda z, v, n: torch.where(refractory(z, n, grid.dt), torch.full_like(v, -1e30), v)  # noqa: E731
    z_1, v_1 = unroll(
        neurons[0], [(z, p["w"], d["d"])], grid.dt, grid.delays, spike, (p["w_loop"], d["d_loop"]) if loop else None,
        grid.detach_reset,
    )  # fmt: skip
    last = spike if neurons[1].spiking else None
    z_2, v_2 = unroll(neurons[1], [(z_1, p["w_out"], d["d_out"])], grid.dt, grid.delays, last, None, grid.detach_reset)
    return d, [(z_1, hold(z_1, v_1, neurons[0])), (z_2 if last else None, hold(z_2, v_2, neurons[1]))]


def refractory(z, neuron, dt):
    """Steps at which a neuron is held."""
    n = round(neuron.refractory / dt)
    spiked = torch.nn.functional.pad(z.detach(), (0, 0, n, 0))
    return sum((spiked[:, n - m : spiked.shape[1] - m] for m in range(1, n + 1)), torch.zeros_like(z)) > 0


def gradients(p, d, layers, seed):
    for x in p.values():
        x.grad = None
    loss_of(layers, seed).backward()
    return {k: x.grad for k, x in {**p, **d}.items() if x.grad is not None}


def check(seed, neurons, grid, loop, dtype=torch.float64):
    z = dense_spikes(np.random.default_rng([seed, 3]), (3, N_STEPS, N_PRE))
    p, q = parameters(seed, dtype), parameters(seed)
    d, got = engine(p, fixed(z), neurons, grid, loop)
    e, want = unrolled(q, torch.from_numpy(z), neurons, grid, loop, surrogate_spike(grid.surrogate, grid.slope))
    for (z_got, _), (z_want, _) in zip(got, want, strict=True):
        if z_want is not None:
            assert z_want.sum() > 10
            assert torch.equal(z_got.double(), z_want)
    g, h = gradients(p, d, got, seed), gradients(q, e, want, seed)
    assert set(g) == set(h) and len(h) >= (10 if loop else 8)
    errors = {k: relative(g[k], h[k]) for k in h}
    assert all(h[k].abs().max() > 1e-3 for k in h), "a gradient that vanishes tests nothing"
    assert max(errors.values()) < TOLERANCE[dtype], errors
    return errors


KINDS = {
    "lif": LIF(tau_mem=12.0, tau_syn=4.0, v_reset=-0.2),
    "lif-subtract": LIF(tau_mem=12.0, tau_syn=4.0, reset="subtract"),
    "lif-refractory": LIF(tau_mem=12.0, tau_syn=4.0, v_reset=0.3, refractory=2.0),
    "adlif": AdaptiveLIF(tau_mem=12.0, tau_syn=4.0, tau_adapt=30.0, a=0.5, b=0.4, v_reset=0.1),
    "adlif-subtract-refractory": AdaptiveLIF(
        tau_mem=12.0, tau_syn=4.0, tau_adapt=30.0, a=0.5, b=0.4, reset="subtract", refractory=3.0
    ),
}


@pytest.mark.parametrize("mode", ["round", "exact"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_all_gradients(kind, mode, dtype):
    """Weights, delays, coordinates and alpha, through hidden spikes and recurrent self-loops, every surrogate."""
    for (n, name), detach, loop in itertools.product(enumerate(SURROGATES), (True, False), (False, True)):
        slope = 1.0 if name == "box" else 0.6
        grid = Grid(delays=mode, surrogate=name, slope=slope, detach_reset=detach)
        check(n, (KINDS[kind], KINDS[kind]), grid, loop, dtype)


def test_leaky_readout_and_narrow_support():
    grid = Grid(dt=0.5, delays="exact", surrogate="triangular", slope=2.0)
    check(4, (KINDS["lif"], LeakyIntegrator(tau_mem=15.0, tau_syn=6.0)), grid, True)


@pytest.mark.parametrize("name", SURROGATES)
def test_surrogate_derivatives_of_a_single_spike(name):
    """psi against its formula in the docstring's source: peak 1, and zero outside a finite support."""
    u = torch.tensor([-3.0, -0.55, -0.3, -0.1, 0.05, 0.2, 0.45, 0.9, 4.0], dtype=torch.float64)
    neuron = LIF(tau_mem=10.0, tau_syn=4.0)
    z = np.zeros((1, 2, len(u)))
    z[0, 0] = 1
    step = float(0.4 / 0.6 * (np.exp(-0.1) - np.exp(-0.25)))
    w = torch.diag((u + 1) / step).requires_grad_()
    spikes, v = run_population(
        neuron, [(fixed(z), w, torch.zeros_like(w))], Grid(surrogate=name, slope=1.5), keep_potential=True
    )
    assert torch.allclose(v[0, 1].detach(), u + 1, atol=1e-12)
    c = torch.zeros_like(v)
    c[0, 1] = 1
    (spikes.dense * c).sum().backward()
    assert torch.allclose(w.grad.diagonal() / step, PSI[name](u, 1.5), atol=1e-12)


def test_round_mode_delay_gradient_is_the_exact_one_at_a_whole_number_of_steps():
    z = dense_spikes(np.random.default_rng(1), (2, 30, 4))
    rng = np.random.default_rng(2)
    w, d = rng.normal(0.5, 0.8, (4, 3)), rng.integers(0, 9, (4, 3)).astype(float)
    grads = []
    for mode in ("round", "exact"):
        leaves = [torch.tensor(x, requires_grad=True) for x in (w, d)]
        spikes, v = run_population(
            KINDS["lif"], [(fixed(z), *leaves)], Grid(delays=mode, slope=0.7), keep_potential=True
        )
        loss_of([(spikes.dense, v)], 0).backward()
        grads.append([x.grad for x in leaves])
    assert relative(grads[0][0], grads[1][0]) < 1e-12 and relative(grads[0][1], grads[1][1]) < 1e-12


def central(f, x, h=1e-5):
    """Central differences of the scalar ``f()`` with respect to every entry of the leaf ``x``."""
    g = torch.zeros_like(x)
    with torch.no_grad():
        for k in range(x.numel()):
            flat, old = x.view(-1), float(x.view(-1)[k])
            flat[k] = old + h
            up = float(f())
            flat[k] = old - h
            down = float(f())
            flat[k] = old
            g.view(-1)[k] = (up - down) / (2 * h)
    return g


@pytest.mark.parametrize("readout", ["mean", "max", "linear"])
def test_central_differences_without_a_threshold(readout):
    """The kernels themselves are smooth there in `exact` mode: weights, delays, coordinates and alpha."""
    z = fixed(dense_spikes(np.random.default_rng(6), (2, N_STEPS, N_PRE)))
    p = {k: x for k, x in parameters(6).items() if k in ("p_in", "p_hidden", "alpha", "w")}
    neuron, grid = LeakyIntegrator(tau_mem=12.0, tau_syn=4.0), Grid(delays="exact")
    c = torch.tensor(np.random.default_rng(7).normal(size=(2, N_STEPS, N_HIDDEN)))
    mix = torch.tensor(np.random.default_rng(8).normal(size=(2, N_HIDDEN)))

    def loss(d=None):
        d = delay(p["p_in"], p["p_hidden"], p["alpha"]) if d is None else d
        v = run_population(neuron, [(z, p["w"], d)], grid)[1]
        if readout == "linear":
            return (c * v).sum()
        return (mix * (v.mean(1) if readout == "mean" else v.amax(1))).sum()

    loss().backward()
    for name, x in p.items():
        assert relative(x.grad, central(loss, x)) < 1e-6, name
    d = delay(p["p_in"], p["p_hidden"], p["alpha"]).detach().requires_grad_()
    (grad,) = torch.autograd.grad(loss(d), d)
    assert relative(grad, central(lambda: loss(d), d)) < 1e-6


@pytest.mark.parametrize("kind", ["lif", "lif-subtract", "adlif"])
def test_the_unrolled_model_itself_on_the_smoothed_problem(kind):
    """With a sigmoid in place of the step the unrolled network is smooth: its autograd equals central differences."""
    z = torch.from_numpy(dense_spikes(np.random.default_rng(6), (1, 20, N_PRE)))
    p = parameters(6)
    grid, neurons = Grid(delays="exact", detach_reset=False), (KINDS[kind], LeakyIntegrator())
    f = lambda: loss_of(unrolled(p, z, neurons, grid, True, smooth_spike(3.0))[1], 0)  # noqa: E731

    def quiet():
        with torch.enable_grad():
            return f().detach()

    f().backward()
    for name in ("p_hidden", "alpha", "w_loop", "w_out"):
        assert relative(p[name].grad, central(quiet, p[name])) < 1e-6, name


@pytest.mark.parametrize("neuron", [LIF(refractory=3.0), AdEx()])
@pytest.mark.parametrize("changed", ["spikes", "potential"])
def test_outputs_changed_in_place_are_refused(neuron, changed):
    """They share memory with what the backward pass reads."""
    spikes, p = fixed(dense_spikes(np.random.default_rng(6), (2, N_STEPS, N_PRE))), parameters(0)
    delay = torch.zeros(N_PRE, N_HIDDEN, dtype=torch.float64)
    z, v = run_population(
        neuron,
        [(spikes, p["w"], delay)],
        Grid(dt=1.0, delays="round"),
        (p["w_loop"], delay[:N_HIDDEN] + 1.0),
        keep_potential=True,
    )
    total = z.dense.sum() + v.sum()
    (z.dense if changed == "spikes" else v).mul_(0.5)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        total.backward()
