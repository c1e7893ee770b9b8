"""Parameters of each neuron: gradients against torch autograd through the unrolled network, and what is refused."""

import itertools

import numpy as np
import pytest
import torch

from spsnn import ConfigError
from spsnn.autograd.delays import Distances
from spsnn.autograd.population import Grid, run_population
from spsnn.neurons import LIF, AdaptiveLIF, AdEx, LeakyIntegrator
from spsnn.neurons.learned import BOUNDS, NeuronParameters, learnable, own_constants

from .nets import dense_spikes, fixed, relative
from .test_surrogate import KINDS, loss_of, refractory
from .unrolled import surrogate_spike, unroll

N_PRE, N_HIDDEN, N_OUT, N_STEPS = 6, 11, 4, 40
RANGES = {"tau_mem": (6, 20), "tau_syn": (3, 9), "tau_adapt": (15, 60), "a": (-0.4, 3.0), "b": (0.1, 0.6)}


def leaves(seed, neurons, dtype):
    """Weights, delays and parameters of input -> hidden (recurrent) -> output."""
    rng = np.random.default_rng([seed, 1])
    p = {
        "w": rng.normal(1.2, 0.9, (N_PRE, N_HIDDEN)), "d": rng.uniform(0, 6, (N_PRE, N_HIDDEN)),
        "w_loop": rng.normal(0.1, 0.5, (N_HIDDEN, N_HIDDEN)), "d_loop": rng.uniform(0, 6, (N_HIDDEN, N_HIDDEN)),
        "w_out": rng.normal(1.0, 0.7, (N_HIDDEN, N_OUT)), "d_out": rng.uniform(0, 6, (N_HIDDEN, N_OUT)),
    }  # fmt: skip
    for k, (neuron, n) in enumerate(zip(neurons, (N_HIDDEN, N_OUT), strict=True)):
        p |= {f"{k}.{name}": rng.uniform(*RANGES[name], n) for name in learnable(neuron)}
    return {k: torch.tensor(x.astype(np.float32), dtype=dtype, requires_grad=True) for k, x in p.items()}


def own(p, k):
    return {name[2:]: x for name, x in p.items() if name.startswith(f"{k}.")}


def engine(p, z, neurons, grid, loop):
    loop = (p["w_loop"], p["d_loop"]) if loop else None
    s_1, v_1 = run_population(neurons[0], [(z, p["w"], p["d"])], grid, loop, True, own(p, 0))
    s_2, v_2 = run_population(neurons[1], [(s_1, p["w_out"], p["d_out"])], grid, None, True, own(p, 1))
    return [(s_1.dense, v_1), (None if s_2 is None else s_2.dense, v_2)]


def unrolled(p, z, neurons, grid, loop):
    spike = surrogate_spike(grid.surrogate, grid.slope)
    hold = lambda z, v, n: torch.where(refractory(z, n, grid.dt), torch.full_like(v, -1e30), v)  # noqa: E731
    loop = (p["w_loop"], p["d_loop"]) if loop else None
    z_1, v_1 = unroll(neurons[0], [(z, p["w"], p["d"])], grid.dt, "round", spike, loop, grid.detach_reset, own(p, 0))
    last = spike if neurons[1].spiking else None
    z_2, v_2 = unroll(
        neurons[1], [(z_1, p["w_out"], p["d_out"])], grid.dt, "round", last, None, grid.detach_reset, own(p, 1)
    )
    return [(z_1, hold(z_1, v_1, neurons[0])), (z_2 if last else None, hold(z_2, v_2, neurons[1]))]


