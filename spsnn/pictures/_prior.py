"""A spatial weight prior and what training makes of it."""

from __future__ import annotations

import numpy as np

from spsnn.errors import DataError
from spsnn.pictures._checks import numbers
from spsnn.pictures._style import BLUES, MUTED, ORANGES, PALETTE, colour_bar, count, legend_below, new_figure, styled

MOST = 128  # cells along an axis; larger matrices are averaged over blocks
BANDS = 40


@styled
def prior_map(kernel, weight, *, title=None):
    """Kernel, size of the effective weights, and both against the distance between indices.

    Args:
        kernel: K ``[n_pre, n_post]``.
        weight: effective weights ``[n_pre, n_post]``.
        title: heading.

    Returns:
        Figure with three axes: two images and two curves, the mean of K and the root mean square of the weights over
        bands of distance, relative to their largest.

    Raises:
        DataError: if the shapes differ or a weight is not finite.
    """
    kernel, weight = numbers(kernel, "a kernel", 2), numbers(weight, "weights", 2)
    if kernel.shape != weight.shape or not kernel.size:
        raise DataError(f"kernel and weights must be of one shape, got {kernel.shape} and {weight.shape}")
    n_pre, n_post = kernel.shape
    alt = f"Spatial prior on {n_pre} x {n_post} synapses ({count(kernel.size, 'synapse')}) and the weights under it."
    figure, axes = new_figure(10.2, 3.5, title or "Spatial weight prior", alt, ncols=3, width_ratios=[1, 1, 1.15])
    size = np.abs(weight)
    for ax, values, name, colours, top in (
        (axes[0], kernel, "kernel", BLUES, max(kernel.max(), 1e-12)),
        (axes[1], size, "|effective weight|", ORANGES, np.quantile(size, 0.995) or 1.0),
    ):
        image = ax.imshow(_blocks(values), cmap=colours, vmin=0, vmax=top, aspect="auto", extent=(0, n_post, n_pre, 0))
        ax.set_xlabel("postsynaptic neuron")
        ax.set_ylabel("presynaptic neuron")
        ax.set_title(name)
        colour_bar(figure, image, ax, "", shrink=0.9)
    place = lambda n: np.linspace(0, 1, n) if n > 1 else np.zeros(1)  # noqa: E731
    distance = np.abs(place(n_pre)[:, None] - place(n_post)[None])
    band = np.minimum((distance * BANDS).astype(int), BANDS - 1).ravel()
    held = np.bincount(band, minlength=BANDS)
    there = held > 0
    middle = ((np.arange(BANDS) + 0.5) / BANDS)[there]
    curves = (
        ("kernel, mean", np.bincount(band, kernel.ravel(), BANDS), False, PALETTE[0]),
        ("weights, root mean square", np.bincount(band, weight.ravel() ** 2, BANDS), True, PALETTE[1]),
    )
    for name, total, root, tone in curves:
        mean = (total[there] / held[there]) ** (0.5 if root else 1)
        axes[2].plot(middle, mean / (mean.max() or 1.0), color=tone, label=name)
    axes[2].axhline(0.1, color=MUTED, lw=0.9, ls=(0, (2, 2)))
    axes[2].set_ylim(0, 1.05)
    axes[2].set_xlim(0, 1)
    axes[2].set_xlabel("distance of indices")
    axes[2].set_title("relative to the largest; weak below 0.1")
    axes[2].grid(axis="y")
    legend_below(figure, axes[2].get_legend_handles_labels()[0])
    return figure


def _blocks(values):
    """Means over blocks, so that no axis has more than `MOST` cells."""
    for axis in (0, 1):
        n = values.shape[axis]
        if n > MOST:
            starts = np.linspace(0, n, MOST + 1).astype(int)[:-1]
            widths = np.diff(np.append(starts, n))
            total = np.add.reduceat(values, starts, axis)
            values = total / (widths[:, None] if axis == 0 else widths[None])
    return values
