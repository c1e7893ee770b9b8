"""Several trained networks as one."""

from __future__ import annotations

import torch

from spsnn.errors import ConfigError
from spsnn.models.spiking.spsnn import SpSNN

# Of these the networks may have their own; all else must agree, or hidden neurons side by side would not be theirs.
OWN = {"sizes", "space", "delay", "alpha", "learn_alpha", "d_min", "max_delay", "on_exceed", "position_scale",
       "position_init", "weight_gain", "weight_mean", "recurrent_gain", "normalise", "normal_gain", "bias", "dropout",
       "silent_pull", "seed"}  # fmt: skip


def join(models):
    """One network whose logits are the mean of those of several.

    Input and output are shared, hidden neurons of the same layer stand side by side, and no synapse leads from one
    network to another:

        W_k = diag(W_k^1, ..., W_k^N)  between hidden layers,        W_out = [W_out^1; ...; W_out^N] / N

    The potential of a leaky integrator is linear in its current, so its mean is that of the networks' outputs, up to
    rounding.  Every synapse keeps its delay, as a value of its own: each network has coordinates of its own for the
    shared neurons, so the whole has none, and a chip places it by another method than ``learned``.

    Args:
        models: at least two `SpSNN` with the readout ``mean_membrane`` and as many layers, alike in neurons, grid,
            engine, inputs and classes; hidden sizes, spaces and kinds of delay may differ.

    Returns:
        `SpSNN` with ``delay="free"``; normalisation is folded into weights and bias, as at export.

    Raises:
        ConfigError: for fewer than two, other models, another readout, learned constants of the output, a projection
            from input to output, or networks that differ.
    """
    models = list(models)
    if len(models) < 2 or not all(isinstance(m, SpSNN) for m in models):
        raise ConfigError(f"join takes at least two SpSNN, got {[type(m).__name__ for m in models]}")
    first, config = models[0], models[0].config()
    last = len(first.sizes) - 1
    if first.settings.readout != "mean_membrane":
        raise ConfigError(f"only the readout mean_membrane has a mean in one output, got {first.settings.readout!r}")
    if first.settings.learn_output:
        raise ConfigError(
            "outputs with learned constants have no mean in one output; join networks without learn_output"
        )
    if last < 2 or [0, last] in first.settings.skip:
        raise ConfigError("synapses from input to output cannot stand side by side; join networks without such")
    for number, model in enumerate(models[1:], 2):
        other = model.config()
        differing = [f"{k}: {config[k]} and {other[k]}" for k in config if k not in OWN and config[k] != other[k]]
        ends = [[m.sizes[0], len(m.sizes), m.sizes[-1], bool(len(m.currents))] for m in (first, model)]
        if ends[0] != ends[1]:
            differing.append(f"inputs, layers, classes and whether hidden neurons have a bias: {ends[0]} and {ends[1]}")
        if differing:
            raise ConfigError(f"network {number} differs from the first: {'; '.join(differing)}")
    hidden = [sum(m.sizes[k] for m in models) for k in range(1, last)]
    free = {"delay": "free", "learn_alpha": False, "d_min": 0.0, "max_delay": None, "normalise": "none", "dropout": 0.0,
            "silent_pull": 0.0, "bias": bool(len(first.currents))}  # fmt: skip
    whole = SpSNN.from_config({**config, **free, "sizes": [first.sizes[0], *hidden, first.sizes[-1]]})
    whole.to(first.device)
    if first.feedforward[0].weight.dtype == torch.float64:
        whole.double()
    with torch.no_grad():
        for _, _, synapse in whole.synapses():
            synapse.weight.zero_()
            synapse.delay.zero_()
            synapse.mask.zero_()
        start = dict.fromkeys((name for name, _ in first.populations()), 0)
        for model in models:
            size = {name: n for (name, _), n in zip(model.populations(), model.sizes, strict=True)}
            drives = {f"hidden{k}": current.drive() for k, current in enumerate(model.currents, 1)}
            for (pre, post, own), (_, _, synapse) in zip(model.synapses(), whole.synapses(), strict=True):
                block = tuple(slice(start[name], start[name] + size[name]) for name in (pre, post))
                factor = drives[post][0] if post in drives and pre != post else None
                weight = own.weights() if factor is None else own.weights() * factor
                synapse.weight[block] = weight / len(models) if post == "output" else weight
                synapse.delay[block] = own.delays()
                synapse.mask[block] = own.mask
            for k, current in enumerate(whole.currents, 1):
                name = f"hidden{k}"
                current.bias[start[name] : start[name] + size[name]] = drives[name][1].bias
            for name in start:
                start[name] += size[name] if name.startswith("hidden") else 0
        for k, neurons in enumerate(whole.neurons):
            for name in neurons.raw:
                neurons.put_(name, torch.cat([m.neurons[k]()[name] for m in models]))
    return whole.eval()
