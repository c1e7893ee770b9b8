"""Fixed-point LIF populations as Loihi runs them, in plain numpy: what the Numba kernel is tested against.

    u <- sgn(u) (|u| (4096 - (du + 1)) >> 12) + (a_in << 6)             above 2^23, 2^24 is taken off; likewise below
    v <- clip(sgn(v) (|v| (4096 - dv) >> 12) + u + bias, -2^23 + 1, 2^23 - 1)
    v > vth << 6:  spike, v <- 0

A spike at step t through a synapse of delay d is in ``a_in`` of step ``t + 1 + d``.  These are the equations of Lava's
bit-accurate process models (lava-nc 0.10.0, LIF and DelayDense).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

HALF = 2**23


@dataclass(frozen=True)
class FixedRun:
    """Record of a run of flat neurons.

    Attributes:
        spikes: ``[B, T, N]`` uint8.
        potential: v of the recorded neurons after every step ``[B, T, R]`` int32.
        wrapped: how often a current left its 24 bits and wrapped around.
        clipped: how often a potential was cut at 24 bits.
    """

    spikes: np.ndarray
    potential: np.ndarray
    wrapped: int
    clipped: int


def effective_weights(weight, num_weight_bits=8, sign="mixed"):
    """Integer weights as a Loihi synapse holds them: clipped to 8 bits, low bits cut off.

    ``num_weight_bits`` of 8 bits are kept, one less where signs are ``mixed``: then weights are even.  Purely
    ``excitatory`` or ``inhibitory`` weights keep the last bit.  Bits are cut towards minus infinity, of inhibitory
    weights towards zero.
    """
    mixed, flip = sign == "mixed", -1 if sign == "inhibitory" else 1
    size = np.clip(flip * np.asarray(weight, np.int64), -256 if mixed else 0, 255)
    cut = 8 - num_weight_bits + mixed
    return flip * ((size >> cut) << cut)


def run_fixed(inputs, synapses, du, dv, vth, bias, is_input, recorded):
    """Run N flat neurons, some of which are inputs.

    Args:
        inputs: ``[B, T, N]`` zeros and ones, non-zero for inputs only.
        synapses: ``(pre, post, weight, delay)``, integers ``[S]`` each; delay in steps.
        du, dv, vth, bias: integers ``[N]``; what they hold for inputs is not read.
        is_input: bool ``[N]``.
        recorded: neurons whose potential is kept ``[R]``.

    Returns:
        `FixedRun`.
    """
    n_samples, n_steps, n = inputs.shape
    pre, post, weight, delay = synapses
    spikes = np.array(inputs, np.uint8)
    potential = np.zeros((n_samples, n_steps, len(recorded)), np.int32)
    arrivals = np.zeros((n_samples, n_steps + 1 + int(np.max(delay, initial=0)) + 1, n), np.int64)
    u, v = np.zeros((2, n_samples, n), np.int64)
    wrapped = clipped = 0
    for t in range(n_steps):
        u = np.sign(u) * ((np.abs(u) * (4096 - (du + 1))) >> 12) + (arrivals[:, t] << 6)
        above, below = u > HALF, u <= -HALF
        u = u - 2 * HALF * above + 2 * HALF * below
        v = np.sign(v) * ((np.abs(v) * (4096 - dv)) >> 12) + u + bias
        outside = (np.abs(v) > HALF - 1) & ~is_input
        v = np.clip(v, -HALF + 1, HALF - 1)
        fired = (v > vth << 6) & ~is_input
        v = np.where(fired, 0, v)
        wrapped += int((above | below)[:, ~is_input].sum())
        clipped += int(outside.sum())
        spikes[:, t] |= fired
        potential[:, t] = v[:, recorded]
        sample, synapse = np.nonzero(spikes[:, t, pre])
        np.add.at(arrivals, (sample, t + 1 + delay[synapse], post[synapse]), weight[synapse])
    return FixedRun(spikes, potential, wrapped, clipped)
