"""Picture of nodes in the Poincare ball."""

from __future__ import annotations

import numpy as np
from matplotlib.patches import Circle

from spsnn.errors import DataError
from spsnn.pictures._checks import numbers
from spsnn.pictures._style import BLUES, DENSE, MUTED, PALETTE, colour_bar, count, legend_below, new_figure, styled


@styled
def ball_map(positions, activation, *, sparks=None, title=None):
    """Nodes of a resonant network in the ball, by their activation, and the sparks of an input.

    Args:
        positions: ``[N, D]`` inside the unit ball, D at least 2; the first two coordinates are drawn.
        activation: ``[N]``, e.g. of ``statistics()``.
        sparks: ``[T, D]``, or None.
        title: heading.

    Returns:
        Figure with one axes: the rim as a circle, the nodes as one collection, the sparks as another.

    Raises:
        DataError: if a point lies outside the ball, or shapes do not fit.
    """
    points = {"positions": numbers(positions, "positions of nodes", ndim=2)}
    if sparks is not None:
        points["sparks"] = numbers(sparks, "sparks", ndim=2)
    for name, p in points.items():
        if not len(p) or p.shape[1] < 2:
            raise DataError(f"{name} must be points with at least two coordinates, got shape {p.shape}")
        if (np.linalg.norm(p, axis=1) >= 1).any():
            raise DataError(f"{name} must lie inside the unit ball, got norm {np.linalg.norm(p, axis=1).max():.4g}")
    activation = numbers(activation, "activation", least=0)
    if len(activation) != len(points["positions"]):
        raise DataError(f"a ball map needs one activation per node, got {len(activation)} for {len(positions)} nodes")
    n, dim = points["positions"].shape
    alt = f"{count(n, 'node')} of a ball, activation up to {activation.max():.3g}."
    figure, ax = new_figure(5.6, 5.0, title or "Nodes in the ball", alt, nrows=1)
    ax.add_patch(Circle((0, 0), 1, fill=False, color=MUTED, lw=0.8))
    order = np.argsort(activation, kind="stable") if n > DENSE else np.arange(n)  # the active lie on top of a crowd
    nodes = ax.scatter(
        *points["positions"][order, :2].T, c=activation[order], cmap=BLUES, vmin=0, s=float(np.clip(9000 / n, 4, 40)),
        lw=0, rasterized=n > DENSE, label=f"nodes ({n:,})",
    )  # fmt: skip
    handles = []
    if sparks is not None:
        label = f"sparks ({len(points['sparks']):,})"
        handles = [ax.scatter(*points["sparks"][:, :2].T, marker="x", s=18, lw=0.9, color=PALETTE[1], label=label)]
    ax.set_aspect("equal")
    ax.set_xlim(-1.03, 1.03)
    ax.set_ylim(-1.03, 1.03)
    ax.set_xlabel("x")
    ax.set_ylabel("y")
    ax.set_title(f"{dim}-D ball" + (", first two coordinates" if dim > 2 else ""))
    colour_bar(figure, nodes, ax, "activation", shrink=0.85)
    legend_below(figure, handles)
    return figure
