"""Numba kernels, the slow reference and event containers: plain arrays in, plain arrays out."""

import os

# Must be settled before the first parallel kernel: Numba's OpenMP layer dies in forked children.
os.environ.setdefault("NUMBA_THREADING_LAYER", "workqueue")

from spsnn.kernels.events import SpikeBatch

__all__ = ["SpikeBatch"]
