"""Spikes of a unit in one step are joined, and count as often as they are."""

import numpy as np
import pytest
import torch

import spsnn
from spsnn.autograd.delays import arrival_of, delay_tensors, kernel_form
from spsnn.autograd.projection import EVERYWHERE, pull_back, spread
from spsnn.autograd.spikes import Spikes
from spsnn.kernels.cpu.projection import tiles_of

N_PRE, N_POST, N_STEPS, SAMPLES = 13, 11, 40, 3


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-5), (torch.float64, 1e-12)])
@pytest.mark.parametrize("density", [None, 0.2])
@pytest.mark.parametrize("exact", [False, True])
def test_repeated_spikes_joined_equal_one_by_one(exact, density, dtype, tolerance):
    rng = np.random.default_rng(0)
    trains = [(rng.integers(0, 12, 300).astype(float), rng.integers(0, N_PRE, 300)) for _ in range(SAMPLES)]
    joined = Spikes.from_batch(spsnn.SpikeBatch.from_samples(trains, N_PRE, N_STEPS), 1.0)
    ptr, _, counts = joined.joined
    assert joined.repeats and counts[ptr[0, 0] : ptr[0, -1]].max() > 4
    delay = 9 * torch.from_numpy(rng.random((N_PRE, N_POST))).to(dtype)
    form = kernel_form(delay_tensors(delay), delay, dtype)
    arrival = arrival_of(spsnn.LIF(tau_mem=20, tau_syn=5), 1.0, N_STEPS, exact, 0, dtype)
    weight = rng.normal(size=(N_PRE, N_POST)).astype(delay.numpy().dtype)
    mask = EVERYWHERE if density is None else rng.random(weight.shape) < density
    empty = tiles_of(SAMPLES, N_STEPS, N_POST, weight.dtype)
    grads = [rng.normal(size=empty.shape).astype(weight.dtype) for _ in range(2)]
    found = []
    for spikes in (joined, Spikes(joined.ptr, joined.steps, joined.shape)):
        out = [np.zeros_like(empty), np.zeros_like(empty) if exact else np.zeros_like(empty[:, :, :0])]
        spread(spikes, weight, form, arrival, *out, mask)
        found.append([*out, *pull_back(spikes, weight, form, arrival, False, False, *grads, mask)[:2]])
    for first, second in zip(*found, strict=True):
        np.testing.assert_allclose(first, second, rtol=tolerance, atol=tolerance * np.abs(second).max(initial=0))
    assert np.abs(found[0][0]).max() > 1
