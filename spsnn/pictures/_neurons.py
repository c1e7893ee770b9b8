"""Histograms of the parameters that neurons have for themselves."""

from __future__ import annotations

import numpy as np
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from spsnn.errors import ConfigError, DataError
from spsnn.pictures._style import colour, count, legend_below, new_figure, plain, styled

UNITS = {"tau_mem": "ms", "tau_syn": "ms", "tau_adapt": "ms"}


@styled
def neuron_histogram(network, *, bins=24, title=None):
    """Parameters that every neuron has for itself, one axes for each name, as outlines over shared bins.

    Args:
        network: `spsnn.graph.Network`.
        bins: number of bins; of times, of equal ratio.
        title: heading.

    Returns:
        Figure with one axes per parameter and in it one ``StepPatch`` per population that has it.

    Raises:
        DataError: if no neuron has a parameter for itself.
        ConfigError: if ``bins`` is less than 1.
    """
    if bins < 1:
        raise ConfigError(f"bins must be at least 1, got {bins}")
    own = {p.name: p.own_parameters() for p in network.populations}
    names = list(dict.fromkeys(name for values in own.values() for name in values))
    if not names:
        raise DataError(f"populations of network {network.name!r} share their parameters, so there is nothing to draw")
    n = sum(len(next(iter(values.values()))) for values in own.values() if values)
    alt = f"Histograms of {', '.join(names)} of {count(n, 'neuron')}."
    columns = {"ncols": len(names), "squeeze": False}
    figure, ((*axes,),) = new_figure(2.6 * len(names) + 1, 3.6, title or "Parameters of the neurons", alt, **columns)
    for ax, name in zip(axes, names, strict=True):
        shown = {k: values[name] for k, values in own.items() if name in values}
        low, high = min(v.min() for v in shown.values()), max(v.max() for v in shown.values())
        edges = np.histogram_bin_edges([low, high], bins)
        if name in UNITS and high > low:
            edges = np.geomspace(low, high, bins + 1)
            edges[[0, -1]] = low, high
            ax.set_xscale("log")
            ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            ax.xaxis.set_major_formatter("{x:g}")
            ax.xaxis.set_minor_formatter(NullFormatter())
        for k, population in enumerate(own):
            if population in shown:
                counts = np.histogram(shown[population], edges)[0]
                ax.stairs(counts, edges, fill=True, color=colour(k), alpha=0.14)
                ax.stairs(counts, edges, color=colour(k), lw=1.5, label=plain(population))
        ax.set_xlabel(f"{name} ({UNITS[name]})" if name in UNITS else name)
        ax.yaxis.set_major_locator(MaxNLocator(integer=True))
        ax.grid(axis="y")
    axes[0].set_ylabel("neurons per bin")
    handles = {}
    for ax in axes:
        handles |= {label: h for h, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    legend_below(figure, list(handles.values()), list(handles))
    return figure