def compare(seed, neurons, grid, loop, dtype=torch.float64):
    """Relative errors of all gradients."""
    z = dense_spikes(np.random.default_rng([seed, 3]), (3, N_STEPS, N_PRE))
    p, q = leaves(seed, neurons, dtype), leaves(seed, neurons, torch.float64)
    got, want = engine(p, fixed(z), neurons, grid, loop), unrolled(q, torch.from_numpy(z), neurons, grid, loop)
    for (z_got, _), (z_want, _) in zip(got, want, strict=True):
        if z_want is not None:
            assert z_want.sum() > 10
            assert torch.equal(z_got.double(), z_want)
    for layers in (got, want):
        loss_of(layers, seed).backward()
    used = [k for k in q if q[k].grad is not None]
    assert used == [k for k in p if p[k].grad is not None]
    assert {f"0.{n}" for n in learnable(neurons[0])} <= set(used)
    assert not [k for k in used if q[k].grad.abs().max() < 1e-3], "a gradient that vanishes tests nothing"
    return {k: relative(p[k].grad, q[k].grad) for k in used}


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_the_unrolled_network(kind):
    """Parameters, weights and delays: reset to zero and by subtraction, refractory, adaptive, recurrent, dt not 1."""
    for (n, name), detach, loop in itertools.product(enumerate(("triangular", "arctan")), (True, False), (False, True)):
        grid = Grid(dt=1.0 - 0.3 * n, surrogate=name, slope=0.6, detach_reset=detach)
        errors = compare(n, (KINDS[kind], KINDS[kind]), grid, loop)
        assert max(errors.values()) < 1e-9, errors


def test_readout_and_single_precision():
    neurons = KINDS["adlif"], LeakyIntegrator(tau_mem=15.0, tau_syn=6.0)
    assert max(compare(5, neurons, Grid(slope=0.6), True).values()) < 1e-9
    assert max(compare(5, neurons, Grid(slope=0.6), True, torch.float32).values()) < 1e-4


def test_equal_values_are_the_plain_population():
    """Every neuron with the model's own numbers: spikes, potentials, gradients of coordinates and weights."""
    neuron, z = KINDS["adlif"], fixed(dense_spikes(np.random.default_rng(8), (2, N_STEPS, N_PRE)))
    rng, results = np.random.default_rng(9), []
    start = [rng.normal(size=s) for s in ((N_PRE, 2), (N_HIDDEN, 2), (N_PRE, N_HIDDEN))]
    start[2] *= 3
    same = {k: torch.full((N_HIDDEN,), getattr(neuron, k), dtype=torch.float64) for k in learnable(neuron)}
    for parameters in (None, same):
        p, q, w = (torch.tensor(x, requires_grad=True) for x in start)
        delays = Distances(p, q, torch.tensor(2.0, dtype=torch.float64))
        s, v = run_population(neuron, [(z, w, delays)], Grid(slope=0.6), None, True, parameters)
        loss_of([(s.dense, v)], 3).backward()
        results.append([s.dense.detach(), v.detach(), p.grad, q.grad, w.grad])
    assert results[0][0].sum() > 10
    for x, y in zip(*results, strict=True):
        assert relative(x, y) < 1e-10


def test_a_spread_alone_needs_no_gradient_and_changes_the_delay_gradient_of_its_neurons():
    z = fixed(dense_spikes(np.random.default_rng(8), (2, N_STEPS, N_PRE)))
    tau = torch.linspace(5, 30, 3, dtype=torch.float64)
    neuron, rng = LeakyIntegrator(10.0, 4.0), np.random.default_rng(2)
    w = torch.tensor(rng.normal(size=(N_PRE, 3)))
    d = torch.tensor(rng.integers(0, 9, (N_PRE, 3)).astype(float), requires_grad=True)
    _, v = run_population(neuron, [(z, w, d)], Grid(), parameters={"tau_mem": tau})
    c = torch.tensor(rng.normal(size=v.shape))
    (v * c).sum().backward()
    for j in range(3):
        e = d.detach()[:, j : j + 1].clone().requires_grad_()
        _, u = run_population(LeakyIntegrator(float(tau[j]), 4.0), [(z, w[:, j : j + 1], e)], Grid())
        (u * c[..., j : j + 1]).sum().backward()
        assert torch.allclose(u[..., 0], v[..., j], atol=1e-12)
        assert torch.allclose(e.grad[:, 0], d.grad[:, j], rtol=1e-10)


