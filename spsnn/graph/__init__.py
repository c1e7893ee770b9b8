"""The network graph shared by models and hardware mapping."""

from spsnn.graph.network import Network, Population, Projection

__all__ = ["Network", "Population", "Projection"]
