"""Spike traces of a model on data: what a mapped chip would have to carry."""

from __future__ import annotations

import numpy as np
import torch

from spsnn.errors import DataError
from spsnn.hwmap.traffic.trace import Trace
from spsnn.models.graph import BIAS, resting


def record_trace(model, events, flat, batch_size=64):
    """Run samples through a model and keep all spikes, input included.

    For the spikes of the mapped network run that network: ``record_trace(from_graph(model, chip.quantised), ...)``.
    Spikes of the event engine go to the nearest step, as the chip's would; several of one neuron in one step are one.

    Args:
        model: `SpSNN`.
        events: `SpikeBatch`.
        flat: ``Flat`` of the mapped graph, ``chip.flat``.
        batch_size: samples that run at once.

    Returns:
        list of ``Trace``, one for each sample.

    Raises:
        DataError: the graph has other populations than the model, or another step.
    """
    network, dt = flat.network, model.grid.dt
    names = [name for name, neuron in model.populations() if neuron is None or neuron.spiking]
    known = {p.name: p.size for p in network.populations}
    sizes = dict(zip((name for name, _ in model.populations()), model.sizes, strict=True))
    if network.dt != dt or any(known.get(name) != sizes[name] for name in names):
        raise DataError(
            f"the graph (populations {known}, step {network.dt} ms) is not that of the model (populations {sizes}, "
            f"step {dt} ms); take the one that to_graph made of it"
        )
    n_steps = events.n_steps(dt)
    every_step = {name: np.ones((n_steps, size), bool) for name, size in known.items() if name.startswith(BIAS)}
    traces = []
    for start in range(0, len(events), batch_size):
        batch = events[start : start + batch_size]
        with resting(model), torch.no_grad():
            spikes = model(batch).spikes
        for b in range(len(batch)):
            owned = slice(batch.offsets[b], batch.offsets[b + 1])
            trains = [_train(batch.steps(dt)[owned], batch.units[owned], (n_steps, sizes[names[0]]))]
            for name, s in zip(names[1:], spikes, strict=True):
                where = slice(s.ptr[b, 0], s.ptr[b, -1])
                steps = s.steps[where] if hasattr(s, "steps") else np.rint(s.times[where] / dt).astype(np.int64)
                units = np.repeat(np.arange(sizes[name]), np.diff(s.ptr[b]))
                trains.append(_train(np.minimum(steps, n_steps - 1), units, (n_steps, sizes[name])))
            traces.append(Trace.of(flat, {**dict(zip(names, trains, strict=True)), **every_step}))
    return traces


def _train(steps, units, shape):
    out = np.zeros(shape, bool)
    out[np.asarray(steps), np.asarray(units)] = True
    return out
