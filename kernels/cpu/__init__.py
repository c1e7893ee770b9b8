"""Parallel Numba kernels of the grid engine for the CPU."""
