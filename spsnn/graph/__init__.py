"""The network graph shared by models and hardware mapping."""

from spsnn.graph.files import is_graph, load_graph, save_graph
from spsnn.graph.network import Network, Population, Projection

__all__ = ["Network", "Population", "Projection", "is_graph", "load_graph", "save_graph"]
