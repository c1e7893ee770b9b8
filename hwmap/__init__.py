"""From a trained network's graph to a placed, routed and costed chip."""

from spsnn.hwmap.compile import Chip, compare_placements, compile
from spsnn.hwmap.cost import cost_of_trace
from spsnn.hwmap.integer import IntegerNetwork
from spsnn.hwmap.layout import Layout, read_layout
from spsnn.hwmap.noc_model import NocSettings
from spsnn.hwmap.noc_result import NocResult, simulate_noc
from spsnn.hwmap.pareto import pareto
from spsnn.hwmap.refine import Objective
from spsnn.hwmap.synthetic import synthetic
from spsnn.hwmap.target import Target, available_targets, load_target
from spsnn.hwmap.trace import Trace

__all__ = [
    "Chip",
    "IntegerNetwork",
    "Layout",
    "NocResult",
    "NocSettings",
    "Objective",
    "Target",
    "Trace",
    "available_targets",
    "compare_placements",
    "compile",
    "cost_of_trace",
    "load_target",
    "pareto",
    "read_layout",
    "simulate_noc",
    "synthetic",
]
