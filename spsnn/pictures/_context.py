"""Centroids of a Spatial Context Network among its data, and how many of its neurons take part."""

from __future__ import annotations

import numpy as np
from matplotlib.ticker import MaxNLocator

from spsnn.errors import DataError
from spsnn.pictures._checks import numbers, principal
from spsnn.pictures._style import DENSE, INK, MUTED, PALETTE, colour, count, legend_below, new_figure, plain, styled


@styled
def context_map(centroids, weight, active, points, labels, class_names=None, *, title=None):
    """Centroids and samples on the first two principal axes of both, and a histogram of active neurons per sample.

    Args:
        centroids: ``[n, d]``.
        weight: ``[n]``, of each neuron into the context; the sign is the marker.
        active: bool ``[B, n]``, whether a neuron takes part in a sample; the size of a mark is its share of samples.
        points: samples ``[B, d]``, in the unit of the centroids.
        labels: int ``[B]``.
        class_names: names of the classes, or None for 0, 1, ...
        title: heading.

    Returns:
        Figure with two axes; the first holds a scatter of samples for each class and one of centroids for each sign.

    Raises:
        DataError: if shapes disagree.
    """
    centroids, points = numbers(centroids, "centroids", 2), numbers(points, "samples", 2)
    weight, active, labels = numbers(weight, "weights"), np.asarray(active, bool), np.asarray(labels)
    n, samples = len(centroids), len(points)
    if points.shape[1:] != centroids.shape[1:] or weight.shape != (n,):
        raise DataError(
            f"centroids [n, d], samples [B, d] and weights [n] must agree, got {centroids.shape}, {points.shape}, "
            f"{weight.shape}"
        )
    if active.shape != (samples, n) or labels.shape != (samples,):
        raise DataError(f"active must be [{samples}, {n}] and labels [{samples}], got {active.shape}, {labels.shape}")
    kinds = np.unique(labels)
    names = {k: str(k) if class_names is None else plain(class_names[int(k)]) for k in kinds}
    taken = active.sum(1)
    alt = f"{count(n, 'centroid')} among {count(samples, 'sample')}; on average {taken.mean():.1f} neurons are active."
    figure, (ax, bars) = new_figure(
        8.2, 4.3, title or "Neurons in the space of the input", alt, ncols=2, width_ratios=[3, 2]
    )
    flat, share = principal(np.concatenate([points, centroids]), 2)
    for i, k in enumerate(kinds):
        ax.scatter(
            *flat[:samples][labels == k].T, s=7, color=colour(i), alpha=0.45, lw=0, label=names[k],
            rasterized=samples > DENSE,
        )  # fmt: skip
    size = 15 + 130 * active.mean(0)
    for sign, mark in (("+", weight >= 0), ("-", weight < 0)):
        if mark.any():
            ax.scatter(
                *flat[samples:][mark].T, s=size[mark], marker="P" if sign == "+" else "_", color=INK, lw=1.2,
                label=f"neuron, weight {sign}",
            )  # fmt: skip
    ax.set_xlabel(f"first axis ({100 * share[0]:.0f} % of the variance)")
    ax.set_ylabel(f"second axis ({100 * share[1]:.0f} %)")
    ax.set_title("marks grow with the share of samples in which a neuron is active")
    edges = np.arange(taken.min(), taken.max() + 2) - 0.5
    bars.hist(taken, edges, color=PALETTE[0], alpha=0.75)
    bars.axvline(taken.mean(), color=MUTED, lw=1, ls=(0, (3, 2)))
    bars.set_title(f"mean {taken.mean():.1f} of {n}")
    bars.set_xlabel("active neurons")
    bars.set_ylabel("samples")
    bars.xaxis.set_major_locator(MaxNLocator(integer=True))
    bars.grid(axis="y")
    legend_below(figure, ax.get_legend_handles_labels()[0])
    return figure
