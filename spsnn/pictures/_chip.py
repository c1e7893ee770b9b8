"""Load of the cores and links of a chip's mesh."""

from __future__ import annotations

import numpy as np
from matplotlib.collections import PatchCollection, PolyCollection
from matplotlib.colors import Normalize, PowerNorm
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from spsnn.errors import DataError
from spsnn.pictures._checks import numbers, tile_slots
from spsnn.pictures._style import (
    BLUES,
    INK,
    MUTED,
    ORANGES,
    PAPER,
    RULE,
    badge,
    colour_bar,
    count,
    lines,
    new_figure,
    plain,
    setting,
    styled,
)

_TILE = 0.6
_NAMED_CORES = 64
_UNEVEN = 4
_WHOLE = 32


@styled
def chip_mesh(
    mesh_shape,
    cores,
    links=(),
    *,
    port=None,
    chips=(1, 1),
    target=None,
    delays=None,
    hypothetical=False,
    core_label="neurons per core",
    link_label="spikes per inference and link",
    title=None,
):
    """Mesh of a chip: cores coloured by load, links as arrows with width and colour by load.

    Cores that share a tile (same x and y) are drawn side by side inside it.  A link is drawn to the right of its
    direction of travel, so that both directions between two tiles show.  Where the largest load is far above the mean,
    width and colour follow its square root, as the colour bar says.  Of a mesh with more than 32 tiles on a side only
    the part in use is drawn.

    Args:
        mesh_shape: ``(rows, columns)`` of tiles.
        cores: list of dicts ``{"name", "x", "y", "load"}``; x is the column, y the row, both whole numbers from 0.
        links: list of dicts ``{"x0", "y0", "x1", "y1", "load"}`` from tile to tile.
        port: tile ``(x, y)`` where spikes of the host enter, or None.
        chips: ``(columns, rows)`` of chips that make up the mesh; their borders are drawn.
        target: name of the chip for the subtitle.
        delays: how the chip realises delays.
        hypothetical: True if the target is not a real chip; adds a visible badge.
        core_label: what a core's load counts, with its unit.
        link_label: what a link's load counts, with its unit.
        title: heading.

    Returns:
        Figure; in its first axes the collections labelled ``"cores"`` and ``"links"`` hold the loads in order.

    Raises:
        DataError: if the mesh is empty, a core or link lies outside it, or a load is negative or not finite.
    """
    rows, cols = _shape(mesh_shape)
    place = _field(cores, ("x", "y"), "core", (cols, rows))
    load = numbers([core.get("load") for core in cores], "core loads", least=0)
    alt = f"Mesh of {rows} by {cols} tiles, {count(len(load), 'core')}, {count(len(links), 'link')}."
    ends = np.zeros((0, 4))
    if len(links):
        ends = _field(links, ("x0", "y0", "x1", "y1"), "link", (cols, rows, cols, rows))
    touched = [place, ends[:, :2], ends[:, 2:], np.reshape([] if port is None else port, (-1, 2))]
    low, high = _window(np.concatenate(touched), (cols, rows))
    across, down = (high - low + 1).tolist()
    longest = max(across, down)
    cell = float(np.clip(7.2 / longest, min(0.32, 12 / longest), 1.15))
    width, height = max(across * cell, 3.4) + 2.6, max(down * cell, 2.4) + 1.2
    figure, ax = new_figure(width, height, title or "Chip load", alt, nrows=1)
    ax.set_aspect("equal")
    ax.set_xlim(low[0] - 0.6, high[0] + 0.6)
    ax.set_ylim(high[1] + 0.6, low[1] - 0.6)
    shown = np.meshgrid(np.arange(low[0], high[0] + 1), np.arange(low[1], high[1] + 1))
    corner = np.stack(shown, -1).reshape(-1, 2) - _TILE / 2
    tiles = [Rectangle(xy, _TILE, _TILE) for xy in corner]
    ax.add_collection(PatchCollection(tiles, facecolor="none", edgecolor=RULE, linewidth=0.9, label="tiles"))
    _draw_borders(ax, (cols, rows), chips)
    side = _draw_cores(ax, cores, place, load, cell)
    _bar(figure, ax, side, load, core_label)
    if len(links):
        traffic = numbers([link.get("load") for link in links], "link loads", least=0)
        _bar(figure, ax, _draw_links(ax, ends, traffic), traffic, link_label)
    ax.set_xlabel("mesh column")
    ax.set_ylabel("mesh row")
    for axis, first, last in ((ax.xaxis, low[0], high[0]), (ax.yaxis, low[1], high[1])):
        axis.set_ticks(range(first, last + 1, -(-(last + 1 - first) // 16)))
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    used = f"{count(len(load), 'core')} used on {count(len(np.unique(place, axis=0)), 'tile')} of {rows * cols:,}"
    if port is not None:
        place = (port[0] - _TILE / 2, port[1] - _TILE / 2)
        ax.add_patch(Rectangle(place, _TILE, _TILE, fill=False, edgecolor=INK, linewidth=1.4, zorder=5))
        used += ", framed: port of the host"
    cut = "" if (across, down) == (cols, rows) else f"the part in use of a mesh of {cols} by {rows} tiles"
    ax.set_title(lines(setting(target, delays), used, cut))
    if hypothetical:
        badge(figure, "HYPOTHETICAL")
    return figure


def _shape(mesh_shape):
    try:
        rows, cols = (int(n) for n in mesh_shape)
    except (TypeError, ValueError) as error:
        raise DataError(f"mesh_shape must be (rows, columns), got {mesh_shape!r}") from error
    if rows < 1 or cols < 1:
        raise DataError(f"mesh_shape must be at least one row and one column, got {(rows, cols)}")
    return rows, cols


def _window(touched, size):
    """First and last tile ``(x, y)`` to draw: all, or of a mesh too large for a page, what is in use and a margin."""
    low, high = np.zeros(2, int), np.array(size) - 1
    if max(size) > _WHOLE:
        low = np.maximum(touched.min(0).astype(int) - 1, low)
        high = np.minimum(touched.max(0).astype(int) + 1, high)
    return low, high


def _draw_borders(ax, size, chips):
    """Dashed lines between the chips of a larger mesh."""
    for axis, tiles, n in ((0, size[0], chips[0]), (1, size[1], chips[1])):
        for k in range(1, n):
            at = k * tiles / n - 0.5
            (ax.axhline if axis else ax.axvline)(at, color=MUTED, lw=0.9, ls=(0, (5, 3)), zorder=1)


def _field(items, keys, what, limits):
    """Whole coordinates ``[len(items), len(keys)]`` with ``0 <= value < limit``."""
    if not len(items) and what == "core":
        raise DataError("a chip picture needs at least one core, got none")
    for k, item in enumerate(items):
        missing = [key for key in (*keys, "load") if item.get(key) is None]
        if missing:
            raise DataError(f"{what} {k} lacks {missing}; it needs {[*keys, 'load']}")
    values = numbers([[item[key] for key in keys] for item in items], f"{what} coordinates", ndim=2)
    bad = (values < 0) | (values >= np.array(limits)) | (values != np.rint(values))
    if bad.any():
        k, j = np.argwhere(bad)[0]
        raise DataError(f"{what} {k}: {keys[j]} must be a whole number in [0, {limits[j]}), got {values[k, j]:g}")
    return values


def _draw_cores(ax, cores, place, load, cell):
    """One square per core; several on a tile share it in rows of ``ceil(sqrt(most))``."""
    within, per_row = tile_slots(place)
    side = _TILE / per_row
    corner = place - _TILE / 2 + side * within
    gap = 0.06 * side if per_row > 1 else 0.0
    squares = [Rectangle(xy + gap / 2, side - gap, side - gap) for xy in corner]
    drawn = PatchCollection(squares, cmap=BLUES, norm=_norm(load), edgecolor="none", zorder=2, label="cores")
    drawn.set_array(load)
    ax.add_collection(drawn)
    room = side * cell * 72
    if len(cores) <= _NAMED_CORES:
        for core, xy, value in zip(cores, corner, load, strict=True):
            name = plain(core.get("name", ""))
            size = min(8.0, room / (0.68 * max(len(name), 1)))
            if size >= 4:
                dark = drawn.norm(value) > 0.5
                ax.text(
                    *(xy + side / 2), name, ha="center", va="center", fontsize=size, zorder=4,
                    color="#ffffff" if dark else INK,
                )  # fmt: skip
    return drawn


def _draw_links(ax, ends, traffic):
    """Arrows between the edges of tiles, one polygon each; an idle link is a hairline."""
    start, end = ends[:, :2], ends[:, 2:]
    along = end - start
    length = np.linalg.norm(along, axis=1, keepdims=True)
    along = np.divide(along, length, out=np.zeros_like(along), where=length > 0)
    # y grows downwards in the picture, so this is the right-hand side of the direction of travel
    right = np.column_stack([-along[:, 1], along[:, 0]])
    inset = (_TILE / 2 + 0.03) / np.abs(along).max(1, initial=1e-9, keepdims=True)
    a, b = start + inset * along + 0.11 * right, end - inset * along + 0.11 * right
    norm = _norm(traffic, uneven=True)
    half = (0.008 + 0.058 * norm(traffic))[:, None]
    head = 0.1 * along
    arrows = np.stack(
        [
            a + half * right, b - head + half * right, b - head + (half + 0.035) * right, b,
            b - head - (half + 0.035) * right, b - head - half * right, a - half * right,
        ],
        axis=1,
    )  # fmt: skip
    drawn = PolyCollection(arrows, cmap=ORANGES, norm=norm, edgecolor=PAPER, linewidth=0.3, zorder=3, label="links")
    drawn.set_array(traffic)
    ax.add_collection(drawn)
    return drawn


def _norm(values, uneven=False):
    """From 0 to the largest; ``uneven`` values, few of which are large, on a square-root scale."""
    most = values.max() if values.max() > 0 else 1
    return PowerNorm(0.5, 0, most) if uneven and most > _UNEVEN * values.mean() else Normalize(0, most)


def _bar(figure, ax, mappable, values, label):
    whole = bool((values == np.rint(values)).all())
    label += " (square-root scale)" if isinstance(mappable.norm, PowerNorm) else ""
    bar = colour_bar(figure, mappable, ax, label, shrink=0.85)
    bar.locator = MaxNLocator(nbins=6, integer=whole and values.max() > 1)
    bar.update_ticks()
    bar.ax.tick_params(color=MUTED)
