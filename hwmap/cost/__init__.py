"""Routes of messages, and the energy and time that they and the cores take."""

from spsnn.hwmap.cost.simple import COMPONENTS, barrier_ns, chips_used, cost, cost_of_cores, cost_of_trace, split_hops

__all__ = ["COMPONENTS", "barrier_ns", "chips_used", "cost", "cost_of_cores", "cost_of_trace", "split_hops"]
