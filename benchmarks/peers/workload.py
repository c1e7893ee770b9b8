"""The network and the spikes that every peer gets, and what it gives back.  Needs numpy only."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

TAU_MEM, TAU_SYN, SLOPE = 20.0, 5.0, 2.0
# One step of 1 ms:  V = A V + C I,  I = B I + x.
A, B = np.exp(-1 / TAU_MEM), np.exp(-1 / TAU_SYN)
C = TAU_SYN / (TAU_MEM - TAU_SYN) * (A - B)


@dataclass(frozen=True)
class Workload:
    """One population of LIF neurons and its input.

    Attributes:
        spikes: ``[B, T, I]`` zeros and ones, float32.
        weight: ``[I, J]`` float32.
        lag: delays ``[I, J]`` in steps of 1 ms.
        cotangent: ``[B, T, J]``: training steps differentiate ``sum(spikes_out * cotangent)``.
        threads: threads that the peer may use.
    """

    spikes: np.ndarray
    weight: np.ndarray
    lag: np.ndarray
    cotangent: np.ndarray
    threads: int

    @classmethod
    def random(cls, n_pre, n_post, n_spikes, n_steps, max_lag, n_samples):
        """Random spikes, weights and delays, the same at every call."""
        rng = np.random.default_rng(0)
        spikes = np.zeros((n_samples, n_steps * n_pre), np.float32)
        for sample in spikes:
            sample[rng.choice(sample.size, n_spikes, replace=False)] = 1
        # The same variance of the drive per step in all workloads.
        weight = rng.standard_normal((n_pre, n_post)) / (n_spikes / n_steps) ** 0.5
        return cls(
            spikes.reshape(n_samples, n_steps, n_pre),
            weight.astype(np.float32),
            rng.integers(0, max_lag + 1, (n_pre, n_post)),
            rng.standard_normal((n_samples, n_steps, n_post), np.float32),
            threads=1,
        )

    def save(self, path):
        """Write all arrays to ``path``."""
        np.savez(path, spikes=self.spikes, weight=self.weight, lag=self.lag, cotangent=self.cotangent)

    @classmethod
    def load(cls, path, threads):
        """Read what `save` wrote."""
        with np.load(path) as arrays:
            return cls(**arrays, threads=threads)

    def events(self, sample):
        """``(steps, units)`` of one sample, in the order of time."""
        return np.nonzero(self.spikes[sample])

    def arrivals(self, sample, n_steps=None):
        """Number of synaptic events of one sample within the first ``n_steps``."""
        steps, units = self.events(sample)
        return int((steps[:, None] + self.lag[units] < (n_steps or self.spikes.shape[1])).sum())


@dataclass(frozen=True)
class Result:
    """What an adapter measured.

    Attributes:
        seconds: for the first ``n`` samples, without set-up.
        spikes: ``[n, T', J]`` bool of these samples.  Where only the first ``T'`` steps were simulated, ``seconds`` is
            scaled to all ``T``.
        gradient: ``dL/dweight [I, J]`` of a training step on these samples.
        setup: seconds of building and compiling.
    """

    seconds: float
    spikes: np.ndarray
    gradient: np.ndarray = field(default_factory=lambda: np.zeros(0))
    setup: float = 0.0
