"""What the trained networks of a table cost on a chip."""

from __future__ import annotations

from spsnn.checks import whole_number
from spsnn.cli.config import SPIKING
from spsnn.cli.workflow import map_model
from spsnn.errors import ConfigError
from spsnn.hwmap import load_target
from spsnn.hwmap.place.methods import split
from spsnn.hwmap.quantise.scales import METHODS as SCALES
from spsnn.models.registry import rate_model

FIGURES = ("mapped_accuracy", "energy_uj", "latency_us", "spikes", "synaptic_ops", "cores")
OPTIONS = ("target", "cores", "placement", "scale")


def check_chip(options, runs=()):
    """Refuse an unknown target or option, and models that go to no chip, before anything is trained.

    Raises:
        ConfigError: names the option, the target or the row.
    """
    for run in runs if options else ():
        if run.config.kind != SPIKING and not rate_model(run.config.kind).goes_to_chip:
            raise ConfigError(
                f"row {run.row.name!r} is of kind {run.config.kind!r}, which goes to no chip; leave chip or the row out"
            )
    unknown = sorted(set(options) - set(OPTIONS))
    if unknown or (options and "target" not in options):
        raise ConfigError(f"chip takes a target and {', '.join(OPTIONS[1:])}, got {options}")
    if options:
        load_target(options["target"])
        if "placement" in options:
            split(options["placement"])
        if options.get("scale", "max") not in SCALES:
            raise ConfigError(f"scale must be one of {', '.join(SCALES)}, got {options['scale']!r}")
        if options.get("cores") is not None:
            whole_number("cores", options["cores"], 1)


def chip_figures(model, data, options):
    """Figures per inference of a trained model on a target.

    Args:
        model: `SpSNN`, or a rate-coded model that maps to a chip.
        data: set on which activity and accuracy are measured.
        options: ``target``, and what else `spsnn.hwmap.compile` takes of ``OPTIONS``.

    Returns:
        ``mapped_accuracy`` (share), ``energy_uj``, ``latency_us``, ``spikes`` (sent by all populations, inputs and
        biases too), ``synaptic_ops`` and ``cores``.
    """
    chip, found = map_model(model, data, **options)
    sent = sum(float(p.rates.sum()) for p in chip.network.populations if p.rates is not None)
    values = (
        found["mapped_accuracy"],
        found["energy_nj_per_inference"] / 1000,
        found["latency_us_per_inference"],
        sent,
        found["count_synaptic_op"],
        found["cores_used"],
    )
    return dict(zip(FIGURES, values, strict=True))
