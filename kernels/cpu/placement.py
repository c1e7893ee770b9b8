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
def below(state, n):
    return np.int64(_next(state) % np.uint64(n))


@njit(cache=True, inline="always")
def _uniform(state):
    return (_next(state) >> np.uint64(11)) * (1.0 / 9007199254740992.0)


# Arrays are taken out of the tuples before loops: each look into a tuple costs a reference count.
@njit(cache=True)
def tree(source, indptr, cores, e, x, y, low, high, column, mark):
    """Links of the union of XY routes of hyperedge ``e``: one row, then columns, whose spans stay in low and high."""
    mark[0] += 1
    at_x, at_y = x[source[e]], y[source[e]]
    left, right, links = at_x, at_x, 0
    for k in range(indptr[e], indptr[e + 1]):
        core = cores[k]
        to_x, to_y = x[core], y[core]
        left, right = min(left, to_x), max(right, to_x)
        if column[to_x] != mark[0]:
            column[to_x] = mark[0]
            low[to_x] = high[to_x] = at_y
        if to_y < low[to_x]:
            links += low[to_x] - to_y
            low[to_x] = to_y
        elif to_y > high[to_x]:
            links += to_y - high[to_x]
            high[to_x] = to_y
    return left, right, links + right - left


@njit(cache=True)
def add_links(source, indptr, cores, e, amount, x, y, load, low, high, column, mark):
    """Add an amount to every link of a hyperedge's tree."""
    left, right, _ = tree(source, indptr, cores, e, x, y, low, high, column, mark)
    at_x, at_y = x[source[e]], y[source[e]]
    for to_x in range(at_x, right):
        load[at_y, to_x, EAST] += amount
    for to_x in range(left + 1, at_x + 1):
        load[at_y, to_x, WEST] += amount
    for to_x in range(left, right + 1):
        if column[to_x] == mark[0]:
            for to_y in range(at_y, high[to_x]):
                load[to_y, to_x, NORTH] += amount
            for to_y in range(low[to_x] + 1, at_y + 1):
                load[to_y, to_x, SOUTH] += amount


@njit(cache=True)
def pair_error(bins, steps, weight, p, held, residual):
    """Spike-weighted steps by which a pair's realised delays miss the wanted ones."""
    error = 0.0
    for k in range(bins[p], bins[p + 1]):
        missing = steps[k] - held
        if missing < 0:
            error -= weight[k] * missing
        elif missing > residual:
            error += weight[k] * (missing - residual)
    return error


@njit(cache=True, inline="always")
def _distance(x, y, a, b):
    return abs(x[a] - x[b]) + abs(y[a] - y[b])


@njit(cache=True)
def evaluate(net, mesh, st, s, links):
    """Cost of the placement from scratch."""
    source, indptr, cores, spikes, x, y = net.source, net.indptr, net.cores, net.spikes, st.x, st.y
    low, high, column, mark, load = s.low, s.high, s.column, s.mark, st.load
    pre, post, bins, steps, weight = net.pre, net.post, net.bins, net.steps, net.weight
    hops = error = 0.0
    for e in range(source.size):
        st.hops[e] = spikes[e] * tree(source, indptr, cores, e, x, y, low, high, column, mark)[2]
        hops += st.hops[e]
    for p in range(pre.size):
        held = mesh.ticks * _distance(x, y, pre[p], post[p])
        st.error[p] = pair_error(bins, steps, weight, p, held, mesh.residual)
        error += st.error[p]
    if links:
        load[:] = 0.0
        for e in range(source.size):
            add_links(source, indptr, cores, e, spikes[e], x, y, load, low, high, column, mark)
        st.total[1] = load.max()
    st.total[0], st.total[2] = hops, error


@njit(cache=True, inline="always")
def _move(st, mesh, core, place):
    if core >= 0:
        st.x[core], st.y[core] = mesh.x[place], mesh.y[place]


@njit(cache=True)
def _gather(net, i, j, s):
    """Hyperedges and pairs whose cost can change when cores i and j swap."""
    source, ptr, edges, seen, touched = net.source, net.edges_ptr, net.edges, s.edge, s.touched
    s.mark[0] += 1
    mark, n, m = s.mark[0], 0, 0
    for k in range(ptr[i], ptr[i + 1]):
        touched[n] = edges[k]
        seen[edges[k]] = mark
        n += 1
    if j >= 0:
        own, kept = n, 0
        for k in range(ptr[j], ptr[j + 1]):
            e = edges[k]
            if seen[e] != mark:
                touched[n] = e
                n += 1
            elif source[e] != i and source[e] != j:
                seen[e] = -mark  # reaches both: the same tiles after the swap
        for k in range(n):
            if k >= own or seen[touched[k]] == mark:
                touched[kept] = touched[k]
                kept += 1
        n = kept
    if net.pre.size:
        ptr, pairs, seen, touched = net.pairs_ptr, net.pairs, s.pair, s.touched_pair
        for core in (i, j):
            if core >= 0:
                for k in range(ptr[core], ptr[core + 1]):
                    if seen[pairs[k]] != mark:
                        seen[pairs[k]] = mark
                        touched[m] = pairs[k]
                        m += 1
    return n, m


