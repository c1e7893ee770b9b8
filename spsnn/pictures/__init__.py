"""Pictures of networks, spikes, training and chips as matplotlib figures, and the self-contained HTML report.

Every function takes plain arrays, a ``Network``, or (those of `spsnn.pictures.chip`) a mapped ``Chip``, and returns a
``matplotlib.figure.Figure`` made without pyplot, so it works without a display and leaks no global figure.  Save one
with ``figure.savefig("name.svg")``.
"""

from spsnn.pictures._ball import ball_map
from spsnn.pictures._chip import chip_mesh
from spsnn.pictures._chip_run import chip_run
from spsnn.pictures._confusion import confusion
from spsnn.pictures._context import context_map
from spsnn.pictures._coordinates import coordinates
from spsnn.pictures._delay_error import delay_error_histogram
from spsnn.pictures._delays import delay_histogram
from spsnn.pictures._energy import energy_bars
from spsnn.pictures._field import motor_rates, phase_evolution, region_curves, sphere_map
from spsnn.pictures._latency import latency_histogram
from spsnn.pictures._links import link_load_histogram
from spsnn.pictures._neurons import neuron_histogram
from spsnn.pictures._pareto import pareto_front
from spsnn.pictures._placement import placement
from spsnn.pictures._prior import prior_map
from spsnn.pictures._raster import raster
from spsnn.pictures._training import training_curves
from spsnn.pictures.chip import chip_pictures, delay_errors, energy, learned_placement, link_loads, mesh
from spsnn.pictures.report import Section, write_report

__all__ = [
    "Section",
    "ball_map",
    "chip_mesh",
    "chip_pictures",
    "chip_run",
    "confusion",
    "context_map",
    "coordinates",
    "delay_error_histogram",
    "delay_errors",
    "delay_histogram",
    "energy",
    "energy_bars",
    "latency_histogram",
    "learned_placement",
    "link_load_histogram",
    "link_loads",
    "mesh",
    "motor_rates",
    "neuron_histogram",
    "pareto_front",
    "phase_evolution",
    "placement",
    "prior_map",
    "raster",
    "region_curves",
    "sphere_map",
    "training_curves",
    "write_report",
]
