"""The trade between hops, the busiest link and delay error, as a front of placements."""

from __future__ import annotations

import numpy as np

from spsnn.errors import ConfigError
from spsnn.hwmap.compile import _Mapper
from spsnn.hwmap.place.refine import Objective

TERMS = "hops_per_inference", "link_load_max", "delay_error_per_inference"


def pareto(
    network, target="loihi2", *, divisions=4, placement="learned", seed=0, partition="auto", delay_mode="hop",
    cores=None, split_fan_in=False,
):  # fmt: skip
    """Placements of one partition under many weighings of hops, busiest link and delay error.

    Each is refined from the same start under ``J = a H / H0 + b L / L0 + c E / E0``, where ``H0, L0, E0`` are the terms
    of the start and ``a + b + c = 1`` runs over a grid of steps ``1 / divisions``.  Outside the ``hop`` delay mode
    placement has no delay error, and ``c`` is 0.

    Args:
        network: ``spsnn.graph.Network`` with measured rates.
        target: as in ``compile``.
        divisions: steps of the grid along an axis; ``(divisions + 1)(divisions + 2) / 2`` placements in ``hop`` mode,
            ``divisions + 1`` otherwise.
        placement: the start; ``+refine`` after it changes nothing, since every row but the start is refined.
        seed: of partition, start and search; equal seeds give equal rows.
        partition, delay_mode, cores, split_fan_in: as in ``compile``.

    Returns:
        list of dicts, the start first: ``weights`` (a, b, c; None for the start), the terms ``hops_per_inference``,
        ``link_load_max``, ``delay_error_per_inference`` (sum over synapses of spikes times steps missed),
        ``energy_nj_per_inference``, ``latency_us_per_inference``, ``delay_label``, and ``dominated``: whether another
        row is no worse in every term and better in one.

    Raises:
        ConfigError: ``divisions`` < 1, or what ``compile`` raises.
    """
    if isinstance(divisions, bool) or not isinstance(divisions, (int, np.integer)) or divisions < 1:
        raise ConfigError(f"pareto needs divisions >= 1, got {divisions!r}")
    placement = placement.removesuffix("+refine")
    mapper = _Mapper(network, target, seed, partition, delay_mode, cores, split_fan_in=split_fan_in)
    rows = [_row(mapper.chip(placement), None)]
    scale = [rows[0][term] or 1.0 for term in TERMS]
    for i in range(divisions, -1, -1):
        for j in range(divisions - i, -1, -1):
            weights = i / divisions, j / divisions, (divisions - i - j) / divisions
            if weights[2] and delay_mode != "hop":
                continue
            objective = Objective(*(w / s for w, s in zip(weights, scale, strict=True)))
            rows.append(_row(mapper.chip(f"{placement}+refine", objective=objective), weights))
    for row, flag in zip(rows, dominated([[row[term] for term in TERMS] for row in rows]), strict=True):
        row["dominated"] = bool(flag)
    return rows


def dominated(points):
    """Whether another point is no larger in any term and smaller in one, bool ``[n]``."""
    points = np.asarray(points, float)
    no_worse = (points[:, None] <= points[None]).all(-1)
    return (no_worse & (points[:, None] < points[None]).any(-1)).any(0)


def _row(chip, weights):
    flat, dt = chip.flat, chip.network.dt
    missed = [
        flat.rates[flat.members(p.pre)][p.sources] @ np.abs(steps - np.rint(p.delay / dt))
        for p, steps in zip(chip.network.projections, chip.integers.delays, strict=True)
    ]
    hops = chip.delay_mode == "hop"
    return {
        "weights": weights,
        "hops_per_inference": chip.cost["hops_per_inference"],
        "link_load_max": chip.cost["link_load_max"],
        "delay_error_per_inference": float(sum(missed)) if hops else 0.0,
        "energy_nj_per_inference": chip.cost["energy_nj_per_inference"],
        "latency_us_per_inference": chip.cost["latency_us_per_inference"],
        "delay_label": chip.target.delay_label(chip.delay_mode),
    }
