"""Random small networks shared by the engine's tests."""

import numpy as np
import torch

from spsnn.autograd.spikes import Spikes
from spsnn.kernels.events import SpikeBatch


def dense_spikes(rng, shape, rate=0.15):
    """Random zeros and ones ``[B, T, I]``."""
    return (rng.random(shape) < rate).astype(np.float64)


def events_of(dense):
    """``events[b]`` as a list of ``(step, unit)``."""
    return [[(int(k), int(i)) for k, i in np.argwhere(sample)] for sample in dense]


def fixed(dense):
    """Input spikes as the engine takes them."""
    return Spikes.from_dense(torch.from_numpy(np.ascontiguousarray(dense)))


def batch_of(events, n_units, duration):
    """`SpikeBatch` of one sample from ``[(time, unit)]``."""
    times, units = zip(*events, strict=True) if events else ((), ())
    return SpikeBatch.from_samples([(np.array(times), np.array(units, int))], n_units, duration)


def settings(neuron):
    """Keyword arguments of the references for an engine neuron."""
    known = ("tau_mem", "tau_syn", "threshold", "v_reset", "reset", "refractory")
    if neuron.adaptive:
        known += ("tau_adapt", "a", "b")
    return {name: getattr(neuron, name) for name in known}


def relative(x, y):
    """Largest difference over the largest value of ``y``."""
    x, y = (np.asarray(t.detach() if torch.is_tensor(t) else t, dtype=float) for t in (x, y))
    return float(np.abs(x - y).max() / max(np.abs(y).max(), 1e-300))
