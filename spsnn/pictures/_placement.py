"""Learned coordinates beside the cores that hold them."""

from __future__ import annotations

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr

from spsnn.errors import DataError
from spsnn.pictures._checks import numbers, principal, tile_slots
from spsnn.pictures._style import (
    DENSE,
    INK,
    MUTED,
    PAPER,
    badge,
    count,
    legend_below,
    lines,
    marker,
    new_figure,
    plain,
    setting,
    styled,
)

_NUMBERED = 40
_COMPARED = 1000
_DRAWN = 20_000
# Corners of the colour plane in OKLab: blue to orange along x, dark to light along y.  Both directions stay apart for
# every kind of colour vision, and every colour shows on a light and on a dark page.
_CORNERS = np.array([[[0.40, -0.02, -0.14], [0.50, 0.10, 0.09]], [[0.80, -0.06, -0.09], [0.86, 0.03, 0.14]]])
_TO_LMS = np.array(
    [[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728], [1, -0.0894841775, -1.291485548]]
)
_TO_RGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.707614701],
    ]
)


@styled
def placement(
    coords, core, core_tile, *, population=None, unit="a.u.", target=None, delays=None, hypothetical=False, title=None
):
    """Neurons in the learned space, and the same neurons on the mesh in the same colours.

    A neuron's colour is its place in the learned space, so the mesh shows the colours in the same order if the chip
    keeps the geometry.  Each core is a mosaic of its neurons; a core whose neurons are neighbours has one colour.  The
    subtitle gives Spearman's rank correlation between all pairwise distances of the cores' mean coordinates and all
    pairwise hop counts (L1) on the mesh: 1 means that the chip keeps the order of distances.

    Args:
        coords: ``[N, D]``, learned coordinates; ``D > 2`` is shown by PCA, the correlation uses all.
        core: ``[N]``, core of every neuron, from 0.
        core_tile: ``[K, 2]``, tile (column, row) of every core.
        population: ``[N]`` names, or None; each has its own marker.
        unit: unit of the learned coordinates.
        target: name of the chip.
        delays: how the chip realises delays.
        hypothetical: True if no such chip exists; adds a visible badge.
        title: heading.

    Returns:
        Figure with two axes: one collection of points per population in the first, one image in the second.

    Raises:
        DataError: if the arrays are empty, not finite or disagree in length, or a core has no tile.
    """
    coords, tile = numbers(coords, "coords", ndim=2), numbers(core_tile, "core_tile", ndim=2, least=0)
    core = numbers(core, "core", least=0).astype(int)
    names = np.array([""] * len(core) if population is None else [str(p) for p in population])
    n, dim = coords.shape
    if n < 1 or dim < 1 or tile.shape[1:] != (2,) or not len(core) == len(names) == n:
        raise DataError(
            "placement needs coords [N, D], core [N], core_tile [K, 2] and population [N] of one length N >= 1, "
            f"got {coords.shape}, {core.shape}, {tile.shape} and {names.shape}"
        )
    if core.max() >= len(tile):
        raise DataError(f"core {core.max()} has no tile: core_tile has {len(tile)} rows")
    flat, labels, note = coords, [f"x ({unit})", f"y ({unit})"], f"learned space, {dim}-D"
    if dim == 1:
        flat, labels[1] = np.column_stack([coords[:, 0], np.zeros(n)]), ""
    if dim > 2:
        flat, share = principal(coords, 2)
        note += f", PCA to 2-D ({100 * share.sum():.0f} % of the variance)"
        labels = [f"principal axis {k + 1} ({unit})" for k in range(2)]
    colours = plane_colours(flat)
    used, held = np.unique(core, return_inverse=True)
    size = np.bincount(held)
    means = np.stack([np.bincount(held, x) / size for x in coords.T], 1)
    order = _order_kept(means, tile[used])

    alt = f"Learned coordinates of {count(n, 'neuron')} beside their {count(len(used), 'core')}; {order or 'one tile'}."
    figure, (left, right) = new_figure(9.2, 4.9, title or "Learned coordinates and placement", alt, ncols=2)
    _draw_space(left, flat, colours, names)
    centres = _draw_mesh(right, flat, colours, held, tile[used])
    if len(used) <= _NUMBERED:
        _number(right, centres, used)
    left.set_title(lines(setting(target, delays), note))
    left.set_xlabel(plain(labels[0]))
    left.set_ylabel(plain(labels[1]))
    if dim == 1:
        left.set_yticks([])
    right.set_xlabel("mesh column")
    right.set_ylabel("mesh row")
    # an empty line leaves room for a long first line on the left
    right.set_title(("\n" if setting(target, delays) else "") + plain(order or count(len(used), "core")))
    known = list(dict.fromkeys(names))
    if known != [""]:
        legend_below(
            figure,
            [Line2D([], [], ls="", marker=marker(k), color=MUTED, ms=5) for k in range(len(known))],
            [plain(f"{name} ({(names == name).sum():,})") for name in known],
        )
    if hypothetical:
        badge(figure, "HYPOTHETICAL")
    return figure


