"""Neuron models given as functions: their adjoints, the compiled kernels, and the gradients of networks."""

import inspect
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch

from spsnn import ConfigError, Euclidean, ModelFileError, SpikeBatch, SpSNN, TrainingConfig, evaluate, fit, load, save
from spsnn.autograd.delays import Distances
from spsnn.autograd.population import Grid, run_population
from spsnn.kernels.cpu.surrogate import SURROGATES
from spsnn.kernels.reference.custom import simulate_custom
from spsnn.neurons import LIF, NEURONS, AdaptiveLIF, AdEx

from .nets import dense_spikes, fixed, relative
from .plain_lif import PlainLIF
from .unrolled import surrogate_spike

ADEX = AdEx(tau_mem=12.0, tau_syn=4.0, delta_t=0.2, v_peak=1.4, v_reset=-0.2, tau_adapt=30.0, a=0.4, b=0.3)
LIFS = [PlainLIF(tau_mem=12.0, tau_syn=4.0, v_reset=-0.2), PlainLIF(tau_mem=12.0, tau_syn=4.0, subtract=True)]
N_PRE, N_HIDDEN, N_OUT, N_STEPS, DT = 6, 5, 4, 40, 0.5


@pytest.mark.parametrize("neuron", [ADEX, *LIFS])
def test_adjoints_are_the_transposed_derivatives(neuron):
    """Central differences of ``g . state' + g_u u`` and of ``g . reset(state)``."""
    rng, p, h = np.random.default_rng(0), neuron.constants(DT), 1e-6
    n = len(neuron.initial_state())
    step, reset, step_adjoint, reset_adjoint = neuron.functions
    for _ in range(5):
        at, g, g_u = rng.normal(0.5, 0.5, n + 1), rng.normal(size=n), rng.normal()

        def after_step(y, g=g, g_u=g_u):
            state, u = step(tuple(y[:n]), y[n], p)
            return np.dot(g, state) + g_u * u

        def after_reset(y, g=g):
            return np.dot(g, reset(tuple(y[:n]), p))

        slopes = [[(f(at + h * e) - f(at - h * e)) / (2 * h) for e in np.eye(n + 1)] for f in (after_step, after_reset)]
        g_state, g_x = step_adjoint(tuple(at[:n]), at[n], p, tuple(g), g_u)
        np.testing.assert_allclose([*g_state, g_x], slopes[0], rtol=1e-7, atol=1e-8)
        np.testing.assert_allclose([*reset_adjoint(tuple(at[:n]), p, tuple(g)), 0], slopes[1], rtol=1e-7, atol=1e-8)


def delayed(z, w, lag):
    """``x[b, t + lag_ij, j] += w_ij z[b, t, i]`` in plain loops."""
    x = np.zeros((*z.shape[:2], w.shape[1]))
    for b, t, i in np.argwhere(z):
        for j in range(w.shape[1]):
            if t + lag[i, j] < x.shape[1]:
                x[b, t + lag[i, j], j] += w[i, j]
    return x


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
def test_kernels_against_the_reference(dtype, tolerance):
    spikes = 0
    for seed, loop in itertools.product(range(4), (False, True)):
        rng = np.random.default_rng([seed, 5])
        z = dense_spikes(rng, (3, N_STEPS, N_PRE))
        w, w_loop = rng.normal(1.0, 1.2, (N_PRE, N_HIDDEN)), rng.normal(0.2, 0.9, (N_HIDDEN, N_HIDDEN))
        d, d_loop = rng.uniform(0, 6, w.shape), rng.uniform(0, 30, w_loop.shape)
        w, d, w_loop, d_loop = (torch.tensor(x, dtype=dtype) for x in (w, d, w_loop, d_loop))
        lag, lag_loop = (np.rint(x.double().numpy() / DT).astype(int) for x in (d, d_loop))
        recurrent = (w_loop.double().numpy(), np.maximum(lag_loop, 1)) if loop else ()
        want, u = simulate_custom(
            ADEX.functions, ADEX.initial_state(), ADEX.constants(DT), delayed(z, w.double().numpy(), lag), *recurrent
        )
        assert np.abs(u).min() > 1e-4, "a potential that grazes the peak makes spikes a matter of rounding"
        got, u_got = run_population(
            ADEX, [(fixed(z), w, d)], Grid(dt=DT), (w_loop, d_loop) if loop else None, keep_potential=True
        )
        np.testing.assert_array_equal(got.dense.numpy(), want)
        assert relative(u_got, u) < tolerance
        spikes += want.sum()
    assert spikes > 200


