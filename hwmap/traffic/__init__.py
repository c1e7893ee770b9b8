"""What a network asks of a chip: its neurons in one numbering, its events, its recorded spikes, its hyperedges."""

from spsnn.hwmap.traffic.events import Events, Wiring
from spsnn.hwmap.traffic.flat import Flat
from spsnn.hwmap.traffic.hyperedges import Hyperedges
from spsnn.hwmap.traffic.trace import Trace

__all__ = ["Events", "Flat", "Hyperedges", "Trace", "Wiring"]
