"""Settings of a spatial spiking network beside its sizes, space and neurons."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from spsnn.checks import not_negative, positive, seed
from spsnn.errors import ConfigError
from spsnn.neurons.learned import BOUNDS, TIMES
from spsnn.space.euclidean import INITIALISERS

DELAYS = ("spatial", "free", "axonal", "none")
ENGINES = ("grid", "event")
NORMALISATIONS = ("none", "batch")
READOUTS = ("spike_count", "first_spike", "max_membrane", "mean_membrane", "softmax_membrane")


@dataclass(frozen=True)
class ModelConfig:
    """Settings of `SpSNN`.

    Attributes:
        delay: ``spatial``, or a baseline: ``free`` (per synapse), ``axonal``, ``none``.  The baselines start from the
            distances of the same random points, so that initial delays are matched.
        recurrent: give hidden populations recurrent synapses.
        engine: ``grid``, or ``event``: continuous time with exact gradients, for LIF neurons without refractory period
            and the readouts ``first_spike`` and ``mean_membrane``.
        skip: pairs ``[from, to]`` of populations, counted from the input as 0, that are joined beside the chain, e.g.
            ``[[0, 2]]``.
        self_connections: keep the diagonal of the recurrent weights.
        readout: ``spike_count``, ``first_spike``, ``max_membrane``, ``mean_membrane`` or ``softmax_membrane``, see
            `read_out`.
        readout_scale: factor of the logits, per ms for ``first_spike``.
        silent_pull: on the event engine with ``first_spike``, gradient in ms of the time of an output neuron that is
            silent in a sample to minus its mean potential, in place of none: it pulls the neuron back to the threshold.
        alpha: ms of delay per unit of distance.
        learn_alpha: train log(alpha), one per projection.
        d_min: shortest delay in ms.
        max_delay: longest delay in ms, or None.
        on_exceed: ``error`` or ``clip``, what happens to a delay beyond ``max_delay``.
        position_scale: spread of the starting coordinates in ms.
        position_init: ``normal``, ``uniform`` or ``shell``.
        weight_gain: weights start with a standard deviation of ``weight_gain / sqrt(fan-in)``, in units of
            threshold / (peak potential of one unit spike).
        weight_mean: their mean is ``weight_mean / fan-in`` in the same unit.
        recurrent_gain: as ``weight_gain``, for recurrent synapses.
        bias: learn a constant current for every hidden neuron; on chips it is a unit that spikes at every step.
        normalise: ``batch``: normalise the current that hidden populations receive from others, over samples and steps
            (while training; it folds into weights and bias), or ``none``.
        normal_gain: potential that a normalised current starts with, its standard deviation in units of the threshold.
        dropout: while training, share of hidden neurons whose spikes do not reach the next populations, drawn for every
            sample; the others' weights are raised to make up for it.
        learn_neuron: parameters that each hidden neuron has and trains for itself, of ``tau_mem``, ``tau_syn`` and,
            with `AdaptiveLIF`, ``tau_adapt``, ``a``, ``b``; for ``round`` delays and the surrogate estimator.
        learn_output: the same for the output population.
        neuron_spread: ``{name: [low, high]}``: hidden neurons draw the starting value of a parameter from there, times
            log-uniformly, instead of taking the neuron model's.
        neuron_bounds: ``{name: [low, high]}`` within which a parameter trains, in place of those of
            `spsnn.neurons.learned.BOUNDS`; times in ms.
        seed: of the starting values.
    """

    delay: str = "spatial"
    engine: str = "grid"
    recurrent: bool = False
    skip: list = field(default_factory=list)
    self_connections: bool = True
    readout: str = "max_membrane"
    readout_scale: float = 1.0
    silent_pull: float = 0.0
    alpha: float = 1.0
    learn_alpha: bool = False
    d_min: float = 0.0
    max_delay: float | None = None
    on_exceed: str = "error"
    position_scale: float = 10.0
    position_init: str = "normal"
    weight_gain: float = 1.0
    weight_mean: float = 0.0
    recurrent_gain: float = 0.5
    bias: bool = False
    normalise: str = "none"
    normal_gain: float = 1.0
    dropout: float = 0.0
    learn_neuron: list = field(default_factory=list)
    learn_output: list = field(default_factory=list)
    neuron_spread: dict = field(default_factory=dict)
    neuron_bounds: dict = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self):
        for name, known in (
            ("delay", DELAYS), ("engine", ENGINES), ("readout", READOUTS), ("position_init", INITIALISERS),
            ("normalise", NORMALISATIONS),
        ):  # fmt: skip
            if getattr(self, name) not in known:
                raise ConfigError(f"{name} must be one of {', '.join(known)}, got {getattr(self, name)!r}")
        seed("seed", self.seed)
        positive(self, "readout_scale", "alpha", "position_scale", "normal_gain")
        not_negative(self, "weight_gain", "recurrent_gain", "d_min", "silent_pull")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"dropout is a share of neurons in [0, 1), got {self.dropout}")
        if self.engine == "event" and (self.bias or self.normalise != "none" or self.dropout):
            raise ConfigError("the event engine has no bias, normalisation or dropout; set engine='grid' or leave them")
        if self.normalise != "none" and self.bias:
            raise ConfigError("a normalised current has a bias of its own; set bias to false or normalise to 'none'")
        if self.silent_pull and (self.engine, self.readout) != ("event", "first_spike"):
            raise ConfigError(
                f"silent_pull needs engine='event' and readout='first_spike', got engine={self.engine!r} and "
                f"readout={self.readout!r}; set it to 0"
            )
        if isinstance(self.skip, (list, tuple)) and all(isinstance(pair, (list, tuple)) for pair in self.skip):
            object.__setattr__(self, "skip", [list(pair) for pair in self.skip])  # as files give them back
        for name in ("learn_neuron", "learn_output"):
            object.__setattr__(self, name, _names(name, getattr(self, name)))
        for name in ("neuron_spread", "neuron_bounds"):
            object.__setattr__(self, name, _ranges(name, getattr(self, name)))


def _names(field_name, names):
    if isinstance(names, str) or not all(name in BOUNDS for name in names) or len(set(names)) < len(names):
        raise ConfigError(f"{field_name} must be a list of names of {', '.join(BOUNDS)}, got {names!r}")
    return list(names)


def _ranges(field_name, ranges):
    """Two increasing numbers for each name, as lists, which is how files give them back."""
    made = {}
    for name, ends in ranges.items():
        if name not in BOUNDS:
            raise ConfigError(f"{field_name} has ranges for {', '.join(BOUNDS)}, got {name!r}")
        numbers = isinstance(ends, (list, tuple)) and len(ends) == 2
        numbers = numbers and all(type(x) in (int, float) and math.isfinite(x) for x in ends)
        least = 0 if name in TIMES else -1 if name == "a" else -math.inf
        if not numbers or not least < ends[0] < ends[1]:
            raise ConfigError(f"{field_name}.{name} must be two increasing numbers above {least:g}, got {ends!r}")
        made[name] = [float(x) for x in ends]
    return made
