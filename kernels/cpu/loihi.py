"""Fixed-point LIF populations as Loihi runs them, event-driven; the equations are in `kernels.reference.loihi`.

Arrivals wait in a ring of steps, one row for each step up to the longest delay.  A spike costs its fan-out.
"""

import numpy as np
from numba import njit, prange

HALF = 1 << 23


@njit(cache=True)
def _decay(x, kept):
    """``|x| kept / 4096`` towards zero, with the sign of x."""
    return (x * kept) >> 12 if x >= 0 else -((-x * kept) >> 12)


@njit(parallel=True, cache=True)
def run_fixed(spikes, indptr, post, weight, delay, du, dv, vth, bias, is_input, slot, potential, events):
    """Advance N flat neurons over all steps of every sample.

    Args:
        spikes: uint8 ``[B, T, N]``; holds the spikes of inputs, receives those of the others.
        indptr, post, weight, delay: synapses of neuron ``i`` are ``indptr[i]:indptr[i + 1]``; delay in steps.
        du, dv, vth, bias: int64 ``[N]``.
        is_input: bool ``[N]``.
        slot: row of ``potential`` for every neuron ``[N]``, -1 where it is not recorded.
        potential: int32 ``[B, T, R]``, receives v after every step.
        events: int64 ``[B, 2]``, receives how often a current wrapped and a potential was cut.
    """
    n_samples, n_steps, n = spikes.shape
    longest = 0
    for k in range(len(delay)):
        longest = max(longest, delay[k])
    rows = longest + 2
    for b in prange(n_samples):
        ring = np.zeros((rows, n), np.int64)
        u, v = np.zeros(n, np.int64), np.zeros(n, np.int64)
        row = 0
        for t in range(n_steps):
            arrived, out = ring[row], spikes[b, t]
            for j in range(n):
                if is_input[j]:
                    continue
                current = _decay(u[j], 4096 - (du[j] + 1)) + (arrived[j] << 6)
                if current > HALF:
                    current -= 2 * HALF
                    events[b, 0] += 1
                elif current <= -HALF:
                    current += 2 * HALF
                    events[b, 0] += 1
                u[j] = current
                value = _decay(v[j], 4096 - dv[j]) + current + bias[j]
                if value > HALF - 1 or value < 1 - HALF:
                    value = HALF - 1 if value > 0 else 1 - HALF
                    events[b, 1] += 1
                fired = value > vth[j] << 6
                out[j] = fired
                v[j] = 0 if fired else value
                if slot[j] >= 0:
                    potential[b, t, slot[j]] = v[j]
            arrived[:] = 0
            for i in range(n):
                if out[i] != 0:
                    for k in range(indptr[i], indptr[i + 1]):
                        at = row + 1 + delay[k]
                        ring[at if at < rows else at - rows, post[k]] += weight[k]
            row = row + 1 if row + 1 < rows else 0
