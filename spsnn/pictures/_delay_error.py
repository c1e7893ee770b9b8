"""How far the delays on a chip lie from the learned ones."""

from __future__ import annotations

import numpy as np

from spsnn.errors import DataError
from spsnn.pictures._checks import numbers
from spsnn.pictures._style import MUTED, badge, colour, count, legend_below, lines, new_figure, plain, setting, styled

_BINS = 41
_WIDTHS = (0.04, 0.2, 1)  # half a step, the bound of rounding, falls between two bins


@styled
def delay_error_histogram(
    error, spikes=None, *, clipped=None, target=None, delays=None, hypothetical=False, title=None
):
    """Signed delay error of every synapse in steps, by synapse and by spike.

    ``error = realised steps - delay / dt``; positive is too late.  "By spike" counts a synapse as often as its
    presynaptic neuron fires, which is what the network feels.  Bars are shares of all synapses, or of all spikes at
    synapses; the axis is logarithmic where some would vanish.

    Args:
        error: ``[n]``, in steps.
        spikes: ``[n]``, spikes of the presynaptic neuron of each synapse, or None: by synapse only.
        clipped: ``[n]`` bool, synapses whose delay does not fit the chip; their share is told.
        target: name of the chip.
        delays: how the chip realises delays.
        hypothetical: True if no such chip exists; adds a visible badge.
        title: heading.

    Returns:
        Figure with one axes; one ``StepPatch`` outline for each weighting, in percent, edges in steps.

    Raises:
        DataError: no synapse, an error that is not finite, negative spikes, or lengths that disagree.
    """
    error = numbers(error, "delay errors")
    if not len(error):
        raise DataError("delay_error_histogram needs at least one synapse, got none")
    shown = {"by synapse": np.ones(len(error))}
    if spikes is not None:
        spikes = numbers(spikes, "spikes", least=0)
        if len(spikes) != len(error):
            raise DataError(f"spikes need one number for each of {len(error)} synapses, got {len(spikes)}")
        if spikes.sum() > 0:
            shown["by spike"] = spikes
    edges = _edges(error)
    figure, ax = new_figure(
        6.8, 4.0, title or "Delay error",
        f"Histogram of the delay errors of {count(len(error), 'synapse')}, from {error.min():.3g} to "
        f"{error.max():.3g} steps.",
        nrows=1,
    )  # fmt: skip
    lowest = []
    for k, (name, weight) in enumerate(shown.items()):
        share = 100 * np.histogram(error, edges, weights=weight)[0] / weight.sum()
        lowest.append(share[share > 0].min() / share.max())
        mean, size = (np.average(x, weights=weight) for x in (error, np.abs(error)))
        if k == 0:
            ax.stairs(share, edges, fill=True, color=colour(k), alpha=0.16)
        label = f"{name}: mean {mean:+.3g}, mean size {size:.3g} steps"
        ax.stairs(share, edges, color=colour(k), lw=1.5, ls="-" if k == 0 else (0, (3, 1.2)), label=plain(label))
    if min(lowest) < 0.01:
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter("{x:g}")
    ax.axvline(0, color=MUTED, lw=0.9, zorder=1)
    width = edges[1] - edges[0]
    facts = f"{count(len(error), 'synapse')}, bins of {width:.3g} {'step' if round(width, 9) == 1 else 'steps'}"
    if clipped is not None:
        facts += f", {100 * np.mean(clipped):.3g} % beyond what the chip holds" if np.any(clipped) else ", none cut"
    ax.set_title(lines(setting(target, delays), facts))
    ax.set_xlabel("realised delay - learned delay (steps)")
    ax.set_ylabel("share (%)")
    ax.grid(axis="y")
    legend_below(figure, *ax.get_legend_handles_labels())
    if hypothetical:
        badge(figure, "HYPOTHETICAL")
    return figure


def _edges(error):
    """Bins of one round width, one of them centred on 0, so that exact delays share a bin."""
    low, high = min(error.min(), -0.5), max(error.max(), 0.5)
    width = next((w for w in _WIDTHS if (high - low) / w <= _BINS), None) or float(np.ceil((high - low) / _BINS))
    first, last = np.floor(low / width + 0.5 + 1e-9), np.ceil(high / width - 0.5 - 1e-9)
    return (np.arange(first, last + 2) - 0.5) * width
