"""Passes over the events of a batch, sample by sample: what transforms of spike trains and `SpikeBatch` are made of.

Events lie sample after sample, ``times [E]`` (ms), ``units [E]``, and sample ``b`` owns ``offsets[b]:offsets[b + 1]``.
One thread does it all: loaders run these in forked processes, which Numba's threads do not survive.
"""

import numpy as np
from numba import njit


@njit(cache=True)
def is_valid(times, units, offsets, n_units, duration):
    """Whether times are finite, inside the window and rising in every sample, and units exist."""
    for b in range(len(offsets) - 1):
        last = times.dtype.type(0)
        for e in range(offsets[b], offsets[b + 1]):
            t, u = times[e], units[e]
            if not (last <= t < duration and 0 <= u < n_units):  # NaN fails, too
                return False
            last = t
    return True


@njit(cache=True)
def take(times, units, starts, offsets):
    """The samples that begin at ``starts [B]``, one after the other as ``offsets`` says."""
    new_times, new_units = np.empty(offsets[-1], times.dtype), np.empty(offsets[-1], units.dtype)
    for b in range(len(starts)):
        shift = starts[b] - offsets[b]
        for e in range(offsets[b], offsets[b + 1]):
            new_times[e], new_units[e] = times[e + shift], units[e + shift]
    return new_times, new_units


@njit(cache=True)
def keep(mask, times, units, offsets):
    """``times``, ``units``, ``offsets`` of the events under ``mask [E]``."""
    kept = np.zeros_like(offsets)
    for b in range(len(offsets) - 1):
        count = 0
        for e in range(offsets[b], offsets[b + 1]):
            count += mask[e]
        kept[b + 1] = count
    kept = np.cumsum(kept)
    new_times, new_units = np.empty(kept[-1], times.dtype), np.empty(kept[-1], units.dtype)
    for b in range(len(offsets) - 1):
        at = kept[b]
        for e in range(offsets[b], offsets[b + 1]):
            if mask[e]:
                new_times[at], new_units[at] = times[e], units[e]
                at += 1
    return new_times, new_units, kept


@njit(cache=True)
def mean_times(times, offsets):
    """Mean time of each sample in float64, 0 where it is empty."""
    means = np.zeros(len(offsets) - 1)
    for b in range(len(means)):
        for e in range(offsets[b], offsets[b + 1]):
            means[b] += times[e]
        means[b] /= max(offsets[b + 1] - offsets[b], 1)
    return means


@njit(cache=True)
def stretch_units(units, offsets, factors, within, n_units):
    """``floor(c + f (unit + within - c))``, or -1 where that is no unit.

    ``c`` is half of ``n_units``; there is a factor for each sample, and ``within`` for each event.
    """
    moved, centre = np.full(len(units), -1, np.int32), n_units / 2
    for b in range(len(offsets) - 1):
        for e in range(offsets[b], offsets[b + 1]):
            place = np.floor(centre + factors[b] * (units[e] + within[e] - centre))
            if 0 <= place < n_units:
                moved[e] = np.int32(place)
    return moved


@njit(cache=True)
def _kept(mask, times, units, shift, window):
    """``times + shift`` and ``units`` under ``mask``, where they lie in ``[0, window)``; without a branch."""
    new_times, new_units = np.empty(len(mask) + 1, times.dtype), np.empty(len(mask) + 1, units.dtype)
    at = np.uint64(0)
    for e in range(len(mask)):
        t = times[e] + shift
        new_times[at], new_units[at] = t, units[e]
        at += np.uint64(mask[e] & (t >= 0) & (t < window))
    return new_times[:at], new_units[:at]


@njit(cache=True)
def _merge(times, units, more_times, more_units):
    """Two lists whose times rise, as one that is sorted by time, then unit."""
    n = len(times) + len(more_times)
    out_times, out_units = np.empty(n, times.dtype), np.empty(n, units.dtype)
    e = k = 0
    for at in range(n):
        if k == len(more_times) or (e < len(times) and times[e] <= more_times[k]):
            t, u = times[e], units[e]
            e += 1
        else:
            t, u = more_times[k], more_units[k]
            k += 1
        place = at
        while place > 0 and out_times[place - 1] == t and out_units[place - 1] > u:
            out_units[place] = out_units[place - 1]
            place -= 1
        out_times[at], out_units[place] = t, u
    return out_times, out_units


@njit(cache=True)
def blend(times, units, offsets, mask, partner, taken, shift, window):
    """``times``, ``units``, ``offsets`` of each sample's events under ``mask`` and its partner's under ``taken``.

    ``taken`` lists the partners' events one sample after the other; these are moved by ``shift [B]`` ms, and the ones
    then in ``[0, window)`` count.  The result is sorted by time, then unit.
    """
    n_samples = len(offsets) - 1
    first = np.zeros_like(offsets)  # of the partners' events in `taken`
    for b in range(n_samples):
        first[b + 1] = first[b] + offsets[partner[b] + 1] - offsets[partner[b]]
    ends = offsets + first  # room for all
    all_times, all_units = np.empty(ends[-1], times.dtype), np.empty(ends[-1], units.dtype)
    found = np.zeros_like(offsets)
    for b in range(n_samples):
        own, other = slice(offsets[b], offsets[b + 1]), slice(offsets[partner[b]], offsets[partner[b] + 1])
        t, u = _kept(mask[own], times[own], units[own], times.dtype.type(0), window)
        more = _kept(taken[first[b] : first[b + 1]], times[other], units[other], shift[b], window)
        t, u = _merge(t, u, *more)
        all_times[ends[b] : ends[b] + len(t)], all_units[ends[b] : ends[b] + len(t)] = t, u
        found[b + 1] = len(t)
    found = np.cumsum(found)
    new_times, new_units = take(all_times, all_units, ends[:-1], found)
    return new_times, new_units, found
