"""The neutral network graph: what a trained model hands to the hardware mapper."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from spsnn.errors import DataError


@dataclass(frozen=True)
class Population:
    """A group of like neurons.

    Attributes:
        name: unique name.
        size: number of neurons ``N``.
        kind: ``input`` (spike source), ``lif``, ``adlif``, ``adex``, ``li`` (leaky integrator, never spikes) or
            ``rate`` (unit of a rate-coded model, which sends ``rates`` spikes per inference).
        positions: learned coordinates ``[N, D]``, or None for a model without a space.
        parameters: neuron constants, e.g. ``{"tau_mem": 20.0, "tau_syn": 5.0, "threshold": 1.0}`` (ms); an
            array ``[N]`` where every neuron has its own.
        rates: measured spikes per neuron and inference ``[N]``, or None if not measured.
    """

    name: str
    size: int
    kind: str
    positions: np.ndarray | None = None
    parameters: dict = field(default_factory=dict)
    rates: np.ndarray | None = None

    def __post_init__(self):
        if self.size < 1:
            raise DataError(f"population {self.name!r} needs at least one neuron, got {self.size}")
        for what in ("positions", "rates"):
            value = getattr(self, what)
            if value is None:
                continue
            if len(value) != self.size or not np.isfinite(value).all():
                raise DataError(f"{what} of population {self.name!r} must be finite, one row per neuron ({self.size})")
        for name, value in self.own_parameters().items():
            if value.shape != (self.size,) or not np.isfinite(value).all():
                raise DataError(f"{name} of population {self.name!r} must be finite, one for each neuron ({self.size})")

    def own_parameters(self):
        """Those ``parameters`` that every neuron has for itself, ``{name: [N]}``."""
        return {name: value for name, value in self.parameters.items() if isinstance(value, np.ndarray)}


@dataclass(frozen=True)
class Projection:
    """Synapses from one population to another in compressed rows, one row per presynaptic neuron.

    Synapses of neuron ``i``: ``k in indptr[i]:indptr[i + 1]``, to ``indices[k]``, with ``weight[k]`` and
    ``delay[k]`` ms.
    """

    pre: str
    post: str
    indptr: np.ndarray
    indices: np.ndarray
    weight: np.ndarray
    delay: np.ndarray

    @classmethod
    def from_dense(cls, pre, post, weight, delay, mask=None):
        """Projection from matrices ``[I, J]``; synapses whose mask is False are left out."""
        weight, delay = np.asarray(weight, np.float64), np.asarray(delay, np.float64)
        mask = np.ones(weight.shape, bool) if mask is None else np.asarray(mask, bool)
        rows, cols = np.nonzero(mask)
        indptr = np.concatenate([[0], np.cumsum(mask.sum(1))]).astype(np.int64)
        return cls(pre, post, indptr, cols.astype(np.int32), weight[rows, cols], delay[rows, cols])

    def __post_init__(self):
        n = len(self.indices)
        if not (len(self.weight) == len(self.delay) == n == self.indptr[-1]):
            raise DataError(
                f"projection {self.pre} -> {self.post}: weight, delay, indices and indptr disagree in length"
            )
        if n and not (np.isfinite(self.weight).all() and np.isfinite(self.delay).all() and self.delay.min() >= 0):
            raise DataError(f"projection {self.pre} -> {self.post}: weights and delays must be finite, delays >= 0")

    @property
    def n_synapses(self):
        """Number of stored synapses."""
        return len(self.indices)

    @property
    def sources(self):
        """Presynaptic neuron of every synapse ``[n_synapses]``."""
        return np.repeat(np.arange(len(self.indptr) - 1), np.diff(self.indptr))

    def to_dense(self, shape):
        """``(weight, delay, mask)`` as matrices ``[I, J]``."""
        weight, delay, mask = np.zeros(shape), np.zeros(shape), np.zeros(shape, bool)
        at = self.sources, self.indices
        weight[at], delay[at], mask[at] = self.weight, self.delay, True
        return weight, delay, mask


@dataclass(frozen=True)
class Network:
    """Populations and projections of one network, with what is needed to run and to cost it.

    Attributes:
        populations: in order from input to output.
        projections: feed-forward and recurrent (``pre == post``).
        dt: step of the simulation in ms.
        duration: length of one inference in ms.
        activity_source: what the measured rates were taken on, e.g. ``"yinyang test, 1000 samples"``.
        name: name for reports.
    """

    populations: tuple
    projections: tuple
    dt: float
    duration: float
    activity_source: str | None = None
    name: str = "network"

    def __post_init__(self):
        sizes = {p.name: p.size for p in self.populations}
        if len(sizes) != len(self.populations):
            raise DataError("population names must be unique")
        for p in self.projections:
            for end in (p.pre, p.post):
                if end not in sizes:
                    raise DataError(
                        f"projection {p.pre} -> {p.post} names an unknown population {end!r}; known: {sorted(sizes)}"
                    )
            if len(p.indptr) != sizes[p.pre] + 1 or (
                p.n_synapses and not 0 <= p.indices.min() <= p.indices.max() < sizes[p.post]
            ):
                raise DataError(
                    f"projection {p.pre} -> {p.post} does not fit its populations {sizes[p.pre]} -> {sizes[p.post]}"
                )

    def __getitem__(self, name):
        for p in self.populations:
            if p.name == name:
                return p
        raise KeyError(name)

    @property
    def n_steps(self):
        """Number of time steps of one inference."""
        return int(np.ceil(self.duration / self.dt - 1e-6))
