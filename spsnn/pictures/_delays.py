"""Histogram of the synaptic delays of a network."""

from __future__ import annotations

import numpy as np
from matplotlib.ticker import MaxNLocator

from spsnn.errors import ConfigError, DataError
from spsnn.pictures._style import colour, count, legend_below, new_figure, plain, styled


@styled
def delay_histogram(network, dt=None, *, bins=40, title=None):
    """Delays of each projection in ms, as outlines over shared bins.

    With ``dt`` every delay is first put on the grid, ``round(d / dt) dt``, and bins are whole numbers of steps centred
    on grid points, so that no bin edge splits a step.

    Args:
        network: `spsnn.graph.Network`.
        dt: grid step in ms, or None to show delays as they are.
        bins: number of bins, at most when ``dt`` is given.
        title: heading.

    Returns:
        Figure with one axes; one ``StepPatch`` per projection that has synapses, whose data are counts and edges in ms.

    Raises:
        DataError: if the network has no synapse.
        ConfigError: if ``dt`` is not positive or ``bins`` is less than 1.
    """
    if dt is not None and not (np.isfinite(dt) and dt > 0):
        raise ConfigError(f"dt must be a positive number of ms or None, got {dt}")
    if bins < 1:
        raise ConfigError(f"bins must be at least 1, got {bins}")
    shown = [p for p in network.projections if p.n_synapses]
    if not shown:
        raise DataError(f"network {network.name!r} has no synapses, so there are no delays to draw")
    delays = [np.asarray(p.delay, np.float64) for p in shown]
    low, high = min(d.min() for d in delays), max(d.max() for d in delays)
    if dt is None:
        edges = np.histogram_bin_edges([low, high], bins=bins)
    else:
        delays = [np.rint(d / dt) * dt for d in delays]
        first, last = int(np.rint(low / dt)), int(np.rint(high / dt))
        per_bin = -(-(last - first + 1) // bins)
        n_bins = -(-(last - first + 1) // per_bin)
        edges = (first - 0.5 + per_bin * np.arange(n_bins + 1)) * dt
    counts = [np.histogram(d, edges)[0] for d in delays]

    every = np.concatenate(delays)
    alt = f"Histogram of {count(len(every), 'synaptic delay')} from {every.min():.3g} to {every.max():.3g} ms."
    figure, ax = new_figure(6.4, 3.8, title or "Synaptic delays", alt, nrows=1)
    for k, (p, d, c) in enumerate(zip(shown, delays, counts, strict=True)):
        label = plain(f"{p.pre} → {p.post}: {count(p.n_synapses, 'synapse')}, median {np.median(d):.3g} ms")
        ax.stairs(c, edges, fill=True, color=colour(k), alpha=0.14)
        ax.stairs(c, edges, color=colour(k), lw=1.5, label=label)
    tops = [c.max() for c in counts]
    if max(tops) > 50 * min(tops):
        ax.set_yscale("log")
        ax.set_ylim(bottom=0.7)
    else:
        ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    grid = "as learned" if dt is None else f"on a grid of dt = {dt:g} ms"
    ax.set_title(plain(f"{count(len(every), 'synapse')}, {grid}, bins of {edges[1] - edges[0]:.3g} ms"))
    ax.set_xlabel("delay (ms)")
    ax.set_ylabel("synapses per bin")
    ax.grid(axis="y")
    legend_below(figure, *ax.get_legend_handles_labels())
    return figure
