"""Distribution of latencies: of spikes on a mesh, of steps, or of whole inferences."""

from __future__ import annotations

import numpy as np
from matplotlib.ticker import NullFormatter

from spsnn.errors import DataError
from spsnn.pictures._checks import numbers
from spsnn.pictures._style import ALARM, INK, MUTED, badge, colour, count, lines, new_figure, plain, setting, styled

_BINS = 50
_UNITS = (("ns", 1.0, 1e4), ("µs", 1e3, 1e7), ("ms", 1e6, float("inf")))
_MARKS = (("median", 50, MUTED), ("95 %", 95, INK), ("99 %", 99, ALARM))


@styled
def latency_histogram(latency_ns, *, what="spike", target=None, delays=None, hypothetical=False, note=None, title=None):
    """Histogram of latencies with median, 95 % and 99 %, and beneath it the share that takes so long or longer.

    The lower panel is the complementary distribution on a logarithmic axis, where the rare late ones show.

    Args:
        latency_ns: ``[n]``, in ns.
        what: of what, one of them: ``"spike"``, ``"step"``, ``"inference"``.
        target: name of the chip.
        delays: how the chip realises delays.
        hypothetical: True if no such chip exists; adds a visible badge.
        note: what the figures rest on, e.g. the timing model.
        title: heading.

    Returns:
        Figure with two axes that share their x axis, in the unit that its label names.

    Raises:
        DataError: no latency, or one that is negative or not finite.
    """
    latency = numbers(latency_ns, "latencies", least=0)
    if not len(latency):
        raise DataError("latency_histogram needs at least one latency, got none")
    unit, scale, _ = next(u for u in _UNITS if latency.max() < u[2])
    latency = np.sort(latency) / scale
    marks = [(name, np.percentile(latency, q), shade) for name, q, shade in _MARKS]
    alt = f"Latency of {count(len(latency), what)}: median {marks[0][1]:.4g} {unit}, 99 % {marks[2][1]:.4g} {unit}."
    figure, (top, tail) = new_figure(
        6.8, 5.0, title or f"Latency per {what}", alt, nrows=2, sharex=True, gridspec_kw={"height_ratios": [3, 2]}
    )
    wide = latency[0] > 0 and latency[-1] > 30 * latency[0]
    edges = _edges(latency[0], latency[-1], wide, int(np.clip(2 * len(latency) ** 0.5, 10, _BINS)))
    share = 100 * np.histogram(latency, edges)[0] / len(latency)
    top.stairs(share, edges, fill=True, color=colour(0), alpha=0.3)
    top.stairs(share, edges, color=colour(0), lw=1.5)
    longer = 100 * (1 - np.arange(len(latency)) / len(latency))
    # ranks from the longest on, ever wider apart
    keep = np.unique(len(latency) - np.geomspace(1, len(latency), 2000).astype(int))
    tail.plot(latency[keep], longer[keep], color=colour(0), drawstyle="steps-pre")
    tail.set_yscale("log")
    tail.set_ylim(min(max(80 / len(latency), 1e-5), 9), 130)
    tail.yaxis.set_major_formatter("{x:g}")
    tail.yaxis.set_minor_formatter(NullFormatter())
    for axes in (top, tail):
        if wide:
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter("{x:g}")
            axes.xaxis.set_minor_formatter(NullFormatter())
        axes.grid(axis="y")
        for _, value, shade in marks:
            axes.axvline(value, color=shade, lw=1.1, ls=(0, (4, 2)), zorder=1)
    told = ", ".join(f"{name} {value:.4g}" for name, value, _ in marks) + f", longest {latency[-1]:.4g} {unit}"
    facts = f"{count(len(latency), what)}: {told}"
    top.set_title(lines(setting(target, delays), note, facts))
    top.set_ylim(0, 1.15 * share.max())
    top.set_ylabel("share (%)")
    tail.set_ylabel("so long or\nlonger (%)")
    tail.set_xlabel(plain(f"latency per {what} ({unit})"))
    at = top.transAxes.inverted().transform(top.transData.transform([(value, 0) for _, value, _ in marks]))[:, 0]
    for k, (name, value, shade) in enumerate(marks):
        late = at[k] > 0.88  # no room on the right
        top.annotate(
            name, (value, 0.99 - 0.1 * k), (-4 if late else 4, 0), xycoords=("data", "axes fraction"),
            textcoords="offset points", ha="right" if late else "left", va="top", fontsize=8, color=shade,
        )  # fmt: skip
    if hypothetical:
        badge(figure, "HYPOTHETICAL")
    return figure


def _edges(low, high, wide, bins):
    if wide:
        return np.geomspace(low, high, bins + 1)
    pad = 0.05 * max(high, 1.0) if high == low else 0.0
    return np.linspace(max(low - pad, 0), high + pad, bins + 1)
