"""Transforms of spike trains: callables ``transform(batch, rng=None) -> SpikeBatch``.

Samples, their order and their labels stay; every result is a valid batch, sorted and inside the window.
Random transforms take a ``numpy.random.Generator`` (or a seed) at the call; None takes fresh entropy.
"""

from dataclasses import dataclass

import numpy as np

from spsnn.datasets._order import latest, sort_events
from spsnn.errors import ConfigError, DataError
from spsnn.kernels.cpu import ragged
from spsnn.kernels.events import SpikeBatch


def _sample_index(batch):
    return np.repeat(np.arange(len(batch)), np.diff(batch.offsets))


def _keep(batch, mask, units=None, times=None):
    """The events under ``mask``, with ``units`` and ``times`` in place of the batch's own if given."""
    units = batch.units if units is None else units
    times = batch.times if times is None else times
    return SpikeBatch(*ragged.keep(mask, times, units, batch.offsets), batch.n_units, batch.duration, batch.labels)


def _require(ok, rule, value):
    if not ok:
        raise ConfigError(f"{rule}, got {value!r}")


def _is_number(value):
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def _is_whole(value):
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def shift_channels(batch, shift):
    """Move spikes by ``shift`` channels, one number for all samples or one for each; those that leave are dropped."""
    shift = np.clip(np.broadcast_to(shift, len(batch)), -batch.n_units, batch.n_units).astype(np.int32)
    units = batch.units + np.repeat(shift, np.diff(batch.offsets))
    return _keep(batch, (units >= 0) & (units < batch.n_units), units)


class _Transform:
    """Base: refuses what holds no spikes before a child's ``change(batch, rng)``."""

    def __call__(self, batch, rng=None):
        if not isinstance(batch, SpikeBatch):
            way = "take its .events" if hasattr(batch, "events") else "leave it out"
            raise DataError(f"{type(self).__name__} changes a SpikeBatch, got {type(batch).__name__}; {way}")
        return self.change(batch, rng)


@dataclass(frozen=True)
class GroupChannels(_Transform):
    """Join neighbouring channels into ``n`` groups of equal size: ``unit -> unit // (n_units / n)``.

    Attributes:
        n: number of groups; must divide the number of channels (700 -> 140 joins five at a time).

    Raises:
        ConfigError: if ``n`` does not divide the channels.
    """

    n: int

    def __post_init__(self):
        _require(_is_whole(self.n) and self.n >= 1, "GroupChannels: n must be a positive integer", self.n)

    def change(self, batch, rng=None):
        _require(batch.n_units % self.n == 0, f"GroupChannels: n must divide the {batch.n_units} channels", self.n)
        units = batch.units // (batch.n_units // self.n)
        return SpikeBatch(batch.times, units, batch.offsets, self.n, batch.duration, batch.labels)


