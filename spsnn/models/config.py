"""Settings of a spatial spiking network beside its sizes, space and neurons."""

from __future__ import annotations

from dataclasses import dataclass, field

from spsnn.checks import not_negative, positive, whole
from spsnn.errors import ConfigError
from spsnn.space.euclidean import INITIALISERS

DELAYS = ("spatial", "free", "axonal", "none")
ENGINES = ("grid", "event")
NORMALISATIONS = ("none", "batch")
READOUTS = ("spike_count", "first_spike", "max_membrane", "mean_membrane")


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
        readout: ``spike_count``, ``first_spike``, ``max_membrane`` or ``mean_membrane``, see `read_out`.
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
    seed: int = 0

    def __post_init__(self):
        for name, known in (
            ("delay", DELAYS), ("engine", ENGINES), ("readout", READOUTS), ("position_init", INITIALISERS),
            ("normalise", NORMALISATIONS),
        ):  # fmt: skip
            if getattr(self, name) not in known:
                raise ConfigError(f"{name} must be one of {', '.join(known)}, got {getattr(self, name)!r}")
        whole(self, "seed")
        positive(self, "readout_scale", "alpha", "position_scale", "normal_gain")
        not_negative(self, "weight_gain", "recurrent_gain", "d_min", "seed", "silent_pull")
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
