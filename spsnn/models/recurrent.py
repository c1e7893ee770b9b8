"""LSTM and GRU as models of the tables: yardsticks without a space."""

from __future__ import annotations

from dataclasses import dataclass

from spsnn.errors import ConfigError
from spsnn.models import baselines
from spsnn.models._arguments import one_of, seeded
from spsnn.models.rate import RateModel, RateSettings


@dataclass(frozen=True)
class RecurrentSettings(RateSettings):
    """Settings of `RecurrentModel`.

    Attributes:
        cell: ``lstm`` or ``gru``.
        bidirectional: read the sequence both ways.
    """

    cell: str = "lstm"
    bidirectional: bool = False

    def __post_init__(self):
        super().__post_init__()
        one_of("cell", self.cell, baselines.CELLS)


class RecurrentModel(RateModel):
    """`baselines.Recurrent` in the training loop, file and commands of the models; it has no space and maps to no chip.

    Args:
        sizes: ``[inputs, hidden, ..., outputs]``, a hidden size for each layer, all the same; ``[28, 128, 10]`` has
            82,186 parameters as LSTM and 61,962 as GRU.
        settings: fields of `RecurrentSettings`.
    """

    kind = "recurrent"
    Settings = RecurrentSettings
    sequence = True

    def __init__(self, sizes, **settings):
        super().__init__(sizes, **settings)
        n_features, *hidden, n_classes = self.sizes
        if len(set(hidden)) != 1:
            raise ConfigError(f"a recurrent network has one or more hidden layers of the same size, got {hidden}")
        s = self.settings
        with seeded(s.seed):
            self.net = baselines.Recurrent(n_features, n_classes, hidden[0], len(hidden), s.bidirectional, s.cell)

    def rates(self, x):
        """Logits; nothing is sent."""
        return self.net(x), []

    def storage(self):
        """``numbers``, all parameters."""
        return {"numbers": self.n_parameters()}

    def emit(self, batch):
        """Refused, as `to_graph`."""
        return self.to_graph()

    def to_graph(self, data=None, **options):
        """Refused: gates multiply states by states, which no graph of weights holds."""
        raise ConfigError("a recurrent baseline has no space and maps to no chip; take a model that has one")
