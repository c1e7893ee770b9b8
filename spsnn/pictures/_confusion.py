"""Confusion matrix."""

from __future__ import annotations

import numpy as np
from matplotlib.ticker import PercentFormatter

from spsnn.errors import DataError
from spsnn.pictures._checks import numbers
from spsnn.pictures._style import BLUES, INK, RULE, colour_bar, count, new_figure, plain, styled


@styled
def confusion(matrix, class_names=None, *, title=None):
    """Confusion matrix: counts as text, colours as the share of each true class.

    Args:
        matrix: counts ``[C, C]``, true class by row, predicted class by column.
        class_names: ``C`` names, or None for 0, 1, ...
        title: heading.

    Returns:
        Figure whose first axes holds the image of row-normalised shares ``[C, C]``, masked where the
        count is 0, and one text per other count.

    Raises:
        DataError: if the matrix is not square, has a negative or fractional count or no sample, or names do not fit.
    """
    counts = numbers(matrix, "a confusion matrix", ndim=2, least=0)
    n = len(counts)
    if n < 1 or counts.shape != (n, n):
        raise DataError(f"a confusion matrix must be square [C, C], got shape {counts.shape}")
    if (counts != np.rint(counts)).any():
        raise DataError("a confusion matrix holds counts; pass it before normalising")
    names = [str(k) for k in range(n)] if class_names is None else [plain(name) for name in class_names]
    if len(names) != n:
        raise DataError(f"a confusion matrix of {n} classes needs {n} class names, got {len(names)}")
    total = counts.sum()
    if not total:
        raise DataError("the confusion matrix counts no sample")

    rows = counts.sum(1, keepdims=True)
    share = np.divide(counts, rows, out=np.zeros_like(counts), where=rows > 0)
    accuracy = np.trace(counts) / total
    side = float(np.clip(1.9 + 0.42 * n, 3.4, 9.4))
    cell = 72 * (side - 1.2) / n
    size = float(np.clip(cell / (0.62 * len(f"{counts.max():.0f}") + 0.7), 3.5, 9.5))
    alt = f"Confusion matrix of {n} classes: {count(int(total), 'sample')}, accuracy {100 * accuracy:.1f} percent."
    figure, ax = new_figure(side + 1.0, side + 0.45, title or "Confusion matrix", alt, nrows=1)
    image = ax.imshow(np.ma.masked_equal(share, 0), cmap=BLUES, vmin=0, vmax=1)
    for i, j in zip(*np.nonzero(counts), strict=True):
        dark = share[i, j] > 0.5
        ax.text(
            j, i, f"{counts[i, j]:.0f}", ha="center", va="center", fontsize=size,
            color="#ffffff" if dark else INK, fontweight="bold" if i == j else "normal",
        )  # fmt: skip
    long = max(len(name) for name in names) > (3 if n > 12 else 6)
    turn = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if long else {}
    label = float(np.clip(11 - 0.14 * n, 6, 8.5))
    ax.set_xticks(range(n), names, fontsize=label, **turn)
    ax.set_yticks(range(n), names, fontsize=label)
    ax.tick_params(length=0)
    ax.set_xticks(np.arange(n + 1) - 0.5, minor=True)
    ax.set_yticks(np.arange(n + 1) - 0.5, minor=True)
    ax.grid(which="minor", color=RULE, lw=0.8 if n <= 20 else 0.5)
    ax.tick_params(which="minor", length=0)
    ax.spines[:].set_visible(False)
    ax.set_xlabel("predicted class")
    ax.set_ylabel("true class")
    ax.set_title(f"{count(int(total), 'sample')}, accuracy {100 * accuracy:.2f} %")
    colour_bar(figure, image, ax, "share of the true class", shrink=0.8, format=PercentFormatter(1, decimals=0))
    return figure
