"""Rate coding both ways: spike trains to features, activity to spikes."""

from __future__ import annotations

import numpy as np

from spsnn.checks import whole_number
from spsnn.errors import ConfigError, DataError
from spsnn.kernels.events import SpikeBatch

CODES = ("deterministic", "poisson")


def features(batch, bins=1, tau=None):
    """Spike trains as features: counts, or a filtered rate, in equal bins of the window.

        counts     x_b = number of spikes in bin b
        filtered   x_b = sum over spikes before the end T_b of bin b of exp(-(T_b - t_k) / tau)

    A filtered rate keeps the order of spikes within a bin: with one bin it still tells early from late.

    Args:
        batch: `SpikeBatch` of B samples and F units.
        bins: number of bins.
        tau: time constant of the filter in ms, or None: counts.

    Returns:
        float32 ``[B, F]`` with one bin, else ``[B, bins, F]``.

    Raises:
        ConfigError: unless ``bins >= 1`` and ``tau > 0``.
    """
    whole_number("bins", bins, least=1)
    if tau is not None and not 0 < tau < np.inf:
        raise ConfigError(f"tau must be a positive number of ms or None, got {tau!r}")
    width = batch.duration / bins
    sample = np.repeat(np.arange(len(batch)), np.diff(batch.offsets))
    times = batch.times.astype(np.float64)
    at = np.minimum((times / width).astype(np.int64), bins - 1)
    worth = np.ones(len(at)) if tau is None else np.exp((times - (at + 1) * width) / tau)
    flat = (sample * bins + at) * batch.n_units + batch.units
    x = np.bincount(flat, worth, len(batch) * bins * batch.n_units).reshape(len(batch), bins, batch.n_units)
    if tau is not None:
        for b in range(1, bins):
            x[:, b] += np.exp(-width / tau) * x[:, b - 1]
    x = x.astype(np.float32)
    return x[:, 0] if bins == 1 else x


def spike_counts(activity, peak, code="deterministic", seed=0):
    """Spikes that a rate code sends for activity ``a >= 0``, with ``lambda = peak a`` expected in each bin.

        poisson         n ~ Poisson(lambda)
        deterministic   n_t = floor(Lambda_t + 1/2) - floor(Lambda_{t-1} + 1/2),   Lambda_t = lambda_1 + ... + lambda_t

    The deterministic code is that of a neuron which integrates its rate and starts half-way to its threshold: the count
    of a window is its expected count, rounded.

    Args:
        activity: ``[B, N]``, or ``[B, T, N]`` for T bins.
        peak: spikes per bin that an activity of 1 stands for.
        code: ``deterministic`` or ``poisson``.
        seed: of the Poisson numbers.

    Returns:
        int64 of the same shape.

    Raises:
        ConfigError: on an unknown code or a peak that is not positive.
        DataError: on activity that is negative or not finite.
    """
    expected = _expected(activity, peak)
    if code not in CODES:
        raise ConfigError(f"code must be one of {', '.join(CODES)}, got {code!r}")
    if code == "poisson":
        return np.random.default_rng(seed).poisson(expected)
    steps = expected[:, None] if expected.ndim == 2 else expected
    whole = np.floor(np.cumsum(steps, 1) + 0.5)
    return np.diff(whole, axis=1, prepend=0).reshape(expected.shape).astype(np.int64)


def emit(activity, duration, *, peak=10.0, code="deterministic", seed=0, labels=None):
    """Activity as spikes of `spike_counts`, at random times of their bin (Poisson) or when the integral crosses.

    Args:
        activity: ``[B, N]``, or ``[B, T, N]`` for T equal bins of the window.
        duration: window in ms.
        peak, code, seed: as in `spike_counts`; the seed may be a list of whole numbers.
        labels: int ``[B]``, or None.

    Returns:
        `SpikeBatch` of B samples and N units.
    """
    expected = _expected(activity, peak)
    counts = spike_counts(activity, peak, code, seed)
    if counts.ndim == 2:
        counts, expected = counts[:, None], expected[:, None]
    _, bins, n_units = counts.shape
    sample, at, unit = (np.repeat(index.ravel(), counts.ravel()) for index in np.indices(counts.shape))
    if code == "poisson":
        share = np.random.default_rng([*np.atleast_1d(seed), 1]).random(len(sample))
    else:
        before = np.cumsum(expected, 1) - expected
        whole = np.cumsum(counts, 1) - counts
        first = np.cumsum(counts.ravel()) - counts.ravel()
        k = np.arange(len(sample)) - np.repeat(first, counts.ravel())
        share = (whole[sample, at, unit] + k + 0.5 - before[sample, at, unit]) / expected[sample, at, unit]
    width = duration / bins
    last = np.nextafter(((at + 1) * width).astype(np.float32), np.float32(0))  # a spike stays in its bin
    times = np.clip(((at + share) * width).astype(np.float32), 0, last)
    order = np.lexsort((unit, times, sample))
    offsets = np.concatenate([[0], np.cumsum(counts.sum((1, 2)))])
    return SpikeBatch(times[order], unit[order], offsets, n_units, duration, labels)


def _expected(activity, peak):
    activity = np.asarray(activity, np.float64)
    if not (np.isfinite(peak) and peak > 0):
        raise ConfigError(f"peak must be a positive number of spikes, got {peak!r}")
    if activity.ndim not in (2, 3):
        raise DataError(f"activity must be [B, N] or [B, T, N], got shape {activity.shape}")
    if not np.isfinite(activity).all() or activity.min(initial=0) < 0:
        worst = activity[~np.isfinite(activity)][0] if not np.isfinite(activity).all() else activity.min()
        raise DataError(f"a rate code sends activity that is finite and not negative, got {worst}")
    return activity * peak
