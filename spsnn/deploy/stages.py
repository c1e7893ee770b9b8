"""What every step from a float network to a chip costs in accuracy, and how far it moves spikes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from spsnn import hwmap, models
from spsnn.deploy.distance import spike_distance, trains_of
from spsnn.errors import DataError, ExportError
from spsnn.hwmap.quantise.integer import IntegerNetwork
from spsnn.hwmap.quantise.overflow import check_range
from spsnn.models.graph import to_graph
from spsnn.models.spiking.current import resting
from spsnn.models.spiking.integer import IntegerModel


def staged(model, events, target="loihi2", *, tau=None, chip=None, batch_size=256, source=None, **options):
    """Run a model as it becomes a chip, step by step.

    ========== =========================================================================================
    float      the model as it is
    grid       on the chip's steps (models of the event engine alone)
    weights    weights as integers times a scale, and time constants of single neurons as whole decays
    delays     and delays as whole steps, at most the longest that the target stores
    fixed      and the neurons as the fixed-point LIF of Loihi: integer currents, potentials, thresholds and decays
    mapped     and delays as the delay mode realises them; with ``stored`` these are those above
    ========== =========================================================================================

    Args:
        model: `SpSNN`.
        events: `SpikeBatch` with labels, on which everything is measured.
        target, options: of ``spsnn.hwmap.compile``.
        tau: ms, of the spike-train distance; by default the ``tau_syn`` of the hidden neurons, within which a synapse
            cannot tell spikes apart.
        chip: ``Chip`` of this model, if there is one already; then ``target`` and ``options`` are not used.
        source: what the events are, kept with the measured rates.

    Returns:
        ``(rows, chip)``; a row is a dict of ``stage``, ``accuracy``, ``loss_points`` (percentage points below float),
        ``spike_distance`` (mean over neurons and samples of the squared van Rossum distance to float),
        ``spike_distance_relative`` (the same over that of float to silence), ``spikes_per_neuron``, ``tau_ms`` and
        ``note``.  A stage that the target cannot hold has None in place of figures and says why in ``note``.

    Raises:
        DataError: events without labels.
        CapacityError: a fixed-point current that leaves its register; names the neuron.
    """
    if events.labels is None:
        raise DataError("stages are measured in accuracy; build the SpikeBatch with labels=")
    if chip is None:
        chip = hwmap.compile(to_graph(model, events, source=source), target, **options)
    tau = model.neuron.tau_syn if tau is None else tau
    runs = [("float", model, "")]
    if model.settings.engine == "event":
        runs.append(("grid", models.from_graph(model, chip.network), ""))
    stored = hwmap.quantise.quantise(chip.network, chip.target, chip.options["scale"])
    wanted = tuple(
        replace(held, delay=p.delay)
        for held, p in zip(stored.network.projections, chip.network.projections, strict=True)
    )
    runs.append(("weights", models.from_graph(model, replace(stored.network, projections=wanted)), ""))
    runs.append(("delays", models.from_graph(model, stored.network), ""))
    same = all(np.array_equal(a, b) for a, b in zip(stored.delays, chip.integers.delays, strict=True))
    try:
        runs.append(("fixed", IntegerModel(model, IntegerNetwork.of(stored)), ""))
        if not same:
            runs.append(("mapped", IntegerModel(model, IntegerNetwork.of(chip.integers)), ""))
    except ExportError as error:
        runs.append(("fixed", None, str(error)))
        runs.append(("mapped", models.from_graph(model, chip.quantised), "float neurons"))
    rows, reference = [], None
    for stage, net, note in runs:
        row = {"stage": stage, "accuracy": None, "loss_points": None, "spike_distance": None,
               "spike_distance_relative": None, "spikes_per_neuron": None, "tau_ms": tau, "note": note}  # fmt: skip
        if net is not None:
            decided, trains = _run(net, events, batch_size)
            reference = reference or (decided, trains)
            row |= _figures(events.labels, decided, trains, reference, tau)
            clipped = getattr(net, "clipped", 0)
            if clipped:
                row["note"] = f"{clipped} potentials cut at 24 bits"
        rows.append(row)
    if rows[-1]["stage"] == "fixed":
        rows.append({**rows[-1], "stage": "mapped", "note": "integers as fixed"})
    return rows, chip


def _run(net, events, batch_size):
    """Decisions ``[B]`` and the spike trains of every batch."""
    decided, trains = [], []
    with resting(net), torch.no_grad():
        for start in range(0, len(events), batch_size):
            batch = events[start : start + batch_size]
            before = getattr(net, "wrapped", 0)
            output = net(batch)
            if getattr(net, "wrapped", 0) > before:
                check_range(net.network, net.network.run(net.inputs(batch)).spikes)
            decided.append(output.logits.argmax(1).cpu().numpy())
            trains.append(trains_of(output, net.grid.dt))
    return np.concatenate(decided), trains


def _figures(labels, decided, trains, reference, tau):
    nothing = [(np.zeros_like(counts), np.zeros(0)) for counts, _ in trains]
    moved = np.concatenate([spike_distance(a, b, tau) for a, b in zip(reference[1], trains, strict=True)])
    silent = np.concatenate([spike_distance(a, b, tau) for a, b in zip(reference[1], nothing, strict=True)])
    accuracy, before = (float(np.mean(d == labels)) for d in (decided, reference[0]))
    return {
        "accuracy": accuracy,
        "loss_points": 100 * (before - accuracy),
        "spike_distance": float(moved.mean()),
        "spike_distance_relative": float(moved.sum() / silent.sum()) if silent.sum() > 0 else 0.0,
        "spikes_per_neuron": float(np.concatenate([c for c, _ in trains]).mean()),
    }