@njit(cache=True)
def try_swap(net, mesh, st, s, weights, i, place, threshold):
    """Move core i to a place, its occupant to the place of i, if the objective changes by less than ``threshold``.

    Returns the change of the objective, or infinity if it was refused.
    """
    old, j = st.place[i], st.core[place]
    if mesh.x[old] == mesh.x[place] and mesh.y[old] == mesh.y[place]:
        return np.inf
    n, m = _gather(net, i, j, s)
    _move(st, mesh, i, place)
    _move(st, mesh, j, old)
    source, indptr, cores, spikes, x, y = net.source, net.indptr, net.cores, net.spikes, st.x, st.y
    low, high, column, mark, touched, new, now = s.low, s.high, s.column, s.mark, s.touched, s.new_hops, st.hops
    hops = error = 0.0
    for k in range(n):
        e = touched[k]
        new[k] = spikes[e] * tree(source, indptr, cores, e, x, y, low, high, column, mark)[2]
        hops += new[k] - now[e]
    if m:
        pre, post, bins, steps, weight = net.pre, net.post, net.bins, net.steps, net.weight
        for k in range(m):
            p = s.touched_pair[k]
            held = mesh.ticks * _distance(x, y, pre[p], post[p])
            s.new_error[k] = pair_error(bins, steps, weight, p, held, mesh.residual)
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
    if not accept:
        _move(st, mesh, i, old)
        _move(st, mesh, j, place)
        return np.inf
    for k in range(n):
        now[touched[k]] = new[k]
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
def _shift(net, mesh, st, s, n, i, j, old, to):
    """Carry the link loads of the touched hyperedges from i at ``old`` (j at ``to``) to the swapped places."""
    source, indptr, cores, spikes, x, y = net.source, net.indptr, net.cores, net.spikes, st.x, st.y
    low, high, column, mark, touched, load = s.low, s.high, s.column, s.mark, s.touched, st.load
    _move(st, mesh, i, old)
    _move(st, mesh, j, to)
    for k in range(n):
        e = touched[k]
        add_links(source, indptr, cores, e, -spikes[e], x, y, load, low, high, column, mark)
    _move(st, mesh, i, to)
    _move(st, mesh, j, old)
    for k in range(n):
        e = touched[k]
        add_links(source, indptr, cores, e, spikes[e], x, y, load, low, high, column, mark)


@njit(cache=True)
def _near(mesh, rng, x, y, radius):
    """A random place on a tile within ``radius`` of (x, y), or -1 where no place is."""
    height, width = mesh.first.shape
    x += below(rng, 2 * radius + 1) - radius
    y += below(rng, 2 * radius + 1) - radius
    if x < 0 or y < 0 or x >= width or y >= height or mesh.count[y, x] == 0:
        return -1
    return mesh.first[y, x] + below(rng, mesh.count[y, x])


@njit(cache=True)
def propose(ptr, other, pull, mesh, x, y, i, kind, radius, rng):
    """A place for core i: near the mean tile of its partners (kind 0), near its own tile (1), or anywhere."""
    if kind == 0:
        sum_x = sum_y = total = 0.0
        for k in range(ptr[i], ptr[i + 1]):
            sum_x += pull[k] * x[other[k]]
            sum_y += pull[k] * y[other[k]]
            total += pull[k]
        if total > 0:
            return _near(mesh, rng, np.int64(sum_x / total + 0.5), np.int64(sum_y / total + 0.5), radius)
    if kind == 1:
        return _near(mesh, rng, x[i], y[i], radius)
    return below(rng, mesh.x.size)


@njit(cache=True, inline="always")
def metropolis(temperature, rng):
    """Metropolis' rule: a change below this is accepted."""
    return -temperature * np.log(_uniform(rng) + 1e-300) if temperature > 0 else -1e-9


@njit(cache=True)
def anneal(net, mesh, st, s, weights, temperature, tries, radius):
    """``tries`` proposals for every core, accepted by Metropolis' rule.  Returns the number accepted."""
    accepted = 0
    for _ in range(st.place.size):
        i = below(s.random, st.place.size)
        for t in range(tries):
            place = propose(net.pull_ptr, net.pull_core, net.pull, mesh, st.x, st.y, i, t % 3, radius, s.random)
            if place >= 0:
                change = try_swap(net, mesh, st, s, weights, i, place, metropolis(temperature, s.random))
                accepted += change < np.inf
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
                    accepted += try_swap(net, mesh, st, s, weights, i, mesh.first[to_y, to_x] + k, -1e-9) < np.inf
    return accepted


@njit(cache=True)
def load_of(edges, x, y, width, height):
    """Link loads of a placement ``[height, width, 4]``."""
    source, indptr, cores, spikes = edges.source, edges.indptr, edges.cores, edges.spikes
    low, high, column = np.empty(width, np.int64), np.empty(width, np.int64), np.zeros(width, np.int64)
    load, mark = np.zeros((height, width, 4)), np.zeros(1, np.int64)
    for e in range(source.size):
        add_links(source, indptr, cores, e, spikes[e], x, y, load, low, high, column, mark)
    return load
