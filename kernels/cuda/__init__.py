"""CUDA kernels of the grid engine (numba.cuda)."""
