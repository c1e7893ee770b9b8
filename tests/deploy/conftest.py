"""A small trained network that the tests of this folder share."""

import pytest

import spsnn
from spsnn.datasets import Digits


@pytest.fixture(scope="session")
def digits():
    """Trained on digits for a few epochs: 64 -> 24 -> 10, and its three sets."""
    sets = {split: Digits(split, t_min=2.0, scale=30.0, duration=60.0) for split in ("train", "validation", "test")}
    model = spsnn.SpSNN(
        [64, 24, 10], spsnn.Euclidean(2), spsnn.LIF(20.0, 5.0), readout="mean_membrane", readout_scale=20.0,
        position_scale=6.0, weight_mean=1.0,
    )  # fmt: skip
    settings = spsnn.TrainingConfig(epochs=12, batch_size=64, lr=0.03, position_lr=0.1, rescue=1e-3)
    spsnn.fit(model, sets["train"].events[:640], sets["validation"], settings)
    return model, sets
