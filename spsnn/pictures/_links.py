"""How evenly spikes load the links of a mesh."""

from __future__ import annotations

import numpy as np
from matplotlib.ticker import MaxNLocator

from spsnn.errors import DataError
from spsnn.pictures._checks import numbers
from spsnn.pictures._style import ALARM, MUTED, badge, colour, count, lines, new_figure, plain, setting, styled

_BINS = 30


@styled
def link_load_histogram(
    load, *, unit="spikes per inference", links=None, target=None, delays=None, hypothetical=False, title=None
):
    """Number of links by their load; idle links are counted in the subtitle.

    Args:
        load: load of links, any shape; zeros are idle.
        unit: unit of the load.
        links: number of links of the mesh, or None: the size of ``load``.
        target: name of the chip.
        delays: how the chip realises delays.
        hypothetical: True if no such chip exists; adds a visible badge.
        title: heading.

    Returns:
        Figure with one axes; a ``StepPatch`` holds counts and edges, lines stand at the mean of the links in use and at
        the largest load.

    Raises:
        DataError: a load that is negative or not finite, or fewer links than loads above zero.
    """
    load = numbers(np.ravel(load), "link loads", least=0)
    used = load[load > 0]
    links = len(load) if links is None else links
    if links < len(used):
        raise DataError(f"the mesh has {links} links, but {len(used)} of them carry spikes")
    alt = f"Histogram of the load of {count(len(used), 'link')}, at most {used.max(initial=0):.4g} {unit}."
    figure, ax = new_figure(6.4, 3.8, title or "Load of the links", alt, nrows=1)
    facts = f"{len(used):,} of {count(links, 'link')} in use"
    ax.set_xlabel(plain(f"load ({unit})"))
    ax.set_ylabel("links")
    if len(used):
        mean, most = used.mean(), used.max()
        facts += f", the busiest carries {most / mean:.3g} times their mean"
        counts, edges = np.histogram(used, bins=_BINS if len(used) >= 8 else 12, range=(0, most))
        ax.stairs(counts, edges, fill=True, color=colour(0), alpha=0.3)
        ax.stairs(counts, edges, color=colour(0), lw=1.5)
        ax.set_xlim(0, most * 1.03)
        ax.set_ylim(0, counts.max() * 1.22)
        for value, text, shade in ((mean, f"mean {mean:.4g}", MUTED), (most, f"largest {most:.4g}", ALARM)):
            ax.axvline(value, color=shade, lw=1.2, ls=(0, (4, 2)))
            right = value > 0.6 * most
            ax.annotate(
                text, (value, 1), (-4 if right else 4, -4), xycoords=("data", "axes fraction"),
                textcoords="offset points", ha="right" if right else "left", va="top", fontsize=8, color=shade,
            )  # fmt: skip
        ax.yaxis.set_major_locator(MaxNLocator(integer=True))
        ax.grid(axis="y")
    else:
        ax.set_xticks([])
        ax.set_yticks([])
        ax.text(0.5, 0.5, "no spike crosses a link", transform=ax.transAxes, ha="center", va="center", color=MUTED)
    ax.set_title(lines(setting(target, delays), facts))
    if hypothetical:
        badge(figure, "HYPOTHETICAL")
    return figure
