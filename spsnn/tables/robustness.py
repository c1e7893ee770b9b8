"""Accuracy of a trained network when its input or its delays are damaged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spsnn import models
from spsnn.cli.config import SPIKING
from spsnn.datasets import DropEvents, Jitter, LoseChannels
from spsnn.errors import ConfigError
from spsnn.training import evaluate

INPUT = {"drop": DropEvents, "jitter": Jitter, "channels": LoseChannels}
UNITS = {"drop": "", "jitter": " ms", "channels": "", "delay_step": " ms"}


def check_damage(damage, runs=()):
    """Refuse kinds and amounts that do not exist, and runs without spikes to damage, before anything is trained.

    Raises:
        ConfigError: names the kind, the amount or the row.
    """
    for run in runs if damage else ():
        if run.config.kind != SPIKING:
            raise ConfigError(
                f"damage is done to spikes and delays, row {run.row.name!r} is of kind {run.config.kind!r}; leave "
                "damage or the row out"
            )
    for kind, amounts in damage.items():
        if kind not in UNITS:
            raise ConfigError(f"damage must be of {', '.join(UNITS)}, got {kind!r}")
        for amount in amounts:
            if kind in INPUT:
                INPUT[kind](amount)
            elif not amount > 0:
                raise ConfigError(f"delay_step must be a positive number of ms, got {amount}")
            for run in runs if kind == "delay_step" else ():
                grid = run.config.grid
                share = amount / grid.dt
                if grid.delays == "round" and abs(share - round(share)) > 1e-9 * share:
                    raise ConfigError(
                        f"delay_step must be a multiple of the step to which row {run.row.name!r} rounds its delays, "
                        f"{grid.dt:g} ms, got {amount:g}"
                    )


def damage_names(damage):
    """Names of all damages, e.g. ``drop 0.2``, ``jitter 8 ms``, with their kind and amount."""
    return {f"{kind} {amount:g}{UNITS[kind]}": (kind, amount) for kind in damage for amount in damage[kind]}


def damaged_accuracies(model, events, damage, seed=0):
    """Accuracy under each damage.

    Args:
        model: trained `SpSNN`.
        events: `SpikeBatch` with labels.
        damage: amounts by kind.  ``drop``: share of spikes left out; ``jitter``: standard deviation of spike times in
            ms; ``channels``: share of input channels that are silent; ``delay_step``: delays rounded to multiples of
            so many ms.
        seed: of the damage: what is dropped, moved or lost is the same for all models scored with one seed.

    Returns:
        ``{name: accuracy}``, names as in `damage_names`.
    """
    scores = {}
    for name, (kind, amount) in damage_names(damage).items():
        if kind == "delay_step":
            scores[name] = evaluate(rounded_delays(model, amount), events)["accuracy"]
        else:
            scores[name] = evaluate(model, INPUT[kind](amount)(events, np.random.default_rng(seed)))["accuracy"]
    return scores


def rounded_delays(model, step):
    """A copy of the model whose delays are multiples of ``step`` ms, as on a chip with that resolution."""
    network = models.to_graph(model)
    projections = tuple(replace(p, delay=np.rint(p.delay / step) * step) for p in network.projections)
    return models.from_graph(model, replace(network, projections=projections)).to(model.device)
