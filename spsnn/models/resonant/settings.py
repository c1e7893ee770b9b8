"""Settings of resonant networks."""

from __future__ import annotations

from dataclasses import dataclass

from spsnn.checks import not_negative, positive, whole
from spsnn.errors import ConfigError
from spsnn.models.rate._arguments import one_of
from spsnn.models.rate.base import RateSettings

METRICS = ("hyperbolic", "euclidean")
HEADS = ("sum", "mean")
RULES = ("published", "corrected", "none")
CONTENTS = ("mean", "local", "both")


@dataclass(frozen=True)
class ResonantSettings(RateSettings):
    """Settings of `ResonantSparseGeometryNetwork`; the defaults are the published ones.

    Attributes:
        width: H, values of a node's state.
        n_steps: L; 5 on the hierarchical task, 7 on the long-range one.
        rank: length of U_i and V_i.
        dim: of the Poincare ball.
        reach: tau of a connection, in hyperbolic distance.
        temperature: T, softness of the threshold.
        ignition: width of the ignition.
        inhibition: radius of B.
        cut: activity below which a node sends nothing.
        metric: ``hyperbolic`` (the paper's text) or ``euclidean`` (its code) ``dist``.
        head: ``sum`` (published) or ``mean``.
        rule: ``published``, ``corrected`` or ``none``, see `SlowLearning`.
        decay: of the slow rule, in (0, 1].
    """

    width: int = 128
    n_steps: int = 5
    rank: int = 32
    dim: int = 3
    reach: float = 1.0
    temperature: float = 1.0
    ignition: float = 0.4
    inhibition: float = 0.3
    cut: float = 0.01
    metric: str = "hyperbolic"
    head: str = "sum"
    rule: str = "published"
    decay: float = 0.995

    def __post_init__(self):
        super().__post_init__()
        check_common(self)
        positive(self, "reach", "ignition", "inhibition", "cut")
        one_of("metric", self.metric, METRICS)
        one_of("head", self.head, HEADS)
        one_of("rule", self.rule, RULES)


def check_common(settings):
    """Rules for the settings that all resonant networks have.

    Raises:
        ConfigError: names the setting and its value.
    """
    sizes = ("width", "n_steps", "rank", "dim")
    whole(settings, *sizes)
    positive(settings, *sizes, "temperature")
    if not 0 < settings.decay <= 1:
        raise ConfigError(f"decay must lie in (0, 1], got {settings.decay!r}")


@dataclass(frozen=True)
class SparseResonantSettings(RateSettings):
    """Settings of `SparseResonantNetwork`.

    Attributes:
        width: H, values of a node's state.
        n_steps: L.
        rank: length of U_i and V_i.
        dim: of the Poincare ball, 1 to 3.
        active: largest share of nodes that are active, in (0, 1]; in evaluation always this.
        active_start: that share in the first epoch, or None: ``active`` from the start.  Nodes that are never active
            learn nothing.
        active_until: share of all epochs after which it has fallen, linearly, to ``active``.
        degree: synapses of a node on average at the start; sets the radius.
        reach: tau of a connection; None for half the radius.
        temperature: softness of the threshold.
        ignition: width; None for a third of the radius, so that a spark ignites about as many nodes as a node reaches.
        span: steps that make one spark.
        content: what an ignited node takes in: the ``mean`` over all windows as published, the ``local`` window of the
            spark nearest to it, or ``both``, the mean over time by weights of its own.
        node_code: give each node's h a term of its own, ``W_c U_i``, so that nodes differ in what they say.
        spark_gain: factor on the initial weights of the sparks; above 1 they start spread out instead of side by side.
        rule: of slow learning, ``corrected`` or ``none``.
        decay: of U and V in it, in (0, 1].
    """

    width: int = 128
    n_steps: int = 5
    rank: int = 32
    dim: int = 3
    active: float = 0.1
    active_start: float | None = None
    active_until: float = 0.6
    degree: int = 16
    reach: float | None = None
    temperature: float = 1.0
    ignition: float | None = None
    span: int = 1
    content: str = "mean"
    node_code: bool = False
    spark_gain: float = 1.0
    rule: str = "corrected"
    decay: float = 0.9999

    def __post_init__(self):
        super().__post_init__()
        check_common(self)
        whole(self, "degree", "span")
        given = [name for name in ("reach", "ignition") if getattr(self, name) is not None]
        positive(self, "degree", "span", "spark_gain", *given)
        not_negative(self, "active_until")
        if self.active_until > 1:
            raise ConfigError(f"active_until is a share of all epochs, in [0, 1], got {self.active_until}")
        one_of("content", self.content, CONTENTS)
        one_of("rule", self.rule, ("corrected", "none"))
        one_of("dim", self.dim, (1, 2, 3))
        for name in ("active", "active_start"):
            share = getattr(self, name)
            if share is not None and not 0 < share <= 1:
                raise ConfigError(f"{name} must lie in (0, 1], got {share}")


@dataclass(frozen=True)
class TunedResonantSettings(SparseResonantSettings):
    """Settings of `TunedResonantNetwork`: those of `SparseResonantNetwork` with other defaults, and dropout.

    Attributes:
        dropout: share of active nodes, and of the mean input, left out in training.
        head_width: R, units of a hidden layer between the state and the output, or None: no such layer.  Without one
            the logits are sums over nodes, in which no two patterns can mean something together that neither means
            alone.
    """

    width: int = 64
    n_steps: int = 1
    rank: int = 16
    span: int = 5
    ignition: float | None = 2.0
    content: str = "both"
    node_code: bool = True
    rule: str = "none"
    active_start: float | None = 1.0
    dropout: float = 0.3
    head_width: int | None = None

    def __post_init__(self):
        super().__post_init__()
        if self.content != "both" or not self.node_code:
            raise ConfigError("tuned nodes take content='both' and node_code=true; leave both settings out")
        not_negative(self, "dropout")
        if self.dropout >= 1:
            raise ConfigError(f"dropout must lie in [0, 1), got {self.dropout}")
        if self.head_width is not None:
            whole(self, "head_width")
            positive(self, "head_width")