def unrolled_adex(neuron, inputs, dt, spike, recurrent, detach_reset):
    """AdEx in torch: spikes, u, and the arrivals ``x``, as leaves that collect dL/dx.  Lags instead of delays."""
    n_samples, n_steps, _ = inputs[0][0].shape
    n = inputs[0][1].shape[1]
    m, a, d_t = neuron.tau_mem, neuron.tau_adapt, neuron.delta_t
    rates = torch.tensor(
        [[-1 / m, -1 / m, 1 / m, 1 / m], [neuron.a / a, -1 / a, 0, 0], [0, 0, -1 / neuron.tau_syn, 0], [0, 0, 0, 0]],
        dtype=torch.float64,
    )
    flow = torch.linalg.matrix_exp(rates * dt)
    x = [torch.zeros(n_samples, n, dtype=torch.float64, requires_grad=True) for _ in range(n_steps)]
    arriving = list(x)

    def send(z, w, lag, t):
        for step in np.unique(lag):
            if t + step < n_steps:
                arriving[t + step] = arriving[t + step] + z @ (w * torch.from_numpy(lag == step))

    for z, w, lag in inputs:
        for t in range(n_steps):
            send(z[:, t], w, lag, t)
    v = w_a = i = torch.zeros(n_samples, n, dtype=torch.float64)
    spikes, above = [], []
    for t in range(n_steps):
        e = d_t * torch.exp((v - neuron.threshold) / d_t)
        v, w_a, i = (sum(row[k] * y for k, y in enumerate((v, w_a, i, e))) for row in flow[:3])
        i = i + arriving[t]
        u = v - neuron.v_peak
        z = spike(u)
        out = z.detach() if detach_reset else z
        v, w_a = v + out * (neuron.v_reset - v), w_a + out * neuron.b
        spikes.append(z)
        above.append(u)
        if recurrent:
            send(z, *recurrent, t)
    return torch.stack(spikes, 1), torch.stack(above, 1), x


def delay_gradient(z, w, lag, x):
    """``w_ij sum_k (g[a + 1] - g[a - 1]) / (2 dt)`` at the arrivals ``a``, with ``g = dL/dx``."""
    g = np.pad(torch.stack([torch.zeros_like(y) if y.grad is None else y.grad for y in x], 1), ((0, 0), (1, 1), (0, 0)))
    out = np.zeros(w.shape)
    for b, t, i in np.argwhere(z.detach().numpy()):
        for j in range(w.shape[1]):
            at = t + lag[i, j]
            if at < N_STEPS:
                out[i, j] += w[i, j].item() * (g[b, at + 2, j] - g[b, at, j]) / (2 * DT)
    return out


