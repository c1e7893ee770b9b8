"""These tests need a CUDA device or Numba's simulator of one, which tests/engine/test_cuda_simulator.py switches on."""

import sys
from pathlib import Path

import pytest
import torch
from numba import config, cuda


def pytest_collection_modifyitems(items):
    if not cuda.is_available():
        skip = pytest.mark.skip(reason="no CUDA device, and NUMBA_ENABLE_CUDASIM=1 is not set")
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(skip)


@pytest.fixture
def device():
    """Where tensors live in these tests."""
    if not config.ENABLE_CUDASIM:
        yield torch.device("cuda")
        return
    # The simulator polls the threads of a block; they get their turn only when the interpreter switches.
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield torch.device("cpu")
    sys.setswitchinterval(usual)
