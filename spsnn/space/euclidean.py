"""Euclidean space: coordinates in ms of delay at alpha = 1."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch

from spsnn.checks import positive, whole
from spsnn.errors import ConfigError

METRICS = ("l2", "l1")
INITIALISERS = ("normal", "uniform", "shell")


@dataclass(frozen=True)
class Euclidean:
    """R^dim with a smoothed distance, whose gradient is finite where two neurons coincide.

        l2:  r = sqrt(sum_k (p_k - q_k)^2 + eps^2)
        l1:  r = sum_k sqrt((p_k - q_k)^2 + eps^2)

    Attributes:
        dim: number of dimensions, at least 1.
        metric: ``l2``, or ``l1``, the distance of mesh routing.
        eps: smoothing length in ms.
    """

    dim: int = 2
    metric: str = "l2"
    eps: float = 0.01

    def __post_init__(self):
        whole(self, "dim")
        if self.dim < 1:
            raise ConfigError(f"a space needs at least one dimension, got dim={self.dim}")
        if self.metric not in METRICS:
            raise ConfigError(f"metric must be one of {', '.join(METRICS)}, got {self.metric!r}")
        positive(self, "eps")

    def distance(self, p, q):
        """Distances ``[I, J]`` between points ``p [I, dim]`` and ``q [J, dim]``."""
        difference = p[:, None, :] - q[None, :, :]
        if self.metric == "l1":
            return (difference.square() + self.eps**2).sqrt().sum(-1)
        return (difference.square().sum(-1) + self.eps**2).sqrt()

    def initial(self, n, scale, kind="normal", generator=None):
        """``n`` starting points ``[n, dim]``.

        ``normal``: N(0, scale^2) per coordinate; ``uniform``: in the cube of half width ``scale * sqrt(3)``, which
        has the same variance; ``shell``: random directions at radius ``scale * sqrt(dim)``.
        """
        if kind not in INITIALISERS:
            raise ConfigError(f"the initialiser must be one of {', '.join(INITIALISERS)}, got {kind!r}")
        if kind == "uniform":
            return scale * 3**0.5 * (2 * torch.rand(n, self.dim, generator=generator) - 1)
        points = torch.randn(n, self.dim, generator=generator)
        if kind == "shell":
            points = points / points.norm(dim=1, keepdim=True).clamp_min(1e-12) * self.dim**0.5
        return scale * points

    def parameters(self):
        """All settings as a plain dictionary."""
        return asdict(self)


def require_euclidean(space):
    """Refuse a space whose distances the kernels of delays do not compute.

    Raises:
        ConfigError: for any space but `Euclidean`.
    """
    if not isinstance(space, Euclidean):
        raise ConfigError(f"delays are distances in a Euclidean space, got {space!r}; use Euclidean(dim)")


class Points(torch.nn.Module):
    """Learnable coordinates of a population: ``position [n, dim]``, shared by all its synapses."""

    def __init__(self, n, space, scale=1.0, kind="normal", generator=None):
        super().__init__()
        self.space = space
        self.position = torch.nn.Parameter(space.initial(n, scale, kind, generator))

    def __len__(self):
        return len(self.position)
