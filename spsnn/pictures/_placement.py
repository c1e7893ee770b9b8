"""Learned coordinates beside their placement on the mesh."""

from __future__ import annotations

import numpy as np
from matplotlib.ticker import MaxNLocator
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr

from spsnn.errors import DataError
from spsnn.pictures._checks import numbers, principal, tile_slots
from spsnn.pictures._style import badge, colour, count, legend_below, new_figure, plain, styled

# markers with room for a number; their count has no factor in common with the palette's
_ROOMY = ("o", "s", "h", "p", "D")
_NUMBERED = 48
_COMPARED = 1000


@styled
def placement(coords, mesh_xy, population, *, unit="a.u.", target=None, hypothetical=False, title=None):
    """Learned coordinates of each core's neurons beside the tile that the core was put on.

    The subtitle gives Spearman's rank correlation between all pairwise distances in the learned space and all pairwise
    hop counts (L1) on the mesh: 1 means that the chip keeps the learned order of distances.

    Args:
        coords: ``[C, D]``, mean learned coordinates of each core; ``D > 2`` is shown by PCA, the correlation uses all.
        mesh_xy: ``[C, 2]``, column and row of each core.
        population: ``[C]`` names of the population that each core holds.
        unit: unit of the learned coordinates.
        target: name of the chip.
        hypothetical: True if the target is not a real chip; adds a visible badge.
        title: heading.

    Returns:
        Figure with two axes; in each one collection of points per population, in order of first appearance.

    Raises:
        DataError: if the arrays are empty, not finite or disagree in length.
    """
    coords, mesh = numbers(coords, "coords", ndim=2), numbers(mesh_xy, "mesh_xy", ndim=2, least=0)
    population = [str(p) for p in population]
    n, dim = coords.shape
    if n < 1 or dim < 1 or mesh.shape != (n, 2) or len(population) != n:
        raise DataError(
            "placement needs coords [C, D], mesh_xy [C, 2] and population [C] of one length C >= 1, "
            f"got {coords.shape}, {mesh.shape} and {len(population)}"
        )
    flat, labels, note = coords, [f"x ({unit})", f"y ({unit})"], f"learned space, {dim}-D"
    if dim == 1:
        flat, labels[1] = np.column_stack([coords[:, 0], np.zeros(n)]), ""
    if dim > 2:
        flat, share = principal(coords, 2)
        note += f", PCA to 2-D ({100 * share.sum():.0f} % of the variance)"
        labels = [f"principal axis {k + 1} ({unit})" for k in range(2)]
    order = _order_kept(coords, mesh)
    names = list(dict.fromkeys(population))
    alt = f"Learned coordinates of {count(n, 'core')} beside their tiles; {order or 'too few distances to compare'}."
    figure, (left, right) = new_figure(8.6, 4.5, title or "Placement", alt, ncols=2)
    on_chip = _spread(mesh)
    size = float(np.clip(5400 / n, 9, 170))
    for ax, points in ((left, flat), (right, on_chip)):
        for k, name in enumerate(names):
            own = np.array([p == name for p in population])
            ax.scatter(
                *points[own].T,
                s=size,
                marker=_ROOMY[k % len(_ROOMY)],
                color=colour(k),
                lw=0,
                zorder=3,
                label=plain(name),
            )
        if n <= _NUMBERED:
            for k, xy in enumerate(points):
                ax.text(
                    *xy, str(k), ha="center", va="center", fontsize=min(6.5, size**0.5 * 0.6), color="#ffffff", zorder=4
                )
        ax.grid()
    left.set_aspect("equal", adjustable="datalim")
    left.set_title(plain(note))
    left.set_xlabel(plain(labels[0]))
    left.set_ylabel(plain(labels[1]))
    if dim == 1:
        left.set_yticks([])
    right.set_aspect("equal", adjustable="datalim")
    right.invert_yaxis()
    right.xaxis.set_major_locator(MaxNLocator(integer=True))
    right.yaxis.set_major_locator(MaxNLocator(integer=True))
    right.set_xlabel("mesh column")
    right.set_ylabel("mesh row")
    right.set_title(plain(", ".join(filter(None, [target or "chip mesh", order]))))
    handles, texts = left.get_legend_handles_labels()
    legend_below(figure, handles, texts)
    if hypothetical:
        badge(figure, "HYPOTHETICAL")
    return figure


def _order_kept(coords, mesh):
    """Rank correlation of learned distances and hops as text, or None where it is not defined."""
    step = max(1, -(-len(coords) // _COMPARED))
    learned, hops = pdist(coords[::step]), pdist(mesh[::step], "cityblock")
    if len(learned) < 3 or np.ptp(learned) == 0 or np.ptp(hops) == 0:
        return None
    return f"rank correlation of distances {spearmanr(learned, hops).statistic:.2f}"


def _spread(mesh):
    """Cores that share a tile, side by side within it."""
    within, per_row = tile_slots(mesh)
    return mesh + 0.7 * (within - (per_row - 1) / 2) / per_row
