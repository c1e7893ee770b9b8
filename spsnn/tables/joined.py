"""What the networks of one row's seeds decide together."""

from __future__ import annotations

import itertools
from pathlib import Path

import torch

from spsnn import models
from spsnn.cli.config import SPIKING
from spsnn.errors import ConfigError
from spsnn.models.join import obstacle
from spsnn.models.spiking.current import resting
from spsnn.tables.execute import remembered_split
from spsnn.tables.summary import spread


def check_joined(runs):
    """Refuse rows whose networks `spsnn.join` does not take.

    Args:
        runs: list of `Run`.

    Raises:
        ConfigError: names the row.
    """
    for run in runs:
        wrong = f"it is of kind {run.config.kind!r}, not spiking"
        if run.config.kind == SPIKING:
            wrong = obstacle(run.config.model, len(run.config.hidden) + 1)
        if wrong:
            raise ConfigError(f"row {run.row.name!r} cannot be joined: {wrong}; leave joined or the row out")


def joined_accuracies(runs, out, data_dir):
    """Accuracy of k networks side by side, as `spsnn.join` makes them: of the mean of their logits.

    Args:
        runs: list of `Run` of one row.
        out: folder of the table.
        data_dir: directory of the data files.

    Returns:
        ``{"2 joined": {"mean", "std", "n"}, ...}`` up to the number of trained networks, over the choices of k of them
        (256 at most) and over folds; nothing below two.
    """
    found = {}
    for fold in dict.fromkeys(run.fold for run in runs):
        trained = [r for r in runs if r.fold == fold and (Path(out) / r.folder / "model.h5").is_file()]
        if len(trained) < 2:
            continue
        events = remembered_split(trained[0].config.data, "test" if fold is None else "validation", data_dir).events
        labels = torch.from_numpy(events.labels)
        logits = [_logits(models.load(Path(out) / r.folder / "model.h5"), events) for r in trained]
        for k in range(2, len(trained) + 1):
            choices = itertools.islice(itertools.combinations(logits, k), 256)
            decided = [sum(chosen).argmax(1) for chosen in choices]
            found.setdefault(f"{k} joined", []).extend(float((d == labels).double().mean()) for d in decided)
    return {name: spread(accuracies) for name, accuracies in found.items()}


def _logits(model, events, batch_size=256):
    with resting(model), torch.no_grad():
        return torch.cat([model(events[k : k + batch_size]).logits for k in range(0, len(events), batch_size)])
