"""The unit sphere in three dimensions, evenly covered."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import torch

from spsnn.errors import ConfigError


@dataclass(frozen=True)
class Sphere:
    """The unit sphere S^2 with great-circle distances.

        d(p, q) = 2 arctan2(|p - q|, |p + q|)

    which is arccos(<p, q>) without its loss of digits for near and for opposite points; ``|p - q|`` and ``|p + q|`` are
    smoothed by ``eps``, so that gradients are finite at both.

    Attributes:
        eps: smoothing length.

    Source of the layout: Gonzalez 2010, "Measurement of areas on a sphere using Fibonacci and latitude-longitude
    lattices".
    """

    eps: float = 1e-6
    dim = 3

    def __post_init__(self):
        if not self.eps > 0:
            raise ConfigError(f"eps must be positive, got {self.eps}")

    def distance(self, p, q):
        """Angles ``[..., I, J]`` in radians between unit vectors ``p [..., I, 3]`` and ``q [..., J, 3]``."""
        p, q = p[..., :, None, :], q[..., None, :, :]
        apart = ((p - q).square().sum(-1) + self.eps**2).sqrt()
        return 2 * torch.atan2(apart, ((p + q).square().sum(-1) + self.eps**2).sqrt())

    def project(self, p):
        """Vectors ``[..., 3]`` scaled to length 1."""
        return p / p.norm(dim=-1, keepdim=True).clamp_min(1e-12)

    def initial(self, n, scale=1.0, kind="fibonacci", generator=None):
        """``n`` points ``[n, 3]``: ``fibonacci``, or ``uniform`` at random.

        z_i = 1 - (2 i + 1) / n,   phi_i = i pi (3 - sqrt 5),   r_i = sqrt(1 - z_i^2)
        p_i = (r_i cos phi_i, r_i sin phi_i, z_i)
        """
        if scale != 1:
            raise ConfigError(f"points of a sphere have radius 1, got scale={scale}")
        if kind == "uniform":
            return self.project(torch.randn(n, 3, generator=generator))
        if kind != "fibonacci":
            raise ConfigError(f"points of a sphere start 'fibonacci' or 'uniform', got {kind!r}")
        i = torch.arange(n, dtype=torch.float64)
        z = 1 - (2 * i + 1) / n
        phi = i * (math.pi * (3 - math.sqrt(5)))
        radius = (1 - z * z).sqrt()
        return torch.stack([radius * phi.cos(), radius * phi.sin(), z], 1).float()

    def parameters(self):
        """All settings as a plain dictionary."""
        return asdict(self)
