"""Kernels of placement under pairwise (unicast) hops alone."""

from __future__ import annotations

from numba import njit

from spsnn.kernels.cpu.placement import below, metropolis, propose


@njit(cache=True)
def fall(ptr, other, pull, x, y, core, a, b, tile_x, tile_y):
    """Fall of the pairwise hops when the occupants of places a and b swap."""
    out = 0.0
    for i, j, start, end in ((core[a], core[b], a, b), (core[b], core[a], b, a)):
        if i >= 0:
            at_x, at_y, to_x, to_y = tile_x[start], tile_y[start], tile_x[end], tile_y[end]
            for k in range(ptr[i], ptr[i + 1]):
                o = other[k]
                if o != j:  # the two stay as far apart as before
                    before, after = abs(at_x - x[o]) + abs(at_y - y[o]), abs(to_x - x[o]) + abs(to_y - y[o])
                    out += pull[k] * (before - after)
    return out


@njit(cache=True, inline="always")
def exchange(core, x, y, a, b, tile_x, tile_y):
    """Swap the occupants of places a and b."""
    core[a], core[b] = core[b], core[a]
    if core[a] >= 0:
        x[core[a]], y[core[a]] = tile_x[a], tile_y[a]
    if core[b] >= 0:
        x[core[b]], y[core[b]] = tile_x[b], tile_y[b]


@njit(cache=True)
def anneal_pairs(ptr, other, pull, mesh, place, core, x, y, temperature, tries, radius, rng):
    """`anneal` under pairwise (unicast) hops alone.  Returns the change of the hops."""
    tile_x, tile_y = mesh.x, mesh.y
    change = 0.0
    for _ in range(place.size):
        i = below(rng, place.size)
        for t in range(tries):
            a, b = place[i], propose(ptr, other, pull, mesh, x, y, i, t % 3, radius, rng)
            if b >= 0 and not (tile_x[a] == tile_x[b] and tile_y[a] == tile_y[b]):
                rise = -fall(ptr, other, pull, x, y, core, a, b, tile_x, tile_y)
                if rise < metropolis(temperature, rng):
                    exchange(core, x, y, a, b, tile_x, tile_y)
                    place[i] = b
                    if core[a] >= 0:
                        place[core[a]] = a
                    change += rise
    return change
