"""Checks of plain arrays that several pictures share, projection to principal axes and slots on a tile."""

from __future__ import annotations

import numpy as np

from spsnn.errors import DataError


def numbers(value, what, ndim=1, least=None):
    """Finite float array of ``ndim`` axes, all ``>= least``.

    Raises:
        DataError: names ``what`` and the rule that is broken.
    """
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{what} must be numbers in an array of {ndim} axes, got {type(value).__name__}") from error
    if array.ndim != ndim:
        raise DataError(f"{what} must have {ndim} axes, got shape {array.shape}")
    if not np.isfinite(array).all():
        raise DataError(f"{what} must be finite, got {array[~np.isfinite(array)][0]}; remove or repair these entries")
    if least is not None and array.size and array.min() < least:
        raise DataError(f"{what} must be at least {least}, got {array.min():g}")
    return array


def principal(points, n):
    """Projection of points on their first ``n`` principal axes.

    Args:
        points: ``[N, D]``.
        n: axes to keep, ``n <= D``.

    Returns:
        ``(projected [N, n], share [n])``; share is the part of the variance on each axis, 0 to 1.
        The sign of an axis is fixed by its largest loading, so equal input gives equal pictures.
    """
    centred = points - points.mean(0)
    _, scale, axes = np.linalg.svd(centred, full_matrices=False)
    axes, scale = axes[:n], scale**2
    if len(axes) < n:
        axes = np.vstack([axes, np.zeros((n - len(axes), points.shape[1]))])
        scale = np.append(scale, np.zeros(n))
    largest = np.abs(axes).argmax(1)
    axes = axes * np.where(axes[np.arange(n), largest] < 0, -1.0, 1.0)[:, None]
    total = scale.sum()
    return centred @ axes.T, scale[:n] / total if total > 0 else np.zeros(n)


def tile_slots(place):
    """Slots of things that share a tile, side by side in rows of ``ceil(sqrt(most on one tile))``.

    Args:
        place: tile of each thing ``[N, 2]``.

    Returns:
        ``(slot [N, 2], per_row)``: column and row inside the tile, in order of appearance.
    """
    _, tile, share = np.unique(place, axis=0, return_inverse=True, return_counts=True)
    tile = tile.ravel()
    order = np.argsort(tile, kind="stable")
    rank = np.empty(len(tile), int)
    rank[order] = np.arange(len(tile)) - np.repeat(np.cumsum(share) - share, share)
    per_row = int(np.ceil(np.sqrt(share.max())))
    return np.column_stack([rank % per_row, rank // per_row]), per_row
