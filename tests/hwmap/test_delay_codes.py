"""Delay codes: by hand, against all other rules, and how the error falls with bits."""

from itertools import pairwise

import numpy as np
import pytest

from spsnn.errors import ConfigError
from spsnn.graph import Network, Population, Projection
from spsnn.hwmap import load_target
from spsnn.hwmap.delays.codes import coded_delays
from spsnn.hwmap.quantise import quantise

TARGET = load_target("loihi2")


def two_by_two(delay, rates):
    populations = (Population("a", 2, "input", None, {}, np.array(rates)), Population("b", 2, "li"))
    return Network(populations, (Projection.from_dense("a", "b", np.ones((2, 2)), delay),), 1.0, 50.0)


def test_by_hand():
    network = two_by_two([[2.0, 4.0], [21.0, 61.0]], [3.0, 1.0])
    codes = lambda bits, per="synapse": coded_delays(network, TARGET, bits, per)[0][0].tolist()  # noqa: E731
    # one delay for all: (3 (2 + 4) + 21 + 61) / 8 = 12.5, of which 12 and 13 are as good
    assert codes(0) in ([12] * 4, [13] * 4)
    # two levels, {2, 4, 21} and {61}: (3 (2 + 4) + 21) / 7 = 5.57
    assert codes(1) == [6, 6, 6, 61]
    assert codes(6) == [2, 4, 21, 61]
    assert codes(6, "axon") == [3, 3, 41, 41]
    # (3 * 2 + 21) / 4 = 6.75, (3 * 4 + 61) / 4 = 18.25
    assert codes(6, "neuron") == [7, 18, 7, 18]


def test_cut_delays_are_marked():
    delays, clipped = coded_delays(two_by_two([[1.0, 2.0], [3.0, 99.0]], [1.0, 1.0]), TARGET, 6)
    assert delays[0].tolist() == [1, 2, 3, 62] and clipped[0].tolist() == [False, False, False, True]


@pytest.mark.parametrize("per", ["synapse", "axon", "neuron"])
def test_more_bits_are_never_worse(network, per):
    errors = []
    for bits in range(7):
        delays, _ = coded_delays(network, TARGET, bits, per)
        errors.append(
            sum(network[p.pre].rates[p.sources] @ (s - p.delay) ** 2
                for s, p in zip(delays, network.projections, strict=True))
        )  # fmt: skip
        for s, p in zip(delays, network.projections, strict=True):
            shared = {"synapse": np.arange(p.n_synapses), "axon": p.sources, "neuron": p.indices}[per]
            assert len(np.unique(s)) <= 2**bits
            assert all(len(np.unique(s[shared == g])) == 1 for g in np.unique(shared))
    assert all(b <= a * 1.02 for a, b in pairwise(errors)) and errors[-1] < errors[0]
    if per == "synapse":
        stored = quantise(network, TARGET).delays
        assert all(np.array_equal(a, b) for a, b in zip(stored, coded_delays(network, TARGET, 6)[0], strict=True))


def test_refusals(network):
    with pytest.raises(ConfigError, match="per synapse, axon, neuron, got 'core'"):
        coded_delays(network, TARGET, 3, "core")
    with pytest.raises(ConfigError, match=r"whole number in 0\.\.16, got 17"):
        coded_delays(network, TARGET, 17)
