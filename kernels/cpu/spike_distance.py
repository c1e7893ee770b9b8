"""Distance of spike trains, in closed form between spikes."""

import numpy as np
from numba import njit


@njit(cache=True)
def van_rossum_squared(key, time, sign, n, tau):
    """Squared van Rossum distance of ``n`` pairs of trains.

        D^2 = 1/tau int (f - g)^2 dt,   f(t) = sum over spikes t_k <= t of exp(-(t - t_k) / tau)

    Between spikes the difference x = f - g decays, so an interval h adds ``x^2 / 2 (1 - exp(-2 h / tau))``.

    Args:
        key, time, sign: int64, float64 and float64 ``[E]``: pair, time and +1 (first train) or -1 (second) of every
            spike, sorted by pair, then time.
        n: number of pairs.
        tau: same unit as the times.

    Returns:
        float64 ``[n]``.
    """
    out = np.zeros(n)
    e = 0
    while e < len(key):
        k, x, total, last = key[e], 0.0, 0.0, time[e]
        while e < len(key) and key[e] == k:
            left = np.exp((last - time[e]) / tau)
            total += x * x * (1.0 - left * left)
            x = x * left + sign[e]
            last = time[e]
            e += 1
        out[k] = (total + x * x) / 2
    return out
