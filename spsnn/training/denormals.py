"""Numbers too small for full precision, which processors handle slowly."""

from __future__ import annotations

import sys
from contextlib import contextmanager

import torch


@contextmanager
def flushing_denormals(model):
    """Results below 1.2e-38 count as 0 inside, in this thread: such *denormal* numbers take some processors a hundred
    times as long as others, and what decays for long, as moments of gradients do, reaches them.

    Spiking models, which lose no time to them, are left alone: their bits do not depend on the number of threads, of
    which only this one would flush.
    """
    before = sys.float_info.min / 4 == 0
    torch.set_flush_denormal(before or not model.spiking)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)
