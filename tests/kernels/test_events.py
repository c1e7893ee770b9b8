"""SpikeBatch: the container that every loader yields."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from spsnn.errors import DataError
from spsnn.kernels.events import SpikeBatch


def small():
    return SpikeBatch.from_samples(
        [([5.0, 1.0], [2, 0]), ([], []), ([3.0, 3.0, 0.0], [1, 0, 2])], n_units=3, duration=10.0, labels=[7, 8, 9]
    )


def test_from_samples_sorts_by_time_then_unit():
    b = small()
    assert b.times.tolist() == [1, 5, 0, 3, 3]
    assert b.units.tolist() == [0, 2, 2, 0, 1]
    assert b.offsets.tolist() == [0, 2, 2, 5]
    assert (b.times.dtype, b.units.dtype, b.offsets.dtype, b.labels.dtype) == (
        np.float32,
        np.int32,
        np.int64,
        np.int64,
    )
    assert len(b) == 3 and b.n_events == 5
    assert [b.sample_of(k) for k in range(5)] == [0, 0, 2, 2, 2]


def test_samples_without_spikes_and_no_samples_are_valid():
    silent = SpikeBatch.from_samples([([], []), ([], [])], 4, 10.0, labels=[0, 1])
    assert len(silent) == 2 and silent.n_events == 0
    assert silent.to_dense(1.0).shape == (2, 10, 4) and not silent.to_dense(1.0).any()
    assert len(silent[1]) == 1
    nothing = SpikeBatch.from_samples([], 4, 10.0)
    assert len(nothing) == 0 and nothing.to_dense(1.0).shape == (0, 10, 4)


@pytest.mark.parametrize(
    "index, rows",
    [
        (0, [0]),
        (-1, [2]),
        (np.int64(2), [2]),
        (slice(None), [0, 1, 2]),
        (slice(1, None), [1, 2]),
        (slice(None, None, -1), [2, 1, 0]),
        (slice(3, 3), []),
        ([2, 0, 0], [2, 0, 0]),
        (np.array([True, False, True]), [0, 2]),
    ],
)
def test_index(index, rows):
    b = small()
    part = b[index]
    assert part.labels.tolist() == [[7, 8, 9][r] for r in rows]
    assert len(part) == len(rows)
    for k, r in enumerate(rows):
        want, got = slice(*b.offsets[r : r + 2]), slice(*part.offsets[k : k + 2])
        assert part.times[got].tolist() == b.times[want].tolist()
        assert part.units[got].tolist() == b.units[want].tolist()


@pytest.mark.parametrize("index", [3, -4])
def test_index_out_of_range(index):
    with pytest.raises(IndexError, match="batch of 3"):
        small()[index]


def test_neighbouring_samples_share_memory():
    b = small()
    assert np.shares_memory(b[1:].times, b.times)


def test_batches_can_be_compared_and_hashed():
    b = small()
    assert b == b and b != small() and len({b, b}) == 1


@pytest.mark.parametrize(
    "change, words",
    [
        ({"times": [np.nan, 1.0]}, "finite, got nan at event 0"),
        ({"times": [0.0, np.inf]}, "finite, got inf at event 1"),
        ({"times": [-1.0, 1.0]}, r"lie in \[0, 10.0\) ms, got -1.0"),
        ({"times": [1.0, 10.0]}, r"got 10.0 at event 1 \(sample 0\); lengthen the window or crop"),
        ({"times": [2.0, 1.0]}, "sorted by time"),
        ({"times": [1.0]}, "one length"),
        ({"units": [0, 3]}, r"units must lie in \[0, 3\), got 3"),
        ({"units": [0, -1]}, "got -1"),
        ({"units": [0, 2**32]}, "got 4294967296"),
        ({"units": [0.0, 1.0]}, "must be integers"),
        ({"offsets": [0, 1]}, "offsets must rise"),
        ({"offsets": [1, 2]}, "offsets must rise"),
        ({"offsets": [0, 3, 2]}, "offsets must rise"),
        ({"labels": [1, 2]}, "1 samples need as many labels, got 2"),
        ({"labels": [np.nan]}, "labels must be a vector of integers"),
        ({"labels": [[1]]}, "labels must be a vector of integers"),
        ({"duration": 0.0}, "duration"),
        ({"duration": np.nan}, "duration"),
        ({"duration": np.inf}, "duration"),
        ({"n_units": 0}, "n_units"),
    ],
)
def test_broken_rules(change, words):
    good = {"times": [0.0, 1.0], "units": [0, 1], "offsets": [0, 2], "n_units": 3, "duration": 10.0, "labels": [1]}
    SpikeBatch(**good)
    with pytest.raises(DataError, match=words):
        SpikeBatch(**good | change)


def test_time_may_step_back_between_samples_only():
    SpikeBatch([5.0, 1.0], [0, 0], [0, 1, 1, 2], 1, 10.0)
    with pytest.raises(DataError, match=r"event 1 at 1.0 ms follows 5.0 ms"):
        SpikeBatch([5.0, 1.0], [0, 0], [0, 0, 2, 2], 1, 10.0)


def test_steps_round_to_the_nearest_and_stop_at_the_last():
    b = SpikeBatch([0.0, 0.4, 0.6, 1.4, 9.9], [0] * 5, [0, 5], 1, 10.0)
    assert b.steps(1.0).tolist() == [0, 0, 1, 1, 9]
    assert b.n_steps(1.0) == 10 and b.n_steps(4.0) == 3 and b.n_steps(0.1) == 100


@pytest.mark.parametrize("dt", [0.0, -1.0, np.nan, np.inf])
def test_bad_step(dt):
    for call in (small().n_steps, small().steps, small().to_dense):
        with pytest.raises(DataError, match="dt must be a positive number"):
            call(dt)


def test_to_dense_counts():
    dense = small().to_dense(2.0)
    want = np.zeros((3, 5, 3))
    want[0, 0, 0] = want[0, 2, 2] = 1  # 1 ms rounds half to even: step 0; 5 ms: 2.5 -> 2
    want[2, 2, 1] = want[2, 2, 0] = 1  # 3 ms: 1.5 -> 2
    want[2, 0, 2] = 1
    np.testing.assert_array_equal(dense, want)


@pytest.mark.parametrize(
    "dense, words",
    [
        (np.zeros((2, 3)), "shape"),
        (np.full((1, 2, 3), np.nan), "finite"),
        (np.full((1, 2, 3), -1), "not negative"),
        (np.full((1, 2, 3), 0.5), "whole"),
    ],
)
def test_from_dense_refuses(dense, words):
    with pytest.raises(DataError, match=words):
        SpikeBatch.from_dense(dense, 1.0)


@settings(deadline=None)  # the first call compiles
@given(
    dense=hnp.arrays(np.int64, st.tuples(*[st.integers(1, n) for n in (4, 30, 5)]), elements=st.integers(0, 3)),
    dt=st.sampled_from([0.1, 0.25, 0.3, 1.0, 4.0, 1 / 3]),
)
def test_dense_round_trip(dense, dt):
    labels = np.arange(len(dense))
    batch = SpikeBatch.from_dense(dense, dt, labels)
    assert batch.n_events == dense.sum()
    assert batch.labels.tolist() == labels.tolist()
    np.testing.assert_array_equal(batch.to_dense(dt), dense)


@settings(deadline=None)  # the first call compiles
@given(
    samples=st.lists(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 6)), max_size=20), min_size=1, max_size=5)
)
def test_event_round_trip_on_the_grid(samples):
    batch = SpikeBatch.from_samples(
        [([t * 0.5 for t, _ in s], np.array([u for _, u in s], int)) for s in samples], 7, 50.0
    )
    back = SpikeBatch.from_dense(batch.to_dense(0.5), 0.5)
    for name in ("times", "units", "offsets"):
        np.testing.assert_array_equal(getattr(back, name), getattr(batch, name))
    want = [sorted(s) for s in samples]
    got = [
        [(round(2 * t), u) for t, u in zip(b.times, b.units, strict=True)]
        for b in (batch[i] for i in range(len(batch)))
    ]
    assert got == want


def test_distinct_keeps_the_first_spike_of_a_unit_and_step():
    samples = [([0.1, 0.3, 0.4, 1.2, 1.3], [2, 0, 2, 0, 0]), ([], []), ([0.2, 9.8], [2, 2])]
    batch = SpikeBatch.from_samples(samples, 3, 10.0, [0, 1, 0])
    kept = batch.distinct(1.0)
    assert np.array_equal(kept.to_dense(1.0), np.minimum(batch.to_dense(1.0), 1))
    assert kept.times.tolist() == pytest.approx([0.1, 0.3, 1.2, 0.2, 9.8]) and kept.labels.tolist() == [0, 1, 0]
    assert kept.distinct(1.0) is kept and batch.distinct(0.01) is batch


def test_a_single_event_may_be_given_as_numbers():
    batch = SpikeBatch(1.0, 3, [0, 1], 5, 10.0)
    assert batch.times.tolist() == [1.0] and batch.units.tolist() == [3]


def test_an_index_of_two_dimensions_is_refused():
    with pytest.raises(IndexError, match=r"vector, got an index of shape \(1, 2\)"):
        small()[np.array([[0, 2]])]
