"""Bias and normalisation of a hidden population's current, as parameters of a model."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
import torch

from spsnn.autograd.drive import EPS, Drive

MOMENTUM = 0.1


def response(neuron, dt):
    """Standard deviation of the potential that white noise of variance 1 in the current's jumps causes, without spikes:
    the norm of the potential after one unit jump, at steps of ``dt`` ms."""
    vv, vi, va, av, ai, aa, ii = neuron.constants(dt, 1, np.float64)[:7, 0]
    v, a, i, total = 0.0, 0.0, 1.0, 0.0
    while abs(v) + abs(a) + abs(i) > 1e-9:
        v, a, i = vv * v + vi * i + va * a, av * v + ai * i + aa * a, ii * i
        total += v * v
    return total**0.5


@contextmanager
def resting(model):
    """The model as it is used, not trained: no dropout, running averages in place of the batch's."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


class Current(torch.nn.Module):
    """What a hidden population adds to the current it receives from others, see `Drive`.

    While training, a normalised current has the mean and variance of the batch taken out; otherwise those of a running
    average, which is the same as weights ``gain / sqrt(var + 1e-5)`` times as large and another bias: so the network is
    exported.

    Attributes:
        bias: ``[J]``, added to the current at every step.
        gain: ``[J]``, or None: no normalisation.

    Args:
        n: number of neurons J.
        gain: standard deviation of the normalised current to start from, or None.
    """

    def __init__(self, n, gain=None):
        super().__init__()
        self.bias = torch.nn.Parameter(torch.zeros(n))
        self.stored = None  # `Stored` while fine-tuning
        self.gain = None if gain is None else torch.nn.Parameter(torch.full((n,), float(gain)))
        if gain is not None:
            self.register_buffer("mean", torch.zeros(n))
            self.register_buffer("var", torch.ones(n))
            self.register_buffer("batches", torch.tensor(0))

    def drive(self):
        """``(factor of the weights [J] or None, Drive)`` of one forward pass."""
        if self.gain is None:
            return None, Drive(self.bias if self.stored is None else self.stored.weight(self.bias))
        if self.training:
            return None, Drive(self.bias, self.gain)
        factor = self.gain * (self.var + EPS).rsqrt()
        return factor, Drive(self.bias - self.mean * factor)

    def learn(self, drive):
        """Take the batch's statistics into the running averages; the first batch is taken whole, an empty one not."""
        if drive.mean is not None:
            share = MOMENTUM if self.batches else 1.0
            self.mean.lerp_(drive.mean, share)
            self.var.lerp_(drive.var, share)
            self.batches += 1
