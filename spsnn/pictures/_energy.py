"""Energy of one inference, split by component."""

from __future__ import annotations

import numpy as np

from spsnn.errors import DataError
from spsnn.pictures._checks import numbers
from spsnn.pictures._style import ALARM, MUTED, badge, colour, new_figure, plain, styled


@styled
def energy_bars(components, *, unit="nJ", title=None, note=None, hypothetical=False):
    """Energy per inference by component, largest first, with each one's share of the total.

    Args:
        components: dict from component name to energy in ``unit``, all ``>= 0``.
        unit: unit of every value.
        title: heading.
        note: what the figures rest on, e.g. ``"loihi2, published constants"``, shown after the total.
        hypothetical: mark the constants as hypothetical.

    Returns:
        Figure with one axes; its bars are the components from top to bottom, widths in ``unit``.

    Raises:
        DataError: if there is no component, or a value is not a finite number ``>= 0``.
    """
    if not components:
        raise DataError("energy_bars needs at least one component, got none")
    names = list(components)
    values = numbers(list(components.values()), "energies", least=0)
    order = np.argsort(-values, kind="stable")
    values, names = values[order], [plain(names[k]) for k in order]
    total = values.sum()
    alt = f"Energy per inference: {total:.4g} {unit}, most of it {names[0]} ({values[0]:.4g} {unit})."
    figure, ax = new_figure(6.4, 1.25 + 0.36 * len(values), title or "Energy per inference", alt, nrows=1)
    bars = ax.barh(range(len(values)), values, height=0.66, color=[ALARM if hypothetical else colour(0)] * len(values))
    for bar, value in zip(bars, values, strict=True):
        text = f"{value:.4g} {unit}" + (f"  ({100 * value / total:.1f} %)" if total else "")
        ax.annotate(
            plain(text), (value, bar.get_y() + bar.get_height() / 2), (5, 0), textcoords="offset points",
            va="center", fontsize=8,
        )  # fmt: skip
    ax.set_yticks(range(len(values)), names)
    ax.set_ylim(len(values) - 0.4, -0.6)
    ax.set_xlim(0, (values[0] or 1) * 1.32)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_color(MUTED)
    ax.set_xlabel(plain(f"energy ({unit})"))
    ax.set_title(plain(f"total {total:.4g} {unit}" + (f", {note}" if note else "")))
    ax.grid(axis="x")
    if hypothetical:
        badge(figure, "HYPOTHETICAL")
    return figure
