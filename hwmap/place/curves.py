"""Placement along a Hilbert curve, and its refinement by forces between neighbouring tiles."""

from __future__ import annotations

import numpy as np
from numba import njit

from spsnn.hwmap.place.refine import mesh_of, start_of
from spsnn.kernels.cpu import placement_pairs as pairs


def hilbert(x, y, side):
    """Place of tiles on the Hilbert curve over a square of ``side`` (a power of two) tiles (Hamilton 2006)."""
    x, y = np.array(x, np.int64), np.array(y, np.int64)
    index = np.zeros_like(x)
    half = side // 2
    while half > 0:
        right, up = (x & half) > 0, (y & half) > 0
        index += half * half * ((3 * right) ^ up)
        flip = ~up & right
        x, y = np.where(flip, side - 1 - x, x), np.where(flip, side - 1 - y, y)
        x, y = np.where(up, x, y), np.where(up, y, x)
        half //= 2
    return index


def hilbert_places(places, target):
    """Places in the order of the Hilbert curve over the smallest square of tiles that holds them.

    The curve fills the half along the longer side first, so that it does not break on a mesh twice as long as wide.
    """
    x, y = target.tile_of_slot(np.asarray(places))
    x, y = x - x.min(), y - y.min()
    if x.max() > y.max():
        x, y = y, x
    side = 1 << int(max(x.max(), y.max())).bit_length()
    return places[np.argsort(hilbert(x, y, max(side, 1)), kind="stable")]


def force_directed(hyperedges, target, slots, places, *, share=0.3, most_rounds=1000):
    """Swap neighbouring tiles' cores along the strongest tension until none is left.

    In the way of Jin et al. (ASPLOS 2023): in every round the pairs of neighbouring places are sorted by tension, the
    fall of the pairwise spike-weighted hops that their swap would bring, and the tensest share of them is swapped,
    each if its tension still holds.

    Args:
        hyperedges: ``Hyperedges``.
        target: ``Target``.
        slots: the start ``[K]``.
        places: places that may be used ``[S]``.
        share: of the tense pairs that is swapped in a round.
        most_rounds: bound on the rounds.

    Returns:
        place of every core ``[K]``.
    """
    places, mesh = np.asarray(places, np.int64), mesh_of(places, target)
    tile_x, tile_y = mesh.x, mesh.y
    first, second = _neighbours(tile_x, tile_y)
    _, core, x, y = start_of(slots, places, mesh, target)
    pull = hyperedges.attraction
    arrays = pull.indptr.astype(np.int64), pull.indices.astype(np.int64), pull.data.astype(float), x, y, core
    for _ in range(most_rounds):
        tension = _all_tensions(*arrays, first, second, tile_x, tile_y)
        tense = np.flatnonzero(tension > 1e-9)
        if not len(tense):
            break
        order = tense[np.argsort(-tension[tense], kind="stable")][: max(int(np.ceil(share * len(tense))), 1)]
        _swap_tense(*arrays, first[order], second[order], tile_x, tile_y)
    out = np.empty(hyperedges.n_cores, np.int64)
    held = np.flatnonzero(core >= 0)
    out[core[held]] = places[held]
    return out


def _neighbours(x, y):
    """Pairs of places on tiles side by side."""
    key = y * (x.max() + 2) + x
    order = np.argsort(key, kind="stable")
    found = []
    for dx, dy in ((1, 0), (0, 1)):
        wanted = (y + dy) * (x.max() + 2) + x + dx
        start, end = np.searchsorted(key[order], wanted), np.searchsorted(key[order], wanted, side="right")
        a = np.repeat(np.arange(len(x)), end - start)
        within = np.arange(len(a)) - np.repeat(np.cumsum(end - start) - (end - start), end - start)
        found.append((a, order[np.repeat(start, end - start) + within]))
    return tuple(np.concatenate(ends) for ends in zip(*found, strict=True))


@njit(cache=True)
def _all_tensions(ptr, other, pull, x, y, core, first, second, tile_x, tile_y):
    out = np.empty(first.size)
    for k in range(first.size):
        out[k] = pairs.fall(ptr, other, pull, x, y, core, first[k], second[k], tile_x, tile_y)
    return out


@njit(cache=True)
def _swap_tense(ptr, other, pull, x, y, core, first, second, tile_x, tile_y):
    for k in range(first.size):
        a, b = first[k], second[k]
        if pairs.fall(ptr, other, pull, x, y, core, a, b, tile_x, tile_y) > 1e-9:
            pairs.exchange(core, x, y, a, b, tile_x, tile_y)