@pytest.mark.parametrize("detach_reset", [True, False])
def test_gradients_against_torch_autograd(detach_reset):
    """Input -> hidden (recurrent) -> output, all weights and delays, every surrogate."""
    for seed, kind in enumerate(SURROGATES):
        rng = np.random.default_rng([seed, 6])
        z = torch.from_numpy(dense_spikes(rng, (2, N_STEPS, N_PRE), 0.25))
        make = lambda *shape, gain=1.0, rng=rng: torch.tensor(rng.normal(gain, 1.0, shape), requires_grad=True)  # noqa: E731
        w = make(N_PRE, N_HIDDEN), make(N_HIDDEN, N_HIDDEN, gain=0.2), make(N_HIDDEN, N_OUT, gain=2.0)
        d = [torch.tensor(rng.uniform(0, 9, x.shape), requires_grad=True) for x in w]
        lag = [np.maximum(np.rint(x.detach().numpy() / DT).astype(int), int(k == 1)) for k, x in enumerate(d)]
        grid = Grid(dt=DT, surrogate=kind, slope=0.7, detach_reset=detach_reset)
        c = [torch.tensor(rng.normal(size=(2, N_STEPS, n))) for n in (N_HIDDEN, N_HIDDEN, N_OUT, N_OUT)]

        hidden, u = run_population(ADEX, [(fixed(z), w[0], d[0])], grid, (w[1], d[1]), keep_potential=True)
        out, u_out = run_population(ADEX, [(hidden, w[2], d[2])], grid, keep_potential=True)
        loss = sum((a * y).sum() for a, y in zip(c, (hidden.dense, u, out.dense, u_out), strict=True))
        got = torch.autograd.grad(loss, [*w, *d])

        spike = surrogate_spike(kind, 0.7)
        z_1, u_1, x_1 = unrolled_adex(ADEX, [(z, w[0], lag[0])], DT, spike, (w[1], lag[1]), detach_reset)
        z_2, u_2, x_2 = unrolled_adex(ADEX, [(z_1, w[2], lag[2])], DT, spike, None, detach_reset)
        assert z_1.sum() > 10 and z_2.sum() > 10
        assert torch.equal(hidden.dense, z_1) and torch.equal(out.dense, z_2)
        sum((a * y).sum() for a, y in zip(c, (z_1, u_1, z_2, u_2), strict=True)).backward()
        want = [x.grad for x in w] + [
            delay_gradient(pre, w[k], lag[k], x) for k, (pre, x) in enumerate([(z, x_1), (z_1, x_1), (z_1, x_2)])
        ]
        errors = [relative(a, b) for a, b in zip(got, want, strict=True)]
        assert max(errors) < 1e-9, (kind, errors)


def test_delays_from_coordinates_are_those_of_the_matrix():
    """A recurrent population with `Distances`: same spikes, and the chain rule gives the same gradients."""
    rng = np.random.default_rng(8)
    z = fixed(dense_spikes(rng, (2, N_STEPS, N_PRE), 0.3))
    w, w_loop = (torch.tensor(rng.normal(0.8, 0.8, (n, N_HIDDEN))) for n in (N_PRE, N_HIDDEN))
    pre, post = (torch.tensor(rng.normal(0, 3, (n, 2)), requires_grad=True) for n in (N_PRE, N_HIDDEN))
    alpha, c = torch.tensor(1.3, dtype=torch.float64, requires_grad=True), torch.tensor(rng.normal(size=(N_HIDDEN,)))
    runs = []
    for stored in (True, False):
        d = [Distances(p, post, alpha, d_min=0.4) for p in (pre, post)]
        if stored:
            d = [x.d_min + alpha * ((x.pre[:, None] - post).square().sum(-1) + x.eps**2).sqrt() for x in d]
        spikes, _ = run_population(ADEX, [(z, w, d[0])], Grid(dt=DT, slope=0.7), (w_loop, d[1]))
        runs.append((spikes.dense, *torch.autograd.grad((c * spikes.dense).sum(), (pre, post, alpha))))
    assert runs[0][0].sum() > 20 and torch.equal(runs[0][0], runs[1][0])
    assert max(relative(a, b) for a, b in zip(*(r[1:] for r in runs), strict=True)) < 1e-9


@pytest.mark.parametrize(
    ("custom", "built_in", "detach_reset"),
    [
        (LIFS[0], LIF(tau_mem=12.0, tau_syn=4.0, v_reset=-0.2), True),
        (LIFS[0], LIF(tau_mem=12.0, tau_syn=4.0, v_reset=-0.2), False),
        (LIFS[1], LIF(tau_mem=12.0, tau_syn=4.0, reset="subtract"), True),
        (LIFS[1], LIF(tau_mem=12.0, tau_syn=4.0, reset="subtract"), False),
        # AdaptiveLIF never detaches the jump of its adaptation.
        (
            AdEx(tau_mem=12.0, tau_syn=4.0, delta_t=1e-13, v_peak=1.0, v_reset=-0.2, tau_adapt=30.0, a=0.4, b=0.3),
            AdaptiveLIF(tau_mem=12.0, tau_syn=4.0, v_reset=-0.2, tau_adapt=30.0, a=0.4, b=0.3),
            False,
        ),
    ],
)
def test_a_built_in_neuron_comes_out(custom, built_in, detach_reset):
    """LIF as a model of one's own is LIF, and AdEx without its exponential term is AdaptiveLIF."""
    rng = np.random.default_rng(7)
    z = fixed(dense_spikes(rng, (3, N_STEPS, N_PRE), 0.3))
    d, d_loop = (torch.tensor(rng.uniform(0, 9, s)) for s in ((N_PRE, N_HIDDEN), (N_HIDDEN, N_HIDDEN)))
    w = torch.tensor(rng.normal(1.0, 1.0, d.shape), requires_grad=True)
    w_loop = torch.tensor(rng.normal(0.2, 0.8, d_loop.shape), requires_grad=True)
    c = [torch.tensor(rng.normal(size=(3, N_STEPS, N_HIDDEN))) for _ in range(2)]
    grid, runs = Grid(dt=DT, slope=0.7, detach_reset=detach_reset), []
    for neuron, offset in ((custom, 0.0), (built_in, 1.0)):
        spikes, v = run_population(neuron, [(z, w, d)], grid, (w_loop, d_loop), keep_potential=True)
        grads = torch.autograd.grad((c[0] * spikes.dense).sum() + (c[1] * v).sum(), (w, w_loop))
        runs.append((spikes.dense.detach(), v.detach() - offset, *grads))
    assert runs[0][0].sum() > 20 and torch.equal(runs[0][0], runs[1][0])
    assert max(relative(a, b) for a, b in zip(*(r[1:] for r in runs), strict=True)) < 1e-10


