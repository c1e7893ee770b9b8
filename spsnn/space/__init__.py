"""Spaces in which neurons live."""

from spsnn.space.euclidean import Euclidean, Points

__all__ = ["Euclidean", "Points"]
