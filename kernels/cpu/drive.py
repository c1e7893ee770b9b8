"""Batch normalisation of tiles ``x [B, J / 8, T, 8]`` over samples and steps, in as few passes over memory as it takes.

    y = gain n + bias,  n = (x - mean) / sqrt(var + eps)
    dL/dx = gain / sqrt(var + eps) (g - mean(g) - n mean(g n))  with g = dL/dy

What is of one neuron is ``[J / 8, 8]``.
"""

import numpy as np
from numba import njit, prange

from spsnn.kernels.cpu.projection import FAST, LANES


@njit(cache=True, fastmath=FAST)
def _block_moments(block, mean, square):
    """Sums over the steps of one tile, and of the squares about their mean."""
    for t in range(len(block)):
        for k in range(LANES):
            mean[k] += block[t, k]
    for k in range(LANES):
        mean[k] /= len(block)
    for t in range(len(block)):
        for k in range(LANES):
            d = block[t, k] - mean[k]
            square[k] += d * d


@njit(cache=True, parallel=True)
def moments(x):
    """Mean and variance of ``x``, the variance as that within a sample and that of the samples' means."""
    n_samples, n_tiles, n_steps, _ = x.shape
    parts = np.zeros((n_samples, n_tiles, 2, LANES), x.dtype)
    for b in prange(n_samples):
        for tile in range(n_tiles):
            _block_moments(x[b, tile], parts[b, tile, 0], parts[b, tile, 1])
    mean, var = np.zeros((n_tiles, LANES)), np.zeros((n_tiles, LANES))
    for b in range(n_samples):
        mean += parts[b, :, 0] / n_samples
    for b in range(n_samples):
        var += ((parts[b, :, 0] - mean) ** 2 + parts[b, :, 1] / n_steps) / n_samples
    return mean.astype(x.dtype), var.astype(x.dtype)


@njit(cache=True, parallel=True)
def normalise(x, mean, inverse, gain, bias, normal):
    """Write n to ``normal`` and y to ``x``; ``inverse`` is ``1 / sqrt(var + eps)``."""
    n_samples, n_tiles, n_steps, _ = x.shape
    for b in prange(n_samples):
        for tile in range(n_tiles):
            block, out = x[b, tile], normal[b, tile]
            for t in range(n_steps):
                for k in range(LANES):
                    out[t, k] = (block[t, k] - mean[tile, k]) * inverse[tile, k]
                    block[t, k] = gain[tile, k] * out[t, k] + bias[tile, k]


@njit(cache=True, fastmath=FAST)
def _block_sums(grad, normal, of_bias, of_gain):
    for t in range(len(grad)):
        for k in range(LANES):
            of_bias[k] += grad[t, k]
            of_gain[k] += grad[t, k] * normal[t, k]


@njit(cache=True, parallel=True)
def pull_back(grad, slope, normal, scale):
    """Returns dL/dbias and dL/dgain; ``grad`` becomes dL/dx, and ``slope`` is scaled by ``gain / sqrt(var + eps)``."""
    n_samples, n_tiles, n_steps, _ = grad.shape
    parts = np.zeros((n_samples, n_tiles, 2, LANES), grad.dtype)
    for b in prange(n_samples):
        for tile in range(n_tiles):
            _block_sums(grad[b, tile], normal[b, tile], parts[b, tile, 0], parts[b, tile, 1])
    total = np.zeros((n_tiles, 2, LANES))
    for b in range(n_samples):
        total += parts[b]
    mean = (total / max(n_samples * n_steps, 1)).astype(grad.dtype)
    for b in prange(n_samples):
        for tile in range(n_tiles):
            g, s, n = grad[b, tile], slope[b, tile], normal[b, tile]
            for t in range(n_steps):
                for k in range(LANES):
                    g[t, k] = scale[tile, k] * (g[t, k] - mean[tile, 0, k] - n[t, k] * mean[tile, 1, k])
                    s[t, k] *= scale[tile, k]
    return total[:, 0].astype(grad.dtype), total[:, 1].astype(grad.dtype)
