"""The spikes of one population over a window, as projections read them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch

from spsnn.errors import ConfigError
from spsnn.kernels.cpu.grouping import group_events, group_marked, join_repeats
from spsnn.kernels.cpu.population import HELD


@dataclass(frozen=True)
class Spikes:
    """Spikes on a grid, grouped by neuron, and the tensor that carries their gradient.

    Attributes:
        ptr, steps: neuron ``i`` of sample ``b`` spikes at grid steps ``steps[ptr[b, i]:ptr[b, i + 1]]``.
        shape: ``(B, T, N)``.
        dense: ``[B, T, N]`` tensor of zeros and ones in the autograd graph, or None for fixed input spikes.
            Its gradient is dL/dspike with a surrogate estimator, and dL/dt_k (1/ms), read at spikes only, with
            EventProp.
        active_ptr, active_steps: the positions at which a gradient can be non-zero, grouped likewise.
        repeats: whether a neuron spikes several times in a step, as only fixed input spikes do.
    """

    ptr: np.ndarray
    steps: np.ndarray
    shape: tuple[int, int, int]
    dense: torch.Tensor | None = None
    active_ptr: np.ndarray | None = None
    active_steps: np.ndarray | None = None
    repeats: bool = field(default=False, kw_only=True)

    @classmethod
    def from_batch(cls, batch, dt):
        """Fixed input spikes: a `SpikeBatch` snapped to the nearest step of ``dt`` ms."""
        ptr, steps, repeats = group_events(batch.offsets, batch.units, batch.steps(dt), batch.n_units)
        return cls(ptr, steps, (len(batch), batch.n_steps(dt), batch.n_units), repeats=repeats)

    @classmethod
    def from_dense(cls, dense, active=None):
        """Spikes given as zeros and ones ``[B, T, N]``.

        ``active`` marks where a gradient may be non-zero; by default everywhere, if ``dense`` requires a gradient.
        """
        check_dense(dense)
        values = dense.detach().cpu().numpy()
        ptr, steps = group_marked(values)
        if active is None:
            if not dense.requires_grad:
                return cls(ptr, steps, values.shape)
            active = np.ones(values.shape, np.uint8)
        return cls(ptr, steps, values.shape, dense, *group_marked(active))

    def counts(self):
        """Number of spikes, ``[B, N]``."""
        return self.ptr[:, 1:] - self.ptr[:, :-1]

    @cached_property
    def joined(self):
        """``(ptr, steps, counts [E])`` with one entry for all spikes of a neuron in one step; ``counts`` is False where
        there is never more than one."""
        if self.repeats:
            return join_repeats(self.ptr, self.steps)
        return self.ptr, self.steps, False

    def only(self, kept):
        """The spikes of the neurons under ``kept``, bool ``[B, N]``; the others are silent and get no gradient."""
        active = (None, None) if self.active_ptr is None else _only(self.active_ptr, self.active_steps, kept)
        return Spikes(*_only(self.ptr, self.steps, kept), self.shape, self.dense, *active, repeats=self.repeats)


def _only(ptr, steps, kept):
    counts = np.diff(ptr, axis=1)
    ends = np.cumsum(counts * kept).reshape(counts.shape)
    starts = np.concatenate([[0], ends[:, -1]])[:-1]
    found = np.concatenate([starts[:, None], ends], 1).astype(ptr.dtype)
    return found, steps[np.repeat(kept.ravel(), counts.ravel())]


def check_dense(dense):
    """Refuse a tensor that does not hold spikes ``[B, T, N]`` of zeros and ones."""
    if dense.ndim != 3:
        raise ConfigError(f"spikes have shape [B, T, N], got {tuple(dense.shape)}")
    if not ((dense == 0) | (dense == 1)).all():
        raise ConfigError("spikes must be zeros and ones; pass real-valued signals through a spike encoding first")


def active_positions(spikes, u, grid):
    """Where the gradient of a spike can be non-zero, for ``u = V - threshold``; arrays or tensors of one shape."""
    if grid.estimator == "eventprop":
        return spikes
    if grid.surrogate in ("superspike", "arctan"):
        return u > HELD / 2  # everywhere, but for neurons that are held
    return abs(u) < (1.0 if grid.surrogate == "triangular" else 0.5) / grid.slope
