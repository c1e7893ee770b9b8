"""These tests need a CUDA device or Numba's simulator of one, which tests/engine/test_cuda_simulator.py switches on."""

from pathlib import Path

import pytest
from numba import cuda


def pytest_collection_modifyitems(items):
    if not cuda.is_available():
        skip = pytest.mark.skip(reason="no CUDA device, and NUMBA_ENABLE_CUDASIM=1 is not set")
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(skip)
