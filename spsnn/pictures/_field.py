"""Pictures of a field of oscillators on a sphere."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.ticker import MaxNLocator

from spsnn.errors import DataError
from spsnn.pictures._checks import numbers
from spsnn.pictures._style import BLUES, INK, MUTED, PALETTE, colour_bar, count, new_figure, plain, styled
from spsnn.space import Sphere

# Both ends of a circle have one colour, and the two colours between differ for every kind of colour vision.
PHASES = LinearSegmentedColormap.from_list("spsnn_phases", ["#4b3f72", "#0072b2", "#f0ead6", "#d55e00", "#4b3f72"])
BANDS = LinearSegmentedColormap.from_list("spsnn_bands", ["#0072b2", "#8aa0b8", "#d55e00"])


@styled
def sphere_map(values, *, label="magnitude", blocks=None, title=None):
    """Values of nodes on a Fibonacci sphere as an equal-area map: longitude across, height z up.

    Args:
        values: ``[N]``, e.g. ``magnitude`` or ``gain`` of `NeuralField.statistics`.
        label: of the colour bar.
        blocks: dict of the sizes of contiguous blocks of nodes, e.g. `NeuralField.blocks`; lines mark where they end.
        title: heading.

    Returns:
        Figure whose first axes holds one point per node.

    Raises:
        DataError: if the values are not ``[N]`` and finite, or the blocks do not make up N nodes.
    """
    values = numbers(values, "values of a sphere map")
    n = len(values)
    if not n:
        raise DataError("a sphere map needs at least one node, got none")
    if blocks is not None and sum(blocks.values()) != n:
        raise DataError(f"blocks must make up all {n} nodes, got {dict(blocks)}")
    x, y, z = Sphere().initial(n).double().numpy().T
    alt = f"Map of {label} of {count(n, 'node')} on a sphere, from {values.min():.3g} to {values.max():.3g}."
    figure, ax = new_figure(6.8, 3.6, title or f"{label.capitalize()} of the field", alt, nrows=1)
    size = float(np.clip(16000 / n, 4, 160))
    points = ax.scatter(np.degrees(np.arctan2(y, x)), z, c=values, cmap=BLUES, s=size, lw=0)
    start = 0
    for name, width in (blocks or {}).items():
        middle = 1 - (2 * start + width) / n
        start += width
        if start < n:
            ax.axhline(1 - 2 * start / n, color=MUTED, lw=0.8, ls=(0, (4, 3)))
        ax.text(1.01, middle, plain(name), transform=ax.get_yaxis_transform(), va="center", fontsize=8, color=INK)
    ax.set_xlim(-184, 184)
    ax.set_ylim(-1.03, 1.03)
    ax.set_xticks(range(-180, 181, 90), [f"{v}°" for v in range(-180, 181, 90)])
    ax.set_xlabel("longitude")
    ax.set_ylabel("height z")
    colour_bar(figure, points, ax, label).ax.yaxis.set_major_locator(MaxNLocator(5))
    return figure


@styled
def phase_evolution(phase, coherence=None, *, title=None):
    """Phase of every node over the steps, and how far all agree.

    Nodes are sorted by their last phase, so that those which end together lie together.

    Args:
        phase: radians ``[S, N]``.
        coherence: ``[S]`` in [0, 1], drawn below if given.
        title: heading.

    Returns:
        Figure whose first axes holds the sorted image ``[N, S]``, the next the curve of the coherence.

    Raises:
        DataError: if the arrays do not fit each other.
    """
    phase = numbers(phase, "phases", ndim=2)
    n_steps, n = phase.shape
    if not phase.size:
        raise DataError(f"phases must be [S, N] with at least one step and node, got shape {phase.shape}")
    rows = {"nrows": 1}
    if coherence is not None:
        coherence = numbers(coherence, "a coherence", least=0)
        if len(coherence) != n_steps:
            raise DataError(f"a coherence over {n_steps} steps must be [{n_steps}], got shape {coherence.shape}")
        rows = {"nrows": 2, "sharex": True, "height_ratios": (3.4, 1)}
    alt = f"Phases of {count(n, 'node')} over {count(n_steps, 'step')}."
    figure, axes = new_figure(6.4, 4.6 if coherence is not None else 3.6, title or "Phases of the field", alt, **rows)
    axes = np.atleast_1d(axes)
    wrapped = np.angle(np.exp(1j * phase.T))
    wrapped = wrapped[np.argsort(wrapped[:, -1], kind="stable")]
    span = (0.5, n_steps + 0.5, n - 0.5, -0.5)
    image = axes[0].imshow(
        wrapped, cmap=PHASES, vmin=-math.pi, vmax=math.pi, aspect="auto", interpolation="nearest", extent=span
    )
    bar = colour_bar(figure, image, axes[0], "phase", ticks=[-math.pi, 0, math.pi])
    bar.ax.set_yticklabels(["−π", "0", "π"])
    axes[0].set_ylabel("nodes by last phase")
    if coherence is not None:
        axes[1].plot(np.arange(1, n_steps + 1), coherence, color=PALETTE[0], marker="o", ms=3)
        axes[1].set_ylim(0, 1.04)
        axes[1].set_ylabel("coherence")
        axes[1].grid(axis="y")
    axes[-1].set_xlabel("step")
    axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


@styled
def region_curves(regions, *, title=None):
    """Mean magnitude of each region over the steps, from the north pole to the south.

    Args:
        regions: ``[S, R]``.
        title: heading.

    Returns:
        Figure with one line per region.

    Raises:
        DataError: if the array is not ``[S, R]``, finite and not negative.
    """
    regions = numbers(regions, "curves of regions", ndim=2, least=0)
    n_steps, n = regions.shape
    if not regions.size:
        raise DataError(f"curves of regions must be [S, R] with at least one of each, got shape {regions.shape}")
    alt = f"Mean magnitude of {count(n, 'region')} over {count(n_steps, 'step')}."
    figure, ax = new_figure(6.0, 3.4, title or "Regions of the field", alt, nrows=1)
    for k in range(n):
        shade = BANDS(k / max(n - 1, 1))
        ax.plot(
            np.arange(1, n_steps + 1), regions[:, k], color=shade, lw=1.4, marker="o", ms=2.5, label=f"region {k + 1}"
        )
    bar = colour_bar(figure, ScalarMappable(Normalize(1, max(n, 2)), BANDS), ax, "region, north to south")
    bar.ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    bar.ax.invert_yaxis()
    ax.set_ylim(bottom=0)
    ax.set_xlabel("step")
    ax.set_ylabel("mean magnitude")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.grid(axis="y")
    return figure


@styled
def motor_rates(rates, labels, class_names=None, *, title=None):
    """Mean rate of each motor sector for samples of each class.

    Args:
        rates: ``[B, K]``, one column per sector.
        labels: whole numbers ``[B]``.
        class_names: names of the classes, or None for 0, 1, ...
        title: heading.

    Returns:
        Figure whose first axes holds the image ``[C, K]``; a class without samples is left empty.

    Raises:
        DataError: if labels do not fit the rates or the names.
    """
    rates = numbers(rates, "motor rates", ndim=2, least=0)
    labels = np.asarray(labels)
    if not rates.size or labels.shape != rates.shape[:1] or not np.issubdtype(labels.dtype, np.integer):
        raise DataError(
            f"motor rates [B, K] need one whole-number label per sample, got shapes {rates.shape} and {labels.shape}"
        )
    n_classes = int(labels.max()) + 1 if class_names is None else len(class_names)
    if labels.min() < 0 or labels.max() >= n_classes:
        raise DataError(f"labels must lie in [0, {n_classes}), got {labels.min()} to {labels.max()}")
    names = [str(k) for k in range(n_classes)] if class_names is None else [plain(name) for name in class_names]
    known = np.bincount(labels, minlength=n_classes) > 0
    means = np.full((n_classes, rates.shape[1]), np.nan)
    for c in np.flatnonzero(known):
        means[c] = rates[labels == c].mean(0)
    alt = f"Mean rate of {count(rates.shape[1], 'motor sector')} for {count(int(known.sum()), 'class')}."
    figure, ax = new_figure(5.6, 1.5 + 0.3 * n_classes, title or "Motor sectors", alt, nrows=1)
    image = ax.imshow(np.ma.masked_invalid(means), cmap=BLUES, aspect="auto", vmin=0)
    ax.set_yticks(range(n_classes), names)
    ax.set_xticks(range(rates.shape[1]), [str(k + 1) for k in range(rates.shape[1])])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_xlabel("motor sector")
    ax.set_ylabel("class")
    colour_bar(figure, image, ax, "mean rate")
    return figure
