"""What a person sees: progress, tables, errors.  Results go to stdout, everything else to stderr."""

from __future__ import annotations

import json
from contextlib import contextmanager

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

err = Console(stderr=True, highlight=False)
out = Console(highlight=False)


def note(line):
    """Print a line to stderr as it is."""
    err.print(line, markup=False, soft_wrap=True)


def show(title, values, as_json=False):
    """Print figures as a table, or as one JSON object for machines.

    ``<name>_source`` beside ``<name>_nj`` stands in the row of the figure, in a column of its own.
    """
    if as_json:
        print(json.dumps(values, default=_plain))
        return
    table = Table(title=title, show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column(justify="right", overflow="fold")
    sources = {key.removesuffix("_nj"): values.get(f"{key.removesuffix('_nj')}_source") for key in values}
    if any(sources.values()):
        table.add_column(overflow="fold")
    for key, value in {**values, **values.get("statistics", {})}.items():
        inside = key.endswith("_source") and f"{key.removesuffix('_source')}_nj" in values
        if not inside and not isinstance(value, (list, dict)):
            note = sources[key.removesuffix("_nj")] if key.endswith("_nj") else None
            table.add_row(*(escape(text) for text in (key.replace("_", " "), _text(value), *([note] if note else []))))
    out.print(table)


def show_rows(title, rows):
    """Print dicts with the same keys as a table with a column for each key."""
    table = Table(title=title, title_justify="left")
    for key in rows[0]:
        table.add_column(escape(key.replace("_", " ")), justify="left" if isinstance(rows[0][key], str) else "right")
    for row in rows:
        table.add_row(*("-" if value is None else escape(_text(value)) for value in row.values()))
    out.print(table)


def _text(value):
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def _plain(value):
    if isinstance(value, (np.integer, np.floating)):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is not JSON")


@contextmanager
def training_progress(epochs, label, done=0):
    """Progress bar over epochs; yields ``(on_epoch, on_batch)`` for `spsnn.fit`."""
    columns = (
        TextColumn("[bold]{task.description}"), BarColumn(24), MofNCompleteColumn(), TextColumn("{task.fields[state]}"),
        TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=err, disable=not err.is_terminal) as progress:
        task = progress.add_task(label, total=epochs, state="")
        batches = progress.add_task("  batches", total=None, state="")

        def on_epoch(entry):
            val = f"val {100 * entry['validation_accuracy']:.1f} %  " if "validation_accuracy" in entry else ""
            state = (
                f"loss {entry['train_loss']:.3f}  train {100 * entry['train_accuracy']:.1f} %  {val}"
                f"{entry['spikes_per_neuron']:.2f} spikes/neuron  {entry['seconds']:.2f} s/epoch"
            )
            progress.update(task, completed=entry["epoch"] + 1, state=state)
            if not err.is_terminal and (entry["epoch"] + 1) % max(epochs // 10, 1) == 0:
                err.print(f"{label} epoch {entry['epoch'] + 1}/{epochs}  {state}")

        def on_batch(k, n):
            progress.update(batches, completed=k, total=n)

        yield on_epoch, on_batch
