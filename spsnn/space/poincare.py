"""Hyperbolic space: the Poincare ball."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch

from spsnn.checks import positive, whole
from spsnn.errors import ConfigError


@dataclass(frozen=True)
class PoincareBall:
    """The open unit ball with curvature -1: room grows exponentially towards the rim.

        d(x, y)  = 2 arsinh(|x - y| / sqrt((1 - |x|^2) (1 - |y|^2)))
        x (+) y  = ((1 + 2<x,y> + |y|^2) x + (1 - |x|^2) y) / (1 + 2<x,y> + |x|^2 |y|^2)
        lam_x    = 2 / (1 - |x|^2)
        exp_x(v) = x (+) (tanh(lam_x |v| / 2) v / |v|)
        log_x(y) = (2 / lam_x) artanh(|u|) u / |u|,    u = (-x) (+) y

    The distance equals arcosh(1 + 2 |x - y|^2 / ((1 - |x|^2)(1 - |y|^2))), without its loss of digits for near points;
    ``|x - y|`` is smoothed by ``eps``, so that gradients are finite where two points coincide.  Addition and the two
    maps are those of geoopt.

    Attributes:
        dim: number of dimensions, at least 1.
        max_norm: radius onto which `project` brings points that lie further out, in (0, 1).
        eps: smoothing length.

    Source: Ungar 2008; Ganea, Becigneul & Hofmann 2018, "Hyperbolic Neural Networks".
    """

    dim: int = 3
    max_norm: float = 0.95
    eps: float = 1e-5

    def __post_init__(self):
        whole(self, "dim")
        if self.dim < 1:
            raise ConfigError(f"a space needs at least one dimension, got dim={self.dim}")
        if not 0 < self.max_norm < 1:
            raise ConfigError(f"max_norm must lie in (0, 1), got {self.max_norm}")
        positive(self, "eps")

    def distance(self, p, q):
        """Distances ``[..., I, J]`` between points ``p [..., I, dim]`` and ``q [..., J, dim]`` inside the ball."""
        squares = (p[..., :, None, :] - q[..., None, :, :]).square().sum(-1)
        room = _room(p)[..., :, None] * _room(q)[..., None, :]
        return 2 * torch.asinh(((squares + self.eps**2) / room).sqrt())

    def add(self, x, y):
        """Moebius addition ``[..., dim]``."""
        return _ball().mobius_add(x, y, project=False)

    def exp(self, x, v):
        """Point ``[..., dim]`` that a geodesic from ``x`` reaches after unit time at velocity ``v [..., dim]``."""
        return _ball().expmap(x, v, project=False)

    def log(self, x, y):
        """Velocity ``[..., dim]`` at which a geodesic from ``x`` reaches ``y`` in unit time; the inverse of `exp`."""
        return _ball().logmap(x, y)

    def project(self, p):
        """Points ``[..., dim]``, those beyond ``max_norm`` brought back onto it along their radius."""
        norm = p.norm(dim=-1, keepdim=True).clamp_min(1e-12)
        return torch.where(norm > self.max_norm, p * (self.max_norm / norm), p)

    def initial(self, n, scale=0.3, kind="normal", generator=None):
        """``n`` starting points ``[n, dim]``, N(0, scale^2) per coordinate, projected."""
        if kind != "normal":
            raise ConfigError(f"points of a Poincare ball start 'normal', got {kind!r}")
        return self.project(scale * torch.randn(n, self.dim, generator=generator))

    def parameters(self):
        """All settings as a plain dictionary."""
        return asdict(self)


def _room(p):
    # Rounding can put a point on the rim; it then counts as the last number before it.
    return (1 - p.square().sum(-1)).clamp_min(torch.finfo(p.dtype).eps)


def _ball():
    try:
        from geoopt import PoincareBall as Ball
    except ImportError as error:
        raise ConfigError("PoincareBall.add, exp and log need geoopt: pip install 'spsnn[hyperbolic]'") from error
    return Ball(c=1.0)
