"""Delays computed in the kernels from coordinates against the same delays as a matrix, made by torch."""

import math

import numpy as np
import pytest
import torch

from spsnn.autograd.delays import Distances
from spsnn.autograd.population import Grid, run_population
from spsnn.autograd.synapse import delayed_current
from spsnn.errors import ConfigError
from spsnn.neurons import LIF

from .nets import dense_spikes, fixed, relative

N_PRE, N_POST, D_MIN, EPS = 17, 21, 0.4, 0.1  # 21 neurons: two whole tiles and a part of one


def leaves(dtype, n_dims, seed=0):
    rng = np.random.default_rng([seed, n_dims])
    shapes = {"p": (N_PRE, n_dims), "q": (N_POST, n_dims), "alpha": (), "w": (N_PRE, N_POST), "loop": (N_POST, N_POST)}
    scale = {"p": 4 / n_dims**0.5, "q": 4 / n_dims**0.5, "alpha": 0, "w": 0.6, "loop": 0.3}
    mean = {"alpha": 1.3, "w": 0.5}
    return {
        k: torch.tensor(mean.get(k, 0) + scale[k] * rng.normal(size=s), dtype=dtype, requires_grad=True)
        for k, s in shapes.items()
    }


def matrix(a, b, alpha, metric):
    x = (a[:, None] - b[None]).square()
    r = (x.sum(-1) + EPS**2).sqrt() if metric == "l2" else (x + EPS**2).sqrt().sum(-1)
    return D_MIN + alpha * r


def delays(p, metric, computed):
    """Input and recurrent delays; a fifth of the former are cut."""
    longest = float(matrix(p["p"], p["q"], p["alpha"], metric).detach().quantile(0.8))
    make = lambda a, b: Distances(a, b, p["alpha"], D_MIN, longest, metric, EPS)  # noqa: E731
    if not computed:
        make = lambda a, b: matrix(a, b, p["alpha"], metric).clamp(max=longest)  # noqa: E731
    return make(p["p"], p["q"]), make(p["q"], p["q"])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n_dims", [1, 2, 3, 5])
@pytest.mark.parametrize("metric", ["l2", "l1"])
def test_population(metric, n_dims, dtype):
    """Spikes are equal, and so are the gradients of weights, coordinates of both sides, self-loops and alpha."""
    p = leaves(dtype, n_dims)
    z = fixed(dense_spikes(np.random.default_rng(1), (5, 60, N_PRE), 0.1))
    for mode in ("round", "exact"):
        for estimator in ("surrogate", "eventprop"):
            found = []
            for computed in (True, False):
                feed, loop = delays(p, metric, computed)
                grid = Grid(delays=mode, estimator=estimator)
                spikes, _ = run_population(LIF(), [(z, p["w"], feed)], grid, (p["loop"], loop))
                c = torch.linspace(-1, 1, spikes.dense.numel(), dtype=dtype).reshape(spikes.shape)
                found.append((spikes.dense, torch.autograd.grad((spikes.dense * c).sum(), list(p.values()))))
            (z_1, computed), (z_2, stored) = found
            assert z_1.sum() > 100 and torch.equal(z_1, z_2)
            limit = 2e-5 if dtype == torch.float32 else 1e-12
            assert max(relative(a, b) for a, b in zip(computed, stored, strict=True)) < limit


@pytest.mark.parametrize("metric", ["l2", "l1"])
def test_synapse_alone(metric):
    p = leaves(torch.float64, 2)
    z = torch.tensor(dense_spikes(np.random.default_rng(1), (3, 40, N_PRE), 0.1), requires_grad=True)
    found = []
    for computed in (True, False):
        current = delayed_current(z, p["w"], delays(p, metric, computed)[0], 1.0)
        names = [z, p["p"], p["q"], p["alpha"], p["w"]]
        found.append([current, *torch.autograd.grad(current.square().sum(), names)])
    assert max(relative(a, b) for a, b in zip(*found, strict=True)) < 1e-12


def test_gradient_is_finite_where_neurons_meet():
    p = torch.zeros(9, 2, dtype=torch.float64, requires_grad=True)
    z = fixed(dense_spikes(np.random.default_rng(1), (2, 30, 9), 0.3))
    far = Distances(p, p, torch.tensor(1.0, dtype=torch.float64), d_min=3.0, eps=1e-15)
    current = delayed_current(z, torch.ones(9, 9, dtype=torch.float64), far, 1.0)
    (grad,) = torch.autograd.grad(current.square().sum(), p)
    assert current.sum() > 0 and torch.equal(grad, torch.zeros_like(grad))


def test_no_matrix_of_delays_is_made(monkeypatch):
    """The kernels get coordinates; the largest array of a call's delays has I x D entries."""
    from spsnn.synapses import SpatialSynapse

    synapse = SpatialSynapse(300, 200, max_delay=50.0, on_exceed="clip", position_scale=10.0)
    monkeypatch.setattr(synapse, "raw_delays", lambda: pytest.fail("made a matrix of delays"))
    synapse.init_weight(1.0)
    z = torch.zeros(1, 20, 300)
    z[0, 3, 5] = 1
    (synapse(z) * torch.arange(20.0)[:, None]).sum().backward()
    assert synapse.pre.position.grad.abs().sum() > 0
    assert 0 < synapse.clipped < 0.2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"pre": torch.zeros(N_PRE, 3)}, "one dimension"),
        ({"pre": torch.full((N_PRE, 2), math.nan)}, "coordinates must be finite"),
        ({"alpha": torch.tensor(0.0)}, "alpha > 0"),
        ({"alpha": torch.ones(1)}, "without dimensions"),
        ({"d_min": -1.0}, "d_min >= 0"),
        ({"max_delay": math.nan}, "max_delay >= d_min"),
        ({"metric": "L1"}, "metric must be"),
        ({"pre": torch.zeros(N_PRE, 0), "post": torch.zeros(N_POST, 0)}, "one dimension"),
        ({"pre": torch.zeros(N_PRE + 1, 2)}, "presynaptic"),
    ],
)
def test_what_the_kernels_cannot_take_is_refused(change, words):
    p = {k: v.detach() for k, v in leaves(torch.float32, 2).items()}
    good = {"pre": p["p"], "post": p["q"], "alpha": p["alpha"]}
    z = fixed(dense_spikes(np.random.default_rng(1), (1, 9, N_PRE)))
    with pytest.raises(ConfigError, match=words):
        delayed_current(z, p["w"], Distances(**(good | change)), 1.0)


@pytest.mark.parametrize("dt", [0.0, -1.0, math.nan, "1"])
def test_a_step_that_is_not_positive_is_refused(dt):
    z = fixed(dense_spikes(np.random.default_rng(1), (1, 9, 3)))
    with pytest.raises(ConfigError, match="dt must be"):
        delayed_current(z, torch.ones(3, 2), torch.ones(3, 2), dt)


def test_half_precision_is_refused():
    z = fixed(dense_spikes(np.random.default_rng(1), (1, 9, 3)))
    with pytest.raises(ConfigError, match="float32 or float64"):
        delayed_current(z, torch.ones(3, 2, dtype=torch.float16), torch.ones(3, 2), 1.0)


def test_second_derivatives_are_refused():
    """A penalty on a gradient must not vanish silently."""
    z = fixed(dense_spikes(np.random.default_rng(1), (1, 9, 3), 0.5))
    w = torch.ones(3, 2, requires_grad=True)
    (g,) = torch.autograd.grad(delayed_current(z, w, torch.ones(3, 2), 1.0).square().sum(), w, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        g.sum().backward()
