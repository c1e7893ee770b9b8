"""Spaces in which neurons live."""

from spsnn.space.euclidean import Euclidean, Points
from spsnn.space.line import Line
from spsnn.space.poincare import PoincareBall
from spsnn.space.sphere import Sphere

__all__ = ["Euclidean", "Line", "PoincareBall", "Points", "Sphere"]
