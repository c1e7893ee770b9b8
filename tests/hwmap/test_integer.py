"""Fixed-point networks: hand-made cases, the float equations, one backend against the other, refusals."""

from dataclasses import replace

import numpy as np
import pytest

from spsnn.errors import DataError, ExportError
from spsnn.graph import Network, Population, Projection
from spsnn.hwmap import load_target
from spsnn.hwmap.quantise import quantise
from spsnn.hwmap.quantise.integer import IntegerNetwork, IntegerPopulation, IntegerProjection
from spsnn.kernels.reference.grid import simulate_grid
from spsnn.kernels.reference.loihi import effective_weights

BACKENDS = ("reference", "cpu")
LIF = {"tau_mem": 20.0, "tau_syn": 5.0, "threshold": 1.0}


def rows(pre, post, weight, delay, mask=None):
    p = Projection.from_dense(pre, post, weight, delay, mask)
    whole = p.weight.astype(np.int32), p.delay.astype(np.int32)
    return IntegerProjection(pre, post, p.indptr, p.indices, *whole)


def single(weight, delay=0, steps=12, kind="lif", **constants):
    """One input, one neuron."""
    a, b = IntegerPopulation("a", 1, "input"), IntegerPopulation("b", 1, kind, **constants)
    return IntegerNetwork((a, b), (rows("a", "b", [[weight]], [[delay]]),), 1.0, steps)


def train(steps, *at):
    x = np.zeros((steps, 1), np.uint8)
    x[list(at)] = 1
    return {"a": x}


def random_network(seed, sizes=(7, 11, 5), recurrent=True, longest=62, weight=40):
    """Random integers: input, recurrent lif, second lif, li; delays up to 62."""
    rng = np.random.default_rng(seed)
    names, kinds = ("in", "one", "two", "out"), ("input", "lif", "lif", "li")
    sizes = (*sizes, 3)
    populations = tuple(
        IntegerPopulation(n, s, k, *(int(rng.integers(0, 900)) for _ in "uv"), int(rng.integers(30, 300)),
                          int(rng.integers(-20, 60)), int(rng.integers(0, 4)))
        for n, s, k in zip(names, sizes, kinds, strict=True)
    )  # fmt: skip
    source = IntegerPopulation("in", sizes[0], "input")
    populations = (source, *populations[1:-1], replace(populations[-1], vth=2**17 - 1))
    pairs = [(0, 1), (1, 2), (0, 2), (2, 3)] + ([(1, 1), (2, 2), (2, 1)] if recurrent else [])
    projections = tuple(
        rows(names[i], names[j], 2 * rng.integers(-weight, weight, (sizes[i], sizes[j])),
             rng.integers(0, longest + 1, (sizes[i], sizes[j])), rng.random((sizes[i], sizes[j])) < 0.8)
        for i, j in pairs
    )  # fmt: skip
    return IntegerNetwork(populations, projections, 1.0, 90, f"random {seed}")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("delay", [0, 2, 62])
def test_a_spike_acts_one_step_after_its_delay(backend, delay):
    # du = 4095 forgets the current at once; 64 << 6 exceeds 63 << 6.
    net = single(64, delay, steps=80, du=4095, dv=4095, vth=63)
    assert np.flatnonzero(net.run(train(80, 4), backend=backend).spikes["b"]).tolist() == [4 + 1 + delay]
    level = replace(net, populations=(net["a"], replace(net["b"], vth=64)))
    assert not level.run(train(80, 4), backend=backend).spikes["b"].any()  # the threshold itself is not above it


@pytest.mark.parametrize("backend", BACKENDS)
def test_decay_rounds_towards_zero(backend):
    for sign in (1, -1):
        net = single(2 * sign, kind="li", du=1000, dv=3000, vth=2**17 - 1)
        v = net.run(train(12, 0), backend=backend).potential["b"][0, :, 0]
        # u: 128, 128 * 3095 >> 12 = 96, 72, 54; v: 128, (128 * 1096 >> 12) + 96 = 130, 34 + 72 = 106, 28 + 54 = 82.
        assert v[:5].tolist() == [0, 128 * sign, 130 * sign, 106 * sign, 82 * sign]


