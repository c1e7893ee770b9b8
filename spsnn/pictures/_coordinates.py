"""Picture of the learned coordinates of every population."""

from __future__ import annotations

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from mpl_toolkits.mplot3d.art3d import Line3DCollection

from spsnn.errors import ConfigError, DataError
from spsnn.pictures._checks import principal
from spsnn.pictures._style import (
    DENSE,
    INK,
    MUTED,
    RULE,
    colour,
    count,
    legend_below,
    marker,
    new_figure,
    plain,
    styled,
    tidy,
)


@styled
def coordinates(network, *, strongest=0, unit="a.u.", title=None):
    """Learned coordinates of all populations, one colour and marker each.

    One dimension gives a row per population, two a plane and three a box, with equal scales on all axes.  More than
    three are projected on the first two principal axes of all neurons together, which the picture says.

    Args:
        network: `spsnn.graph.Network`; populations without coordinates are left out.
        strongest: number of synapses with the largest ``|weight|`` to draw as faint lines (dashed if inhibitory).
        unit: unit of the coordinates for the axis labels.
        title: heading; the network's name by default.

    Returns:
        Figure with one axes; one collection of points per population, in the network's order.

    Raises:
        DataError: if no population has coordinates, or populations live in spaces of different dimension.
        ConfigError: if ``strongest`` is negative.
    """
    if strongest < 0:
        raise ConfigError(f"strongest is a number of synapses, 0 or more, got {strongest}")
    placed = [p for p in network.populations if p.positions is not None]
    if not placed:
        raise DataError(f"no population of {network.name!r} has coordinates; train a model with a space (SpSNN)")
    points = {}
    for p in placed:
        points[p.name] = np.asarray(p.positions, np.float64)
        if points[p.name].ndim != 2 or points[p.name].shape[1] < 1:
            raise DataError(f"positions of population {p.name!r} must be [N, D], got {points[p.name].shape}")
    dims = {name: x.shape[1] for name, x in points.items()}
    if len(set(dims.values())) > 1:
        raise DataError(f"populations must share one space to be drawn together, got dimensions {dims}")
    dim = next(iter(dims.values()))

    note, labels = f"{dim}-D space", [f"{axis} ({unit})" for axis in "xyz"]
    if dim > 3:
        flat, share = principal(np.concatenate(list(points.values())), 2)
        points = dict(zip(points, np.split(flat, np.cumsum([p.size for p in placed])[:-1]), strict=True))
        note = f"{dim}-D space, PCA to 2-D ({100 * share.sum():.0f} % of the variance)"
        labels = [f"principal axis {k + 1} ({unit}, {100 * share[k]:.0f} %)" for k in range(2)]
    if dim == 1:
        rows = {p.name: k for k, p in enumerate(placed)}
        points = {name: np.column_stack([x[:, 0], np.full(len(x), rows[name])]) for name, x in points.items()}

    total = sum(p.size for p in placed)
    alt = f"Coordinates of {count(total, 'neuron')} in {count(len(placed), 'population')}, {note}."
    height = 1.6 + 0.55 * len(placed) if dim == 1 else 5.0
    figure, _ = new_figure(6.8 if dim == 1 else 6.2, height, title or f"Learned coordinates: {network.name}", alt)
    ax = figure.add_subplot(projection="3d") if dim == 3 else figure.add_subplot()
    tidy(ax)

    size = float(np.clip(2600 / total, 5, 34)) * (0.7 if dim == 3 else 1)
    for k, p in enumerate(placed):
        style = {"marker": "|", "s": 120, "lw": 1.2} if dim == 1 else {"marker": marker(k), "s": size, "lw": 0}
        if dim == 3:
            style["depthshade"] = False
        ax.scatter(
            *points[p.name].T, color=colour(k), alpha=0.85, zorder=3, label=plain(f"{p.name} ({p.size:,})"),
            rasterized=p.size > DENSE, **style,
        )  # fmt: skip
    handles = [] if dim == 1 else list(ax.collections)
    lines, n_lines = _synapses(ax, network, points, strongest, dim)
    handles += lines
    ax.set_title(plain(note + (f", {count(n_lines, 'strongest synapse')}" if n_lines else "")), loc="left")
    if dim == 1:
        ax.set_yticks(range(len(placed)), [plain(f"{p.name} ({p.size:,})") for p in placed])
        ax.set_ylim(len(placed) - 0.4, -0.6)
        ax.spines["left"].set_visible(False)
        ax.tick_params(axis="y", length=0)
        ax.grid(axis="x")
    elif dim == 3:
        _box(ax)
        ax.set_zlabel(plain(labels[2]))
    else:
        ax.set_aspect("equal", adjustable="datalim")
        ax.grid()
    ax.set_xlabel(plain(labels[0]))
    if dim > 1:
        ax.set_ylabel(plain(labels[1]))
    legend_below(figure, handles)
    return figure


def _box(ax):
    """Quiet panes and grid, equal scales."""
    for axis in (ax.xaxis, ax.yaxis, ax.zaxis):
        axis.set_pane_color((0, 0, 0, 0))
        axis.line.set_color(MUTED)
        axis._axinfo["grid"].update(color=RULE, linewidth=0.6)
        axis.label.set_color(INK)
    spans = [high - low for low, high in (ax.get_xlim3d(), ax.get_ylim3d(), ax.get_zlim3d())]
    ax.set_box_aspect(spans, zoom=1.12)
    ax.view_init(elev=22, azim=-58)


def _synapses(ax, network, points, strongest, dim):
    """Draw the synapses with the largest absolute weight between drawn populations: ``(legend entries, number)``."""
    known = [p for p in network.projections if p.pre in points and p.post in points and p.n_synapses]
    if not strongest or not known:
        return [], 0
    weight = np.concatenate([p.weight for p in known])
    start = np.concatenate([points[p.pre][p.sources] for p in known])
    end = np.concatenate([points[p.post][p.indices] for p in known])
    chosen = np.argsort(-np.abs(weight), kind="stable")[:strongest]
    handles = []
    for name, style, keep in (
        ("excitatory", "-", weight[chosen] >= 0),
        ("inhibitory", (0, (4, 2)), weight[chosen] < 0),
    ):
        at = chosen[keep]
        if not len(at):
            continue
        lines = np.stack([start[at], end[at]], axis=1)
        kind = Line3DCollection if dim == 3 else LineCollection
        look = {"colors": MUTED, "linewidths": 0.6, "linestyles": style, "alpha": 0.45}
        ax.add_collection(kind(lines, zorder=2, rasterized=len(at) > DENSE, **look))
        handles.append(Line2D([], [], color=MUTED, lw=0.9, ls=style, label=f"{name} ({len(at):,})"))
    return handles, len(chosen)
