"""From a trained network's graph to a placed, routed and costed chip.

``targets`` are the chips, ``traffic`` what a network asks of one. `compile` takes a network through ``quantise`` and
``delays``, ``partition``, ``place`` and ``cost``; ``noc`` simulates the result, ``exports`` write it.
"""

from spsnn.hwmap.compile import Chip, compare_placements, compile
from spsnn.hwmap.cost.simple import cost_of_trace
from spsnn.hwmap.exports import netx
from spsnn.hwmap.exports.layout import Layout, read_layout
from spsnn.hwmap.noc.model import NocSettings
from spsnn.hwmap.noc.result import NocResult, simulate_noc
from spsnn.hwmap.pareto import pareto
from spsnn.hwmap.place.refine import Objective
from spsnn.hwmap.quantise.integer import IntegerNetwork
from spsnn.hwmap.synthetic import synthetic
from spsnn.hwmap.targets.target import Target, available_targets, load_target
from spsnn.hwmap.traffic.trace import Trace

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
    "netx",
    "pareto",
    "read_layout",
    "simulate_noc",
    "synthetic",
]
