"""Settings of a training run."""

from __future__ import annotations

from dataclasses import dataclass, field

from spsnn.checks import not_negative, positive, seed, whole
from spsnn.errors import ConfigError


@dataclass(frozen=True)
class TrainingConfig:
    """How `fit` trains.

    Attributes:
        epochs: passes over the training data.
        select: the epoch that a run ends with: ``best`` on the validation set, or ``last``, whatever it validates at;
            without a validation set it is the last.
        batch_size: samples per step.
        optimizer: ``adam`` or ``adamw``.
        lr: learning rate of the weights.
        position_lr: of coordinates and free delays, in ms; by default ten times ``lr``, in rate-coded models ``lr``.
        weight_decay: of the weights only; in rate-coded models of all parameters.
        schedule: ``cosine`` (to zero) or ``constant``.
        warmup: share of all steps over which the learning rate rises from zero.
        clip_norm: bound on the norm of the gradient, or None: gradients are never changed unasked.
        label_smoothing: of the cross-entropy.
        rate_target, rate_weight: add ``rate_weight * mean_neurons (mean spikes - rate_target)^2`` for hidden neurons
            (spikes per sample); needs a surrogate estimator.
        time_weight: with ``first_spike``, add ``time_weight * mean(t_true / window)``, which favours early answers.
        delay_weight, delay_band: add ``delay_weight * mean_projections mean_synapses (share of max_delay outside
            delay_band)^2``, which keeps delays from collapsing to zero or to ``max_delay``; see `delay_penalty`.
        slope_start: slope of the surrogate at the first step; it grows geometrically to ``grid.slope`` at the last one,
            so that gradients are smooth at first and local at the end.  None: ``grid.slope`` throughout.
        rescue: for a neuron that is silent over a whole batch, subtract ``rescue`` from the gradient of the weights
            from the population before, so that they grow; spikes that do not exist have no gradient of their own.
        seed: of shuffling and augmentation.
    """

    epochs: int = 50
    select: str = "best"
    batch_size: int = 64
    optimizer: str = "adam"
    lr: float = 1e-3
    position_lr: float | None = None
    weight_decay: float = 0.0
    schedule: str = "cosine"
    warmup: float = 0.02
    clip_norm: float | None = None
    label_smoothing: float = 0.0
    rate_target: float = 0.0
    rate_weight: float = 0.0
    time_weight: float = 0.0
    delay_weight: float = 0.0
    delay_band: list = field(default_factory=lambda: [0.05, 0.95])
    slope_start: float | None = None
    rescue: float = 0.0
    seed: int = 0

    def __post_init__(self):
        whole(self, "epochs", "batch_size")
        seed("seed", self.seed)
        positive(self, "epochs", "batch_size", "lr")
        not_negative(self, "weight_decay", "rate_target", "rate_weight", "time_weight", "delay_weight", "rescue")
        for name, known in (
            ("optimizer", ("adam", "adamw")), ("schedule", ("cosine", "constant")), ("select", ("best", "last")),
        ):  # fmt: skip
            if getattr(self, name) not in known:
                raise ConfigError(f"{name} must be one of {', '.join(known)}, got {getattr(self, name)!r}")
        if not 0 <= self.warmup < 1:
            raise ConfigError(f"warmup is a share of all steps, in [0, 1), got {self.warmup}")
        if not 0 <= self.label_smoothing < 1:
            raise ConfigError(f"label_smoothing must lie in [0, 1), got {self.label_smoothing}")
        band = self.delay_band
        if not (isinstance(band, (list, tuple)) and len(band) == 2 and 0 <= band[0] < band[1] <= 1):
            raise ConfigError(f"delay_band must be two increasing shares of max_delay in [0, 1], got {band!r}")
        object.__setattr__(self, "delay_band", [float(x) for x in band])
        for name in ("clip_norm", "position_lr", "slope_start"):
            if getattr(self, name) is not None and not getattr(self, name) > 0:
                raise ConfigError(f"{name} must be positive or absent, got {getattr(self, name)}")