@dataclass(frozen=True)
class TimeBin(_Transform):
    """Snap spikes to the grid: ``t -> dt * min(round(t / dt), T - 1)`` with ``T = ceil(duration / dt)``.

    This is the rule of `SpikeBatch.steps`, so the dense form at ``dt`` stays the same (without ``merge``).

    Attributes:
        dt: step, ms.
        merge: keep one of several spikes of a channel in one step.

    Raises:
        ConfigError: if ``dt`` is not a positive number.
        DataError: if the window holds more steps than a 64-bit key can number.
    """

    dt: float
    merge: bool = False

    def __post_init__(self):
        ok = _is_number(self.dt) and 0 < self.dt < np.inf
        _require(ok, "TimeBin: dt must be a positive number of ms", self.dt)

    def change(self, batch, rng=None):
        n_steps, n_units = batch.n_steps(self.dt), batch.n_units
        if len(batch) * n_steps * n_units >= 2**63:
            raise DataError(
                f"TimeBin: {len(batch)} samples x {n_steps} steps x {n_units} channels is too fine a grid; "
                "use a larger dt or fewer samples at a time"
            )
        key = (_sample_index(batch) * n_steps + batch.steps(self.dt)) * n_units + batch.units
        # Snapping keeps the order of times, so only ties are out of order.
        key.sort(kind="stable")
        if self.merge and len(key):
            key = key[np.concatenate([[True], key[1:] != key[:-1]])]
        offsets = np.searchsorted(key, np.arange(len(batch) + 1) * (n_steps * n_units))
        times = (key // n_units % n_steps).astype(np.float32) * np.float32(self.dt)
        times = np.minimum(times, latest(batch.duration))
        return SpikeBatch(times, key % n_units, offsets, n_units, batch.duration, batch.labels)


@dataclass(frozen=True)
class Jitter(_Transform):
    """Move each spike by ``N(0, std^2)``; spikes that leave the window stop at its edge, none is lost.

    Attributes:
        std: standard deviation, ms.

    Raises:
        ConfigError: if ``std`` is negative or not a number.
    """

    std: float

    def __post_init__(self):
        _require(_is_number(self.std) and 0 <= self.std < np.inf, "Jitter: std must be a number >= 0 (ms)", self.std)

    def change(self, batch, rng=None):
        noise = np.random.default_rng(rng).standard_normal(batch.n_events, np.float32)
        times = np.clip(batch.times + np.float32(self.std) * noise, 0, latest(batch.duration))
        times, units = sort_events(times, batch.units, batch.offsets)
        return SpikeBatch(times, units, batch.offsets, batch.n_units, batch.duration, batch.labels)


@dataclass(frozen=True)
class ChannelShift(_Transform):
    """Move all spikes of a sample by one number of channels, ``s ~ U{-max_shift, ..., max_shift}``.

    Spikes that leave the channel range are dropped.

    Attributes:
        max_shift: largest shift, channels.

    Raises:
        ConfigError: if ``max_shift`` is not an integer of at least 0.
    """

    max_shift: int

    def __post_init__(self):
        ok = _is_whole(self.max_shift) and self.max_shift >= 0
        _require(ok, "ChannelShift: max_shift must be an integer >= 0", self.max_shift)

    def change(self, batch, rng=None):
        shift = np.random.default_rng(rng).integers(-self.max_shift, self.max_shift + 1, len(batch))
        return shift_channels(batch, shift)


@dataclass(frozen=True)
class ChannelStretch(_Transform):
    """Stretch the channels of a sample about the middle of their range, as from one vocal tract to another.

    With c half the number of channels, one factor ``f = exp(u)``, ``u ~ U(-log factor, log factor)``, for each sample
    and ``v ~ U(0, 1)`` for each spike, so that a stretched range has no empty channels:

        unit -> floor(c + f (unit + v - c))

    Spikes that leave the channel range are dropped.

    Attributes:
        factor: largest factor, at least 1; its inverse is the smallest.

    Raises:
        ConfigError: if ``factor`` is not a finite number of at least 1.

    Source: the vocal tract length perturbation of Jaitly & Hinton 2013, on channels in place of frequencies.
    """

    factor: float

    def __post_init__(self):
        ok = _is_number(self.factor) and 1 <= self.factor < np.inf
        _require(ok, "ChannelStretch: factor must be a finite number >= 1", self.factor)

    def change(self, batch, rng=None):
        rng = np.random.default_rng(rng)
        reach = np.log(self.factor)
        factors = np.exp(rng.uniform(-reach, reach, len(batch)))
        units = ragged.stretch_units(batch.units, batch.offsets, factors, rng.random(batch.n_events), batch.n_units)
        return _keep(batch, units >= 0, units)


@dataclass(frozen=True)
class DropEvents(_Transform):
    """Drop each spike with probability ``p``, independently.

    Attributes:
        p: probability, in [0, 1].

    Raises:
        ConfigError: if ``p`` is not a probability.
    """

    p: float

    def __post_init__(self):
        _require(_is_number(self.p) and 0 <= self.p <= 1, "DropEvents: p must lie in [0, 1]", self.p)

    def change(self, batch, rng=None):
        return _keep(batch, np.random.default_rng(rng).random(batch.n_events) >= self.p)


@dataclass(frozen=True)
class LoseChannels(_Transform):
    """Silence a random share of the channels, the same ones in all samples.

    Attributes:
        share: in [0, 1]; ``round(share * n_units)`` channels are silent.

    Raises:
        ConfigError: if ``share`` does not lie in [0, 1].
    """

    share: float

    def __post_init__(self):
        ok = _is_number(self.share) and 0 <= self.share <= 1
        _require(ok, "LoseChannels: share must lie in [0, 1]", self.share)

    def change(self, batch, rng=None):
        lost = np.random.default_rng(rng).permutation(batch.n_units)[: round(self.share * batch.n_units)]
        return _keep(batch, ~np.isin(batch.units, lost))


@dataclass(frozen=True)
class TimeStretch(_Transform):
    """Multiply all times of a sample by one factor, ``exp(u)`` with ``u ~ U(-log f, log f)``: slower or faster speech.

    Spikes that leave the window are dropped.

    Attributes:
        factor: largest factor f, at least 1; its inverse is the smallest.

    Raises:
        ConfigError: if ``factor`` is not a finite number of at least 1.
    """

    factor: float

    def __post_init__(self):
        ok = _is_number(self.factor) and 1 <= self.factor < np.inf
        _require(ok, "TimeStretch: factor must be a finite number >= 1", self.factor)

    def change(self, batch, rng=None):
        reach = np.log(self.factor)
        factors = np.exp(np.random.default_rng(rng).uniform(-reach, reach, len(batch))).astype(np.float32)
        times = batch.times * np.repeat(factors, np.diff(batch.offsets))
        return _keep(batch, times < batch.duration, times=times)


@dataclass(frozen=True)
class Blend(_Transform):
    """Mix samples of one class: with probability ``p`` a sample takes each of its spikes with probability 1/2, and
    as many again from another sample of its class in the batch.

    The partner is moved in time so that the mean spike times of the two agree; what leaves the window is dropped.
    Samples that have no partner stay as they are.

    Attributes:
        p: probability that a sample is mixed, in [0, 1].

    Raises:
        ConfigError: if ``p`` is not a probability.
        DataError: if the batch has no labels.

    Source: Nowotny, Turner & Knight 2025, "Loss shaping enhances exact gradient learning with EventProp".
    """

    p: float

    def __post_init__(self):
        _require(_is_number(self.p) and 0 <= self.p <= 1, "Blend: p must lie in [0, 1]", self.p)

    def change(self, batch, rng=None):
        if batch.labels is None:
            raise DataError("Blend mixes samples of one class, and this batch has no labels; pass a labelled one")
        rng = np.random.default_rng(rng)
        partner = _partners(batch.labels, rng)
        mixed = (rng.random(len(batch)) < self.p) & (partner != np.arange(len(batch)))
        partner = np.where(mixed, partner, np.arange(len(batch)))
        counts = np.diff(batch.offsets)
        own = ~np.repeat(mixed, counts) | (rng.random(batch.n_events) < 0.5)
        others = np.repeat(mixed, counts[partner])
        others &= rng.random(len(others)) < 0.5
        means = ragged.mean_times(batch.times, batch.offsets)
        shift = (means - means[partner]).astype(np.float32)
        window = np.float32(batch.duration)
        events = ragged.blend(batch.times, batch.units, batch.offsets, own, partner, others, shift, window)
        return SpikeBatch(*events, batch.n_units, batch.duration, batch.labels)


def _partners(labels, rng):
    """For every sample another one of its class, drawn at random; the sample itself where it is alone."""
    partner = np.arange(len(labels))
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        partner[rows] = np.roll(rows, 1)
    return partner


class Compose:
    """Apply transforms one after the other; all draw from the same generator.

    Args:
        transforms: callables ``(batch, rng) -> SpikeBatch``.

    Raises:
        ConfigError: if one of them cannot be called.
    """

    def __init__(self, transforms):
        self.transforms = tuple(transforms)
        for t in self.transforms:
            _require(callable(t), "Compose: every transform must be callable", t)

    def __call__(self, batch, rng=None):
        rng = np.random.default_rng(rng)
        for transform in self.transforms:
            batch = transform(batch, rng)
        return batch

    def __repr__(self):
        return f"Compose({list(self.transforms)!r})"
