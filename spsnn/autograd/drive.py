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
        mean, var: ``[J]``, set by `apply` where there is a gain.

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
            var, mean = torch.var_mean(x, dims, correction=0, keepdim=True)
            n = len(self.bias)
            self.mean, self.var = mean.flatten()[:n], var.flatten()[:n]
            inverse = (var + EPS).rsqrt()
            gain = _spread(self.gain.detach(), x)
            self._normal, self._scale = x.sub_(mean).mul_(inverse).clone(), gain * inverse
            x.mul_(gain)
        x.add_(bias)

    def pull_back(self, grad_0, grad_1, b_0, b_1):
        """Gradients of bias and gain; ``grad_0 = dL/dy`` becomes ``dL/dx``.

        The gradient of a delay is ``b_0 grad_0 + b_1 grad_1`` at the arrivals.  Moving an arrival leaves the mean as it
        is, and the variance nearly so: that gradient is only scaled, and ``grad_1`` makes up for the terms in
        ``grad_0`` which the mean and the variance bring.
        """
        n, dims = len(self.bias), _dims(grad_0)
        bias = grad_0.sum(dims, keepdim=True)
        if self.gain is None:
            return bias.flatten()[:n], None
        gain = (grad_0 * self._normal).sum(dims, keepdim=True)
        count = grad_0[..., 0].numel() // (1 if grad_0.dim() == 3 else grad_0.shape[1])
        common = self._normal.mul_(gain / count).add_(bias / count).mul_(self._scale)
        grad_0.mul_(self._scale).sub_(common)
        grad_1.mul_(self._scale).add_(common, alpha=b_0 / b_1)
        return bias.flatten()[:n], gain.flatten()[:n]


def _dims(x):
    return (0, 2) if x.dim() == 4 else (0, 1)


def _spread(values, x):
    """``[J]`` in the shape of ``x`` without samples and steps; zeros behind J."""
    if x.dim() == 3:
        return values
    return torch.nn.functional.pad(values, (0, x.shape[1] * LANES - len(values))).view(x.shape[1], 1, LANES)
