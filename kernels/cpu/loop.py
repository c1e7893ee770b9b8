"""Recurrent synapses, which act inside the sweep over the steps through a ring of pending arrivals.

The ring has a slot for each step to come, and a slot a number for each neuron, both padded to powers of two, so that
one addition and one mask give the address of an arrival.  Places are found once for a pass, not for each spike.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from spsnn.kernels.cpu.kept import find_kept, place_kept


class Loop(NamedTuple):
    """Recurrent synapses of J neurons in compressed rows; without any, ``ptr`` is empty.

    Attributes:
        ptr: ``[J + 1]``; those of neuron ``i`` are ``ptr[i] .. ptr[i + 1]``.
        place: uint32 ``[E]``, where in the ring a spike in step 0 arrives.
        weight_0, weight_1: ``[E]``, what it adds to the first ring (of the current) and, in `exact` mode, to the second
            (of the potential): ``w c``; or for the adjoint what it takes from them, see `loop_of`.
        slots, width: of the ring.
        mix_0, mix_1: what the adjoint's first ring holds of dL/dI and dL/dV.
    """

    ptr: np.ndarray
    place: np.ndarray
    weight_0: np.ndarray
    weight_1: np.ndarray
    slots: int
    width: int
    mix_0: float
    mix_1: float


@njit(cache=True)
def power_of_two(n):
    """Least power of two that is not below ``n``."""
    p = 1
    while p < n:
        p *= 2
    return p


def no_loop(dtype):
    """`Loop` of a population without recurrent synapses."""
    none = np.zeros(0, dtype)
    return Loop(np.zeros(0, np.int64), np.zeros(0, np.uint32), none, none, 1, 1, 1.0, 0.0)


@njit(cache=True)
def loop_of(mask, weight, delays, arrival, by_time):
    """`Loop` of ``weight [J, J]``, all of it or what the bool ``mask [J, J]`` keeps where that is not empty.

    ``by_time`` as in `place_kept`; in `round` mode the factors ``b`` of the adjoint are in ``mix``.
    """
    n = len(weight)
    kept = find_kept((n, n), mask, n, delays, arrival)
    _, longest, w_0, w_1 = place_kept(kept, weight, arrival, 0, by_time)
    width = power_of_two(n)
    place = (kept.lag * width + kept.post).astype(np.uint32)
    mix_0, mix_1 = (arrival.b_0, arrival.b_1) if by_time and not arrival.exact else (1.0, 0.0)
    return Loop(kept.ptr, place, w_0, w_1, power_of_two(longest + 1), width, mix_0, mix_1)


@njit(cache=True)
def list_marked(z, found):
    """Write the neurons where ``z`` is not zero to ``found``, as long as ``z``; returns their number."""
    count = 0
    for j in range(len(z)):
        found[count] = j
        count += z[j] != 0
    return count


@njit(cache=True)
def send(ring, base, wrap, place, weight, first, last):
    """Put the arrivals of one spike by the synapses ``first .. last`` into the ring, whose present slot begins at
    ``base``; ``wrap`` is the size of the ring less one."""
    for k in range(np.uint64(first), np.uint64(last)):
        ring[np.uint32(base + place[k]) & wrap] += weight[k]


@njit(cache=True, fastmath={"contract"})
def receive(ring, base, wrap, place, weight, first, last):
    """``sum_k weight_k ring[place_k]`` of the synapses ``first .. last``.

    Four sums side by side and no reassociation: on some processors the vector gather that it would bring takes three
    times as long.
    """
    s_0 = s_1 = s_2 = s_3 = ring.dtype.type(0)
    one, two, three = np.uint64(1), np.uint64(2), np.uint64(3)
    fours = (last - first) // 4
    for four in range(fours):
        k = np.uint64(first + 4 * four)
        s_0 += weight[k] * ring[np.uint32(base + place[k]) & wrap]
        s_1 += weight[k + one] * ring[np.uint32(base + place[k + one]) & wrap]
        s_2 += weight[k + two] * ring[np.uint32(base + place[k + two]) & wrap]
        s_3 += weight[k + three] * ring[np.uint32(base + place[k + three]) & wrap]
    for k in range(np.uint64(first + 4 * fours), np.uint64(last)):
        s_0 += weight[k] * ring[np.uint32(base + place[k]) & wrap]
    return (s_0 + s_1) + (s_2 + s_3)
