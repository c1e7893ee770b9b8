"""Rate coding both ways against counts by hand and against closed forms."""

import numpy as np
import pytest

from spsnn import ConfigError, DataError, SpatialPriorMLP, SpikeBatch
from spsnn.datasets import JointSet, load
from spsnn.models.rate.coding import emit, features, spike_counts
from spsnn.models.rate.spatial_prior import PriorSettings

BATCH = SpikeBatch.from_samples([([1.0, 5.0, 5.0, 19.0], [0, 1, 1, 0]), ([], []), ([10.0], [2])], 3, 20.0)


def test_counts_by_hand():
    assert features(BATCH).tolist() == [[2, 2, 0], [0, 0, 0], [0, 0, 1]]
    two = features(BATCH, bins=2)
    assert two.shape == (3, 2, 3) and two.dtype == np.float32
    assert two[0].tolist() == [[1, 2, 0], [1, 0, 0]]
    assert two[2].tolist() == [[0, 0, 0], [0, 0, 1]]  # a spike on the edge opens the later bin


def test_a_filtered_rate_is_a_sum_of_decaying_spikes():
    tau, bins = 7.0, 4
    got = features(BATCH, bins, tau)
    for b, (start, stop) in enumerate(zip(BATCH.offsets, BATCH.offsets[1:], strict=False)):
        for k in range(bins):
            end = 5.0 * (k + 1)
            for unit in range(3):
                at = [t for t, u in zip(BATCH.times[start:stop], BATCH.units[start:stop], strict=True) if u == unit]
                assert got[b, k, unit] == pytest.approx(sum(np.exp(-(end - t) / tau) for t in at if t < end), abs=1e-6)


def test_wrong_bins_and_filters_are_named():
    with pytest.raises(ConfigError, match="bins must be a whole number of at least 1"):
        features(BATCH, 0)
    with pytest.raises(ConfigError, match="tau must be a positive number"):
        features(BATCH, 1, -1.0)


def test_deterministic_counts_are_rounded_expectations_and_carry_the_rest():
    assert spike_counts(np.array([[0.0, 0.04, 0.06, 1.23]]), 10).tolist() == [[0, 0, 1, 12]]
    # 0.3 expected per bin: the integral starts at 1/2 and crosses whole numbers in bins 2, 5 and 9 (from 1).
    steady = spike_counts(np.full((1, 10, 1), 0.03), 10)[0, :, 0]
    assert steady.tolist() == [0, 1, 0, 0, 1, 0, 0, 0, 1, 0]
    rng = np.random.default_rng(0)
    activity = rng.random((5, 20, 7))
    total = spike_counts(activity, 3.0).sum(1)
    assert np.abs(total - 3 * activity.sum(1)).max() <= 0.5 + 1e-9


def test_poisson_counts_have_the_mean_and_variance_of_poisson():
    n = spike_counts(np.full((4000, 5), 0.7), 10, "poisson", seed=3)
    assert n.mean() == pytest.approx(7, abs=4 * np.sqrt(7 / n.size))
    assert n.var() == pytest.approx(7, rel=0.06)


def test_regular_spikes_are_evenly_spaced():
    spikes = emit(np.array([[0.4, 0.0]]), 100.0, labels=np.array([1]))
    # Four spikes of rate 4 / 100 ms from half-way: at 12.5, 37.5, 62.5, 87.5 ms.
    assert spikes.times.tolist() == [12.5, 37.5, 62.5, 87.5]
    assert set(spikes.units.tolist()) == {0} and spikes.labels.tolist() == [1]


@pytest.mark.parametrize("code", ["deterministic", "poisson"])
def test_emitted_spikes_count_back_to_their_counts(code):
    activity = np.random.default_rng(1).random((6, 8, 5))
    spikes = emit(activity, 40.0, peak=4.0, code=code, seed=2)
    assert np.array_equal(features(spikes, bins=8), spike_counts(activity, 4.0, code, 2))
    again = emit(activity, 40.0, peak=4.0, code=code, seed=2)
    assert np.array_equal(spikes.times, again.times)


def test_a_spike_that_falls_on_the_end_of_its_bin_stays_in_it():
    # The integral reaches 1 exactly at the end of the first of three bins.
    activity = np.full((1, 3, 1), 0.05)
    activity[0, 1:] = 0
    assert features(emit(activity, 0.3), bins=3)[0, :, 0].tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"seed": 2**64}, r"seed must be below 2\^32, got 18446744073709551616"),
        ({"peak": 1e308}, r"peak must be at most 1,000,000 spikes, got 1e\+308"),
        ({"window": 1e300}, r"window must hold fewer than 2\^31 steps, got 1e\+300 ms of 1 ms"),
        ({"window": 0.5}, "window must hold a step of dt=1 ms at least, got 0.5 ms"),
    ],
)
def test_settings_without_a_meaning_are_refused(settings, words):
    with pytest.raises(ConfigError, match=words):
        SpatialPriorMLP([3, 2], **settings)


def test_data_without_spikes_take_no_bins_and_several_tasks_another_model():
    dense = load("digits_dense", "train")
    for settings in ({"bins": 2}, {"tau": 5.0}):
        with pytest.raises(
            ConfigError, match="bins and tau make features of spike trains, digits_dense holds features"
        ):
            SpatialPriorMLP.for_data(dense, [4], PriorSettings(**settings))
    with pytest.raises(ConfigError, match="several tasks at once need a model of kind spatial_prior_tasks"):
        SpatialPriorMLP.for_data(JointSet([dense]), [4], PriorSettings())
    for tasks in ({"digits_dense": {"split": "train"}}, {"digits_dense": {1: 2}}):
        with pytest.raises(ConfigError, match="data set 'digits_dense' takes no option"):
            load("joint", "train", tasks=tasks)
    rows = load("joint", "train", tasks={"hierarchical": {"n": 20}, "digits_dense": {}})
    assert rows.parts[0].shape[1] == 64 * 32
    for tasks in (3, ["cifar10"], {"cifar10": 3}):
        with pytest.raises(ConfigError, match="tasks must map names of sets to options"):
            load("joint", "train", tasks=tasks)


def test_what_cannot_be_sent_is_named():
    with pytest.raises(DataError, match=r"finite and not negative, got -0\.5"):
        spike_counts(np.array([[1.0, -0.5]]), 10)
    with pytest.raises(DataError, match="got nan"):
        spike_counts(np.array([[1.0, np.nan]]), 10)
    with pytest.raises(DataError, match=r"\[B, N\] or \[B, T, N\]"):
        emit(np.zeros(3), 10.0)
    with pytest.raises(ConfigError, match="code must be one of"):
        spike_counts(np.zeros((1, 1)), 10, "burst")
    with pytest.raises(ConfigError, match="peak must be"):
        spike_counts(np.zeros((1, 1)), 0)
