"""Recorded spikes of one inference, in the common numbering of neurons."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spsnn.errors import DataError
from spsnn.hwmap.cost import ASSUMPTIONS, TRACED, figures
from spsnn.hwmap.events import Wiring
from spsnn.hwmap.route import route


@dataclass(frozen=True)
class Trace:
    """Every spike of one inference, sorted by step and then by neuron.

    Attributes:
        step: step of each spike, int64 ``[n_spikes]`` in ``0..n_steps - 1``.
        neuron: who spiked, int64 ``[n_spikes]`` in the numbering of ``Flat``, input units included.
        n_steps: length of the inference.
    """

    step: np.ndarray
    neuron: np.ndarray
    n_steps: int

    @classmethod
    def of(cls, flat, trains):
        """Trace from one matrix of spikes for each population.

        Args:
            flat: ``Flat``.
            trains: ``{population: bool [T, N]}``; a population that is left out is silent.

        Raises:
            DataError: unknown population, or a matrix that does not fit it; names it.
        """
        sizes = {p.name: p.size for p in flat.network.populations}
        steps, neurons, length = [], [], None
        for name, train in trains.items():
            train = np.asarray(train)
            if name not in sizes:
                raise DataError(f"trace names an unknown population {name!r}; known: {', '.join(sizes)}")
            if train.ndim != 2 or train.shape[1] != sizes[name] or (length or len(train)) != len(train):
                wanted = f"[{length or 'T'}, {sizes[name]}]"
                raise DataError(f"spikes of population {name!r} must have shape {wanted}, got {list(train.shape)}")
            length = len(train)
            step, neuron = np.nonzero(train)
            steps.append(step)
            neurons.append(neuron + flat.offsets[name])
        if not length:
            raise DataError("a trace needs the spikes of at least one population over at least one step, got none")
        step, neuron = np.concatenate(steps).astype(np.int64), np.concatenate(neurons).astype(np.int64)
        order = np.lexsort((neuron, step))
        return cls(step[order], neuron[order], length)

    def counts(self, n):
        """Spikes of each of ``n`` neurons ``[n]``."""
        return np.bincount(self.neuron, minlength=n)


def cost_of_trace(chip, trace):
    """Energy and latency of one recorded inference on a mapped chip, step by step.

    The same components and the same ``simple`` timing as `spsnn.hwmap.cost.cost`, with the events of every step in
    place of means (see `Wiring.traced` for which step an event belongs to):

        latency = sum over steps of max(max over cores of generation, max over cores of reception) + barrier

    Args:
        chip: ``Chip``.
        trace: ``Trace`` in the numbering of ``chip.flat``.

    Returns:
        dict with the keys of `cost`; ``step_ns``, ``step_generation_ns`` and ``step_reception_ns`` are means over
        steps, ``step_max_ns`` is the longest step.
    """
    flat, target, partition = chip.flat, chip.target, chip.partition
    wiring = Wiring.of(flat, target, partition, chip.bits)
    delays = np.concatenate([np.zeros(0, np.int64), *chip.integers.delays])
    events = wiring.traced(trace, delays)
    routing = route(replace(flat, rates=events.rates), target, partition, chip.slots, events.sums)
    return figures(target, events, routing) | {
        "cost_assumptions": f"{TRACED}; {ASSUMPTIONS}",
        "activity_source": "a recorded inference",
    }
