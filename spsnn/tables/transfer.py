"""Transfer of positions: coordinates learned on one task are the starting places, or the fixed places, of another."""

from __future__ import annotations

import torch

from spsnn import models
from spsnn.cli.config import SPIKING
from spsnn.errors import ConfigError
from spsnn.models.rate.base import require_spikes


def check_positions(runs):
    """Refuse rows that carry over or freeze coordinates where there are none, or others, before anything is trained.

    Args:
        runs: list of `Run`, those that others start from included.

    Raises:
        ConfigError: names the row and what it lacks.
    """
    by_folder = {run.folder: run for run in runs}
    for run in runs:
        source = None if run.source is None else by_folder[run.source]
        for row, config in ((r.row, r.config) for r in (run, source) if r is not None):
            if (source or run.row.freeze_positions) and (config.kind != SPIKING or config.model.delay != "spatial"):
                raise ConfigError(
                    f"row {run.row.name!r} is about learned coordinates, row {row.name!r} has none; take a spiking "
                    "network with model.delay=spatial, or leave out positions_from and freeze_positions"
                )
        if source:
            here, there = ((r.config.hidden, r.config.space.dim) for r in (run, source))
            if here != there:
                raise ConfigError(
                    f"row {run.row.name!r} starts from {source.row.name!r}, which has other sizes or dimensions: "
                    f"hidden and dim are {here} and {there}; make them alike"
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
