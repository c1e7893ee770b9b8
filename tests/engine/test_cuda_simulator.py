"""The CUDA kernels in Numba's simulator, in a process of its own: the switch is read when Numba is imported."""

import os
import subprocess
import sys
from pathlib import Path


def test_cuda_kernels_in_the_simulator():
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(Path(__file__).parents[1] / "cuda")]
    done = subprocess.run(command, env={**os.environ, "NUMBA_ENABLE_CUDASIM": "1"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "skipped" not in done.stdout, done.stdout[-400:]


def test_numba_cuda_is_imported_only_with_a_tensor_on_a_gpu():
    code = "import spsnn, sys; sys.exit('numba.cuda' in sys.modules or 'spsnn.autograd.cuda' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