@pytest.mark.parametrize("backend", BACKENDS)
def test_current_wraps_and_potential_is_cut(backend):
    net = single(2**16, steps=4, kind="li", du=0, dv=0, vth=2**17 - 1)
    run = net.run(train(4, 0, 1, 2), backend=backend)
    # u: 2^22, then 2^22 - 2^10 + 2^22; v = 2^22, then 2^22 + u = 2^23 + 2^22 - 2^10, cut at 2^23 - 1,
    # which is above even the highest threshold: reset.
    # Then u = (2^23 - 2^10) 4095/4096 + 2^22 > 2^23, so 2^24 is taken off.
    u = ((2**23 - 2**10) * 4095 >> 12) + 2**22 - 2**24
    assert run.potential["b"][0, :, 0].tolist() == [0, 2**22, 0, u]
    assert np.flatnonzero(run.spikes["b"]).tolist() == [2]
    assert run.wrapped == 1 and run.clipped == 1


@pytest.mark.parametrize("backend", BACKENDS)
def test_bias_is_mantissa_times_power(backend):
    net = single(0, kind="li", dv=0, vth=2**17 - 1, bias_mant=-3, bias_exp=6)
    assert net.run(train(12), backend=backend).potential["b"][0, :3, 0].tolist() == [-192, -384, -576]


@pytest.mark.parametrize("seed", range(6))
def test_backends_agree_bit_for_bit(seed):
    net = random_network(seed, weight=(40, 3000)[seed % 2])
    x = {"in": np.random.default_rng(seed).random((3, 90, 7)) < 0.15}
    slow, fast = (net.run(x, backend=b) for b in BACKENDS)
    for name in slow.spikes:
        np.testing.assert_array_equal(slow.spikes[name], fast.spikes[name])
    np.testing.assert_array_equal(slow.potential["out"], fast.potential["out"])
    assert (slow.wrapped, slow.clipped) == (fast.wrapped, fast.clipped)
    assert slow.spikes["one"].any() and slow.spikes["two"].any()


def test_truncated_weights():
    given = np.array([-300, -256, -5, -4, -1, 0, 1, 5, 127, 255, 300])
    assert effective_weights(given).tolist() == [-256, -256, -6, -4, -2, 0, 0, 4, 126, 254, 254]
    assert effective_weights(given, 6).tolist() == [-256, -256, -8, -8, -8, 0, 0, 0, 120, 248, 248]
    assert effective_weights(np.array([1, 5, 300]), sign="excitatory").tolist() == [1, 5, 255]
    assert effective_weights(np.array([-1, -5, -300]), 7, sign="inhibitory").tolist() == [0, -4, -254]


def float_network(kind, weight, delay, recurrent=None, dt=1.0, steps=100, **constants):
    """Input and one population, as a float graph."""
    i, j = weight.shape
    populations = (Population("a", i, "input"), Population("b", j, kind, None, {**LIF, **constants}))
    projections = [Projection.from_dense("a", "b", weight, delay)]
    if recurrent is not None:
        projections.append(Projection.from_dense("b", "b", *recurrent))
    return Network(populations, tuple(projections), dt, steps * dt)


@pytest.mark.parametrize("tau_mem, tau_syn", [(700, 200), (200, 200), (100, 3000)])
def test_potential_is_that_of_the_float_equations(tau_mem, tau_syn):
    """Decays that are whole k / 4096 and weights that are whole units leave only the cut of low bits."""
    rng, dt = np.random.default_rng(0), 0.5
    tau = {n: float(-dt / np.log1p(-k / 4096)) for n, k in (("tau_mem", tau_mem), ("tau_syn", tau_syn))}
    weight, delay = rng.integers(-127, 128, (6, 4)) / 100.0, rng.integers(0, 63, (6, 4)) * dt
    weight[0] = 1.27
    graph = float_network("li", weight, delay, dt=dt, **tau)
    x = rng.random((2, 100, 6)) < 0.2
    net = IntegerNetwork.of(graph)
    assert (net["b"].du, net["b"].dv) == (tau_syn - 1, tau_mem)
    events = [list(zip(*np.nonzero(sample), strict=True)) for sample in x]
    wanted = simulate_grid(
        [(events, weight, delay)], n_samples=2, n_steps=100, n_post=4, dt=dt, delays="round", threshold=None, **tau
    )
    # Each step cuts less than one unit of u and of v: u is off by < 4096 / k_u, v by < (1 + 4096 / k_u) 4096 / k_v.
    bound = (1 + 4096 / tau_syn) * 4096 / tau_mem * net["b"].unit
    found = net.run({"a": x}).potential["b"]
    assert 0 < np.abs(found - wanted.potential).max() < bound < 0.1 * np.abs(wanted.potential).max()


