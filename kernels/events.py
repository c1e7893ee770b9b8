"""Spike events in plain arrays: the one form that loaders yield and kernels take."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spsnn.errors import DataError
from spsnn.kernels.cpu import ragged


@dataclass(frozen=True, eq=False)
class SpikeBatch:
    """Spikes of ``B`` samples, sorted by sample, then time; `from_samples` also sorts ties by unit.

    Sample ``b`` owns the events ``offsets[b]:offsets[b + 1]``.  A sample may have no event.

    Attributes:
        times: float32 ``[E]``, spike times in ms, ``0 <= t < duration``.
        units: int32 ``[E]``, presynaptic units, ``0 <= u < n_units``.
        offsets: int64 ``[B + 1]``, from 0 to ``E``, never decreasing.
        n_units: number of input channels.
        duration: length of the window in ms.
        labels: int64 ``[B]`` class labels, or None.

    Raises:
        DataError: if an array breaks one of these rules.
    """

    times: np.ndarray
    units: np.ndarray
    offsets: np.ndarray
    n_units: int
    duration: float
    labels: np.ndarray | None = None

    def __post_init__(self):
        put = lambda name, value: object.__setattr__(self, name, value)  # noqa: E731
        times = np.ascontiguousarray(self.times, dtype=np.float32)
        raw_units = np.atleast_1d(self.units)
        if raw_units.size and not np.issubdtype(raw_units.dtype, np.integer):
            raise DataError(f"spike units must be integers, got dtype {raw_units.dtype}")
        units = np.ascontiguousarray(raw_units, dtype=np.int32)
        offsets = np.ascontiguousarray(self.offsets, dtype=np.int64)
        put("times", times)
        put("units", units)
        put("offsets", offsets)
        put("n_units", int(self.n_units))
        put("duration", float(self.duration))
        if self.labels is not None:
            raw_labels = np.asarray(self.labels)
            if raw_labels.ndim != 1 or (raw_labels.size and not np.issubdtype(raw_labels.dtype, np.integer)):
                raise DataError(
                    f"labels must be a vector of integers, got shape {raw_labels.shape}, dtype {raw_labels.dtype}"
                )
            put("labels", np.ascontiguousarray(raw_labels, dtype=np.int64))
        self._validate(raw_units)

    def _validate(self, raw_units):
        t, u, o = self.times, self.units, self.offsets
        if t.ndim != 1 or u.ndim != 1 or t.shape != u.shape:
            raise DataError(f"times and units must be two vectors of one length, got {t.shape} and {u.shape}")
        if o.ndim != 1 or len(o) < 1 or o[0] != 0 or o[-1] != len(t) or np.any(np.diff(o) < 0):
            raise DataError(f"offsets must rise from 0 to the number of events ({len(t)}), got {o[:3]} ... {o[-1:]}")
        if self.labels is not None and len(self.labels) != len(o) - 1:
            raise DataError(f"{len(o) - 1} samples need as many labels, got {len(self.labels)}")
        if self.n_units < 1:
            raise DataError(f"n_units must be at least 1, got {self.n_units}")
        if not self.duration > 0 or not np.isfinite(self.duration):
            raise DataError(f"duration must be a positive number of ms, got {self.duration}")
        common, window = raw_units.dtype in (np.int32, np.int64) and self.n_units < 2**63, np.float32(self.duration)
        if not len(t) or (common and ragged.is_valid(t, raw_units, o, self.n_units, window)):
            return
        if not np.isfinite(t).all():
            k = int(np.flatnonzero(~np.isfinite(t))[0])
            raise DataError(f"spike times must be finite, got {t[k]} at event {k} (sample {self.sample_of(k)})")
        if t.min() < 0 or t.max() >= self.duration:
            k = int(np.flatnonzero((t < 0) | (t >= self.duration))[0])
            raise DataError(
                f"spike times must lie in [0, {self.duration}) ms, got {t[k]} at event {k} "
                f"(sample {self.sample_of(k)}); lengthen the window or crop the sample"
            )
        if raw_units.min() < 0 or raw_units.max() >= self.n_units:
            k = int(np.flatnonzero((raw_units < 0) | (raw_units >= self.n_units))[0])
            raise DataError(
                f"units must lie in [0, {self.n_units}), got {raw_units[k]} at event {k} (sample {self.sample_of(k)})"
            )
        step_back = t[1:] < t[:-1]
        starts = o[1:-1]
        step_back[starts[(starts > 0) & (starts < len(t))] - 1] = False
        if step_back.any():
            k = int(np.flatnonzero(step_back)[0]) + 1
            raise DataError(
                f"events of a sample must be sorted by time, event {k} at {t[k]} ms follows {t[k - 1]} ms; "
                "build the batch with SpikeBatch.from_samples, which sorts"
            )

    def sample_of(self, event):
        """Index of the sample that owns an event."""
        return int(np.searchsorted(self.offsets, event, side="right")) - 1

    def __len__(self):
        return len(self.offsets) - 1

    @property
    def n_events(self):
        """Number of spikes in the batch."""
        return len(self.times)

    @classmethod
    def from_samples(cls, samples, n_units, duration, labels=None):
        """Build a batch from ``[(times [E_b] ms, units [E_b]), ...]``; sorts each sample by time, then unit."""
        times, units, counts = [], [], []
        for b, (t, u) in enumerate(samples):
            t, u = np.asarray(t, dtype=np.float32), np.asarray(u)
            if t.shape != u.shape or t.ndim != 1:
                raise DataError(f"sample {b}: times and units must be vectors of one length, got {t.shape}, {u.shape}")
            order = np.lexsort((u, t))
            times.append(t[order])
            units.append(u[order])
            counts.append(len(t))
        empty = not sum(counts)
        return cls(
            np.zeros(0, np.float32) if empty else np.concatenate(times),
            np.zeros(0, np.int32) if empty else np.concatenate([u for u in units if len(u)]),
            np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            n_units,
            duration,
            labels,
        )

    def __getitem__(self, index):
        """Batch of the chosen samples: an integer, a slice, or an array of integers or booleans.

        A run of neighbouring samples shares memory with this batch.

        Raises:
            IndexError: if there is no such sample, or for an array of more dimensions.
        """
        if isinstance(index, (int, np.integer)):
            if not -len(self) <= index < len(self):
                raise IndexError(f"sample {index} of a batch of {len(self)}")
            index = [index]
        rows = np.atleast_1d(np.arange(len(self))[index])
        if rows.ndim > 1:
            raise IndexError(
                f"samples are chosen by an integer, a slice or a vector, got an index of shape {rows.shape}"
            )
        counts = np.diff(self.offsets)[rows]
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        if len(rows) and (np.diff(rows) == 1).all():
            run = slice(self.offsets[rows[0]], self.offsets[rows[-1] + 1])
            times, units = self.times[run], self.units[run]
        else:
            times, units = ragged.take(self.times, self.units, self.offsets[rows], offsets)
        labels = None if self.labels is None else self.labels[rows]
        return SpikeBatch(times, units, offsets, self.n_units, self.duration, labels)

    def n_steps(self, dt):
        """Number of grid steps of size ``dt`` (ms) that cover the window."""
        if not (dt > 0 and np.isfinite(dt)):
            raise DataError(f"dt must be a positive number of ms, got {dt}")
        return max(int(np.ceil(self.duration / dt - 1e-6)), 1)

    def steps(self, dt):
        """Grid step of each event, int32 ``[E]``: the nearest step, at most the window's last."""
        last = self.n_steps(dt) - 1
        return np.minimum(np.rint(self.times / dt), last).astype(np.int32)

    def distinct(self, dt):
        """The batch with one spike, the earliest, of those of a unit that fall into one grid step."""
        sample = np.repeat(np.arange(len(self)), np.diff(self.offsets))
        at = (sample * self.n_steps(dt) + self.steps(dt)) * self.n_units + self.units
        kept = np.sort(np.unique(at, return_index=True)[1])  # the first of equals, times being sorted
        if len(kept) == len(at):
            return self
        offsets = np.searchsorted(kept, self.offsets).astype(np.int64)
        return SpikeBatch(self.times[kept], self.units[kept], offsets, self.n_units, self.duration, self.labels)

    def to_dense(self, dt):
        """Spike counts on the grid, float32 ``[B, T, n_units]``, with ``T = n_steps(dt)``."""
        dense = np.zeros((len(self), self.n_steps(dt), self.n_units), np.float32)
        sample = np.repeat(np.arange(len(self)), np.diff(self.offsets))
        np.add.at(dense, (sample, self.steps(dt), self.units), 1.0)
        return dense

    @classmethod
    def from_dense(cls, dense, dt, labels=None):
        """Batch from spike counts ``[B, T, I]`` on a grid of ``dt`` ms; a count of ``n`` gives ``n`` events."""
        dense = np.asarray(dense)
        if dense.ndim != 3:
            raise DataError(f"a dense batch has shape [B, T, I], got {dense.shape}")
        if not np.isfinite(dense).all() or (dense < 0).any() or (dense != np.rint(dense)).any():
            raise DataError("a dense batch holds spike counts: finite, whole and not negative")
        b, t, u = np.nonzero(dense)
        n = dense[b, t, u].astype(np.int64)
        offsets = np.concatenate([[0], np.cumsum(np.bincount(b, weights=n, minlength=len(dense)))]).astype(np.int64)
        return cls(
            np.repeat(t, n).astype(np.float32) * np.float32(dt),
            np.repeat(u, n).astype(np.int32),
            offsets,
            dense.shape[2],
            dense.shape[1] * dt,
            labels,
        )
