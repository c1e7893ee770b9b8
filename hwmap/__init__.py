"""From a trained network's graph to a placed, routed and costed chip."""

from spsnn.hwmap.compile import Chip, compare_placements, compile
from spsnn.hwmap.cost import cost_of_trace
from spsnn.hwmap.layout import Layout, read_layout
from spsnn.hwmap.target import Target, available_targets, load_target

__all__ = [
    "Chip",
    "Layout",
    "Target",
    "available_targets",
    "compare_placements",
    "compile",
    "cost_of_trace",
    "load_target",
    "read_layout",
]
