"""A network with all neurons in one numbering, as partition, placement and cost need it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from spsnn.errors import ConfigError, DataError

NEVER_SPIKES = ("li",)


@dataclass(frozen=True)
class Flat:
    """Populations and projections laid end to end.

    Attributes:
        network: the ``spsnn.graph.Network``.
        offsets: first neuron of each population in the common numbering, by name.
        n: number of neurons, input units included.
        is_input: bool ``[n]``; input units live on the host, all others on cores.
        rates: spikes per neuron and inference ``[n]``.
        pre, post: common number of the neurons of every synapse, ``[n_synapses]`` over all projections.
    """

    network: object
    offsets: dict
    n: int
    is_input: np.ndarray
    rates: np.ndarray
    pre: np.ndarray
    post: np.ndarray

    @classmethod
    def of(cls, network):
        """Flatten a network.

        Raises:
            ConfigError: nothing but input units, or synapses onto input units.
            DataError: rates of a spiking population are missing or negative.
        """
        offsets, n = {}, 0
        for p in network.populations:
            offsets[p.name] = n
            n += p.size
        is_input = np.concatenate([np.full(p.size, p.kind == "input") for p in network.populations])
        if is_input.all():
            raise ConfigError(f"network {network.name!r} holds only input units; there is nothing to put on cores")
        for p in network.projections:
            if network[p.post].kind == "input":
                raise ConfigError(f"projection {p.pre} -> {p.post} ends in input units, which only send spikes")
        empty = [np.zeros(0, np.int64)]
        return cls(
            network=network,
            offsets=offsets,
            n=n,
            is_input=is_input,
            rates=np.concatenate([_rates(p) for p in network.populations]),
            pre=np.concatenate(empty + [p.sources + offsets[p.pre] for p in network.projections]).astype(np.int64),
            post=np.concatenate(empty + [p.indices + offsets[p.post] for p in network.projections]).astype(np.int64),
        )

    @cached_property
    def on_chip(self):
        """Common numbers of the neurons that need a core."""
        return np.flatnonzero(~self.is_input)

    @cached_property
    def bounds(self):
        """First synapse of every projection in ``pre`` and ``post``, and the end."""
        return np.concatenate([[0], np.cumsum([p.n_synapses for p in self.network.projections])]).astype(int)

    @cached_property
    def fan_in(self):
        """Synapses into every neuron ``[n]``."""
        return np.bincount(self.post, minlength=self.n)

    @cached_property
    def incoming(self):
        """Synapses sorted by postsynaptic neuron ``[n_synapses]``, and the first of every neuron in that order."""
        return np.argsort(self.post, kind="stable"), np.concatenate([[0], np.cumsum(self.fan_in)])

    @cached_property
    def axons(self):
        """Distinct sets of neurons that spikes must bring together, with their spikes per inference.

        Each presynaptic neuron spans itself (unless it is an input unit) and its postsynaptic neurons; neurons that
        span the same set count as one.  List of ``(neurons, spikes, number of axons)``.
        """
        order = np.argsort(self.pre, kind="stable")
        posts = np.split(self.post[order], np.cumsum(np.bincount(self.pre, minlength=self.n))[:-1])
        spans = {}
        for neuron, reached in enumerate(posts):
            pins = np.unique(reached if self.is_input[neuron] else np.append(reached, neuron))
            if len(pins) > 1:
                spikes, count = spans.get(pins.tobytes(), (0.0, 0))
                spans[pins.tobytes()] = spikes + self.rates[neuron], count + 1
        return [(np.frombuffer(key, np.int64), spikes, count) for key, (spikes, count) in spans.items()]

    def members(self, name):
        """Slice of a population in the common numbering."""
        return slice(self.offsets[name], self.offsets[name] + self.network[name].size)

    def positions(self, purpose, ways_out):
        """Coordinates of the neurons on cores ``[len(on_chip), D]``.

        Args:
            purpose: what asks for them, for the error.
            ways_out: what to use without them, for the error.

        Raises:
            ConfigError: a population has none, or dimensions differ.
        """
        populations = [p for p in self.network.populations if p.kind != "input"]
        missing = [p.name for p in populations if p.positions is None]
        if missing:
            raise ConfigError(
                f"{purpose} needs learned coordinates of every population; {', '.join(missing)} has none: "
                f"use {ways_out}"
            )
        sizes = {p.name: coordinates(p).shape[1] for p in populations}
        if len(set(sizes.values())) > 1:
            raise ConfigError(f"{purpose} needs one space for all populations; dimensions are {sizes}: use {ways_out}")
        return np.concatenate([coordinates(p) for p in populations])


def coordinates(population):
    """Coordinates of a population as a float matrix ``[N, D]`` (a line may be given as ``[N]``)."""
    return np.asarray(population.positions, np.float64).reshape(population.size, -1)


def _rates(population):
    if population.kind in NEVER_SPIKES:
        return np.zeros(population.size)
    if population.rates is None:
        raise DataError(
            f"population {population.name!r} has no measured rates; energy and latency are counted from measured "
            "activity, never guessed: run the model on data and pass its spike counts (model.to_graph(activity))"
        )
    rates = np.asarray(population.rates, np.float64)
    if rates.min() < 0:
        raise DataError(f"rates of population {population.name!r} must be >= 0 spikes per inference, got {rates.min()}")
    return rates
