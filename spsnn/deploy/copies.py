"""Copies of a model that run, and train, as a chip holds it."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
import torch

from spsnn.models.graph import BIAS
from spsnn.models.spiking.current import resting
from spsnn.models.spiking.spsnn import SpSNN
from spsnn.synapses.stored import Stored


def plain_copy(model):
    """A model on the grid with the same spikes and coordinates: normalisation folded into weights and bias, no dropout.

    A model of the event engine takes whole steps of delay.
    """
    config = {**model.config(), "engine": "grid", "silent_pull": 0.0, "dropout": 0.0}
    config |= {"normalise": "none", "bias": bool(len(model.currents))}
    if model.settings.engine == "event":
        config["grid"] = {**config["grid"], "delays": "round"}
    copy = SpSNN.from_config(config).to(model.device)
    state = {name: value.clone() for name, value in model.state_dict().items() if not name.startswith("currents.")}
    copy.load_state_dict(state, strict=False)
    with resting(model), torch.no_grad():
        for k, current in enumerate(model.currents):
            factor, drive = current.drive()
            copy.currents[k].bias.copy_(drive.bias)
            if factor is not None:
                for _, synapse in copy._into(k + 1):
                    synapse.weight.mul_(factor)
    return copy.eval()


@contextmanager
def as_stored(model, chip):
    """Run the model with the integers, scales and delays of a chip; on leaving, put its weights on the integers.

    Delays may take the steps that the chip's delay mode leaves open: all up to the longest (stored), those of the
    residual bits above the hops (hop), or the realised one alone (computed).

    Args:
        model: `plain_copy` of the model that the chip was made of.
        chip: ``Chip``.
    """
    top = 2 ** (chip.target.weight_bits - 1) - 1
    scales = chip.integers.scales
    at = {(p.pre, p.post): k for k, p in enumerate(chip.network.projections)}
    holders = []
    for pre, post, synapse in model.synapses():
        low, high = _steps(chip, at[pre, post], tuple(synapse.weight.shape))
        synapse.stored = Stored(scales[post], top, model.grid.dt, low, high)
        holders.append(synapse)
    for k, current in enumerate(model.currents, 1):
        units = chip.network[f"{BIAS}hidden{k}"].size
        current.stored = Stored(units * scales[f"hidden{k}"], top)
        holders.append(current)
    try:
        yield model
        _put_on_integers(model)
    finally:
        for holder in holders:
            holder.stored = None


def _steps(chip, k, shape):
    """Bounds of the delay steps of projection ``k``: tensors ``[I, J]`` or numbers."""
    if chip.delay_mode == "stored":
        return chip.target.min_delay_steps, chip.target.max_delay_steps
    low = chip.integers.delays[k] - chip.extra["residuals"][k] if chip.delay_mode == "hop" else chip.integers.delays[k]
    spread = 2**chip.target.hop_residual_bits - 1 if chip.delay_mode == "hop" else 0
    projection, bounds = chip.network.projections[k], []
    for steps in (low, low + spread):
        matrix = np.zeros(shape)
        matrix[projection.sources, projection.indices] = steps
        bounds.append(torch.from_numpy(matrix))
    return tuple(bounds)


def _put_on_integers(model):
    with torch.no_grad():
        for _, _, synapse in model.synapses():
            synapse.weight.copy_(synapse.stored.weight(synapse.weight) * synapse.mask)
        for k, current in enumerate(model.currents):
            into = [s for _, s in model._into(k + 1)] + list(model.loops[k : k + 1])
            largest = max(float(s.weight.abs().max()) for s in into)
            current.bias.copy_(_bias_of_units(current.bias, model.feedforward[k].stored, largest))


def _bias_of_units(bias, stored, largest):
    """The nearest bias that as many units as `to_graph` takes can bring, each an integer of at most ``largest``."""
    units = max(int(np.ceil(float(bias.abs().max()) / largest - 1e-6)), 1) if largest > 0 else 1
    while True:
        limit = units * largest
        held = Stored(units * stored.scale, stored.top).weight(bias).clamp(-limit, limit)
        needed = max(int(np.ceil(float(held.abs().max()) / largest - 1e-6)), 1) if largest > 0 else 1
        if needed == units:
            return held
        units = needed
