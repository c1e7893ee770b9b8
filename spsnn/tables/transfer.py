"""Transfer of positions: coordinates learned on one task are the starting places, or the fixed places, of another."""

from __future__ import annotations

import torch

from spsnn import models
from spsnn.cli.config import SPIKING
from spsnn.errors import ConfigError
from spsnn.models.rate.base import require_spikes


def check_positions(runs):
    """Refuse rows that carry over or freeze coordinates without having any, before anything is trained.

    Args:
        runs: list of `Run`.

    Raises:
        ConfigError: names the row and what it lacks.
    """
    for run in runs:
        key = "positions_from" if run.source is not None else "freeze_positions" if run.row.freeze_positions else None
        if key is not None and (run.config.kind != SPIKING or run.config.model.delay != "spatial"):
            raise ConfigError(
                f"{key} is about learned coordinates, row {run.row.name!r} has none; take a spiking network with "
                "model.delay=spatial, or leave it out"
            )


def carry_positions(model, source):
    """Copy the coordinates of all populations from a trained model of the same sizes; weights stay as they are.

    Args:
        model: `SpSNN` with ``delay="spatial"``; changed in place.
        source: model file.

    Raises:
        ConfigError: if one of the two has no coordinates, or other sizes or dimensions.
    """
    require_spikes(model, "transfer of coordinates")
    trained = models.load(source)
    own, other = ([tuple(p.position.shape) for p in m.points] for m in (model, trained))
    if not own or own != other:
        raise ConfigError(f"coordinates of {other} in {source} do not fit a model with {own}; make both rows alike")
    with torch.no_grad():
        for here, there in zip(model.points, trained.points, strict=True):
            here.position.copy_(there.position)


def freeze_positions(model):
    """Leave the coordinates out of training; they no longer count as parameters."""
    require_spikes(model, "freezing coordinates")
    for points in model.points:
        points.position.requires_grad_(False)
