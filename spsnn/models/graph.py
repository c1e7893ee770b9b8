"""Between models and the neutral network graph."""

from __future__ import annotations

import numpy as np
import torch

from spsnn.checks import whole_number
from spsnn.errors import ConfigError
from spsnn.graph import Network, Population, Projection
from spsnn.models.bias import BIAS, bias_units
from spsnn.models.spiking.current import resting
from spsnn.models.spiking.spsnn import SpSNN
from spsnn.neurons.learned import BOUNDS, TIMES


def to_graph(model, events=None, *, batch_size=256, source=None, name="SpSNN"):
    """Network graph of a model, with spike rates measured on ``events``.

    Args:
        model: `SpSNN`, or a rate-coded model.
        events: `SpikeBatch` on which spikes per neuron and inference are measured, or a data set, or None: no rates.
            Several input spikes of a unit in one step count as one, the message in which they reach a chip.
        source: what the events are, kept with the rates.
    """
    if not model.spiking:
        return model.to_graph(events, batch_size=batch_size, source=source, name=name)
    events = getattr(events, "events", events)
    with resting(model), torch.no_grad():
        return _to_graph(model, events, batch_size, source, name)


def _to_graph(model, events, batch_size, source, name):
    rates = measure_rates(model, events, batch_size) if events is not None else [None] * len(model.sizes)
    populations = []
    for k, (label, neuron) in enumerate(model.populations()):
        populations.append(
            Population(
                label,
                model.sizes[k],
                "input" if neuron is None else neuron.kind,
                model.points[k].position.detach().cpu().numpy().astype(np.float64) if len(model.points) else None,
                {} if neuron is None else {**neuron.parameters(), **_own(model.neurons[k - 1])},
                rates[k],
            )
        )
    currents = {f"hidden{k}": c.drive() for k, c in enumerate(model.currents, 1)}
    projections = []
    for pre, post, s in model.synapses():
        factor = currents[post][0] if post in currents and pre != post else None
        weight = s.weight if factor is None else s.weight * factor
        projections.append(Projection.from_dense(pre, post, *(x.cpu().numpy() for x in (weight, s.delays(), s.mask))))
    for post, (_, drive) in currents.items():
        largest = max(np.abs(p.weight).max(initial=0.0) for p in projections if p.post == post)
        units, projection = bias_units(drive.bias.cpu().numpy(), largest, post)
        steps = events.n_steps(model.grid.dt) if events is not None else 0
        rates_of_bias = None if events is None else np.full(units, float(steps))
        populations.insert(-1, Population(BIAS + post, units, "input", rates=rates_of_bias))
        projections.append(projection)
    projections = tuple(projections)
    duration = events.duration if events is not None else model.grid.dt
    return Network(tuple(populations), projections, model.grid.dt, duration, source, name)


def _own(neurons):
    return {name: value.detach().cpu().numpy() for name, value in neurons().items()}


def measure_rates(model, events, batch_size=256):
    """Spikes per neuron and inference of every population, list of ``[N]``; zeros for one that never spikes.

    Several input spikes of a unit in one step count as one.
    """
    whole_number("batch_size", batch_size, 1)
    totals = [np.zeros(n) for n in model.sizes]
    with resting(model), torch.no_grad():
        for start in range(0, len(events), batch_size):
            batch = events[start : start + batch_size]
            for k, s in enumerate(model(batch).spikes, 1):
                totals[k] += torch.as_tensor(s.counts().sum(0)).cpu().numpy()
            totals[0] += np.bincount(batch.distinct(model.grid.dt).units, minlength=model.sizes[0])
    return [t / len(events) for t in totals]


def from_graph(model, network):
    """A model with the weights, delays and neuron parameters of a graph, e.g. after quantisation.

    Every delay is its own value.  The copy runs on the grid, since chips advance in steps; a model of the event engine
    takes whole steps of delay.

    Args:
        model: `SpSNN` that gives the neurons, grid and readout, or a rate-coded model.
        network: graph with the same populations and projections.

    Raises:
        ConfigError: if populations or projections differ.
    """
    if not model.spiking:
        return model.from_graph(network)
    config = {**model.config(), "delay": "free", "max_delay": None, "engine": "grid", "silent_pull": 0.0}
    config |= {"normalise": "none", "dropout": 0.0, "bias": bool(len(model.currents)), "learn_alpha": False}
    # A chip's nearest time constant may lie outside the bounds, by less than a factor of two.
    for name in TIMES:
        low, high = config["neuron_bounds"].get(name, BOUNDS[name])
        config["neuron_bounds"] = {**config["neuron_bounds"], name: [low / 2, 2 * high]}
    if model.settings.engine == "event":
        config["grid"] |= {"delays": "round"}
    copy = SpSNN.from_config(config)
    bias = {p.post: p for p in network.projections if p.pre.startswith(BIAS)}
    given = {(p.pre, p.post): p for p in network.projections if not p.pre.startswith(BIAS)}
    populations = [p for p in network.populations if not p.name.startswith(BIAS)]
    wanted = {(a, b) for a, b, _ in copy.synapses()}
    if wanted != set(given) or [p.size for p in populations] != model.sizes or len(bias) != len(copy.currents):
        raise ConfigError("the graph's populations or projections are not those of the model")
    with torch.no_grad():
        for pre, post, synapse in copy.synapses():
            weight, delay, mask = given[pre, post].to_dense(tuple(synapse.weight.shape))
            synapse.d_min = 0.0
            synapse.weight.copy_(torch.from_numpy(weight))
            synapse.delay.copy_(torch.from_numpy(delay))
            synapse.mask.copy_(torch.from_numpy(mask))
        for neurons, population in zip(copy.neurons, populations[1:], strict=True):
            for name in neurons.raw:
                value = np.asarray(population.parameters.get(name), np.float64)
                if value.shape != (population.size,):
                    raise ConfigError(
                        f"the model has a {name} for each neuron of {population.name}, the graph has not; take a graph "
                        "that to_graph made of this model"
                    )
                neurons.put_(name, value)
        for k, current in enumerate(copy.currents, 1):
            p = bias[f"hidden{k}"]
            current.bias.copy_(torch.from_numpy(np.bincount(p.indices, p.weight, len(current.bias))))
    return copy.eval()