@pytest.mark.parametrize(
    ("grid", "name"), [(Grid(delays="exact"), "delays"), (Grid(estimator="eventprop"), "estimator")]
)
def test_what_needs_a_closed_form_is_refused(grid, name):
    with pytest.raises(ConfigError, match=f"{name} must be .* with a 'adex' neuron"):
        SpSNN([4, 5, 3], neuron=AdEx(), grid=grid)
    with pytest.raises(ConfigError, match=f"{name} must be .* with a 'adex' neuron"):
        run_population(AdEx(), [(fixed(np.zeros((1, 3, 2))), torch.ones(2, 2), torch.ones(2, 2))], grid)


def test_a_hidden_function_is_named():
    @dataclass(frozen=True)
    class Hides(PlainLIF):
        functions: ClassVar = PlainLIF.functions._replace(reset="zero")

    with pytest.raises(ConfigError, match="functions of a 'plain_lif' neuron must be callable"):
        Hides()


def test_a_network_of_adex_learns_and_is_saved(tmp_path):
    """Two inputs, one spike each; the class says which came first."""
    rng = np.random.default_rng(0)
    gap, labels = rng.uniform(3, 10, 200), rng.integers(0, 2, 200)
    trains = [([5.0, 5.0 + g], [label, 1 - label]) for g, label in zip(gap, labels, strict=True)]
    data = SpikeBatch.from_samples(trains, 2, 40.0, labels)
    model = SpSNN(
        [2, 12, 2], Euclidean(2), AdEx(tau_mem=10.0, tau_syn=4.0), recurrent=True, weight_mean=2.0, readout_scale=4.0,
        position_scale=5.0, seed=1,
    )  # fmt: skip
    before = evaluate(model, data)["loss"]
    fit(model, data, data, TrainingConfig(epochs=4, batch_size=20, lr=0.02, position_lr=0.2, rescue=0.01))
    after = evaluate(model, data)
    save(model, tmp_path / "adex.h5")
    back = load(tmp_path / "adex.h5")
    assert back.neuron == model.neuron
    assert evaluate(back, data)["loss"] == after["loss"]
    assert after["loss"] < 0.7 * before and after["accuracy"] > 0.9


def test_a_kind_of_ones_own_is_loaded_once_it_is_known(tmp_path, monkeypatch):
    model = SpSNN([2, 3, 2], neuron=PlainLIF(v_reset=-0.5))
    save(model, tmp_path / "own.h5")
    with pytest.raises(ModelFileError, match="neuron kind must be one of lif, adlif, li, adex, got 'plain_lif'"):
        load(tmp_path / "own.h5")
    monkeypatch.setitem(NEURONS, PlainLIF.kind, PlainLIF)
    assert load(tmp_path / "own.h5").neuron == model.neuron


def test_the_documented_example_is_the_file():
    text = (Path(__file__).parents[2] / "docs" / "neurons.md").read_text(encoding="utf-8")
    for function in AdEx.functions:
        assert inspect.getsource(function) in text
