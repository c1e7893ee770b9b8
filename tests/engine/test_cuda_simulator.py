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


def test_numba_cuda_is_imported_only_with_a_tensor_on_a_gpu():
    code = "import spsnn, sys; sys.exit('numba.cuda' in sys.modules or 'spsnn.autograd.cuda' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
