"""Memory that is freed and taken again for every batch."""

from __future__ import annotations

import ctypes
import platform

TRIM_THRESHOLD, MMAP_MAX = -1, -4  # of glibc's mallopt
KEEP = 2**30  # bytes


def keep_freed_memory():
    """Let this process keep up to 1 GiB of freed memory instead of handing it back to the system.

    The C library hands large blocks back at once, and the next batch then pays for every page anew: on a virtual
    machine that can take longer than the simulation.  `fit` and `evaluate` call this; call it once where you loop over
    batches yourself.  It works with glibc and does nothing elsewhere.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(MMAP_MAX, 0)
        libc.mallopt(TRIM_THRESHOLD, KEEP)