def plane_colours(points):
    """Colour of every point by its place ``[N, 3]``: blue to orange along x, dark to light along y.

    The colours span the middle 96 % of the points in each direction; those outside have the colour of the border.  The
    four corners are mixed linearly in OKLab (Ottosson 2020), where equal steps look equal.
    """
    low, high = np.percentile(points, (2, 98), axis=0)
    span = high - low
    x, y = np.clip(np.where(span > 0, (points - low) / np.where(span > 0, span, 1), 0.5), 0, 1).T[:, :, None]
    lab = (1 - y) * ((1 - x) * _CORNERS[0, 0] + x * _CORNERS[0, 1]) + y * (
        (1 - x) * _CORNERS[1, 0] + x * _CORNERS[1, 1]
    )
    linear = np.clip((lab @ _TO_LMS.T) ** 3 @ _TO_RGB.T, 0, 1)
    return np.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, 12.92 * linear)


def _draw_space(ax, flat, colours, names):
    every = max(1, -(-len(flat) // _DRAWN))
    size = float(np.clip(5200 / len(flat), 3, 46))
    for k, name in enumerate(dict.fromkeys(names)):
        own = np.flatnonzero(names == name)[::every]
        ax.scatter(*flat[own].T, s=size, c=colours[own], marker=marker(k), lw=0, zorder=3, rasterized=len(own) > DENSE)
    ax.set_aspect("equal", adjustable="datalim")
    ax.grid()


def _draw_mesh(ax, flat, colours, held, tile):
    """One image: a block of pixels for each tile, in it one for each core, in it one cell for each neuron or so.

    Returns the centre of every core ``[K, 2]``.
    """
    within, per_row = tile_slots(tile)
    most = np.bincount(held).max()
    cells = int(np.clip(np.sqrt(most), 1, 8))
    cell = max(1, round(8 / cells))
    core_px = cells * cell + (per_row > 1)
    gap = max(1, core_px * per_row // 6)
    tile_px = core_px * per_row + gap
    low, high = tile.min(0).astype(int), tile.max(0).astype(int)
    cols, rows = high - low + 1
    image = np.zeros((rows * tile_px, cols * tile_px, 4))
    order = np.argsort(held, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(held))])
    for k, (x, y) in enumerate(tile.astype(int) - low):
        own = order[starts[k] : starts[k + 1]]
        block = np.kron(_mosaic(flat[own], colours[own], cells), np.ones((cell, cell, 1)))
        top = y * tile_px + gap // 2 + within[k, 1] * core_px
        start = x * tile_px + gap // 2 + within[k, 0] * core_px
        image[top : top + len(block), start : start + len(block), :3] = block
        image[top : top + len(block), start : start + len(block), 3] = 1
    half = cells * cell / 2
    centres = low - 0.5 + (tile - low) + (gap // 2 + within * core_px + half) / tile_px
    extent = (low[0] - 0.5, high[0] + 0.5, high[1] + 0.5, low[1] - 0.5)
    # more pixels than a page has would alias
    ax.imshow(
        image,
        extent=extent,
        interpolation="antialiased" if max(image.shape) > 600 else "nearest",
        aspect="equal",
        zorder=2,
    )
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    for axis, first, last in ((ax.xaxis, low[0], high[0]), (ax.yaxis, low[1], high[1])):
        axis.set_ticks(range(first, last + 1, -(-(last + 1 - first) // 10)))
    return centres


def _mosaic(points, colours, cells):
    """Colours of a core's neurons in ``cells x cells``: rows from high to low y, in each from low to high x."""
    order = np.argsort(-points[:, 1], kind="stable")
    block = np.empty((cells, cells, 3))
    for k in range(cells):
        first = k * len(order) // cells
        row = order[first : max((k + 1) * len(order) // cells, first + 1)]
        row = row[np.argsort(points[row, 0], kind="stable")]
        block[k] = colours[row[np.arange(cells) * len(row) // cells]]
    return block


def _number(ax, places, cores):
    for number, xy in zip(cores, places, strict=True):
        ax.text(
            *xy, str(number), ha="center", va="center", fontsize=7, fontweight="bold", color=INK, zorder=4,
            path_effects=[withStroke(linewidth=2, foreground=PAPER)],
        )  # fmt: skip


def _order_kept(coords, mesh):
    """Rank correlation of learned distances and hops as text, or None where it is not defined."""
    step = max(1, -(-len(coords) // _COMPARED))
    learned, hops = pdist(coords[::step]), pdist(mesh[::step], "cityblock")
    if len(learned) < 3 or np.ptp(learned) == 0 or np.ptp(hops) == 0:
        return None
    return f"rank correlation of distances {spearmanr(learned, hops).statistic:.2f}"
