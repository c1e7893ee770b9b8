"""Several trained networks as one."""

from __future__ import annotations

from contextlib import ExitStack

import torch

from spsnn.errors import ConfigError
from spsnn.models.spiking.current import resting
from spsnn.models.spiking.spsnn import SpSNN

# Of these the networks may have their own, since what they hold does not depend on them any more.
OWN = {"sizes", "space", "delay", "alpha", "learn_alpha", "d_min", "max_delay", "on_exceed", "position_scale",
       "position_init", "weight_gain", "weight_mean", "recurrent_gain", "normalise", "normal_gain", "bias", "dropout",
       "silent_pull", "self_connections", "seed"}  # fmt: skip


def join(models):
    """One network whose logits are the mean of those of several.

    Input and output are shared, hidden neurons of the same layer stand side by side, and no synapse leads from one
    network to another:

        W_k = diag(W_k^1, ..., W_k^N)  between hidden layers,        W_out = [W_out^1; ...; W_out^N] / N

    The potential of a leaky integrator is linear in its current, so its mean is that of the networks' outputs, up to
    rounding.  Every synapse keeps its delay, as a value of its own: each network has coordinates of its own for the
    shared neurons, so the whole has none, and a chip places it by another method than ``learned``.

    Args:
        models: at least two `SpSNN` with the readout ``mean_membrane``, alike in inputs, layers, classes, neurons,
            step, engine, scale of the readout, recurrence, skip connections and whether hidden neurons have a bias;
            hidden sizes, spaces, kinds of delay and settings of training may differ.

    Returns:
        `SpSNN` with ``delay="free"``; normalisation is folded into weights and bias, as at export.

    Raises:
        ConfigError: for fewer than two, other models, `obstacle`, or networks that differ.
    """
    models = [models] if isinstance(models, torch.nn.Module) else list(models)
    if len(models) < 2 or not all(isinstance(m, SpSNN) for m in models):
        raise ConfigError(f"join takes a list of at least two SpSNN, got {[type(m).__name__ for m in models]}")
    first, last = models[0], len(models[0].sizes) - 1
    wrong = obstacle(first.settings, last)
    if wrong:
        raise ConfigError(f"{wrong}; such networks cannot be joined")
    for number, model in enumerate(models[1:], 2):
        differing = [f"{k}: {a} and {b}" for k, (a, b) in _common(first, model).items() if a != b]
        if differing:
            raise ConfigError(
                f"network {number} differs from the first: {'; '.join(differing)}; join networks that have these "
                "in common"
            )
    with ExitStack() as stack:
        for model in models:
            stack.enter_context(resting(model))
        return _side_by_side(models, last)


def obstacle(settings, last):
    """Why networks of these settings have no mean in one output, or None.

    Args:
        settings: `ModelConfig`.
        last: number of the output population, counted from the input as 0.
    """
    if settings.readout != "mean_membrane":
        return f"only the mean of the readout mean_membrane is that of one output, got {settings.readout!r}"
    if settings.learn_output:
        return f"outputs have learned constants of their own ({', '.join(settings.learn_output)})"
    if last < 2 or [0, last] in settings.skip:
        return "synapses lead from the input to the output, where they cannot stand side by side"
    return None


def _common(first, model):
    """What must agree, ``{name: (of the first, of the other)}``."""
    both = (first, model)
    configs = [m.config() for m in both]
    return {
        **{k: tuple(c[k] for c in configs) for k in configs[0] if k not in (*OWN, "grid")},
        "grid": tuple({k: c["grid"][k] for k in ("dt", "delays")} for c in configs),
        "inputs": tuple(m.sizes[0] for m in both),
        "populations": tuple(len(m.sizes) for m in both),
        "classes": tuple(m.sizes[-1] for m in both),
        "bias or normalisation": tuple(len(m.currents) > 0 for m in both),
    }


def _side_by_side(models, last):
    first = models[0]
    hidden = [sum(m.sizes[k] for m in models) for k in range(1, last)]
    free = {"delay": "free", "learn_alpha": False, "d_min": 0.0, "max_delay": None, "normalise": "none", "dropout": 0.0,
            "silent_pull": 0.0, "self_connections": True, "bias": bool(len(first.currents))}  # fmt: skip
    whole = SpSNN.from_config({**first.config(), **free, "sizes": [first.sizes[0], *hidden, first.sizes[-1]]})
    whole.to(first.device)
    if any(m.feedforward[0].weight.dtype == torch.float64 for m in models):
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
