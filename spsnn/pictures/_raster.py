"""Spike raster of one sample through all layers."""

from __future__ import annotations

import numpy as np
from matplotlib.ticker import MaxNLocator

from spsnn.errors import ConfigError, DataError
from spsnn.pictures._checks import numbers
from spsnn.pictures._style import DENSE, MUTED, colour, count, new_figure, plain, styled


@styled
def raster(trains, duration, *, label=None, prediction=None, title=None):
    """Spikes of one sample: the input and every layer in stacked panels on one time axis.

    Args:
        trains: list of ``(name, times [E] ms, units [E], n_units)``, input first.
        duration: length of the window in ms.
        label: true class for the subtitle, or None.
        prediction: predicted class for the subtitle, or None.
        title: heading.

    Returns:
        Figure with one axes per train; each holds one line of ``|`` markers at ``(times, units)``.

    Raises:
        DataError: if a train is malformed, or a spike lies outside the window or the layer.
        ConfigError: if ``duration`` is not a positive number.
    """
    if not (np.isfinite(duration) and duration > 0):
        raise ConfigError(f"duration must be a positive number of ms, got {duration}")
    trains = [_checked(k, train, duration) for k, train in enumerate(trains)]
    if not trains:
        raise DataError("a raster needs at least one spike train (name, times, units, n_units), got none")
    heights = [float(np.clip(0.3 * np.sqrt(n), 0.5, 2.2)) for *_, n in trains]
    total = sum(len(t) for _, t, _, _ in trains)
    dense = total > DENSE
    alt = f"Spike raster: {count(total, 'spike')} in {count(len(trains), 'layer')} over {duration:g} ms."
    figure, axes = new_figure(
        6.8, 1.15 + sum(heights) + 0.33 * len(trains), title or "Spikes of one sample", alt,
        nrows=len(trains), sharex=True, squeeze=False, height_ratios=heights,
    )  # fmt: skip
    for k, (ax, (name, times, units, n), height) in enumerate(zip(axes[:, 0], trains, heights, strict=True)):
        mark = float(np.clip(0.85 * 72 * height / n, 1.6, 9))
        (line,) = ax.plot(
            times, units, ls="none", marker="|", ms=mark, mew=0.6 if dense else 1.1, color=colour(k),
            rasterized=dense, clip_on=False, zorder=3,
        )  # fmt: skip
        # a line without points would count as a mark at the figure's origin
        line.set_in_layout(False)
        ax.set_title(plain(name), fontweight="bold", color=colour(k))
        per_unit = f"{len(times) / n:.3g} per unit"
        ax.set_title(
            f"{count(n, 'unit')}, {count(len(times), 'spike')}, {per_unit}", loc="right", fontsize=8, color=MUTED
        )
        ax.set_ylim(-0.7, n - 0.3)
        ax.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
        ax.set_ylabel("unit")
    axes[0, 0].set_xlim(0, duration)
    axes[-1, 0].set_xlabel("time (ms)")
    for ax in axes[:-1, 0]:
        ax.spines["bottom"].set_visible(False)
        ax.tick_params(axis="x", length=0, labelbottom=False)
    facts = [f"{what} {value}" for what, value in (("class", label), ("predicted", prediction)) if value is not None]
    if facts:
        figure.suptitle(
            plain(f"{title or 'Spikes of one sample'}: {', '.join(facts)}"),
            x=0.012,
            ha="left",
            fontsize=11,
            fontweight="bold",
        )
    return figure


def _checked(k, train, duration):
    try:
        name, times, units, n = train
    except (TypeError, ValueError) as error:
        raise DataError(f"train {k} must be (name, times in ms, units, n_units)") from error
    times, units = numbers(times, f"times of {name!r}", least=0), numbers(units, f"units of {name!r}", least=0)
    if len(times) != len(units):
        raise DataError(f"{name!r} needs one unit per spike time, got {len(times)} times and {len(units)} units")
    if n < 1:
        raise DataError(f"{name!r} needs at least one unit, got n_units = {n}")
    if len(times) and times.max() > duration:
        raise DataError(
            f"{name!r} has a spike at {times.max():g} ms, after the window of {duration:g} ms; raise duration"
        )
    if len(units) and units.max() >= n:
        raise DataError(f"{name!r} has a spike of unit {units.max():g}, but n_units = {n}")
    return str(name), times, units, int(n)
