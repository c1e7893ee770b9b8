"""Pictures of networks, spikes, training and chips as matplotlib figures, and the self-contained HTML report.

Every function takes plain arrays or a ``Network`` and returns a ``matplotlib.figure.Figure`` made without pyplot, so it
works without a display and leaks no global figure.  Save one with ``figure.savefig("name.svg")``.
"""

from spsnn.pictures._ball import ball_map
from spsnn.pictures._chip import chip_mesh
from spsnn.pictures._confusion import confusion
from spsnn.pictures._coordinates import coordinates
from spsnn.pictures._delays import delay_histogram
from spsnn.pictures._energy import energy_bars
from spsnn.pictures._field import motor_rates, phase_evolution, region_curves, sphere_map
from spsnn.pictures._neurons import neuron_histogram
from spsnn.pictures._placement import placement
from spsnn.pictures._raster import raster
from spsnn.pictures._training import training_curves
from spsnn.pictures.report import Section, write_report

__all__ = [
    "Section",
    "ball_map",
    "chip_mesh",
    "confusion",
    "coordinates",
    "delay_histogram",
    "energy_bars",
    "motor_rates",
    "neuron_histogram",
    "phase_evolution",
    "placement",
    "raster",
    "region_curves",
    "sphere_map",
    "training_curves",
    "write_report",
]
