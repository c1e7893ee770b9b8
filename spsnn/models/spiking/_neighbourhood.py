"""Synapses among neighbours: how far they reach, and weights computed when they are needed."""

from __future__ import annotations

import numpy as np
import torch


class KnownWeights:
    """Weights of the synapses of the nodes that have sent something, computed when they first do.

    Attributes:
        start: int64 ``[N]``; the weights of a node begin there, -1 before they are known.
        weight: those known, one node after another.
    """

    def __init__(self, network):
        self.network = network
        self.start = np.full(len(network.theta), -1, np.int64)
        self.weight = network.level.new_zeros(0)

    def of(self, node):
        """``(start, weight)`` with those of the nodes ``node`` among them."""
        new = np.unique(node[self.start[node] < 0])
        if len(new):
            _, ptr, _, _ = self.network.graph()
            count = ptr[new + 1] - ptr[new]
            first = np.cumsum(count) - count
            self.start[new] = len(self.weight) + first
            synapses = np.repeat(ptr[new] - first, count) + np.arange(count.sum())
            self.weight = torch.cat([self.weight, self.network.weights(synapses)])
        return self.start, self.weight


def radius_of_degree(space, position, degree, n_probes=256):
    """Distance within which a node has ``degree`` others on average, measured from ``n_probes`` evenly spread nodes."""
    probes = position[torch.linspace(0, len(position) - 1, min(n_probes, len(position))).long()]
    near = space.distance(probes, position).flatten().double()
    share = len(probes) * (degree + 1)  # a node counts itself
    return float(near.kthvalue(min(share, near.numel())).values) * (1 + 1e-6)
