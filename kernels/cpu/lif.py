"""One LIF neuron with an exponential synapse in continuous time: its flow, and its next threshold crossing.

    tau_mem dV/dt = -V + I        tau_syn dI/dt = -I

With ``a = exp(-h / tau_mem)``, ``c = exp(-h / tau_syn)``, ``x = h (1 / tau_mem - 1 / tau_syn)``:

    I(h) = c I        V(h) = a V + b I        b = (h / tau_mem) a phi(x)        phi(x) = expm1(x) / x

which holds for equal time constants too, where x = 0 and phi = 1.
"""

import math

from numba import njit

SMALL = 0.1  # below this |x|, phi' takes its series: the next term is 3e-14
PRECISION = 1e-13  # of a crossing, relative to the time since the last event


@njit(cache=True, error_model="numpy")
def flow(h, tau_mem, tau_syn):
    """``(a, b, c)`` over ``h`` ms."""
    a, c = math.exp(-h / tau_mem), math.exp(-h / tau_syn)
    x = h * (1 / tau_mem - 1 / tau_syn)
    if abs(x) >= SMALL:
        return a, h / tau_mem * (c - a) / x, c
    return a, h / tau_mem * a * (math.expm1(x) / x if x != 0 else 1.0), c


@njit(cache=True, error_model="numpy")
def flow_slopes(h, tau_mem, tau_syn, a, b, c):
    """``(db/dtau_mem, db/dtau_syn)``; the others are ``da/dtau_mem = a h / tau_mem^2`` and likewise for ``c``."""
    x = h * (1 / tau_mem - 1 / tau_syn)
    if abs(x) >= SMALL:
        bend = (c - (c - a) / x) / x  # a phi'(x)
    else:
        bend = a * (1 / 2 + x * (1 / 3 + x * (1 / 8 + x * (1 / 30 + x * (1 / 144 + x * (1 / 840 + x * (
            1 / 5760 + x / 45360)))))))  # fmt: skip
    share = h * h / tau_mem * bend
    return b * (h / tau_mem - 1) / tau_mem - share / tau_mem**2, share / tau_syn**2


@njit(cache=True, error_model="numpy")
def earliest_crossing(v, i, tau_mem, threshold):
    """Cheap lower bound of `next_crossing`: I only decays, so that V rises no faster than at first."""
    if v >= threshold:
        return 0.0
    if i <= threshold:
        return math.inf
    return (threshold - v) * tau_mem / (i - v)


@njit(cache=True, error_model="numpy")
def next_crossing(v, i, tau_mem, tau_syn, threshold):
    """Time in ms until V reaches ``threshold`` (> 0) from potential ``v`` and current ``i``; infinite if it never does.

    V rises only while I > V, and a positive I only falls: without ``i > threshold`` there is no crossing.  V' = 0 where
    ``expm1(r s) = r tau_syn (i - v) / i`` with ``r = 1 / tau_mem - 1 / tau_syn``, so V has at most one maximum, whose
    height is the current there; without one, V rises to 0 from below.  Up to the maximum V rises, so there is exactly
    one crossing: found by Halley's method between the last points below and above, with bisection where a step leaves
    them.
    """
    if v >= threshold:
        return 0.0
    if i <= threshold:
        return math.inf
    u = (i - v) / i
    z = (tau_syn / tau_mem - 1) * u
    if z <= -1:
        return math.inf
    high = tau_syn * u * (math.log1p(z) / z if z != 0 else 1.0)
    if i * math.exp(-high / tau_syn) < threshold:
        return math.inf
    s = low = 0.0
    value, current = v, i
    for _ in range(200):
        slope, bend = current - value, (1 + tau_mem / tau_syn) * current - value  # tau_mem V', -tau_mem^2 V''
        missing = threshold - value
        step = missing * tau_mem * slope / (slope * slope - 0.5 * missing * bend)
        if abs(step) <= PRECISION * s or high - low <= PRECISION * s:
            break
        s += step
        if not low < s < high:
            s = 0.5 * (low + high)
        a, b, c = flow(s, tau_mem, tau_syn)
        value, current = a * v + b * i, c * i
        if value < threshold:
            low = s
        else:
            high = s
    return s
