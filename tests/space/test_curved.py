"""Laws of the Poincare ball, the sphere and the line."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import spsnn
from spsnn import ConfigError
from spsnn.space import Line, PoincareBall, Sphere

SEEDS = st.integers(0, 2**31)
BALLS = st.sampled_from([PoincareBall(2), PoincareBall(3), PoincareBall(7)])
DTYPES = st.sampled_from([torch.float32, torch.float64])


def ball_points(space, n, seed, dtype=torch.float64, reach=0.95):
    """Points at all radii up to ``reach``."""
    g = torch.Generator().manual_seed(seed)
    direction = torch.randn(n, space.dim, generator=g, dtype=torch.float64)
    direction /= direction.norm(dim=1, keepdim=True)
    return (reach * torch.rand(n, 1, generator=g, dtype=torch.float64) * direction).to(dtype)


def arcosh_distance(x, y):
    """The textbook form in double precision."""
    x, y = (a.double().numpy() for a in (x, y))
    squares = ((x[:, None] - y[None]) ** 2).sum(-1)
    return np.arccosh(1 + 2 * squares / np.outer(1 - (x**2).sum(1), 1 - (y**2).sum(1)))


@settings(max_examples=40, deadline=None)
@given(SEEDS, BALLS, DTYPES)
def test_ball_distance_agrees_with_its_textbook_form(seed, space, dtype):
    x, y = ball_points(space, 6, seed, dtype), ball_points(space, 5, seed + 1, dtype)
    tight = 1e-9 if dtype == torch.float64 else 2e-5
    ours = space.distance(x, y).double().numpy()
    # Smoothing adds eps^2 under the root: at most its share of a squared distance.
    np.testing.assert_allclose(ours, arcosh_distance(x, y), rtol=tight, atol=2 * space.eps / (1 - 0.95**2))


@settings(max_examples=40, deadline=None)
@given(SEEDS, BALLS)
def test_ball_is_a_metric_space(seed, space):
    x = ball_points(space, 6, seed)
    d = space.distance(x, x)
    assert torch.equal(d, d.T)
    assert (d.diagonal() <= 2 * space.eps / (1 - 0.95**2)).all()
    assert (d <= (d[:, :, None] + d[None]).amin(1) + 1e-9).all()


@settings(max_examples=40, deadline=None)
@given(SEEDS, BALLS, DTYPES)
def test_moebius_addition(seed, space, dtype):
    x, y, a = (ball_points(space, 8, seed + k, dtype, 0.9) for k in range(3))
    tolerance = 1e-9 if dtype == torch.float64 else 2e-3
    assert torch.allclose(space.add(torch.zeros_like(x), x), x, atol=tolerance)
    assert torch.allclose(space.add(-x, x), torch.zeros_like(x), atol=tolerance)
    assert torch.allclose(space.add(-x, space.add(x, y)), y, atol=tolerance)  # left cancellation
    moved = space.distance(space.add(a, x), space.add(a, y)).diagonal()  # translations keep distances
    assert torch.allclose(moved, space.distance(x, y).diagonal(), rtol=tolerance, atol=max(tolerance, 1e-3))


@settings(max_examples=40, deadline=None)
@given(SEEDS, BALLS)
def test_exponential_and_logarithmic_maps_are_inverse_and_measure_length(seed, space):
    x, y = ball_points(space, 8, seed), ball_points(space, 8, seed + 1)
    v = space.log(x, y)
    assert torch.allclose(space.exp(x, v), y, atol=1e-9)
    # The length of a velocity at x is its Euclidean one times lam_x.
    length = 2 / (1 - x.square().sum(1)) * v.norm(dim=1)
    assert torch.allclose(length, PoincareBall(space.dim, eps=1e-12).distance(x, y).diagonal(), rtol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("radius", [0.0, 0.3, 0.95, 1 - 1e-7, 1.0])
@pytest.mark.parametrize("gap", [0.0, 1e-15, 1e-8, 1e-3])
def test_gradients_of_ball_distance_are_finite(dtype, radius, gap):
    p = torch.tensor([[radius, 0.0, 0.0]], dtype=dtype, requires_grad=True)
    q = torch.tensor([[radius - gap, gap, 0.0]], dtype=dtype)
    d = PoincareBall(3).distance(p, q)
    d.sum().backward()
    assert torch.isfinite(d).all() and torch.isfinite(p.grad).all()


def test_ball_gradient_agrees_with_differences():
    x, y = ball_points(PoincareBall(3), 4, 0).requires_grad_(), ball_points(PoincareBall(3), 3, 1).requires_grad_()
    assert torch.autograd.gradcheck(PoincareBall(3).distance, (x, y))


def test_projection_of_the_ball():
    space = PoincareBall(2, max_norm=0.9)
    p = torch.tensor([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]])
    assert torch.allclose(space.project(p), torch.tensor([[0.54, 0.72], [0.3, 0.4], [0.0, 0.0]]))
    start = space.initial(1000, 0.6, generator=torch.Generator().manual_seed(0))
    assert start.norm(dim=1).max() <= 0.9 + 1e-6 and (start.norm(dim=1) > 0.89).any()


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_sphere_distance(seed):
    space, g = Sphere(), torch.Generator().manual_seed(seed)
    p = space.project(torch.randn(6, 3, generator=g, dtype=torch.float64))
    d = space.distance(p, p)
    np.testing.assert_allclose(d.numpy(), (p @ p.T).clamp(-1, 1).arccos().numpy(), atol=1e-5)
    assert torch.allclose(d, d.T, atol=1e-12) and (d <= (d[:, :, None] + d[None]).amin(1) + 1e-5).all()
    turn, _ = torch.linalg.qr(torch.randn(3, 3, generator=g, dtype=torch.float64))
    assert torch.allclose(space.distance(p @ turn, p @ turn), d, atol=1e-9)
    assert torch.allclose(space.distance(p, -p), math.pi - d, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("gap", [0.0, 1e-15, 1e-8, 1e-3])
def test_gradients_of_sphere_distance_are_finite(dtype, sign, gap):
    p = torch.tensor([[1.0, 0.0, 0.0]], dtype=dtype, requires_grad=True)
    q = Sphere().project(torch.tensor([[sign, gap, 0.0]], dtype=dtype))
    d = Sphere().distance(p, q)
    d.sum().backward()
    assert torch.isfinite(d).all() and torch.isfinite(p.grad).all()


def test_fibonacci_points_cover_the_sphere_evenly():
    n = 649
    p = Sphere().initial(n).double()
    assert torch.allclose(p.norm(dim=1), torch.ones(n, dtype=torch.float64), atol=1e-6)
    assert p.mean(0).abs().max() < 2 / n
    i = 5
    z, phi = 1 - (2 * i + 1) / n, i * math.pi * (3 - math.sqrt(5))
    want = [math.sqrt(1 - z * z) * math.cos(phi), math.sqrt(1 - z * z) * math.sin(phi), z]
    np.testing.assert_allclose(p[i], want, atol=1e-6)
    nearest = Sphere().distance(p, p).fill_diagonal_(9).amin(1)
    # A square lattice of the same density has spacing sqrt(4 pi / n).
    assert nearest.min() > 0.75 * math.sqrt(4 * math.pi / n)
    uniform = Sphere().initial(20000, kind="uniform", generator=torch.Generator().manual_seed(0))
    assert uniform.mean(0).abs().max() < 5 / math.sqrt(3 * 20000)


def test_line():
    line = Line()
    p, q = line.initial(3), line.initial(5)
    want = [[abs(i / 2 - j / 4) for j in range(5)] for i in range(3)]
    np.testing.assert_allclose(line.distance(p, q), want, atol=1e-7)
    assert line.initial(1).item() == 0
    assert torch.equal(line.project(torch.tensor([[-1.0], [0.5], [2.0]])), torch.tensor([[0.0], [0.5], [1.0]]))


@pytest.mark.parametrize("space", [PoincareBall(2), Line(), Sphere()], ids=str)
def test_delays_need_a_euclidean_space(space):
    with pytest.raises(ConfigError, match="distances in a Euclidean space"):
        spsnn.SpSNN([4, 5, 3], space, spsnn.LIF())
    with pytest.raises(ConfigError, match="distances in a Euclidean space"):
        spsnn.SpatialSynapse(4, 5, space)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: PoincareBall(0), "at least one dimension"),
        (lambda: PoincareBall(2, max_norm=1.0), r"max_norm must lie in \(0, 1\)"),
        (lambda: PoincareBall(2, eps=0.0), "eps must be positive"),
        (lambda: PoincareBall(2).initial(3, kind="shell"), "start 'normal'"),
        (lambda: Sphere(eps=0.0), "eps must be positive"),
        (lambda: Sphere().initial(3, scale=2.0), "radius 1"),
        (lambda: Sphere().initial(3, kind="normal"), "'fibonacci' or 'uniform'"),
        (lambda: Line().initial(3, scale=0.0), "0 < scale <= 1"),
        (lambda: Line().initial(3, kind="normal"), "'even' or 'uniform'"),
    ],
)
def test_bad_settings(make, words):
    with pytest.raises(ConfigError, match=words):
        make()
