"""Populations side by side on a line, each spread evenly from 0 to 1."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch

from spsnn.errors import ConfigError


@dataclass(frozen=True)
class Line:
    """The unit interval; neuron i of n sits at ``i / (n - 1)``, a single neuron at 0.

    d(p, q) = |p - q|
    """

    dim = 1

    def distance(self, p, q):
        """Distances ``[..., I, J]`` between points ``p [..., I, 1]`` and ``q [..., J, 1]``."""
        return (p[..., :, None, :] - q[..., None, :, :]).abs().sum(-1)

    def project(self, p):
        """Points ``[..., 1]`` brought back onto the interval."""
        return p.clamp(0, 1)

    def initial(self, n, scale=1.0, kind="even", generator=None):
        """``n`` points ``[n, 1]`` evenly from 0 to ``scale``, or ``uniform`` at random."""
        if not 0 < scale <= 1:
            raise ConfigError(f"points of the unit interval need 0 < scale <= 1, got {scale}")
        if kind == "uniform":
            return scale * torch.rand(n, 1, generator=generator)
        if kind != "even":
            raise ConfigError(f"points of a line start 'even' or 'uniform', got {kind!r}")
        return scale * torch.linspace(0, 1, n)[:, None]

    def parameters(self):
        """All settings as a plain dictionary."""
        return asdict(self)
