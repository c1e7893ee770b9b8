"""Placements that no other beats in hops, link load and delay error at once."""

from __future__ import annotations

import numpy as np
from matplotlib.lines import Line2D

from spsnn.errors import DataError
from spsnn.pictures._checks import numbers
from spsnn.pictures._style import (
    MUTED,
    badge,
    colour,
    count,
    legend_below,
    lines,
    marker,
    new_figure,
    plain,
    setting,
    styled,
)

_AIMS = (
    ("hops_per_inference", "spike-weighted hops per inference"),
    ("link_load_max", "largest link load (spikes per inference)"),
    ("delay_error_per_inference", "delay error (steps times spikes per inference)"),
)
_LABELLED = 12


@styled
def pareto_front(rows, *, target=None, delays=None, hypothetical=False, title=None):
    """Placements by hops, largest link load and delay error; those that nothing beats are filled.

    All three are costs, so better is down and left.  One panel shows hops against the link load, a second hops against
    the delay error where delay errors differ.  Where two aims are all there is, a line joins the front.

    Args:
        rows: list of dicts with ``hops_per_inference`` and ``link_load_max``, and if known
            ``delay_error_per_inference``, ``placement`` (a name), ``weights`` (of the three costs, written beside
            points of the front; None for a start) and ``dominated`` (else found from the costs): rows of
            `spsnn.hwmap.pareto` or `spsnn.hwmap.compare_placements`.
        target: name of the chip.
        delays: how the chip realises delays.
        hypothetical: True if no such chip exists; adds a visible badge.
        title: heading.

    Returns:
        Figure with one or two axes; one collection of points for each placement in each.

    Raises:
        DataError: no row, a missing key, or a cost that is negative or not finite.
    """
    rows = list(rows)
    if not rows:
        raise DataError("pareto_front needs at least one row, got none")
    for k, row in enumerate(rows):
        missing = [key for key, _ in _AIMS[:2] if key not in row]
        if missing:
            raise DataError(f"row {k} of the Pareto front lacks {', '.join(missing)}")
    aims = [aim for aim in _AIMS if all(row.get(aim[0]) is not None for row in rows)]
    cost = {key: numbers([row[key] for row in rows], key, least=0) for key, _ in aims}
    aims = aims[:2] + [aim for aim in aims[2:] if np.ptp(cost[aim[0]]) > 0]
    if all("dominated" in row for row in rows):
        front = ~np.array([bool(row["dominated"]) for row in rows])
    else:
        front = ~dominated(np.stack(list(cost.values()), 1))
    names = [str(row.get("placement", "refined" if row.get("weights") else "start")) for row in rows]
    known = list(dict.fromkeys(names))
    alt = f"{count(len(rows), 'placement')} by hops and link load; {front.sum()} are beaten by none."
    panels = len(aims) - 1
    figure, axes = new_figure(
        6.2 if panels == 1 else 10.0, 4.8, title or "Placements and what they trade", alt, ncols=panels
    )
    axes = np.atleast_1d(axes)
    hops = cost[_AIMS[0][0]]
    for ax, (key, label) in zip(axes, aims[1:], strict=True):
        if panels == 1:
            at = np.flatnonzero(front)[np.lexsort((cost[key][front], hops[front]))]
            ax.plot(hops[at], cost[key][at], color=MUTED, lw=1, drawstyle="steps-post", zorder=2)
        for k, name in enumerate(known):
            own = np.array([n == name for n in names])
            ax.scatter(
                hops[own], cost[key][own], s=np.where(front[own], 52, 30), marker=marker(k), lw=1.3, zorder=3,
                edgecolors=colour(k), facecolors=[colour(k) if good else "none" for good in front[own]],
            )  # fmt: skip
        ax.set_xlabel(aims[0][1])
        ax.set_ylabel(label)
        ax.grid()
        ax.margins(0.08)
    _write_weights(axes[-1], rows, front, hops, cost[aims[-1][0]])
    facts = f"filled: beaten by none ({front.sum()} of {len(rows)}); hollow: another is nowhere worse"
    axes[0].set_title(lines(setting(target, delays), facts))
    handles = [Line2D([], [], ls="", marker=marker(k), color=colour(k), ms=6) for k in range(len(known))]
    legend_below(figure, handles, [plain(name) for name in known])
    if hypothetical:
        badge(figure, "HYPOTHETICAL")
    return figure


def _write_weights(ax, rows, front, x, y):
    """Weights beside the points of a front that is not too crowded; points that coincide share the first."""
    told = {}
    for k in np.flatnonzero(front):
        if rows[k].get("weights"):
            told.setdefault((x[k], y[k]), "/".join(f"{w:.2g}" for w in rows[k]["weights"]))
    if len(told) <= _LABELLED:
        for k, xy in enumerate(sorted(told)):
            right = xy[0] > 0.6 * x.max() + 0.4 * x.min()  # the rest of the panel is on the left
            ax.annotate(
                told[xy], xy, (-6 if right else 6, -9 if k % 2 else 4), ha="right" if right else "left",
                textcoords="offset points", fontsize=6.5, color=MUTED,
            )  # fmt: skip


def dominated(costs):
    """Rows that another row beats: nowhere worse and somewhere better, bool ``[n]`` of costs ``[n, m]``."""
    worse = (costs[None] <= costs[:, None]).all(-1) & (costs[None] < costs[:, None]).any(-1)
    return worse.any(1)
