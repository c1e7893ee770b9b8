"""A population of neurons of any model in plain loops and float64: what the compiled kernels are tested against."""

from __future__ import annotations

import numpy as np


def simulate_custom(functions, state, p, x, weight=None, lag=None):
    """Advance a population; every arrival of a recurrent spike waits in a list until its step comes.

    Args:
        functions: `spsnn.kernels.neuron.Functions` of the model.
        state: initial state of every neuron, tuple of S numbers.
        p: the model's constants.
        x: arrivals from outside ``[B, T, J]``.
        weight, lag: recurrent ``[J, J]`` (pre, post), lag in steps, or None.

    Returns:
        ``(spikes, u)``, both ``[B, T, J]``.
    """
    n_samples, n_steps, n = x.shape
    spikes, u = np.zeros(x.shape), np.zeros(x.shape)
    for b in range(n_samples):
        states = [tuple(state)] * n
        pending = [[[] for _ in range(n)] for _ in range(n_steps)]
        for t in range(n_steps):
            for j in range(n):
                states[j], u[b, t, j] = functions.step(states[j], float(x[b, t, j]) + sum(pending[t][j]), p)
                if u[b, t, j] > 0:
                    spikes[b, t, j] = 1
                    states[j] = functions.reset(states[j], p)
            if weight is not None:
                for i in np.flatnonzero(spikes[b, t]):
                    for j in range(n):
                        if t + lag[i, j] < n_steps:
                            pending[t + lag[i, j]][j].append(weight[i, j])
    return spikes, u
