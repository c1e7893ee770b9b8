"""Dense and recurrent networks without a space, as yardsticks for the models that have one."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from spsnn.checks import positive, whole
from spsnn.errors import ConfigError, DataError
from spsnn.models.rate._arguments import one_of, seeded
from spsnn.models.rate.base import RateModel, RateSettings

CELLS = {"lstm": nn.LSTM, "gru": nn.GRU}
VIEWS = ("mean", "first", "last")


class Baseline(RateModel):
    """Base of yardsticks: they train and are scored like any model, and have neither places nor a way to a chip.

    All start as torch starts them, from ``seed``.
    """

    goes_to_chip = False
    n_hidden = 1  # entries of sizes between input and output

    def __init__(self, sizes, **settings):
        super().__init__(sizes, **settings)
        if self.n_hidden is not None and len(self.sizes) != 2 + self.n_hidden:
            raise ConfigError(f"{self.kind} takes {self.n_hidden} hidden size(s), got sizes {self.sizes}")
        with seeded(self.settings.seed):
            self.build()

    def build(self):
        """Make the modules."""

    def storage(self):
        """``numbers``, all parameters."""
        return {"numbers": self.n_parameters()}

    def emit(self, batch):
        """Refused, as `to_graph`."""
        return self.to_graph()

    def to_graph(self, data=None, **options):
        """Refused: yardsticks are about accuracy and size alone."""
        raise ConfigError(
            f"a model of kind {self.kind!r} is a yardstick without places or spikes and goes to no chip; take "
            "spatial_prior with kernel=none for a perceptron that does"
        )


class MLP(Baseline):
    """Hidden layers of rectifiers on the flattened input.

    logits = W_3 relu(W_2 relu(W_1 vec(x) + b_1) + b_2) + b_3

    With 64 x 32 inputs, two layers of 128 hidden units and 20 classes it has 281,364 parameters.  Without hidden layers
    it is logistic regression on all steps.

    Args:
        sizes: ``[T F, hidden, ..., C]``.
        settings: fields of `RateSettings`.
    """

    kind = "mlp"
    n_hidden = None

    def build(self):
        """Make the modules."""
        layers = []
        for a, b in zip(self.sizes, self.sizes[1:], strict=False):
            layers += [nn.Linear(a, b), nn.ReLU()]
        self.layers = nn.Sequential(*layers[:-1])

    def rates(self, x):
        """Logits ``[B, C]`` of ``x [B, F]``."""
        return self.layers(x), []


@dataclass(frozen=True)
class TransformerSettings(RateSettings):
    """Settings of `Transformer`.

    Attributes:
        n_layers: 2 on the hierarchical task, 3 on the long-range one.
        sparse: attend within a window of 5 steps and to every 4th key only, with GELU for ReLU.
        dropout: share of units, in [0, 1).
    """

    n_layers: int = 2
    sparse: bool = False
    dropout: float = 0.1

    def __post_init__(self):
        super().__post_init__()
        whole(self, "n_layers")
        positive(self, "n_layers")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"dropout must lie in [0, 1), got {self.dropout}")


class Transformer(Baseline):
    """Encoder with layer norm after each block, no positions, and the mean over time as readout.

    4 heads, feed-forward width 4 H.  With 32 features, H = 128, 2 layers and 20 classes it has 403,348 parameters.  As
    there are no positions, dense attention sees a bag of steps; the sparse one sees who is near.

    Args:
        sizes: ``[F, H, C]``.
        settings: fields of `TransformerSettings`.

    Source: Vaswani et al. 2017; Child et al. 2019 for the strided pattern.  (R) the window is centred.
    """

    kind, sequence, Settings = "transformer", True, TransformerSettings

    def build(self):
        """Make the modules."""
        (n_features, hidden, n_classes), s = self.sizes, self.settings
        if hidden % 4:
            raise ConfigError(f"hidden must be a multiple of the 4 heads, got {hidden}")
        self.embed = nn.Linear(n_features, hidden)
        layer = nn.TransformerEncoderLayer(
            hidden, 4, 4 * hidden, s.dropout, activation="gelu" if s.sparse else "relu", batch_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, s.n_layers, enable_nested_tensor=False)
        self.head = nn.Linear(hidden, n_classes)
        self.rng = np.random.default_rng(s.seed)  # of dropout; `fit` puts its own here

    def rates(self, x):
        """Logits ``[B, C]`` of ``x [B, T, F]``."""
        mask = strided_mask(x.shape[1]).to(x.device) if self.settings.sparse else None
        with seeded(int(self.rng.integers(2**31))) if self.training else nullcontext():
            return self.head(self.encoder(self.embed(x), mask=mask).mean(1)), []


def strided_mask(n_steps, window=5, stride=4):
    """Bool ``[T, T]``, true where step i may *not* attend to step j: outside the window, j no multiple of stride."""
    i = torch.arange(n_steps)
    return ((i[:, None] - i).abs() > window // 2) & (i % stride != 0)


@dataclass(frozen=True)
class RecurrentSettings(RateSettings):
    """Settings of `Recurrent`.

    Attributes:
        cell: ``lstm`` or ``gru``.
        n_layers: number of layers.
        bidirectional: read the sequence both ways.
    """

    cell: str = "lstm"
    n_layers: int = 1
    bidirectional: bool = False

    def __post_init__(self):
        super().__post_init__()
        whole(self, "n_layers")
        positive(self, "n_layers")
        one_of("cell", self.cell, CELLS)


class Recurrent(Baseline):
    """LSTM or GRU whose last states are read out.

    Two layers in both directions with H = 128, 32 features and 20 classes have 566,292 parameters; one layer forward
    with 28 features and 10 classes (rows of MNIST) 82,186 as ``lstm`` and 61,962 as ``gru``.

    Args:
        sizes: ``[F, H, C]``, H per direction.
        settings: fields of `RecurrentSettings`.
    """

    kind, sequence, Settings = "recurrent", True, RecurrentSettings

    def build(self):
        """Make the modules."""
        (n_features, hidden, n_classes), s = self.sizes, self.settings
        self.cell = CELLS[s.cell](n_features, hidden, s.n_layers, batch_first=True, bidirectional=s.bidirectional)
        self.head = nn.Linear(hidden * (2 if s.bidirectional else 1), n_classes)

    def rates(self, x):
        """Logits ``[B, C]`` of ``x [B, T, F]``."""
        state = self.cell(x)[1]
        last = state[0] if isinstance(state, tuple) else state  # (layers * directions, B, H)
        directions = 2 if self.settings.bidirectional else 1
        return self.head(last[-directions:].transpose(0, 1).flatten(1)), []


@dataclass(frozen=True)
class LogisticSettings(RateSettings):
    """Settings of `Logistic`.

    Attributes:
        view: ``mean`` over time, the ``first`` or the ``last`` steps.
        length: number of those steps.
    """

    view: str = "mean"
    length: int = 8

    def __post_init__(self):
        super().__post_init__()
        whole(self, "length")
        positive(self, "length")
        one_of("view", self.view, VIEWS)


class Logistic(Baseline):
    """Logistic regression on a plain view of a sequence: the control that tells what a task asks for.

    logits = W v(x) + b,    v(x) the mean over time, or the first or last ``length`` steps

    Args:
        sizes: ``[F, C]``.
        settings: fields of `LogisticSettings`.
    """

    kind, sequence, Settings = "logistic", True, LogisticSettings
    n_hidden = 0

    def build(self):
        """Make the modules."""
        (n_features, n_classes), s = self.sizes, self.settings
        self.head = nn.Linear(n_features * (1 if s.view == "mean" else s.length), n_classes)

    def rates(self, x):
        """Logits ``[B, C]`` of ``x [B, T, F]``."""
        s = self.settings
        if s.view != "mean" and x.shape[1] < s.length:
            raise DataError(f"view {s.view!r} takes {s.length} steps, the sequences have {x.shape[1]}; lower length")
        view = {"mean": lambda: x.mean(1), "first": lambda: x[:, : s.length], "last": lambda: x[:, -s.length :]}
        return self.head(view[s.view]().flatten(1)), []
