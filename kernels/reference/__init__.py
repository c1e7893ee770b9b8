"""Slow references in plain Python: what the fast kernels are tested against."""
