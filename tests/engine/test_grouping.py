"""Grouping of spikes by presynaptic unit, and the shapes the engine refuses."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spsnn.autograd.population import Grid, run_population
from spsnn.autograd.spikes import Spikes
from spsnn.errors import ConfigError
from spsnn.kernels.cpu.grouping import group_events, group_marked, join_repeats
from spsnn.kernels.cpu.projection import ungroup
from spsnn.kernels.events import SpikeBatch
from spsnn.neurons.linear import LIF

from .nets import dense_spikes, fixed

sizes = {"seed": st.integers(0, 2**32 - 1), "b": st.integers(1, 4), "t": st.integers(1, 20), "n": st.integers(1, 9)}


def of(ptr, steps, b, i):
    return steps[ptr[b, i] : ptr[b, i + 1]].tolist()


@settings(max_examples=50, deadline=None, derandomize=True)
@given(**sizes, rate=st.sampled_from([0.0, 0.2, 1.0]))
def test_group_marked_lists_the_steps_of_every_unit(seed, b, t, n, rate):
    dense = dense_spikes(np.random.default_rng(seed), (b, t, n), rate)
    ptr, steps = group_marked(dense)
    assert ptr.shape == (b, n + 1) and len(steps) == dense.sum()
    for k in range(b):
        for i in range(n):
            assert of(ptr, steps, k, i) == np.flatnonzero(dense[k, :, i]).tolist()
    back = np.zeros_like(dense)
    ungroup(ptr, steps, np.ones(len(steps)), back)
    np.testing.assert_array_equal(back, dense)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(**sizes, events=st.integers(0, 40))
def test_group_events_keeps_time_order_and_repeats(seed, b, t, n, events):
    rng = np.random.default_rng(seed)
    samples = [(rng.integers(0, t, m).astype(float), rng.integers(0, n, m)) for m in rng.integers(0, events + 1, b)]
    batch = SpikeBatch.from_samples(samples, n, float(t))
    ptr, steps, repeats = group_events(batch.offsets, batch.units, batch.steps(1.0), n)
    assert len(steps) == batch.n_events
    joined_ptr, joined_steps, counts = join_repeats(ptr, steps)
    assert repeats == (len(steps) > sum(len(set(zip(*s, strict=True))) for s in samples))
    for k, (times, units) in enumerate(samples):
        for i in range(n):
            expected = sorted(times[units == i].astype(int).tolist())
            assert of(ptr, steps, k, i) == expected
            assert of(joined_ptr, joined_steps, k, i) == sorted(set(expected))
            assert of(joined_ptr, counts, k, i) == [expected.count(t) for t in sorted(set(expected))]


def test_an_event_that_comes_twice_counts_twice():
    batch = SpikeBatch.from_samples([(np.array([1.0, 1.0]), np.array([0, 0]))], 1, 20.0)
    w, d = torch.ones(1, 1, dtype=torch.float64), torch.zeros(1, 1, dtype=torch.float64)
    v = run_population(LIF(), [(Spikes.from_batch(batch, 1.0), w, d)], Grid(), keep_potential=True)[1]
    z = np.zeros((1, 20, 1))
    z[0, 1, 0] = 1
    twice = run_population(LIF(), [(fixed(z), 2 * w, d)], Grid(), keep_potential=True)[1]
    assert torch.equal(v, twice) and twice.max() > 0


def test_spikes_must_be_zeros_and_ones():
    with pytest.raises(ConfigError, match="zeros and ones"):
        Spikes.from_dense(torch.full((1, 2, 3), 0.5))
    with pytest.raises(ConfigError, match="shape"):
        Spikes.from_dense(torch.zeros(2, 3))


def weight(i, j, value=1.0):
    return torch.full((i, j), value)


@pytest.mark.parametrize(
    ("inputs", "recurrent"),
    [
        ([(weight(4, 5), weight(4, 5))], None),
        ([(weight(3, 5), weight(3, 4))], None),
        ([(weight(3, 5), weight(3, 5, -0.1))], None),
        ([(weight(3, 5), weight(3, 5, float("nan")))], None),
        ([(weight(3, 5), weight(3, 5, float("inf")))], None),
        ([(weight(3, 5, float("nan")), weight(3, 5))], None),
        ([(weight(3, 5), weight(3, 5)), (weight(3, 6), weight(3, 6))], None),
        ([(weight(3, 5), weight(3, 5))], (weight(4, 4), weight(4, 4))),
        ([(weight(3, 5), weight(3, 5))], (weight(5, 4), weight(5, 4))),
        ([(weight(3, 5), weight(3, 5))], (weight(5, 5), weight(5, 5, -1.0))),
        ([], None),
    ],
)
def test_shapes_and_values_that_do_not_fit_are_refused(inputs, recurrent):
    z = fixed(np.zeros((2, 6, 3)))
    with pytest.raises(ConfigError):
        run_population(LIF(), [(z, w, d) for w, d in inputs], Grid(), recurrent)


def test_inputs_of_different_length_are_refused():
    z, longer = fixed(np.zeros((2, 6, 3))), fixed(np.zeros((2, 7, 3)))
    with pytest.raises(ConfigError, match="batch or steps"):
        run_population(LIF(), [(s, weight(3, 5), weight(3, 5)) for s in (z, longer)], Grid())


@pytest.mark.parametrize(
    "bad", [{"delays": "floor"}, {"estimator": "stdp"}, {"surrogate": "tanh"}, {"dt": 0.0}, {"slope": -1.0}]
)
def test_unknown_settings_are_refused(bad):
    with pytest.raises(ConfigError):
        Grid(**bad)
