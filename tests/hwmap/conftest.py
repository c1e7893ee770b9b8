"""Networks that the mapping tests share."""

import numpy as np
import pytest

from spsnn.graph.network import Network, Population, Projection


def make_network(seed=0, sizes=(6, 12, 4), density=0.5, dimension=2, recurrent=True, dt=1.0, duration=20.0):
    """Random spatial network: input, hidden and output populations; delays come from the coordinates."""
    rng = np.random.default_rng(seed)
    kinds = ("input", "lif", "li")
    positions = [rng.uniform(0, 15, (n, dimension)) for n in sizes]
    populations = tuple(
        Population(name, n, kind, p, {"threshold": 1.0}, None if kind == "li" else rng.uniform(0, 5, n))
        for name, n, kind, p in zip(("in", "hidden", "out"), sizes, kinds, positions, strict=True)
    )

    def connect(i, j):
        distance = np.linalg.norm(positions[i][:, None] - positions[j][None], axis=-1)
        weight = rng.normal(0, 1, distance.shape)
        mask = rng.uniform(size=distance.shape) < density
        return Projection.from_dense(populations[i].name, populations[j].name, weight, 1.0 + 0.8 * distance, mask)

    pairs = [(0, 1), (1, 2)] + ([(1, 1)] if recurrent else [])
    return Network(populations, tuple(connect(i, j) for i, j in pairs), dt, duration, "random spikes", "random")


@pytest.fixture
def network():
    return make_network()


@pytest.fixture
def build():
    return make_network
