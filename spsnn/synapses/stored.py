"""Weights and delays as a chip holds them, with gradients as if they were not rounded."""

from __future__ import annotations

from dataclasses import dataclass

import torch


class _StraightThrough(torch.autograd.Function):
    """The held value, with the derivative of the free one (Bengio et al. 2013, arXiv 1308.3432)."""

    @staticmethod
    def forward(ctx, free, held):
        return held

    @staticmethod
    def backward(ctx, grad):
        return grad, None


@dataclass(frozen=True)
class Stored:
    """Formats of one projection.

        weight:  scale clip(round(w / scale), -top, top)        d/dw = 1
        delay:   dt clip(round(d / dt), low, high)              d/dd = 1

    The derivative also passes where a value is cut, so that it can come back.

    Attributes:
        scale: weight of one integer unit.
        top: largest integer.
        dt: step in ms.
        low, high: steps that a delay can take, numbers or tensors ``[n_pre, n_post]``.
    """

    scale: float
    top: int
    dt: float = 1.0
    low: torch.Tensor | int = 0
    high: torch.Tensor | int = 0

    def weight(self, w):
        """Weights rounded to the grid of the integers."""
        free = w.detach()
        held = self.scale * torch.clamp(torch.round(free / self.scale), -self.top, self.top)
        return _StraightThrough.apply(w, held)

    def delay(self, d):
        """Delays in ms at the steps that they can take."""
        free = d.detach()
        low, high = (torch.as_tensor(bound, dtype=d.dtype, device=d.device) for bound in (self.low, self.high))
        return _StraightThrough.apply(d, self.dt * torch.minimum(torch.maximum(torch.round(free / self.dt), low), high))
