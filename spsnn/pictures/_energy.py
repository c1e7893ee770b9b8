"""Energy of one inference, split by component."""

from __future__ import annotations

import numpy as np

from spsnn.errors import DataError
from spsnn.pictures._checks import numbers
from spsnn.pictures._style import MUTED, PALETTE, badge, colour, lines, new_figure, plain, setting, styled

_STATIC = PALETTE[-1]
_UNITS = ((1e9, "J"), (1e6, "mJ"), (1e3, "µJ"))  # of so many nJ


@styled
def energy_bars(
    components,
    *,
    static=None,
    sources=None,
    unit="nJ",
    title=None,
    note=None,
    target=None,
    delays=None,
    hypothetical=False,
):
    """Energy per inference by component, largest first, with each one's share of the total.

    Static energy, which would dwarf the rest, stands in a panel of its own beside the sum of the others.

    Args:
        components: dict from component name to energy in ``unit``, all ``>= 0``.
        static: energy that flows without any event, in ``unit``, or None: no second panel.
        sources: dict from component name (or ``"static"``) to where its constant comes from, e.g. ``"inherited"``;
            written beside the bar.
        unit: unit of every value; nJ are shown as µJ or mJ where the numbers are large.
        title: heading.
        note: what the figures rest on, e.g. ``"published constants"``, shown after the total.
        target: name of the chip.
        delays: how the chip realises delays.
        hypothetical: True if no such chip exists; adds a visible badge.

    Returns:
        Figure; the bars of its first axes are the components from top to bottom, widths in the unit shown.  With
        ``static``, those of the second axes are the sum of the components and the static energy.

    Raises:
        DataError: if there is no component, or a value is not a finite number ``>= 0``.
    """
    if not components:
        raise DataError("energy_bars needs at least one component, got none")
    names = list(components)
    values = numbers(list(components.values()), "energies", least=0)
    static = static if static is None else numbers([static], "static energy", least=0)[0]
    values, static, unit = _larger_unit(values, static, unit)
    order = np.argsort(-values, kind="stable")
    values, names = values[order], [names[k] for k in order]
    dynamic = values.sum()
    total = dynamic + (static or 0.0)
    alt = f"Energy per inference: {total:.4g} {unit}"
    alt += f", most of it {names[0]} ({values[0]:.4g} {unit})." if static is None else f", {static:.4g} of it static."
    rows = len(values) + (0 if static is None else 2)
    ratios = {} if static is None else {"height_ratios": [len(values), 2]}
    figure, axes = new_figure(
        7.0, 1.5 + 0.33 * rows + 0.55 * (static is not None), title or "Energy per inference", alt,
        nrows=1 if static is None else 2, **({"gridspec_kw": ratios} if ratios else {}),
    )  # fmt: skip
    axes = np.atleast_1d(axes)
    facts = f"total {total:.4g} {unit}" + (f", {note}" if note else "")
    axes[0].set_title(lines(setting(target, delays), facts))
    _bars(axes[0], names, values, [colour(0)] * len(values), total, unit, sources)
    if static is None:
        axes[0].set_xlabel(plain(f"energy ({unit})"))
    else:
        axes[0].set_xlabel(plain(f"dynamic energy by component ({unit})"))
        _bars(axes[1], ["dynamic", "static"], np.array([dynamic, static]), [colour(0), _STATIC], total, unit, sources)
        axes[1].set_xlabel(plain(f"dynamic and static energy ({unit})"))
    if hypothetical:
        badge(figure, "HYPOTHETICAL")
    return figure


def _bars(ax, names, values, colours, total, unit, sources):
    bars = ax.barh(range(len(values)), values, height=0.66, color=colours)
    for bar, name, value in zip(bars, names, values, strict=True):
        text = f"{value:.4g} {unit}" + (f" ({_percent(value / total)})" if total else "")
        text += f", {sources[name]}" if sources and name in sources else ""
        ax.annotate(
            plain(text), (value, bar.get_y() + bar.get_height() / 2), (5, 0), textcoords="offset points",
            va="center", fontsize=8,
        )  # fmt: skip
    ax.set_yticks(range(len(values)), [plain(name) for name in names])
    ax.set_ylim(len(values) - 0.4, -0.6)
    ax.set_xlim(0, (values.max() or 1) * (1.5 if sources else 1.34))
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_color(MUTED)
    ax.grid(axis="x")


def _larger_unit(values, static, unit):
    total = values.sum() + (static or 0.0)
    scale, name = next((u for u in _UNITS if unit == "nJ" and total >= 10 * u[0]), (1.0, unit))
    return values / scale, static if static is None else static / scale, name


def _percent(share):
    return f"{100 * share:.1f} %" if share >= 0.0005 or share == 0 else "< 0.1 %"
