"""Training and scoring a rate model flushes denormal numbers, and leaves the process as it was."""

import sys

import numpy as np
import pytest
import torch

import spsnn
from spsnn.training.denormals import flushing_denormals


def flushed():
    return sys.float_info.min / 4 == 0


def flushed_in(model, data):
    """Where they were flushed: in training, then in validation."""
    seen = []
    model.register_forward_hook(lambda *_: seen.append(flushed()))
    spsnn.fit(model, data, data, spsnn.TrainingConfig(epochs=1))
    return seen


@pytest.mark.skipif(not torch.set_flush_denormal(False), reason="this processor has no mode that flushes denormals")
def test_denormals_are_flushed_for_rate_models_and_only_inside():
    spikes = spsnn.SpikeBatch.from_samples([([1.0, 3.0], [0, 1]), ([2.0], [1])], 2, 10.0, np.array([0, 1]))
    assert flushed_in(spsnn.SpSNN([2, 3, 2]), spikes) == [False, False]
    model = spsnn.SpatialPriorMLP([2, 4, 2])
    assert flushed_in(model, spikes) == [True, True]
    assert not flushed() and (torch.tensor(2e-38) * 0.5).item() > 0
    with pytest.raises(ZeroDivisionError), flushing_denormals(model):
        assert (torch.tensor(2e-38) * 0.5).item() == 0
        _ = 1 / 0
    assert not flushed()
