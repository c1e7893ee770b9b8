"""CUDA kernels of the grid engine: the arithmetic of `spsnn.kernels.cpu`, one launch for all steps of a layer.

Arrays over time are flat, ``[B, T * J]``, so that a sample's row can stand in for a ring that does not fit in shared
memory.  Spikes are lists: ``units[offsets[b * T + t]:offsets[b * T + t + 1]]`` spike at step ``t`` of sample ``b``.
There are no atomics, and every sum has a fixed order: equal inputs give equal bits.
"""
