"""Recorded spikes of one inference, in the common numbering of neurons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spsnn.errors import DataError


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