def test_constants_are_those_of_the_neuron_model():
    for neuron in (LIF(12.0, 4.0), LIF(5.0, 5.0), AdaptiveLIF(20.0, 5.0, a=2.0, tau_adapt=80.0), LeakyIntegrator()):
        like = torch.zeros(1, dtype=torch.float64)
        got = own_constants(neuron, {"tau_mem": torch.full((3,), neuron.tau_mem)}, 0.7, 3, like)
        assert np.allclose(got.numpy(), neuron.constants(0.7, 3, np.float64), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("start", [None, (3.0, 400.0)])
def test_values_stay_inside_their_bounds(start):
    p = NeuronParameters(AdaptiveLIF(), 200, tuple(BOUNDS), {} if start is None else {"tau_mem": start})
    p.requires_grad_(False)
    first = p()
    assert set(first) == set(BOUNDS)
    if start is None:
        assert all(torch.allclose(v, torch.full_like(v, getattr(AdaptiveLIF(), k))) for k, v in first.items())
    else:
        logs = first["tau_mem"].log()
        assert float(first["tau_mem"].min()) > 3 and float(first["tau_mem"].max()) < 400
        middle = np.log(3 * 400) / 2  # log-uniform: mean of the logarithm, within 4 standard errors
        assert abs(float(logs.mean()) - middle) < 4 * np.log(400 / 3) / (12 * 200) ** 0.5
    for raw in (-1e3, -3.0, 3.0, 1e3):
        with torch.no_grad():
            for x in p.raw.values():
                x.fill_(raw)
        for name, value in p().items():
            low, high = BOUNDS[name]
            assert float(value.min()) >= low * (1 - 1e-12) - 1e-12 and float(value.max()) <= high * (1 + 1e-12)


def test_time_constants_are_recovered_from_potentials():
    """A student that starts from the model's values finds those of a teacher."""
    z = fixed(dense_spikes(np.random.default_rng(3), (4, 60, N_PRE)))
    w = torch.tensor(np.random.default_rng(4).normal(size=(N_PRE, 3)))
    wanted = {"tau_mem": [5.0, 20.0, 60.0], "tau_syn": [8.0, 3.0, 4.0]}
    wanted = {k: torch.tensor(v, dtype=torch.float64) for k, v in wanted.items()}
    run = lambda values: run_population(LeakyIntegrator(), [(z, w, 0 * w)], Grid(), parameters=values)[1]  # noqa: E731
    student = NeuronParameters(LeakyIntegrator(), 3, ("tau_mem", "tau_syn"))
    optimizer = torch.optim.Adam(student.parameters(), lr=0.05)
    target = run(wanted)
    for _ in range(400):
        optimizer.zero_grad()
        (run(student()) - target).square().sum(1).mean().backward()
        optimizer.step()
    for name, value in student().items():
        assert torch.allclose(value, wanted[name], rtol=0.01), (name, value)


def test_put_is_the_inverse_of_reading():
    p = NeuronParameters(AdaptiveLIF(), 50, tuple(BOUNDS))
    rng = np.random.default_rng(0)
    for name, (low, high) in BOUNDS.items():
        value = rng.uniform(low, high, 50)
        p.put_(name, value)
        assert np.allclose(p()[name].detach().numpy(), value, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("neuron", "grid", "name", "words"),
    [
        (LIF(), Grid(delays="exact"), "tau_mem", "grid.delays='round'.*depends on the time constants"),
        (LIF(), Grid(estimator="eventprop"), "tau_mem", "grid.estimator='surrogate'"),
        (LIF(), Grid(), "b", "'lif' neuron can learn one of tau_mem, tau_syn, got 'b'"),
        (AdEx(), Grid(), "tau_mem", "'adex' neuron can learn none"),
    ],
)
def test_what_has_no_gradient_is_refused(neuron, grid, name, words):
    z = fixed(np.ones((1, 4, 2)))
    w = torch.ones(2, 3)
    with pytest.raises(ConfigError, match=words):
        run_population(neuron, [(z, w, w)], grid, parameters={name: torch.full((3,), 10.0)})


@pytest.mark.parametrize("value", [torch.zeros(3), torch.full((2,), 5.0), torch.full((3,), torch.nan)])
def test_values_outside_the_model_are_refused(value):
    z = fixed(np.ones((1, 4, 2)))
    w = torch.ones(2, 3)
    with pytest.raises(ConfigError, match=r"tau_mem must be \[3\] finite values above 0"):
        run_population(LIF(), [(z, w, w)], Grid(), parameters={"tau_mem": value})
