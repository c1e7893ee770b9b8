"""Cores to places on the mesh: from learned coordinates, from traffic alone or along a curve, then refined."""

from spsnn.hwmap.place.methods import METHODS, arrange, block_of_slots, place, traffic, weighted_hops
from spsnn.hwmap.place.refine import Objective

__all__ = ["METHODS", "Objective", "arrange", "block_of_slots", "place", "traffic", "weighted_hops"]
