"""From a trained network's graph to a placed, routed and costed chip."""

from spsnn.hwmap.compile import Chip, compare_placements, compile
from spsnn.hwmap.integer import IntegerNetwork
from spsnn.hwmap.layout import Layout, read_layout
from spsnn.hwmap.target import Target, available_targets, load_target

__all__ = [
    "Chip",
    "IntegerNetwork",
    "Layout",
    "Target",
    "available_targets",
    "compare_placements",
    "compile",
    "load_target",
    "read_layout",
]
