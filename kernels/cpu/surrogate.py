"""Surrogate derivatives of the spike, ``psi(u)`` with ``u = V - threshold``, peak 1.

    superspike   1 / (1 + slope |u|)^2          Zenke & Ganguli 2018
    arctan       1 / (1 + (pi/2 slope u)^2)      Fang et al. 2021
    triangular   max(0, 1 - slope |u|)           Bellec et al. 2018
    box          1 where |u| < 1 / (2 slope)

The last two have finite support: backward work is skipped where they are zero.
"""

import numpy as np
from numba import njit

SURROGATES = {"superspike": 0, "arctan": 1, "triangular": 2, "box": 3}


@njit(cache=True, inline="always")
def surrogate(u, kind, slope):
    """Value of the surrogate derivative ``kind`` at ``u``."""
    if kind == 0:
        x = 1 + slope * abs(u)
        return 1 / (x * x)
    if kind == 1:
        x = np.pi / 2 * slope * u
        return 1 / (1 + x * x)
    if kind == 2:
        x = 1 - slope * abs(u)
        return x if x > 0 else 0.0
    return 1.0 if abs(u) * 2 * slope < 1 else 0.0
