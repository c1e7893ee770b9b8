"""The CUDA kernels in Numba's simulator, which must be chosen before numba is imported: in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path


def test_cuda_kernels_in_the_simulator():
    done = subprocess.run(
        [sys.executable, "-m", "pytest", Path(__file__).parents[1] / "cuda"],
        env={**os.environ, "NUMBA_ENABLE_CUDASIM": "1"}, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout and "skipped" not in done.stdout, done.stdout
