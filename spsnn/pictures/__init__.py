"""Pictures of networks, spikes, training and chips as matplotlib figures, and the self-contained HTML report.

Every function takes plain arrays or a ``Network`` and returns a ``matplotlib.figure.Figure`` made without pyplot, so it
works without a display and leaks no global figure.  Save one with ``figure.savefig("name.svg")``.
"""

from spsnn.pictures._chip import chip_mesh
from spsnn.pictures._confusion import confusion
from spsnn.pictures._context import context_map
from spsnn.pictures._coordinates import coordinates
from spsnn.pictures._delays import delay_histogram
from spsnn.pictures._energy import energy_bars
from spsnn.pictures._neurons import neuron_histogram
from spsnn.pictures._placement import placement
from spsnn.pictures._prior import prior_map
from spsnn.pictures._raster import raster
from spsnn.pictures._training import training_curves
from spsnn.pictures.report import Section, write_report

__all__ = [
    "Section",
    "chip_mesh",
    "confusion",
    "context_map",
    "coordinates",
    "delay_histogram",
    "energy_bars",
    "neuron_histogram",
    "placement",
    "prior_map",
    "raster",
    "training_curves",
    "write_report",
]
