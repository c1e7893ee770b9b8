"""From values in [0, 1] to spikes: time to first spike, and rate."""

import numpy as np

from spsnn.datasets._order import latest, sort_events
from spsnn.errors import ConfigError, DataError
from spsnn.kernels.events import SpikeBatch


def _values(values):
    values = np.asarray(values, np.float64)
    if values.ndim != 2:
        raise DataError(f"values to encode have shape [B, F], got {values.shape}")
    if not len(values) or not values.shape[1]:
        raise DataError(f"there is nothing to encode: values have shape {values.shape}")
    bad = ~((values >= 0) & (values <= 1))  # also true for NaN
    if bad.any():
        b, f = (int(k) for k in np.argwhere(bad)[0])
        raise DataError(
            f"values to encode must lie in [0, 1], got {values[b, f]} at sample {b}, feature {f}; rescale or clean them"
        )
    return values


def encode_ttfs(values, *, t_min=10.0, scale=30.0, duration=60.0, bias_time=None, silent=None, labels=None):
    """Time-to-first-spike code: one spike per feature, ``t = t_min + scale * v``.

    Args:
        values: ``[B, F]`` in [0, 1].
        t_min: time of the value 0, ms.
        scale: time between the values 0 and 1, ms.
        duration: window, ms; must be longer than ``t_min + scale`` and ``bias_time``.
        bias_time: if given, a further unit ``F`` fires at this time (ms) in every sample.
        silent: bool ``[B, F]``, features that give no spike, or None.
        labels: int ``[B]``, or None.

    Returns:
        `SpikeBatch` with ``F`` units, or ``F + 1`` with a bias spike.

    Raises:
        ConfigError: if the code does not fit the window.
        DataError: if a value is NaN or outside [0, 1].

    Source: Goeltz et al. 2021 (Nature Machine Intelligence 3), Methods; defaults in ms from the Yin-Yang
    experiment of Wunderlich and Pehle 2021 (Scientific Reports 11), with tau_mem 20 and tau_syn 5.
    """
    values = _values(values)
    if not (t_min >= 0 and scale >= 0 and t_min + scale < duration < np.inf):
        raise ConfigError(
            f"must have 0 <= t_min, 0 <= scale and t_min + scale < duration, we instead got "
            f"t_min={t_min}, scale={scale}, duration={duration} (ms)"
        )
    if bias_time is not None and not 0 <= bias_time < duration:
        raise ConfigError(f"bias_time must lie in [0, {duration}) ms, got {bias_time}")
    times = t_min + scale * values
    fires = np.ones(values.shape, bool) if silent is None else ~np.asarray(silent, bool)
    if fires.shape != values.shape:
        raise ConfigError(f"silent must have the shape of the values, {values.shape}, got {fires.shape}")
    if bias_time is not None:
        times = np.hstack([times, np.full((len(times), 1), bias_time)])
        fires = np.hstack([fires, np.ones((len(fires), 1), bool)])
    units = np.broadcast_to(np.arange(times.shape[1], dtype=np.int32), times.shape)
    return _pack(times[fires], units[fires], fires.sum(1), times.shape[1], duration, labels)


def encode_rate(
    values, *, max_rate=200.0, min_rate=0.0, duration=100.0, regular=False, bias=False, seed=0, labels=None
):
    """Rate code: the firing rate grows with the value, ``r = min_rate + (max_rate - min_rate) * v``.

    Poisson (default): ``N ~ Poisson(r * duration / 1000)`` spikes at independent uniform times in the window.
    Regular: ``t_k = (k + phase) * 1000 / r`` for ``k = 0, 1, ...`` inside the window, with one
    ``phase ~ U[0, 1)`` per sample and feature, so that the expected count is the same.

    Args:
        values: ``[B, F]`` in [0, 1].
        max_rate: rate of the value 1, Hz.
        min_rate: rate of the value 0, Hz.
        duration: window, ms.
        regular: even spacing instead of a Poisson process.
        bias: add a unit ``F`` that fires at ``max_rate``.
        seed: seed of the random numbers.
        labels: int ``[B]``, or None.

    Returns:
        `SpikeBatch` with ``F`` units (``F + 1`` with a bias); a sample of low rates may have no spike.

    Raises:
        ConfigError: if the rates or the window are out of order.
        DataError: if a value is NaN or outside [0, 1].

    Source: Gerstner et al. 2014, Neuronal Dynamics, chapter 7.
    """
    values = _values(values)
    if not (0 <= min_rate <= max_rate < np.inf and 0 < duration < np.inf):
        raise ConfigError(
            f"must have 0 <= min_rate <= max_rate and 0 < duration, we instead got "
            f"min_rate={min_rate}, max_rate={max_rate} (Hz), duration={duration} (ms)"
        )
    if bias:
        values = np.hstack([values, np.ones((len(values), 1))])
    rng = np.random.default_rng(seed)
    expected = (min_rate + (max_rate - min_rate) * values) * duration / 1000.0  # spikes in the window
    if regular:
        phase = rng.random(values.shape)
        counts = np.maximum(np.ceil(expected - phase), 0).astype(np.int64)
        first = np.cumsum(counts.ravel()) - counts.ravel()
        k = np.arange(counts.sum()) - np.repeat(first, counts.ravel())
        times = (k + np.repeat(phase, counts.ravel())) * (duration / np.repeat(expected, counts.ravel()))
    else:
        counts = rng.poisson(expected)
        times = rng.random(counts.sum()) * duration
    units = np.broadcast_to(np.arange(values.shape[1], dtype=np.int32), values.shape)
    return _pack(times, np.repeat(units, counts.ravel()), counts.sum(1), values.shape[1], duration, labels)


def _pack(times, units, counts, n_units, duration, labels):
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    # A float64 time just below the end may round up to it in float32.
    times = np.minimum(times.astype(np.float32), latest(duration))
    times, units = sort_events(times, units, offsets)
    return SpikeBatch(times, units, offsets, n_units, duration, labels)
