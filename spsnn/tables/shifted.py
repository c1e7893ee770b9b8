"""What networks decide when they get every sample at several places of the channels."""

from __future__ import annotations

from pathlib import Path

from spsnn import models
from spsnn.cli.config import SPIKING
from spsnn.errors import ConfigError
from spsnn.tables.execute import remembered_split
from spsnn.tables.summary import spread
from spsnn.training import evaluate
from spsnn.training.fit import check_shifts

PREFIX = "accuracy, channels moved by "


def figure_name(channel_shifts):
    """What the figure is called: ``accuracy, channels moved by -3, 0, +3``."""
    return PREFIX + ", ".join(f"{shift:+d}" if shift else "0" for shift in channel_shifts)


def check_shifted(channel_shifts, runs):
    """Refuse shifts that are none, and rows that get no spikes, before anything is trained.

    Raises:
        ConfigError: names the shifts or the row.
    """
    check_shifts(channel_shifts)
    for run in runs:
        if run.config.kind != SPIKING:
            raise ConfigError(
                f"channel_shifts move spikes, row {run.row.name!r} is of kind {run.config.kind!r}; leave them or the "
                "row out"
            )


def shifted_accuracies(runs, out, data_dir, channel_shifts):
    """Accuracy of `spsnn.evaluate` with ``channel_shifts`` and, of the same networks, without.

    Args:
        runs: list of `Run` of one row; those whose models are in ``out`` count.
        out: folder of the table.
        data_dir: directory of the data files.

    Returns:
        ``{figure: {"mean", "std", "n"}}``, figures as `figure_name` calls them; nothing without models.
    """
    found = {}
    for run in runs:
        path = Path(out) / run.folder / "model.h5"
        if path.is_file():
            model = models.load(path)
            data = remembered_split(run.config.data, "test" if run.fold is None else "validation", data_dir)
            for shifts in ([0], channel_shifts):
                accuracy = evaluate(model, data, channel_shifts=shifts)["accuracy"]
                found.setdefault(figure_name(shifts), []).append(accuracy)
    return {name: spread(accuracies) for name, accuracies in found.items()}
