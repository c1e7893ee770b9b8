"""Digits row by row: a sparse resonant network and a neural field, two ways in which distance decides who talks.

python examples/fields.py
"""

from __future__ import annotations

import argparse

import torch

import spsnn
from spsnn.datasets import Digits


def rows(split):
    """Brightness ``[B, 8, 8]``, time along the rows from top to bottom, and labels."""
    data = Digits(split)
    return torch.from_numpy(data.samples).float().reshape(-1, 8, 8), torch.from_numpy(data.events.labels)


def train(model, x, y, epochs, lr):
    """Adam on cross-entropy; a network with a slow time scale takes its step after each of the fast one's."""
    optimiser = torch.optim.Adam(model.parameters(), lr)
    order = torch.Generator().manual_seed(0)
    for _ in range(epochs):
        model.train()
        for part in torch.randperm(len(x), generator=order).split(50):
            loss = torch.nn.functional.cross_entropy(model(x[part]).logits, y[part])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            model.finish_step(loss)


def main():
    """Train both and print what they reach."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=20)
    epochs = parser.parse_args().epochs
    (x, y), (x_test, y_test) = rows("train"), rows("test")
    models = {
        "sparse resonant network": spsnn.SparseResonantNetwork(
            [8, 128, 10], width=32, n_steps=2, rank=8, span=3, content="local", node_code=True, spark_gain=3.0
        ),
        "neural field": spsnn.NeuralField([8, 8, 20, 40, 10], bias=-2.0),
    }
    for name, model in models.items():
        train(model, x, y, epochs, 1e-2)
        with torch.no_grad():
            accuracy = (model.eval()(x_test).logits.argmax(1) == y_test).float().mean()
        n_parameters = sum(p.numel() for p in model.parameters())
        active = model.statistics().get("active_fraction", 1.0)
        print(
            f"{name}: {n_parameters:,} parameters, {100 * active:.0f} % of nodes active, test accuracy {accuracy:.3f}"
        )


if __name__ == "__main__":
    main()
