"""The folder runs on a GPU, or in Numba's simulator with NUMBA_ENABLE_CUDASIM=1."""

import sys

import pytest
import torch
from numba import config


@pytest.fixture(autouse=True)
def device():
    """Where tensors live in these tests."""
    if config.ENABLE_CUDASIM:
        # The simulator polls the threads of a block; they get their turn only when the interpreter switches.
        usual = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        yield torch.device("cpu")
        sys.setswitchinterval(usual)
    elif torch.cuda.is_available():
        yield torch.device("cuda")
    else:
        pytest.skip("needs a GPU, or NUMBA_ENABLE_CUDASIM=1 for Numba's simulator")
