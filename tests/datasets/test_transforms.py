"""Transforms: laws over random batches, and refusal of bad settings."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spsnn.datasets import (
    Blend,
    ChannelShift,
    ChannelStretch,
    Compose,
    DenseSet,
    DropEvents,
    GroupChannels,
    Jitter,
    LoseChannels,
    SpikeBatch,
    TimeBin,
    TimeStretch,
)
from spsnn.errors import ConfigError, DataError


def random_batch(seed, n_samples=6, n_units=20, duration=50.0):
    rng = np.random.default_rng(seed)
    samples = []
    for _ in range(n_samples):
        n = int(rng.integers(0, 40)) * int(rng.random() > 0.2)  # some without spikes
        samples.append((rng.random(n, np.float32) * np.float32(duration * 0.999), rng.integers(0, n_units, n)))
    return SpikeBatch.from_samples(samples, n_units, duration, labels=np.arange(n_samples))


def in_order(batch):
    """Sorted by time, then unit, inside each sample."""
    for i in range(len(batch)):
        one = batch[i]
        order = np.lexsort((one.units, one.times))
        np.testing.assert_array_equal(order, np.arange(one.n_events))


ALL = [
    GroupChannels(5),
    TimeBin(4.0),
    TimeBin(4.0, merge=True),
    Jitter(8.0),
    ChannelShift(7),
    DropEvents(0.4),
    LoseChannels(0.3),
    TimeStretch(1.3),
    ChannelStretch(1.2),
    Blend(0.7),
]


@pytest.mark.parametrize("transform", [*ALL, Compose(ALL)], ids=lambda t: type(t).__name__)
@settings(deadline=None)  # the first call compiles
@given(seed=st.integers(0, 2**32 - 1))
def test_result_is_valid_ordered_and_reproducible(transform, seed):
    batch = random_batch(seed)
    before = batch.times.copy(), batch.units.copy()
    a, b = (transform(batch, np.random.default_rng(seed)) for _ in range(2))
    assert len(a) == len(batch) and a.duration == batch.duration
    np.testing.assert_array_equal(a.labels, batch.labels)
    in_order(a)
    np.testing.assert_array_equal(a.times, b.times)
    np.testing.assert_array_equal(a.units, b.units)
    np.testing.assert_array_equal(batch.times, before[0])  # the input is left alone
    np.testing.assert_array_equal(batch.units, before[1])


@pytest.mark.parametrize("transform", ALL, ids=lambda t: type(t).__name__)
def test_batches_without_spikes_or_samples_pass(transform):
    silent = SpikeBatch.from_samples([([], []), ([], [])], 20, 50.0, labels=[1, 2])
    assert transform(silent, np.random.default_rng(0)).labels.tolist() == [1, 2]
    nothing = SpikeBatch.from_samples([], 20, 50.0, labels=np.zeros(0, int))
    assert len(transform(nothing, np.random.default_rng(0))) == 0


@settings(deadline=None)  # the first call compiles
@given(seed=st.integers(0, 10**6), n=st.sampled_from([1, 2, 4, 5, 10, 20]))
def test_grouping_sums_the_dense_channels(seed, n):
    batch = random_batch(seed)
    grouped = GroupChannels(n)(batch)
    assert grouped.n_units == n
    want = batch.to_dense(1.0).reshape(6, 50, n, 20 // n).sum(-1)
    np.testing.assert_array_equal(grouped.to_dense(1.0), want)


def test_grouping_of_the_cochlea():
    batch = SpikeBatch.from_samples([([1.0, 2.0, 3.0, 4.0], [0, 4, 5, 699])], 700, 10.0)
    assert GroupChannels(140)(batch).units.tolist() == [0, 0, 1, 139]
    with pytest.raises(ConfigError, match="n must divide the 700 channels, got 3"):
        GroupChannels(3)(batch)


@settings(deadline=None)  # the first call compiles
@given(seed=st.integers(0, 10**6), dt=st.sampled_from([0.3, 1.0, 4.0, 7.0, 60.0]))
def test_binning_keeps_the_dense_form(seed, dt):
    batch = random_batch(seed)
    dense = batch.to_dense(dt)
    binned, merged = TimeBin(dt)(batch), TimeBin(dt, merge=True)(batch)
    np.testing.assert_array_equal(binned.to_dense(dt), dense)
    np.testing.assert_array_equal(merged.to_dense(dt), np.minimum(dense, 1))
    np.testing.assert_allclose(binned.times / dt, np.rint(binned.times / dt), atol=1e-3)
    again = TimeBin(dt)(binned)
    np.testing.assert_array_equal(again.times, binned.times)
    np.testing.assert_array_equal(again.units, binned.units)


def test_binning_by_hand():
    batch = SpikeBatch.from_samples([([0.9, 1.1, 3.2, 9.9], [1, 0, 1, 0])], 2, 10.0)
    binned = TimeBin(1.0)(batch)
    assert binned.times.tolist() == [1, 1, 3, 9] and binned.units.tolist() == [0, 1, 1, 0]
    assert TimeBin(10.0, merge=True)(batch).units.tolist() == [0, 1]


def test_binning_refuses_a_grid_that_no_key_can_number():
    batch = SpikeBatch([1.0], [0], [0, 1], 2**31 - 1, 1e9)
    with pytest.raises(DataError, match="too fine a grid"):
        TimeBin(1e-3)(batch)


def test_jitter_has_its_spread_and_loses_nothing():
    times = np.full(20000, 500.0, np.float32)
    batch = SpikeBatch(times, np.zeros(20000, int), [0, 20000], 1, 1000.0)
    moved = Jitter(5.0)(batch, np.random.default_rng(1)).times
    assert len(moved) == 20000
    assert abs(moved.mean() - 500) < 5 * 5 / np.sqrt(20000)
    assert abs(moved.std() - 5) < 0.15
    edges = Jitter(1e4)(batch, np.random.default_rng(1)).times
    assert edges.min() == 0 and 999.9 < edges.max() < 1000
    np.testing.assert_array_equal(Jitter(0.0)(batch, 0).times, times)


def test_jitter_moves_units_with_their_times():
    batch = random_batch(5)
    moved = Jitter(30.0)(batch, np.random.default_rng(0))
    for i in range(len(batch)):
        assert sorted(moved[i].units) == sorted(batch[i].units)
    assert not np.array_equal(moved.units, batch.units)


def test_shift_is_one_number_a_sample():
    n = 300
    batch = SpikeBatch.from_samples([([1.0, 2.0, 3.0], [10, 50, 12])] * n, 100, 10.0)
    shifted = ChannelShift(4)(batch, np.random.default_rng(2)).units.reshape(n, 3)
    moves = shifted - [10, 50, 12]
    assert (moves == moves[:, :1]).all()
    assert set(moves[:, 0]) == set(range(-4, 5))


def test_shift_drops_what_leaves_the_range():
    batch = SpikeBatch.from_samples([([1.0, 2.0], [0, 9])] * 200, 10, 10.0)
    shifted = ChannelShift(3)(batch, np.random.default_rng(0))
    counts = np.diff(shifted.offsets)
    assert set(counts) == {1, 2}  # shift 0 keeps both, any other loses one end
    assert shifted.n_units == 10


def test_drop_rate_and_limits():
    batch = SpikeBatch.from_samples([(np.linspace(0, 9, 10000), np.zeros(10000, int))] * 2, 1, 10.0)
    kept = DropEvents(0.3)(batch, np.random.default_rng(0))
    assert abs(kept.n_events / 20000 - 0.7) < 5 * np.sqrt(0.21 / 20000)
    assert set(kept.times) <= set(batch.times)
    assert DropEvents(0.0)(batch, 0).n_events == 20000 and DropEvents(1.0)(batch, 0).n_events == 0


def test_stretch_multiplies_a_sample_by_one_factor():
    batch = SpikeBatch.from_samples([([2.0, 4.0, 45.0], [0, 1, 2])] * 2000, 3, 50.0)
    stretched = TimeStretch(1.25)(batch, np.random.default_rng(0))
    first = stretched.times[stretched.offsets[:-1]] / 2
    assert 0.8 <= first.min() < 0.81 and 1.24 < first.max() <= 1.25
    assert abs(np.log(first).mean()) < 5 * np.log(1.25) / np.sqrt(3 * 2000)  # symmetric in the logarithm
    counts = np.diff(stretched.offsets)
    np.testing.assert_array_equal(counts == 3, 45 * first < 50)  # what leaves the window is dropped
    np.testing.assert_allclose(stretched.times[stretched.offsets[:-1] + 1], 4 * first, rtol=1e-6)


def test_channel_stretch_about_the_middle():
    units = np.repeat([50, 60, 99], [4000, 4000, 1])  # of 101: the middle, ten above it, and near the end
    batch = SpikeBatch.from_samples([(np.linspace(0, 9, len(units)), units)] * 300, 101, 10.0)
    stretched = ChannelStretch(1.25)(batch, 0)
    samples = [stretched[b].units for b in range(len(batch))]
    middle = np.array([u[:4000].mean() for u in samples])
    factor = np.array([(u[4000:8000].mean() - u[:4000].mean()) / 10 for u in samples])
    np.testing.assert_allclose(middle, 50, atol=0.05)  # five standard errors of one uniform channel
    assert 0.79 < factor.min() < 0.82 and 1.22 < factor.max() < 1.26
    assert abs(np.log(factor).mean()) < 5 * np.log(1.25) / np.sqrt(3 * 300)
    # Channel 99 ends between 50.5 + f 48.5 and 50.5 + f 49.5 and is dropped from 101 on.
    kept = np.array([len(u) == 8001 for u in samples])
    assert kept[factor < 1.01].all() and not kept[factor > 1.05].any()
    np.testing.assert_array_equal(ChannelStretch(1.0)(batch, 0).units, batch.units)


def test_blend_takes_half_of_each_of_two_samples_of_a_class():
    # The units tell where a spike is from; the second sample is 10 ms later than the first.
    t = np.linspace(5, 25, 4000)
    batch = SpikeBatch.from_samples([(t, 0 * t.astype(int)), (t + 10, 1 + 0 * t.astype(int))], 2, 50.0, labels=[3, 3])
    mixed = Blend(1.0)(batch, np.random.default_rng(0))
    for sample, mean in ((mixed[0], 15), (mixed[1], 25)):
        share = np.bincount(sample.units, minlength=2) / 4000
        np.testing.assert_allclose(share, 0.5, atol=5 * np.sqrt(0.25 / 4000))
        for unit in (0, 1):  # both parts keep the sample's own place in time
            assert abs(sample.times[sample.units == unit].mean() - mean) < 0.5


def test_blend_never_mixes_classes_and_leaves_single_samples_alone():
    batch = SpikeBatch.from_samples([([1.0, 2.0], [k, k]) for k in range(6)], 6, 10.0, labels=[0, 0, 0, 1, 1, 2])
    seen = set()
    for seed in range(50):
        mixed = Blend(1.0)(batch, seed)
        assert mixed[5].units.tolist() == [5, 5]
        seen |= {(b, int(u)) for b in range(6) for u in mixed[b].units}
    assert seen == {(b, u) for group in ((0, 1, 2), (3, 4), (5,)) for b in group for u in group}


def test_blend_needs_labels():
    with pytest.raises(DataError, match="no labels"):
        Blend(0.5)(SpikeBatch.from_samples([([1.0], [0])], 1, 5.0))


def test_compose_shares_one_generator_in_order():
    batch, rng = random_batch(3), np.random.default_rng(9)
    want = Jitter(2.0)(DropEvents(0.5)(batch, rng), rng)
    got = Compose([DropEvents(0.5), Jitter(2.0)])(batch, np.random.default_rng(9))
    np.testing.assert_array_equal(got.times, want.times)
    assert "Jitter(std=2.0)" in repr(Compose([Jitter(2.0)]))


@pytest.mark.parametrize(
    "make, value",
    [
        (GroupChannels, 0),
        (GroupChannels, 2.0),
        (TimeBin, 0.0),
        (TimeBin, np.nan),
        (TimeBin, "4"),
        (Jitter, -1.0),
        (Jitter, np.nan),
        (ChannelShift, -1),
        (ChannelShift, 1.5),
        (DropEvents, 1.1),
        (LoseChannels, 1.1),
        (ChannelStretch, 0.9),
        (ChannelStretch, np.nan),
        (TimeStretch, 0.9),
        (TimeStretch, np.inf),
        (Blend, -0.1),
        (Blend, True),
        (DropEvents, np.nan),
        (lambda v: Compose([v]), "Jitter"),
    ],
)
def test_bad_settings(make, value):
    with pytest.raises(ConfigError, match="got"):
        make(value)


@pytest.mark.parametrize("transform", [Blend(0.5), Jitter(1.0), Compose([DropEvents(0.1)])])
def test_features_are_not_spikes(transform):
    dense = DenseSet(np.zeros((4, 3)), np.zeros(4, int), "a")
    with pytest.raises(DataError, match="changes a SpikeBatch, got DenseSet; leave it out"):
        transform(dense)
