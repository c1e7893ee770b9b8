"""Quantisation laws and delay modes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spsnn.errors import ConfigError
from spsnn.graph.network import Network, Population, Projection
from spsnn.hwmap import compile, load_target
from spsnn.hwmap.delays import computed_delays, delay_bits, fit_delay_law
from spsnn.hwmap.quantise import delay_error, quantise

from .conftest import make_network


def two_neurons(weight, delay, rates=(1.0, 1.0), dt=1.0):
    populations = (Population("a", 2, "lif", None, {}, np.array(rates)), Population("b", 1, "li"))
    return Network(populations, (Projection.from_dense("a", "b", weight, delay),), dt, 10.0)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), bits=st.integers(2, 12), dt=st.sampled_from([0.25, 1.0, 2.0]))
def test_errors_stay_within_half_a_step(seed, bits, dt):
    network = make_network(seed, dt=dt)
    target = load_target("mesh", weight_bits=bits, delay_bits=16, max_delay_steps=65535)
    q = quantise(network, target)
    top = 2 ** (bits - 1) - 1
    for p, held, integers, steps in zip(network.projections, q.network.projections, q.weights, q.delays, strict=True):
        assert np.abs(integers).max(initial=0) <= top
        assert np.abs(held.weight - p.weight).max(initial=0) <= q.scales[p.post] / 2 * (1 + 1e-9)
        assert np.abs(held.delay - p.delay).max(initial=0) <= dt / 2 * (1 + 1e-9)
        np.testing.assert_array_equal(held.delay, steps * dt)
        np.testing.assert_array_equal(held.indices, p.indices)


def test_one_scale_for_all_projections_into_a_population(network):
    q = quantise(network, load_target("mesh"))
    into = [p for p in network.projections if p.post == "hidden"]
    assert len(into) == 2
    assert q.scales["hidden"] == pytest.approx(max(np.abs(p.weight).max() for p in into) / 127)


def test_quantising_twice_changes_nothing(network):
    target = load_target("mesh")
    once = quantise(network, target)
    twice = quantise(once.network, target)
    for a, b in zip(once.weights + once.delays, twice.weights + twice.delays, strict=True):
        np.testing.assert_array_equal(a, b)


def test_zero_weights():
    q = quantise(two_neurons([[0.0], [0.0]], [[1.0], [2.0]]), load_target("mesh"))
    assert q.weights[0].tolist() == [0, 0] and q.scales["b"] == 1.0


def test_delay_error_by_hand():
    # Steps wanted 1.25 and 70.0, longest 63: held 1 and 63, errors -0.25 and -7; the first neuron fires 3 times more.
    network = two_neurons([[1.0], [-1.0]], [[1.25], [70.0]], rates=(3.0, 1.0))
    q = quantise(network, load_target("mesh"))
    error = delay_error(network, q.delays, q.clipped)
    assert q.delays[0].tolist() == [1, 63]
    assert error == pytest.approx(
        {
            "delay_error_mean_steps": -3.625,
            "delay_error_mae_steps": 3.625,
            "delay_error_p95_steps": 0.25 + 0.95 * 6.75,
            "delay_error_max_steps": 7.0,
            "delay_error_mean_spike_weighted_steps": -(3 * 0.25 + 7) / 4,
            "delay_error_mae_spike_weighted_steps": (3 * 0.25 + 7) / 4,
            "delay_exact_percent": 50.0,
            "delay_clipped_percent": 50.0,
        }
    )


def test_storage_of_each_mode(network):
    target = load_target("loihi2")  # hardware.md: 6 delay bits grow a dense synapse from 8 to 14, a sparse one 18 to 24
    bits = delay_bits(network, target, "stored")
    assert (target.weight_bits + bits.per_synapse, target.weight_bits + target.index_bits + bits.per_synapse) == (
        14,
        24,
    )
    computed = delay_bits(network, target, "computed")
    assert (computed.per_synapse, computed.per_neuron, computed.per_axon) == (0, 16, 16)
    assert delay_bits(network, target, "hop").per_synapse == 2
    still = replace(network, projections=tuple(replace(p, delay=0 * p.delay) for p in network.projections))
    assert delay_bits(still, target, "stored").per_synapse == 0


def test_delay_law_is_found(network):
    for law in fit_delay_law(network):
        assert (law.d_min, law.alpha) == pytest.approx((1.0, 0.8))
        assert law.residual_rms_steps < 1e-9


def test_delay_law_of_a_model_that_cuts(network):
    cut = tuple(replace(p, delay=np.minimum(p.delay, 6.0)) for p in network.projections)
    assert all(0.1 < np.mean(p.delay == 6.0) < 0.9 for p in cut)
    network = replace(network, projections=cut)
    for law in fit_delay_law(network):
        assert (law.d_min, law.alpha, law.longest) == pytest.approx((1.0, 0.8, 6.0))
        assert law.residual_rms_steps < 1e-9
    delays, *_ = computed_delays(network, load_target("mesh", coordinate_bits=20), fit_delay_law(network))
    for steps, p in zip(delays, network.projections, strict=True):
        assert np.mean(steps == np.rint(p.delay)) > 0.99 and steps.max() == 6


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_computed_delays_approach_stored_ones(build, dimension):
    network = build(dimension=dimension)
    target = load_target("mesh", coordinate_bits=20)
    delays, _, coordinates, grid = computed_delays(network, target, fit_delay_law(network))
    for steps, wanted in zip(delays, quantise(network, target).delays, strict=True):
        assert np.mean(steps == wanted) > 0.99
    for p in network.populations:
        error = coordinates[p.name] * grid["step"] + grid["origin"] - p.positions
        assert np.abs(error).max() <= grid["step"] / 2 * (1 + 1e-9)


def test_units_without_a_place_keep_their_one_delay(network):
    # As the bias of normalised currents: spikes at every step, no delay, no coordinates.
    bias = Population("bias of hidden", 2, "input", rates=np.full(2, 20.0))
    link = Projection.from_dense(bias.name, "hidden", np.full((2, 12), 0.1), np.zeros((2, 12)))
    with_bias = replace(
        network, populations=(*network.populations, bias), projections=(*network.projections, link)
    )  # fmt: skip
    chip = compile(with_bias, "mesh", delay_mode="computed")
    plain = compile(network, "mesh", delay_mode="computed")
    for steps, wanted in zip(chip.integers.delays, plain.integers.delays, strict=False):
        np.testing.assert_array_equal(steps, wanted)
    assert not chip.integers.delays[-1].any() and (chip.extra["laws"][-1].d_min, chip.extra["laws"][-1].alpha) == (0, 0)
    assert set(chip.extra["coordinates"]) == {"in", "hidden", "out"}
    late = replace(link, delay=np.arange(24.0))
    with pytest.raises(ConfigError, match="bias of hidden has none"):
        compile(replace(with_bias, projections=(*network.projections, late)), "mesh", delay_mode="computed")


def test_computed_refuses_other_delays(network):
    rng = np.random.default_rng(0)
    foreign = tuple(replace(p, delay=rng.uniform(0, 20, p.n_synapses)) for p in network.projections)
    with pytest.raises(ConfigError, match="do not come from Euclidean"):
        compile(replace(network, projections=foreign), "mesh", delay_mode="computed")
    bare = tuple(replace(p, positions=None) for p in network.populations)
    with pytest.raises(ConfigError, match="coordinates of every connected population"):
        compile(replace(network, populations=bare), "mesh", delay_mode="computed")
    mixed = tuple(replace(p, positions=p.positions[:, :1]) if p.kind == "li" else p for p in network.populations)
    with pytest.raises(ConfigError, match="one space"):
        compile(replace(network, populations=mixed), "mesh", delay_mode="computed")


def test_hop_delays_follow_the_mesh(network):
    target = load_target("mesh", hop_ticks=3, hop_residual_bits=2)
    chip = compile(network, target, delay_mode="hop", cores=6)
    for p, steps, residual, cut in zip(
        network.projections, chip.integers.delays, chip.extra["residuals"], chip.integers.clipped, strict=True
    ):
        tiles = np.abs(chip.tile_of(p.pre)[p.sources] - chip.tile_of(p.post)[p.indices]).sum(1)
        wanted = np.rint(p.delay).astype(int)
        expected = [3 * h + min(max(w - 3 * h, 0), 3) for h, w in zip(tiles, wanted, strict=True)]
        assert steps.tolist() == expected
        assert (residual <= 3).all()
        np.testing.assert_array_equal(cut, steps != wanted)
        np.testing.assert_array_equal(chip.quantised.projections[network.projections.index(p)].delay, steps)


def test_enough_residual_bits_make_hops_exact(network):
    # One core at the port: no hop at all, so the residual must hold the whole delay, below 32 steps here.
    chip = compile(network, load_target("mesh", hop_residual_bits=5), delay_mode="hop")
    assert chip.partition.n_cores == 1
    assert chip.report()["delay_exact_percent"] == 100.0
