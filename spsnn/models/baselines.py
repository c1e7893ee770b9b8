"""Dense and recurrent networks without a space, as yardsticks for the models that have one."""

from __future__ import annotations

import torch
from torch import nn

from spsnn.errors import ConfigError
from spsnn.models._arguments import one_of, sizes

CELLS = {"lstm": nn.LSTM, "gru": nn.GRU}


class MLP(nn.Module):
    """Two hidden layers of rectifiers on the flattened input.

    logits = W_3 relu(W_2 relu(W_1 vec(x) + b_1) + b_2) + b_3

    With 64 x 32 inputs, 128 hidden units and 20 classes it has 281,364 parameters.

    Args:
        n_features: F.
        n_classes: C.
        n_steps: T of ``[B, T, F]``; 1 for ``[B, F]``.
        hidden: width of both hidden layers.
    """

    def __init__(self, n_features, n_classes, n_steps=1, hidden=128):
        super().__init__()
        sizes(n_features=n_features, n_classes=n_classes, n_steps=n_steps, hidden=hidden)
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.Linear(n_steps * n_features, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, n_classes),
        )

    def forward(self, x):
        """Logits ``[B, C]`` of ``x [B, T, F]`` or ``[B, F]``."""
        return self.layers(x)


class Transformer(nn.Module):
    """Encoder with layer norm after each block, no positions, and the mean over time as readout.

    4 heads, feed-forward width 4 H, dropout .1.  With 32 features, H = 128, 2 layers and 20 classes it has 403,348
    parameters.  As there are no positions, dense attention sees a bag of steps; the sparse one sees who is near.

    Args:
        n_features: F.
        n_classes: C.
        hidden: H.
        n_layers: 2 on the hierarchical task, 3 on the long-range one.
        sparse: attend within a window of 5 steps and to every 4th key only, with GELU for ReLU.
        dropout: share of units.

    Source: Vaswani et al. 2017; Child et al. 2019 for the strided pattern.  (R) the window is centred.
    """

    def __init__(self, n_features, n_classes, hidden=128, n_layers=2, sparse=False, dropout=0.1):
        super().__init__()
        sizes(n_features=n_features, n_classes=n_classes, n_layers=n_layers)
        if hidden % 4:
            raise ConfigError(f"hidden must be a multiple of the 4 heads, got {hidden}")
        self.sparse = sparse
        self.embed = nn.Linear(n_features, hidden)
        layer = nn.TransformerEncoderLayer(
            hidden, 4, 4 * hidden, dropout, activation="gelu" if sparse else "relu", batch_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, n_layers, enable_nested_tensor=False)
        self.head = nn.Linear(hidden, n_classes)

    def forward(self, x):
        """Logits ``[B, C]`` of ``x [B, T, F]``."""
        mask = strided_mask(x.shape[1]).to(x.device) if self.sparse else None
        return self.head(self.encoder(self.embed(x), mask=mask).mean(1))


def strided_mask(n_steps, window=5, stride=4):
    """Bool ``[T, T]``, true where step i may *not* attend to step j: outside the window, j no multiple of stride."""
    i = torch.arange(n_steps)
    return ((i[:, None] - i).abs() > window // 2) & (i % stride != 0)


class Recurrent(nn.Module):
    """LSTM or GRU whose last states are read out.

    Two layers in both directions with H = 128, 32 features and 20 classes have 566,292 parameters; one layer forward
    with 28 features and 10 classes (rows of MNIST) 82,186 as ``lstm`` and 61,962 as ``gru``.

    Args:
        n_features: F.
        n_classes: C.
        hidden: H per direction.
        n_layers: number of layers.
        bidirectional: read the sequence both ways.
        cell: ``lstm`` or ``gru``.
    """

    def __init__(self, n_features, n_classes, hidden=128, n_layers=1, bidirectional=False, cell="lstm"):
        super().__init__()
        sizes(n_features=n_features, n_classes=n_classes, hidden=hidden, n_layers=n_layers)
        one_of("cell", cell, CELLS)
        self.cell = CELLS[cell](n_features, hidden, n_layers, batch_first=True, bidirectional=bidirectional)
        self.head = nn.Linear(hidden * (2 if bidirectional else 1), n_classes)

    def forward(self, x):
        """Logits ``[B, C]`` of ``x [B, T, F]``."""
        state = self.cell(x)[1]
        last = state[0] if isinstance(state, tuple) else state  # (layers * directions, B, H)
        directions = 2 if self.cell.bidirectional else 1
        return self.head(last[-directions:].transpose(0, 1).flatten(1))


class Logistic(nn.Module):
    """Logistic regression on a plain view of a sequence: the control that tells what a task asks for.

    logits = W v(x) + b,    v(x) the mean over time, the first or last ``length`` steps, or all steps

    Args:
        n_features: F.
        n_classes: C.
        view: ``mean``, ``first``, ``last`` or ``all``.
        length: steps of ``first`` and ``last``; T with ``all``.
    """

    VIEWS = ("mean", "first", "last", "all")

    def __init__(self, n_features, n_classes, view="mean", length=8):
        super().__init__()
        sizes(n_features=n_features, n_classes=n_classes, length=length)
        one_of("view", view, self.VIEWS)
        self.view, self.length = view, length
        self.head = nn.Linear(n_features if view == "mean" else n_features * length, n_classes)

    def forward(self, x):
        """Logits ``[B, C]`` of ``x [B, T, F]``."""
        if self.view == "mean":
            return self.head(x.mean(1))
        part = {"first": x[:, : self.length], "last": x[:, -self.length :], "all": x}[self.view]
        return self.head(part.flatten(1))
