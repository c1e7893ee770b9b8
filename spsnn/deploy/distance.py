"""How far two sets of spike trains lie apart."""

from __future__ import annotations

import numpy as np

from spsnn.errors import ConfigError, DataError
from spsnn.kernels.cpu.spike_distance import van_rossum_squared


def spike_distance(a, b, tau):
    """Squared van Rossum distance of every pair of trains.

        D^2 = 1/tau int (f_a - f_b)^2 dt,   f(t) = sum over spikes t_k <= t of exp(-(t - t_k) / tau)

    A spike more or less counts 1/2; one that moves by h counts ``1 - exp(-h / tau)``, about ``h / tau``.

    Args:
        a, b: ``(counts [n], times)``: the spikes of ``n`` trains one after the other, each in rising order, in ms.
        tau: time constant in ms; differences shorter than it count little.

    Returns:
        float64 ``[n]``.

    Raises:
        ConfigError: ``tau`` is not positive.
        DataError: the numbers of trains differ.

    Source: van Rossum 2001, Neural Computation 13, equation 2.4.
    """
    if not 0 < tau < np.inf:
        raise ConfigError(f"tau of a spike-train distance must be a positive number of ms, got {tau}")
    (counts_a, times_a), (counts_b, times_b) = a, b
    if len(counts_a) != len(counts_b):
        raise DataError(f"a distance needs as many trains on either side, got {len(counts_a)} and {len(counts_b)}")
    n = len(counts_a)
    key = np.concatenate([np.repeat(np.arange(n), counts_a), np.repeat(np.arange(n), counts_b)])
    time = np.concatenate([times_a, times_b]).astype(np.float64)
    sign = np.concatenate([np.ones(len(times_a)), -np.ones(len(times_b))])
    order = np.lexsort((time, key))
    return van_rossum_squared(key[order], time[order], sign[order], n, float(tau))


def trains_of(output, dt):
    """All spike trains of an `Output`, population after population: ``(counts, times)`` for `spike_distance`."""
    counts = [np.asarray(s.counts()).ravel() for s in output.spikes]
    times = [s.times if hasattr(s, "times") else s.steps * dt for s in output.spikes]
    return np.concatenate([np.zeros(0, int), *counts]), np.concatenate([np.zeros(0), *times])