@pytest.mark.parametrize("delay", [0, 1, 30, 62])
def test_spikes_fall_into_the_steps_of_the_grid(delay):
    """The potential crosses one step after the arrival, or never; recurrent spikes act a step later at the least."""
    weight, lag = np.array([[9.0]]), np.array([[float(delay)]])
    graph = float_network("lif", weight, lag, recurrent=(np.array([[9.0]]), lag), tau_syn=0.3, tau_mem=1.0, steps=150)
    x = np.zeros((1, 150, 1), np.uint8)
    x[0, 5] = 1
    grid = simulate_grid(
        [([[(5, 0)]], weight, lag)], (np.array([[9.0]]), lag), n_samples=1, n_steps=150, n_post=1, dt=1.0,
        delays="round", tau_mem=1.0, tau_syn=0.3, threshold=1.0,
    )  # fmt: skip
    found = IntegerNetwork.of(graph).run({"a": x}).spikes["b"]
    assert grid.spikes.sum() > 1
    np.testing.assert_array_equal(found, grid.spikes)


def test_even_weights_are_taken_as_they_are():
    graph = float_network("lif", np.array([[2.54, -1.0]]), np.zeros((1, 2)))
    wide = quantise(graph, load_target("loihi2", weight_bits=9))
    even = replace(wide, weights=(np.array([254, -100], np.int32),), scales={**wide.scales, "b": 0.01})
    assert IntegerNetwork.of(even).projections[0].weight.tolist() == [254, -100]
    half = IntegerNetwork.of(
        replace(even, weights=(np.array([127, -50], np.int32),), scales={**even.scales, "b": 0.02})
    )
    assert half.projections[0].weight.tolist() == [254, -100] and half["b"].vth == IntegerNetwork.of(even)["b"].vth
    odd = replace(even, weights=(np.array([253, -100], np.int32),))
    with pytest.raises(ExportError, match=r"weights into b reach 253.*weight_bits"):
        IntegerNetwork.of(odd)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"refractory": 2.0}, "b has refractory 2.0"),
        ({"reset": "subtract"}, "b has reset 'subtract'"),
        ({"v_reset": -0.5}, "b has v_reset -0.5"),
        ({"tau_mem": np.array([20.0, 10.0])}, "tau_mem for each neuron"),
        ({"threshold": 1e9}, "weights are far too small"),
        ({"threshold": 1e-9}, "weights are far too large"),
    ],
)
def test_refuses_neurons_that_lava_has_not(change, message):
    with pytest.raises(ExportError, match=message):
        IntegerNetwork.of(float_network("lif", np.ones((2, 2)), np.zeros((2, 2)), **change))


def test_refuses_kinds_delays_and_inputs():
    with pytest.raises(ExportError, match="kind 'adlif'"):
        IntegerNetwork.of(float_network("adlif", np.ones((2, 2)), np.zeros((2, 2))))
    graph = float_network("lif", np.ones((2, 2)), np.full((2, 2), 70.0))
    far = quantise(graph, load_target("mesh", delay_bits=8, max_delay_steps=255))
    with pytest.raises(ExportError, match=r"a -> b has delays from 70 to 70 steps; Loihi holds 0 to 62"):
        IntegerNetwork.of(far)
    net = IntegerNetwork.of(float_network("lif", np.ones((2, 2)), np.zeros((2, 2))))
    for spikes, message in (
        ({}, "needed for the inputs"),
        ({"a": np.zeros((5, 3))}, r"shape \[samples, steps, 2\]"),
        ({"a": np.full((5, 2), 2)}, "zeros and ones"),
    ):
        with pytest.raises(DataError, match=message):
            net.run(spikes)
