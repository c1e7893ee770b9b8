"""Tensors on a GPU: which kernels run, and spikes as the CUDA kernels read them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numba import config

from spsnn.autograd.spikes import Spikes, check_dense
from spsnn.errors import ConfigError
from spsnn.kernels.cpu.ragged import take


def on_cuda(tensor):
    """True for a tensor on a GPU, and for every tensor while Numba simulates CUDA (``NUMBA_ENABLE_CUDASIM=1``)."""
    return tensor.is_cuda or bool(config.ENABLE_CUDASIM)


def find_device(name):
    """``torch.device`` of ``cpu`` or ``cuda``.

    Raises:
        ConfigError: on another name, or where torch finds no GPU.
    """
    if name not in ("cpu", "cuda"):
        raise ConfigError(f"the device must be cpu or cuda, got {name!r}")
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("torch finds no GPU here; use the device cpu, or install a CUDA build of torch and a driver")
    return torch.device(name)


@dataclass(frozen=True)
class DeviceSpikes(Spikes):
    """`Spikes` whose arrays are tensors on the device, also listed step by step.

    Attributes:
        offsets, units: ``units[offsets[b * T + t]:offsets[b * T + t + 1]]`` spike at step ``t`` of sample ``b``.
        counts_by_unit, counts_by_step: how many spikes an entry of ``steps`` and of ``units`` stands for; empty: one.
        active_offsets, active_units: the positions at which a gradient can be non-zero, listed likewise.
    """

    offsets: torch.Tensor | None = None
    units: torch.Tensor | None = None
    counts_by_unit: torch.Tensor | None = None
    counts_by_step: torch.Tensor | None = None
    active_offsets: torch.Tensor | None = None
    active_units: torch.Tensor | None = None

    @classmethod
    def of(cls, spikes, device):
        """`Spikes`, or zeros and ones ``[B, T, N]``, on the device."""
        if isinstance(spikes, cls):
            return spikes
        if torch.is_tensor(spikes):
            check_dense(spikes)
            z = spikes.detach()
            return replace(cls.marked(z, torch.ones_like(z) if spikes.requires_grad else None), dense=spikes)
        put = lambda a: torch.as_tensor(a, device=device)  # noqa: E731
        ptr, steps, counts = (put(a) for a in _joined(spikes))
        offsets, order, units = _by_step(ptr, steps, spikes.shape)
        counts_by_step, active = counts[order] if counts.numel() else counts, (None, None)
        if spikes.active_ptr is not None:
            active = _by_step(put(spikes.active_ptr), put(spikes.active_steps.astype(np.int32)), spikes.shape)[::2]
        return cls(ptr, steps, spikes.shape, spikes.dense, None, None, offsets, units, counts, counts_by_step, *active)

    def counts(self):
        """As `Spikes.counts`."""
        if not self.counts_by_unit.numel():
            return super().counts()
        ends = torch.nn.functional.pad(self.counts_by_unit.cumsum(0, dtype=torch.float64).long(), (1, 0))[self.ptr]
        return ends.diff(dim=1)

    def only(self, kept):
        """As `Spikes.only`."""
        kept = torch.as_tensor(kept, device=self.ptr.device)[:, None, :]
        return self.of(self.dense * kept, self.ptr.device)

    @classmethod
    def marked(cls, z, active):
        """Spikes of zeros and ones ``z [B, T, N]``; ``active`` marks where gradients can be non-zero, or is None."""
        n_samples, _, n_units = z.shape
        ends, steps = _lists(z.transpose(1, 2))
        ptr = torch.cat([ends[:-1].view(n_samples, n_units), ends[n_units::n_units, None]], 1)
        one = torch.empty(0, device=z.device)
        lists = *_lists(z), one, one, *(() if active is None else _lists(active))
        return cls(ptr, steps, tuple(z.shape), None, None, None, *lists)


def _lists(marked):
    """Non-zero entries of ``marked [B, M, K]``: offsets ``[B * M + 1]`` and the indices along ``K``."""
    rows, last = marked.flatten(0, 1).nonzero().unbind(1)
    bounds = torch.arange(marked.shape[0] * marked.shape[1] + 1, device=marked.device)
    return torch.searchsorted(rows.contiguous(), bounds), last.to(torch.int32)


def _joined(spikes):
    """``ptr``, ``steps``, ``counts`` of `Spikes` with one entry for all spikes of a unit in one step, without gaps."""
    ptr, steps, counts = spikes.joined
    if counts is False:
        return ptr, steps.astype(np.int32), np.empty(0, np.float32)
    offsets = np.concatenate([[0], np.cumsum(ptr[:, -1] - ptr[:, 0])])
    counts, steps = take(counts, steps, ptr[:, 0], offsets)
    return ptr - ptr[:, :1] + offsets[:-1, None], steps.astype(np.int32), counts


def _by_step(ptr, steps, shape):
    """Spikes grouped by unit listed by step: where each step begins, and the order and the units of the spikes."""
    n_samples, n_steps, n_units = shape
    rows = torch.arange(n_samples * n_units, device=ptr.device).repeat_interleave(ptr.diff(dim=1).flatten())
    keys, order = torch.sort(rows // n_units * n_steps + steps, stable=True)
    bounds = torch.arange(n_samples * n_steps + 1, device=ptr.device)
    return torch.searchsorted(keys, bounds), order, (rows % n_units)[order].to(torch.int32)
