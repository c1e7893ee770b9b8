"""Bias and batch normalisation of the current that a population receives from others."""

from __future__ import annotations

from dataclasses import dataclass

import torch

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
        if self.gain is not None:
            dims = _dims(x)
            mean = x.mean(dims, keepdim=True)
            var = x.sub_(mean).square().mean(dims, keepdim=True)  # torch.var_mean takes seven times as long
            n = len(self.bias)
            if len(x):
                self.mean, self.var = mean.flatten()[:n], var.flatten()[:n]
            inverse = (var + EPS).rsqrt()
            gain = _spread(self.gain.detach(), x)
            self._normal, self._scale = x.mul_(inverse).clone(), gain * inverse
            x.mul_(gain)
        x.add_(bias)

    def pull_back(self, grad, slope):
        """Gradients of bias and gain; ``grad = dL/dy`` becomes ``dL/dx``.

        ``slope`` is minus the derivative to the delay of a unit weight.  Moving an arrival leaves the mean as it is,
        and the variance nearly so: the slope is only scaled.
        """
        n, dims = len(self.bias), _dims(grad)
        bias = grad.sum(dims, keepdim=True)
        if self.gain is None:
            return bias.flatten()[:n], None
        gain = (grad * self._normal).sum(dims, keepdim=True)
        count = grad.numel() // bias.numel()
        grad.sub_(bias / count).sub_(self._normal * (gain / count)).mul_(self._scale)
        slope.mul_(self._scale)
        return bias.flatten()[:n], gain.flatten()[:n]


def _dims(x):
    return (0, 2) if x.dim() == 4 else (0, 1)


def _spread(values, x):
    """``[J]`` in the shape of ``x`` without samples and steps; zeros behind J."""
    if x.dim() == 3:
        return values
    return torch.nn.functional.pad(values, (0, x.shape[1] * LANES - len(values))).view(x.shape[1], 1, LANES)
