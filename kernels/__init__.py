"""Numba kernels, the slow reference and event containers: plain arrays in, plain arrays out."""

from spsnn.kernels.events import SpikeBatch

__all__ = ["SpikeBatch"]
