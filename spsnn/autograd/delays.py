"""Delays as projections take them: a matrix, or coordinates from which kernels compute distances."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch

from spsnn.errors import ConfigError
from spsnn.kernels.cpu.delays import Arrival, Delays, count_beyond


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
        if self.pre.ndim != 2 or self.post.ndim != 2 or not self.pre.shape[1] == self.post.shape[1] > 0:
            raise ConfigError(
                f"coordinates must be [N, D] of one dimension D, got {tuple(self.pre.shape)} and "
                f"{tuple(self.post.shape)}"
            )
        if not torch.is_tensor(self.alpha) or self.alpha.ndim:
            raise ConfigError(f"alpha must be a tensor without dimensions, got {self.alpha!r}")
        for name, value in (("coordinates", self.pre), ("coordinates", self.post), ("alpha", self.alpha)):
            if not torch.isfinite(value).all():
                raise ConfigError(f"{name} must be finite; lower the learning rate or clip gradients")
        if self.metric not in ("l2", "l1"):
            raise ConfigError(f"metric must be l2 or l1, got {self.metric!r}")
        alpha = float(self.alpha.detach())
        if not (alpha > 0 and self.d_min >= 0 and self.eps > 0 and self.max_delay >= self.d_min):
            raise ConfigError(
                f"must have alpha > 0, d_min >= 0, eps > 0 and max_delay >= d_min, got {alpha}, {self.d_min}, "
                f"{self.eps} and {self.max_delay}"
            )

    def count_beyond(self, bound, mask):
        """Number of synapses of the bool ``mask [I, J]`` with a delay above ``bound`` ms, and the longest of them."""
        form = kernel_form((None, self.pre, self.post, self.alpha), replace(self, max_delay=math.inf), self.pre.dtype)
        return count_beyond(form, bound, mask.cpu().numpy())


def delay_tensors(delay):
    """``(matrix, pre, post, alpha)`` of a projection's delays, with None for what it does not have."""
    return (None, delay.pre, delay.post, delay.alpha) if isinstance(delay, Distances) else (delay, None, None, None)


def kernel_form(tensors, delay, dtype):
    """`spsnn.kernels.cpu.delays.Delays` from `delay_tensors` and the `Distances` (or matrix) they came from."""
    matrix, pre, post, alpha = (None if t is None else t.detach().to(dtype).cpu().numpy() for t in tensors)
    real = np.dtype(str(dtype)[6:]).type
    none = np.zeros((0, 0), real)
    if matrix is not None:
        return Delays(np.ascontiguousarray(matrix), none, none, real(1), real(0), real(np.inf), real(0), False)
    return Delays(
        none, np.ascontiguousarray(pre), np.ascontiguousarray(post.T), real(alpha), real(delay.d_min),
        real(delay.max_delay), real(delay.eps**2), delay.metric == "l1",
    )  # fmt: skip


def arrival_of(neuron, dt, n_steps, exact, least, dtype):
    """`spsnn.kernels.cpu.delays.Arrival` in front of a linear neuron; ``least`` is 1 for recurrent synapses."""
    return _arrival(
        dt, n_steps, exact, least, dtype, neuron.tau_mem, neuron.tau_syn, 1 / neuron.tau_syn, -1 / neuron.tau_mem
    )


def arrival_of_current(dt, n_steps, least, dtype):
    """The same where only the delayed current is wanted: the second channel of its gradient is the slope in time."""
    return _arrival(dt, n_steps, False, least, dtype, 1.0, 1.0, 0.0, -1.0)


def _arrival(dt, n_steps, exact, least, dtype, tau_mem, tau_syn, b_0, b_1):
    real = np.dtype(str(dtype)[6:]).type
    return Arrival(real(1 / dt), float(dt), float(tau_mem), float(tau_syn), exact, least, n_steps, real(b_0), real(b_1))
