"""From a trained network's graph to a placed, routed and costed chip."""

from spsnn.hwmap.compile import Chip, compare_placements, compile
from spsnn.hwmap.layout import Layout, read_layout
from spsnn.hwmap.pareto import pareto
from spsnn.hwmap.refine import Objective
from spsnn.hwmap.synthetic import synthetic
from spsnn.hwmap.target import Target, available_targets, load_target

__all__ = [
    "Chip",
    "Layout",
    "Objective",
    "Target",
    "available_targets",
    "compare_placements",
    "compile",
    "load_target",
    "pareto",
    "read_layout",
    "synthetic",
]
