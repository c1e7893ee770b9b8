"""Learning curves of one training run."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.ticker import MaxNLocator

from spsnn.errors import DataError
from spsnn.pictures._style import MUTED, PAPER, colour, count, new_figure, styled

# panel heading, axis label, [(key of the history, name of the curve)], factor from the history to the axis
_PANELS = (
    ("Loss", "loss", (("train_loss", "train"), ("validation_loss", "validation")), 1),
    ("Accuracy", "accuracy (%)", (("train_accuracy", "train"), ("validation_accuracy", "validation")), 100),
    ("Activity", "spikes per neuron and sample", (("spikes_per_neuron", "hidden"),), 1),
    ("Time", "time per epoch (s)", (("seconds", "wall clock"),), 1),
)


def best_epoch(history):
    """Epoch that validation chooses: highest ``validation_accuracy``, then lowest ``validation_loss``, then first.

    Of a run that prunes, epochs of the lowest ``density`` alone count.

    Args:
        history: one dict per epoch.

    Returns:
        The ``epoch`` value, or None when the history holds no validation score: training scores choose nothing.
    """

    def score(row):
        accuracy, loss = _number(row, "validation_accuracy", math.inf), _number(row, "validation_loss", math.inf)
        return row.get("density", 1.0), -accuracy, loss, row["epoch"]

    scored = [r for r in history if math.isfinite(score(r)[1]) or math.isfinite(score(r)[2])]
    return min(scored, key=score)["epoch"] if scored else None


def _number(row, key, sign_of_worst):
    value = row.get(key)
    if value is None or not math.isfinite(value):
        return sign_of_worst if key.endswith("loss") else -sign_of_worst
    return float(value)


@styled
def training_curves(history, *, best=None, title=None):
    """Loss, accuracy, activity and time per epoch, with the chosen epoch marked.

    Args:
        history: list of dicts with ``epoch`` and any of ``train_loss``, ``validation_loss``, ``train_accuracy``,
            ``validation_accuracy`` (fractions 0 to 1), ``spikes_per_neuron`` and ``seconds``; what is missing or None
            leaves a gap, and a quantity that no epoch has gets no panel.
        best: epoch to mark; by default the one that validation chooses (`best_epoch`).
        title: heading.

    Returns:
        Figure with one axes per quantity; curves carry their name as label.

    Raises:
        DataError: if the history is empty, lacks ``epoch`` or holds nothing to draw, or ``best`` is not in it.
    """
    history = list(history)
    if not history:
        raise DataError("the training history is empty; train for at least one epoch")
    for k, row in enumerate(history):
        if "epoch" not in row:
            raise DataError(f"entry {k} of the training history has no 'epoch', only {sorted(row)}")
    epochs = np.array([row["epoch"] for row in history], float)
    present = []
    for heading, label, curves, factor in _PANELS:
        found = [(name, _curve(history, key), i) for i, (key, name) in enumerate(curves) if _has(history, key)]
        if found:
            present.append((heading, label, found, factor))
    if not present:
        known = [key for panel in _PANELS for key, _ in panel[2]]
        raise DataError(f"the training history holds no finite value to draw; expected some of {known}")
    for _, _, found, factor in present:
        for name, values, _ in found:
            if factor == 100 and (np.nanmin(values) < 0 or np.nanmax(values) > 1):
                raise DataError(
                    f"{name} accuracy must be a fraction from 0 to 1, got {np.nanmax(values):g}; divide percents by 100"
                )
    chosen = best_epoch(history) if best is None else best
    if chosen is not None and chosen not in epochs:
        raise DataError(
            f"best epoch {chosen} is not in the history, which has epochs {epochs.min():g} to {epochs.max():g}"
        )

    cols = len(present) if len(present) < 4 else 2
    rows = -(-len(present) // cols)
    alt = f"Training curves over {count(len(history), 'epoch')}" + (
        "." if chosen is None else f"; epoch {chosen} chosen."
    )
    heading = (title or "Training") + ("" if chosen is None else f": epoch {chosen} chosen")
    figure, axes = new_figure(
        (4.6, 7.2, 9.0)[cols - 1],
        0.75 + 2.45 * rows,
        heading,
        alt,
        nrows=rows,
        ncols=cols,
        sharex=True,
        squeeze=False,
    )
    for ax, (name_of_panel, label, found, factor) in zip(axes.ravel(), present, strict=True):
        for name, values, i in found:
            dots = {"marker": "o", "ms": 3} if len(history) <= 20 or np.isnan(values).any() else {}
            ax.plot(
                epochs,
                values * factor,
                color=colour(i),
                ls="-" if len(found) == 1 or i else (0, (5, 1.6)),
                label=name,
                **dots,
            )
            if chosen is not None:
                at = values[epochs == chosen][-1] * factor
                ax.plot([chosen], [at], "o", ms=6.5, mfc=colour(i), mec=PAPER, mew=1.2, zorder=4, label="_best")
        if chosen is not None:
            ax.axvline(chosen, color=MUTED, lw=0.9, ls=(0, (2, 2)), zorder=1)
        ax.set_title(name_of_panel)
        ax.set_ylabel(label)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
        ax.grid(axis="y")
        if len(found) > 1:
            ax.legend(loc="best")
        if name_of_panel == "Loss" and all(np.nanmin(values) > 0 for _, values, _ in found):
            ax.set_yscale("log")  # the first epochs are many times the last
        if name_of_panel in ("Activity", "Time"):
            ax.set_ylim(bottom=0)
    for ax in axes[-1]:
        ax.set_xlabel("epoch")
        ax.set_xlim(*_span(epochs))
    return figure


def _span(epochs):
    pad = max(0.5, 0.03 * np.ptp(epochs))
    return epochs.min() - pad, epochs.max() + pad


def _curve(history, key):
    return np.array([np.nan if row.get(key) is None else float(row[key]) for row in history])


def _has(history, key):
    return bool(np.isfinite(_curve(history, key)).any())
