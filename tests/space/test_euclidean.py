"""Laws of the Euclidean space: symmetry, triangle inequality, known values, finite gradients."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from spsnn import ConfigError, Euclidean, Points

SPACES = [Euclidean(d, m) for d in (1, 2, 3, 5) for m in ("l2", "l1")]


@pytest.mark.parametrize("space", SPACES, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_distance_agrees_with_scipy(space, dtype):
    g = torch.Generator().manual_seed(1)
    p, q = (5 * torch.randn(n, space.dim, generator=g, dtype=dtype) for n in (7, 4))
    ours = space.distance(p, q).numpy()
    theirs = cdist(p.numpy(), q.numpy(), "euclidean" if space.metric == "l2" else "cityblock")
    # Smoothing adds at most eps per coordinate.
    assert (ours >= theirs - 1e-5).all()
    assert (ours <= theirs + space.eps * space.dim + 1e-5).all()


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from(SPACES))
def test_symmetry_and_triangle_inequality(seed, space):
    p = 10 * torch.randn(6, space.dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    d = space.distance(p, p)
    assert torch.equal(d, d.T)
    # Each smoothed distance is a norm in a space with one more coordinate, so the inequality is strict up to eps.
    through = (d[:, :, None] + d[None, :, :]).amin(1)
    assert (d <= through + 1e-9).all()


@pytest.mark.parametrize("space", SPACES, ids=str)
@pytest.mark.parametrize("gap", [0.0, 1e-15, 1e-8, 1e-3, 1.0])
def test_gradient_is_finite_and_at_most_one_per_coordinate(space, gap):
    p = torch.zeros(1, space.dim, dtype=torch.float64, requires_grad=True)
    space.distance(p, torch.full((1, space.dim), gap, dtype=torch.float64)).sum().backward()
    assert torch.isfinite(p.grad).all()
    assert p.grad.abs().max() <= 1 + 1e-12


@pytest.mark.parametrize("kind", ["normal", "uniform", "shell"])
def test_initialisers_have_the_stated_spread(kind):
    p = Euclidean(3).initial(20000, 4.0, kind, torch.Generator().manual_seed(0))
    assert p.pow(2).mean().sqrt().item() == pytest.approx(4.0, rel=0.02)
    if kind == "shell":
        assert np.allclose(p.norm(dim=1), 4.0 * 3**0.5, rtol=1e-4)
    if kind == "uniform":
        assert p.abs().max() <= 4.0 * 3**0.5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [({"dim": 0}, "at least one dimension"), ({"metric": "linf"}, "l2, l1"), ({"eps": 0.0}, "eps must be positive")],
)
def test_wrong_settings_are_named(arguments, words):
    with pytest.raises(ConfigError, match=words):
        Euclidean(**arguments)


def test_points_are_one_trainable_matrix():
    points = Points(5, Euclidean(3))
    assert len(points) == 5
    assert [tuple(p.shape) for p in points.parameters()] == [(5, 3)]
