"""Batch normalisation of a drive in tiles, on the CPU, and in steps, on a GPU, against autograd."""

import numpy as np
import pytest
import torch

from spsnn.autograd.drive import EPS, Drive
from spsnn.kernels.cpu.projection import from_tiles, tiles_of, to_tiles

B, T, J = 5, 7, 11


def as_tiles(x):
    tiles = tiles_of(len(x), x.shape[1], x.shape[2], x.numpy().dtype)
    to_tiles(x.numpy(), tiles)
    return torch.from_numpy(tiles)


def as_steps(tiles):
    dense = np.empty((len(tiles), tiles.shape[2], J), tiles.numpy().dtype)
    from_tiles(tiles.numpy(), dense)
    return torch.from_numpy(dense)


@pytest.mark.parametrize("tiled", [True, False])
def test_values_moments_and_gradients_are_those_of_autograd(tiled):
    g = torch.Generator().manual_seed(0)
    x, upstream, slope = (torch.randn(B, T, J, generator=g, dtype=torch.float64) for _ in range(3))
    x = 30 + 2 * x
    gain, bias = (torch.randn(J, generator=g, dtype=torch.float64) for _ in range(2))
    leaves = [t.clone().requires_grad_() for t in (x, bias, gain)]
    mean, var = leaves[0].mean((0, 1)), leaves[0].var((0, 1), correction=0)
    expected = leaves[2] * (leaves[0] - mean) / (var + EPS).sqrt() + leaves[1]
    expected.backward(upstream)

    drive, there, back = Drive(bias, gain), *((as_tiles, as_steps) if tiled else (torch.clone, torch.clone))
    y, grad, turned = there(x), there(upstream), there(slope)
    drive.apply(y)
    of_bias, of_gain = drive.pull_back(grad, turned)
    for found, exact in (
        (back(y), expected), (drive.mean, mean), (drive.var, var), (back(grad), leaves[0].grad),
        (of_bias, leaves[1].grad), (of_gain, leaves[2].grad),
        (back(turned), slope * gain / (var + EPS).sqrt()),
    ):  # fmt: skip
        torch.testing.assert_close(found, exact.detach(), rtol=1e-10, atol=1e-10)


def test_no_samples_leave_the_moments_alone():
    drive = Drive(torch.zeros(J), torch.ones(J))
    x = as_tiles(torch.zeros(0, T, J))
    drive.apply(x)
    assert drive.mean is None and drive.var is None
    of_bias, of_gain = drive.pull_back(x.clone(), x.clone())
    assert not of_bias.any() and not of_gain.any()
