"""Bias and batch normalisation of the current that a population receives from others."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from spsnn.kernels.cpu import drive as kernels
from spsnn.kernels.cpu.projection import LANES

EPS = 1e-5


@dataclass
class Drive:
    """``y = x + bias``, or with a gain ``y = gain (x - mean) / sqrt(var + 1e-5) + bias`` for the jump ``x[b, t, j]``
    of the current; mean and variance are those of neuron ``j`` over the batch and all steps.

    Attributes:
        bias: ``[J]``, current added at every step.
        gain: ``[J]``, or None: no normalisation.
        mean, var: ``[J]``, set by `apply` where there are a gain and samples.

    Source: Ioffe & Szegedy 2015.
    """

    bias: torch.Tensor
    gain: torch.Tensor | None = None
    mean: torch.Tensor | None = None
    var: torch.Tensor | None = None
    _normal: torch.Tensor | None = None
    _scale: torch.Tensor | None = None

    def apply(self, x):
        """Change ``x`` in place: tiles ``[B, J / 8, T, 8]`` or steps ``[B, T, J]``."""
        bias = _spread(self.bias.detach(), x)
        if self.gain is None:
            x.add_(bias)
            return
        gain, tiles = _spread(self.gain.detach(), x), x.dim() == 4
        if tiles:
            mean, var = (torch.from_numpy(m)[:, None] for m in kernels.moments(x.numpy()))
        else:
            mean = x.mean((0, 1), keepdim=True)
            var = x.sub_(mean).square().mean((0, 1), keepdim=True)  # torch.var_mean takes seven times as long
        n = len(self.bias)
        if len(x):
            self.mean, self.var = mean.flatten()[:n], var.flatten()[:n]
        inverse = (var + EPS).rsqrt()
        self._scale = gain * inverse
        if tiles:
            self._normal = torch.empty_like(x)
            kernels.normalise(x.numpy(), *map(_by_tile, (mean, inverse, gain, bias)), self._normal.numpy())
        else:
            self._normal = x.mul_(inverse).clone()
            x.mul_(gain).add_(bias)

    def pull_back(self, grad, slope):
        """Gradients of bias and gain; ``grad = dL/dy`` becomes ``dL/dx``.

        ``slope`` is minus the derivative to the delay of a unit weight.  Moving an arrival leaves the mean as it is,
        and the variance nearly so: the slope is only scaled.
        """
        n, tiles = len(self.bias), grad.dim() == 4
        if self.gain is None:
            return grad.sum((0, 2) if tiles else (0, 1)).flatten()[:n], None
        if tiles:
            found = kernels.pull_back(grad.numpy(), slope.numpy(), self._normal.numpy(), _by_tile(self._scale))
            bias, gain = map(torch.from_numpy, found)
        else:
            bias, gain = grad.sum((0, 1)), (grad * self._normal).sum((0, 1))
            count = grad.numel() // bias.numel()
            grad.sub_(bias / count).sub_(self._normal * (gain / count)).mul_(self._scale)
            slope.mul_(self._scale)
        return bias.flatten()[:n], gain.flatten()[:n]


def _by_tile(values):
    return values.numpy().reshape(-1, LANES)


def _spread(values, x):
    """``[J]`` in the shape of ``x`` without samples and steps; zeros behind J."""
    if x.dim() == 3:
        return values
    return torch.nn.functional.pad(values, (0, x.shape[1] * LANES - len(values))).view(x.shape[1], 1, LANES)
