"""Kernels of placement: hops, link loads and delay errors of hyperedges, and their change under a swap."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

EAST, WEST, NORTH, SOUTH = range(4)


class Edges(NamedTuple):
    """Hyperedges alone; kernels that need no more take them in place of a ``Net``."""

    source: np.ndarray  # [E]
    indptr: np.ndarray
    cores: np.ndarray
    spikes: np.ndarray  # [E]


class Net(NamedTuple):
    """Hyperedges and wanted delays with, for every core, those it takes part in, and the pull between cores."""

    source: np.ndarray  # [E]
    indptr: np.ndarray
    cores: np.ndarray
    spikes: np.ndarray  # [E]
    edges_ptr: np.ndarray  # [K + 1]
    edges: np.ndarray
    pre: np.ndarray  # [P]
    post: np.ndarray
    bins: np.ndarray  # [P + 1]
    steps: np.ndarray
    weight: np.ndarray
    pairs_ptr: np.ndarray  # [K + 1]
    pairs: np.ndarray
    pull_ptr: np.ndarray  # [K + 2]
    pull_core: np.ndarray
    pull: np.ndarray


class Mesh(NamedTuple):
    """Places that may be filled, and the tiles they lie on."""

    x: np.ndarray  # [S] tile of every place
    y: np.ndarray
    first: np.ndarray  # [height, width] first place on a tile; places of a tile are consecutive
    count: np.ndarray  # [height, width]
    ticks: int
    residual: int


class State(NamedTuple):
    """A placement and what it costs."""

    place: np.ndarray  # [K] index into the places
    core: np.ndarray  # [S], -1 where empty
    x: np.ndarray  # [K + 1] tile of every core; the port last
    y: np.ndarray
    hops: np.ndarray  # [E] spike-weighted
    error: np.ndarray  # [P] spike-weighted steps
    load: np.ndarray  # [height, width, 4]
    total: np.ndarray  # [3] hops, largest link load, delay error


class Scratch(NamedTuple):
    """Work space."""

    low: np.ndarray  # [width]
    high: np.ndarray
    column: np.ndarray  # [width] marks
    edge: np.ndarray  # [E] marks
    pair: np.ndarray  # [P] marks
    touched: np.ndarray  # [E]
    new_hops: np.ndarray  # [E]
    touched_pair: np.ndarray  # [P]
    new_error: np.ndarray  # [P]
    mark: np.ndarray  # [1]
    random: np.ndarray  # [1] uint64


@njit(cache=True, inline="always")
def _next(state):
    """splitmix64."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@njit(cache=True, inline="always")
def _below(state, n):
    return np.int64(_next(state) % np.uint64(n))


