"""How alike the weights of one row's seeds are."""

from __future__ import annotations

import itertools
import statistics
from pathlib import Path

from spsnn import models
from spsnn.errors import ConfigError
from spsnn.models.rate.spatial_prior import SpatialPriorMLP


def check_similarity(runs):
    """Refuse rows whose models have no effective weights to compare.

    Args:
        runs: list of `Run`.

    Raises:
        ConfigError: names the row and its kind of model.
    """
    for run in runs:
        if run.config.kind != SpatialPriorMLP.kind:
            raise ConfigError(
                f"similarity compares models of kind {SpatialPriorMLP.kind!r}, row {run.row.name!r} is of kind "
                f"{run.config.kind!r}; leave similarity out"
            )


def row_similarity(runs, out):
    """Cosine of the flattened effective weights over all pairs of a row's finished runs: ``(mean, pairs)``.

    Below two runs None.

    Args:
        runs: list of `Run` of one row.
        out: folder of the table.
    """
    paths = [Path(out) / run.folder / "model.h5" for run in runs]
    trained = [models.load(path) for path in paths if path.is_file()]
    pairs = [models.weight_similarity(a, b) for a, b in itertools.combinations(trained, 2)]
    return (statistics.fmean(pairs), len(pairs)) if pairs else None
