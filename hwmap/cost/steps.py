"""Energy and time of every step of a recorded inference."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spsnn.hwmap.cost.route import route
from spsnn.hwmap.cost.simple import figures
from spsnn.hwmap.traffic.events import Events, Wiring


def cost_by_step(chip, trace, delays=None):
    """Energy and time of each step by the ``simple`` model; they add up to those of `spsnn.hwmap.cost.cost_of_trace`.

    Where cores send partial sums, their messages over links are shared among the steps in proportion to their number.

    Args:
        chip: ``Chip``.
        trace: ``Trace``.
        delays: steps of every synapse ``[n_synapses]``; None takes those of the mapping.

    Returns:
        dict of arrays ``[n_steps]``: ``energy_dynamic_nj``, ``energy_static_nj``, ``latency_ns``.
    """
    own = np.concatenate([np.zeros(0, np.int64), *chip.integers.delays])
    events = Wiring.of(chip.flat, chip.target, chip.partition, chip.bits).traced(
        trace, own if delays is None else np.asarray(delays)
    )
    helper, home, sums = events.sums
    share = events.sums_of_row / max(events.sums_of_row.sum(), 1)
    rows = []
    for step in range(trace.n_steps):
        rates = np.bincount(trace.neuron[trace.step == step], minlength=chip.flat.n).astype(float)
        part = (helper, home, sums * share[step])
        routing = route(replace(chip.flat, rates=rates), chip.target, chip.partition, chip.slots, part)
        counts = {name: table[step : step + 1] for name, table in events.counts.items()}
        cost = figures(chip.target, Events(counts, 1, part, rates), routing)
        rows.append(
            (cost["energy_dynamic_nj_per_inference"], cost["energy_static_nj"], 1e3 * cost["latency_us_per_inference"])
        )
    return dict(zip(("energy_dynamic_nj", "energy_static_nj", "latency_ns"), np.array(rows).T, strict=True))
