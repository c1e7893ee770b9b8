"""Delays as projections take them: a matrix, or coordinates from which kernels compute distances."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from spsnn.errors import ConfigError


@dataclass(frozen=True)
class Distances:
    """Delays that are never stored: kernels compute ``d_ij = min(d_min + alpha r(p_i, p_j), max_delay)``.

        l2:  r = sqrt(sum_k (p_ik - p_jk)^2 + eps^2)
        l1:  r = sum_k sqrt((p_ik - p_jk)^2 + eps^2)

    Gradients reach ``pre``, ``post`` and ``alpha``; a delay cut at ``max_delay`` has none.

    Attributes:
        pre: coordinates ``[I, D]``.
        post: coordinates ``[J, D]``; the same tensor as ``pre`` for a recurrent projection.
        alpha: scalar tensor, ms of delay per unit of distance, positive.
        d_min: shortest delay in ms.
        max_delay: longest delay in ms, infinite where there is no bound.
        metric: ``l2`` or ``l1``.
        eps: smoothing length of the distance.
    """

    pre: torch.Tensor
    post: torch.Tensor
    alpha: torch.Tensor
    d_min: float = 0.0
    max_delay: float = math.inf
    metric: str = "l2"
    eps: float = 0.01

    @property
    def shape(self):
        """``(I, J)``."""
        return len(self.pre), len(self.post)

    def check(self):
        """Refuse coordinates that the kernels cannot take: they do not check bounds.

        Raises:
            ConfigError: on coordinates or an alpha that are not finite, or spaces of different dimension.
        """
        if self.pre.ndim != 2 or self.post.ndim != 2 or self.pre.shape[1] != self.post.shape[1]:
            raise ConfigError(
                f"coordinates must be [N, D] of one dimension D, got {tuple(self.pre.shape)} and "
                f"{tuple(self.post.shape)}"
            )
        for name, value in (("coordinates", self.pre), ("coordinates", self.post), ("alpha", self.alpha)):
            if not torch.isfinite(value).all():
                raise ConfigError(f"{name} must be finite; lower the learning rate or clip gradients")
        if not (float(self.alpha.detach()) > 0 and self.d_min >= 0 and self.eps > 0):
            raise ConfigError(
                f"must have alpha > 0, d_min >= 0 and eps > 0, got {float(self.alpha.detach())}, {self.d_min}, "
                f"{self.eps}"
            )
