"""Which points of the Poincare ball lie within a hyperbolic radius: cells of a cube, exact and without the rest.

A hyperbolic ball is a Euclidean one, off its centre (Ratcliffe 2006, section 4.5), with t = tanh(radius / 2):

    centre = x (1 - t^2) / (1 - |x|^2 t^2),   radius_euclidean = t (1 - |x|^2) / (1 - |x|^2 t^2)

and ``d(x, y) <= radius`` where ``|x - y|^2 / ((1 - |x|^2)(1 - |y|^2)) <= sinh(radius / 2)^2``.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

PER_CELL = 2  # nodes of a cell on average


class Cells(NamedTuple):
    """N points in cells.

    Attributes:
        position: float64 ``[N, 3]``, in the order of the cells; unused dimensions are 0.
        node: int32 ``[N]``, the point at each place.
        ptr: ``[side^3 + 1]``; a cell holds the places ``ptr[c] .. ptr[c + 1]``.
        low: ``[3]``, corner of the cube.
        width: ``[3]``, of a cell.
        side: cells along each axis, ``[3]``.
    """

    position: np.ndarray
    node: np.ndarray
    ptr: np.ndarray
    low: np.ndarray
    width: np.ndarray
    side: np.ndarray


def build(position):
    """`Cells` of ``position [N, D]``, D from 1 to 3."""
    n, dim = position.shape
    padded = np.zeros((n, 3))
    padded[:, :dim] = position
    low = padded.min(0)
    span = padded.max(0) - low
    side = np.ones(3, np.int64)
    side[:dim] = max(int((n / PER_CELL) ** (1 / dim)), 1)
    width = np.where(span > 0, span, 1.0) / side * (1 + 1e-9)
    cell = np.minimum(((padded - low) / width).astype(np.int64), side - 1)
    index = (cell[:, 0] * side[1] + cell[:, 1]) * side[2] + cell[:, 2]
    order = np.argsort(index, kind="stable")
    ptr = np.searchsorted(index[order], np.arange(side.prod() + 1))
    return Cells(padded[order], order.astype(np.int32), ptr.astype(np.int64), low, width, side)


@njit(cache=True)
def _find(cells, x, y, z, radius, found, square):
    """Nodes within ``radius`` of a point to ``found``, their ``|x - y|^2 / room`` to ``square``; their number.

    Arrays that are too short are filled, and the number is right all the same.
    """
    t = np.tanh(radius / 2)
    most = np.sinh(radius / 2) ** 2
    norm = min(x * x + y * y + z * z, 1.0 - 1e-12)
    scale = (1 - t * t) / (1 - norm * t * t)
    reach = t * (1 - norm) / (1 - norm * t * t) * (1 + 1e-9) + 1e-12
    centre = (x * scale, y * scale, z * scale)
    first, last = np.empty(3, np.int64), np.empty(3, np.int64)
    for k in range(3):
        first[k] = max(int(np.floor((centre[k] - reach - cells.low[k]) / cells.width[k])), 0)
        last[k] = min(int(np.floor((centre[k] + reach - cells.low[k]) / cells.width[k])), cells.side[k] - 1)
    n = 0
    for a in range(first[0], last[0] + 1):
        for b in range(first[1], last[1] + 1):
            row = (a * cells.side[1] + b) * cells.side[2]
            if last[2] < first[2]:
                continue
            for place in range(cells.ptr[row + first[2]], cells.ptr[row + last[2] + 1]):
                px, py, pz = cells.position[place, 0], cells.position[place, 1], cells.position[place, 2]
                room = (1 - norm) * max(1 - px * px - py * py - pz * pz, 1e-12)
                u = ((px - x) ** 2 + (py - y) ** 2 + (pz - z) ** 2) / room
                if u <= most:
                    if n < len(found):
                        found[n], square[n] = cells.node[place], u
                    n += 1
    return n


@njit(cache=True)
def neighbours(cells, radius):
    """CSR ``(ptr [N + 1], post [E])`` of all pairs of nodes within ``radius``, a node itself left out; post rises."""
    n = len(cells.node)
    found, square = np.empty(n, np.int32), np.empty(n, np.float64)
    count = np.zeros(n + 1, np.int64)
    for place in range(n):
        p = cells.position[place]
        count[cells.node[place] + 1] = _find(cells, p[0], p[1], p[2], radius, found[:0], square[:0]) - 1
    ptr = np.cumsum(count)
    post = np.empty(ptr[n], np.int32)
    for place in range(n):
        p, node = cells.position[place], cells.node[place]
        m = _find(cells, p[0], p[1], p[2], radius, found, square)
        near = np.sort(found[:m])
        e = ptr[node]
        for other in near:
            if other != node:
                post[e] = other
                e += 1
    return ptr, post


@njit(cache=True)
def ignite(cells, sparks, radius, most, slot):
    """The ``most`` nodes of each sample that lie nearest to any of its sparks, within ``radius``.

    Args:
        cells: `Cells`.
        sparks: float64 ``[B, T, 3]``.
        radius: hyperbolic.
        most: nodes of a sample.
        slot: int32 ``[N]`` of -1, left so.

    Returns:
        ``(ptr [B + 1], node [K], nearest [K])``: nodes of sample b, rising, and the spark nearest to each.
    """
    n_samples, n_sparks, _ = sparks.shape
    n = len(cells.node)
    found, square = np.empty(n, np.int32), np.empty(n, np.float64)
    ptr = np.zeros(n_samples + 1, np.int64)
    nodes, nearest = np.empty(n_samples * most, np.int32), np.empty(n_samples * most, np.int32)
    touched, least, spark = np.empty(n, np.int32), np.empty(n, np.float64), np.empty(n, np.int32)
    for b in range(n_samples):
        m = 0
        for t in range(n_sparks):
            for k in range(_find(cells, sparks[b, t, 0], sparks[b, t, 1], sparks[b, t, 2], radius, found, square)):
                node = found[k]
                if slot[node] < 0:
                    slot[node] = m
                    touched[m], least[m], spark[m] = node, square[k], t
                    m += 1
                elif square[k] < least[slot[node]]:
                    least[slot[node]], spark[slot[node]] = square[k], t
        for k in range(m):
            slot[touched[k]] = -1
        chosen = np.argsort(least[:m])[:most]
        chosen = chosen[np.argsort(touched[chosen])]
        for k in range(len(chosen)):
            nodes[ptr[b] + k], nearest[ptr[b] + k] = touched[chosen[k]], spark[chosen[k]]
        ptr[b + 1] = ptr[b] + len(chosen)
    return ptr, nodes[: ptr[n_samples]], nearest[: ptr[n_samples]]