@njit(cache=True, inline="always")
def _uniform(state):
    return (_next(state) >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@njit(cache=True)
def tree(net, e, x, y, s):
    """Links of the union of XY routes of hyperedge ``e``: one row, then columns; spans stay in the scratch."""
    s.mark[0] += 1
    mark = s.mark[0]
    at_x, at_y = x[net.source[e]], y[net.source[e]]
    left, right, links = at_x, at_x, 0
    for k in range(net.indptr[e], net.indptr[e + 1]):
        core = net.cores[k]
        to_x, to_y = x[core], y[core]
        left, right = min(left, to_x), max(right, to_x)
        if s.column[to_x] != mark:
            s.column[to_x] = mark
            s.low[to_x] = s.high[to_x] = at_y
        if to_y < s.low[to_x]:
            links += s.low[to_x] - to_y
            s.low[to_x] = to_y
        elif to_y > s.high[to_x]:
            links += to_y - s.high[to_x]
            s.high[to_x] = to_y
    return left, right, links + right - left


@njit(cache=True)
def add_links(net, e, amount, x, y, load, s):
    """Add an amount to every link of a hyperedge's tree."""
    left, right, _ = tree(net, e, x, y, s)
    at_x, at_y = x[net.source[e]], y[net.source[e]]
    for to_x in range(at_x, right):
        load[at_y, to_x, EAST] += amount
    for to_x in range(left + 1, at_x + 1):
        load[at_y, to_x, WEST] += amount
    for to_x in range(left, right + 1):
        if s.column[to_x] == s.mark[0]:
            for to_y in range(at_y, s.high[to_x]):
                load[to_y, to_x, NORTH] += amount
            for to_y in range(s.low[to_x] + 1, at_y + 1):
                load[to_y, to_x, SOUTH] += amount


@njit(cache=True)
def pair_error(net, p, x, y, mesh):
    """Spike-weighted steps by which a pair's realised delays miss the wanted ones."""
    a, b = net.pre[p], net.post[p]
    held = mesh.ticks * (abs(x[a] - x[b]) + abs(y[a] - y[b]))
    error = 0.0
    for k in range(net.bins[p], net.bins[p + 1]):
        missing = net.steps[k] - held
        if missing < 0:
            error -= net.weight[k] * missing
        elif missing > mesh.residual:
            error += net.weight[k] * (missing - mesh.residual)
    return error


@njit(cache=True)
def evaluate(net, mesh, st, s, links):
    """Cost of the placement from scratch."""
    st.total[:] = 0.0
    for e in range(net.source.size):
        st.hops[e] = net.spikes[e] * tree(net, e, st.x, st.y, s)[2]
        st.total[0] += st.hops[e]
    for p in range(net.pre.size):
        st.error[p] = pair_error(net, p, st.x, st.y, mesh)
        st.total[2] += st.error[p]
    if links:
        st.load[:] = 0.0
        for e in range(net.source.size):
            add_links(net, e, net.spikes[e], st.x, st.y, st.load, s)
        st.total[1] = st.load.max()


@njit(cache=True, inline="always")
def _move(st, mesh, core, place):
    if core >= 0:
        st.x[core], st.y[core] = mesh.x[place], mesh.y[place]


@njit(cache=True)
def _gather(net, i, j, s):
    """Hyperedges and pairs whose cost can change when cores i and j swap."""
    s.mark[0] += 1
    mark, n, m = s.mark[0], 0, 0
    for k in range(net.edges_ptr[i], net.edges_ptr[i + 1]):
        e = net.edges[k]
        s.edge[e] = mark
        s.touched[n] = e
        n += 1
    if j >= 0:
        own = n
        for k in range(net.edges_ptr[j], net.edges_ptr[j + 1]):
            e = net.edges[k]
            if s.edge[e] != mark:
                s.touched[n] = e
                n += 1
            elif net.source[e] != i and net.source[e] != j:
                s.edge[e] = -mark  # reaches both: the same tiles after the swap
        kept = 0
        for k in range(n):
            if k >= own or s.edge[s.touched[k]] == mark:
                s.touched[kept] = s.touched[k]
                kept += 1
        n = kept
    if net.pre.size:
        for core in (i, j):
            if core >= 0:
                for k in range(net.pairs_ptr[core], net.pairs_ptr[core + 1]):
                    p = net.pairs[k]
                    if s.pair[p] != mark:
                        s.pair[p] = mark
                        s.touched_pair[m] = p
                        m += 1
    return n, m


@njit(cache=True)
def try_swap(net, mesh, st, s, weights, i, place, threshold):
    """Move core i to a place, its occupant to the place of i, if the objective rises by less than ``threshold``.

    Returns the change of the objective, or infinity if it was refused.
    """
    old, j = st.place[i], st.core[place]
    if old == place or (mesh.x[old] == mesh.x[place] and mesh.y[old] == mesh.y[place]):
        return np.inf
    n, m = _gather(net, i, j, s)
    _move(st, mesh, i, place)
    _move(st, mesh, j, old)
    hops = error = 0.0
    for k in range(n):
        e = s.touched[k]
        s.new_hops[k] = net.spikes[e] * tree(net, e, st.x, st.y, s)[2]
        hops += s.new_hops[k] - st.hops[e]
    for k in range(m):
        p = s.touched_pair[k]
        s.new_error[k] = pair_error(net, p, st.x, st.y, mesh)
        error += s.new_error[k] - st.error[p]
    change = weights[0] * hops + weights[2] * error
    link = 0.0
    accept = change - weights[1] * st.total[1] < threshold
    if accept and weights[1] > 0:
        _shift(net, mesh, st, s, n, i, j, old, place)
        link = st.load.max() - st.total[1]
        change += weights[1] * link
        accept = change < threshold
        if not accept:
            _shift(net, mesh, st, s, n, i, j, place, old)
    else:
        accept = change < threshold
    if not accept:
        _move(st, mesh, i, old)
        _move(st, mesh, j, place)
        return np.inf
    for k in range(n):
        st.hops[s.touched[k]] = s.new_hops[k]
    for k in range(m):
        st.error[s.touched_pair[k]] = s.new_error[k]
    st.total[0] += hops
    st.total[1] += link
    st.total[2] += error
    st.place[i], st.core[place], st.core[old] = place, i, j
    if j >= 0:
        st.place[j] = old
    return change


@njit(cache=True)
def _shift(net, mesh, st, s, n, i, j, old, new):
    """Carry the link loads of the touched hyperedges from i at ``old`` (j at ``new``) to the swapped places."""
    _move(st, mesh, i, old)
    _move(st, mesh, j, new)
    for k in range(n):
        add_links(net, s.touched[k], -net.spikes[s.touched[k]], st.x, st.y, st.load, s)
    _move(st, mesh, i, new)
    _move(st, mesh, j, old)
    for k in range(n):
        add_links(net, s.touched[k], net.spikes[s.touched[k]], st.x, st.y, st.load, s)


@njit(cache=True)
def _near(mesh, rng, x, y, radius):
    """A random place on a tile within ``radius`` of (x, y), or -1 where no place is."""
    height, width = mesh.first.shape
    x += _below(rng, 2 * radius + 1) - radius
    y += _below(rng, 2 * radius + 1) - radius
    if x < 0 or y < 0 or x >= width or y >= height or mesh.count[y, x] == 0:
        return -1
    return mesh.first[y, x] + _below(rng, mesh.count[y, x])


@njit(cache=True)
def anneal(net, mesh, st, s, weights, temperature, tries, radius):
    """One sweep: ``tries`` proposals for every core, accepted by Metropolis' rule.  Returns the number accepted.

    Proposals lie near the mean tile of the core's partners, near its own tile, or anywhere, in turn.
    """
    k, accepted = st.place.size, 0
    for _ in range(k):
        i = _below(s.random, k)
        sum_x = sum_y = total = 0.0
        for at in range(net.pull_ptr[i], net.pull_ptr[i + 1]):
            w, other = net.pull[at], net.pull_core[at]
            sum_x += w * st.x[other]
            sum_y += w * st.y[other]
            total += w
        for t in range(tries):
            kind = t % 3
            if kind == 0 and total > 0:
                place = _near(mesh, s.random, np.int64(sum_x / total + 0.5), np.int64(sum_y / total + 0.5), radius)
            elif kind == 1:
                place = _near(mesh, s.random, st.x[i], st.y[i], radius)
            else:
                place = _below(s.random, mesh.x.size)
            if place < 0:
                continue
            threshold = -1e-9
            if temperature > 0:
                threshold = -temperature * np.log(_uniform(s.random) + 1e-300)
            if try_swap(net, mesh, st, s, weights, i, place, threshold) < np.inf:
                accepted += 1
    return accepted


@njit(cache=True)
def descend(net, mesh, st, s, weights, radius):
    """One sweep over all cores and all places within ``radius`` tiles that lowers the objective wherever it can."""
    height, width = mesh.first.shape
    accepted = 0
    for i in range(st.place.size):
        x, y = st.x[i], st.y[i]
        for to_y in range(max(y - radius, 0), min(y + radius + 1, height)):
            for to_x in range(max(x - radius, 0), min(x + radius + 1, width)):
                for k in range(mesh.count[to_y, to_x]):
                    if try_swap(net, mesh, st, s, weights, i, mesh.first[to_y, to_x] + k, -1e-9) < np.inf:
                        accepted += 1
    return accepted


@njit(cache=True)
def load_of(net, x, y, width, height):
    """Link loads of a placement ``[height, width, 4]``."""
    none, empty = np.empty(0, np.int64), np.empty(0)
    low, high, column = np.empty(width, np.int64), np.empty(width, np.int64), np.zeros(width, np.int64)
    mark, random = np.zeros(1, np.int64), np.zeros(1, np.uint64)
    s = Scratch(low, high, column, none, none, none, empty, none, empty, mark, random)
    load = np.zeros((height, width, 4))
    for e in range(net.source.size):
        add_links(net, e, net.spikes[e], x, y, load, s)
    return load


@njit(cache=True)
def tensions(ptr, other, pull, x, y, core, a, b, tile_x, tile_y):
    """Fall of the pairwise hops when the occupants of places a and b swap; 0 where both are empty."""
    fall = 0.0
    for i, j, start, end in ((core[a], core[b], a, b), (core[b], core[a], b, a)):
        if i < 0:
            continue
        for k in range(ptr[i], ptr[i + 1]):
            o = other[k]
            if o != j:  # the two stay as far apart as before
                before = abs(tile_x[start] - x[o]) + abs(tile_y[start] - y[o])
                fall += pull[k] * (before - abs(tile_x[end] - x[o]) - abs(tile_y[end] - y[o]))
    return fall
