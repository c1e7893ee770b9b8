"""Walking over batches, loading by name, tonic's events, imports."""

import subprocess
import sys

import numpy as np
import pytest

from spsnn.datasets import Digits, EventSet, SpikeBatch, YinYang, batches, from_tonic, load
from spsnn.errors import ConfigError, DataError


def numbered(n):
    return SpikeBatch.from_samples([([float(i)], [i]) for i in range(n)], n, float(n), labels=range(n))


def test_batches_cover_the_set_in_order():
    pieces = list(batches(numbered(10), 4))
    assert [len(p) for p in pieces] == [4, 4, 2]
    assert [p.units.tolist() for p in pieces] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert [len(p) for p in batches(numbered(3), 100)] == [3]


def test_shuffled_batches_are_a_reproducible_permutation():
    a, b, c = ([p.labels.tolist() for p in batches(numbered(50), 8, True, np.random.default_rng(s))] for s in (1, 1, 2))
    assert a == b != c
    visited = [k for piece in a for k in piece]
    assert sorted(visited) == list(range(50)) != visited
    piece = next(batches(numbered(50), 8, shuffle=True, rng=1))
    assert piece.units.tolist() == piece.labels.tolist() == a[0]


def test_one_generator_gives_a_new_order_each_epoch():
    rng = np.random.default_rng(0)
    first, second = ([p.labels.tolist() for p in batches(numbered(50), 8, True, rng)] for _ in range(2))
    assert first != second


def test_batches_take_a_data_set():
    assert [len(p) for p in batches(YinYang("train", n=5), 3)] == [3, 2]


@pytest.mark.parametrize("size", [0, -3, 2.0, True, "8"])
def test_bad_batch_size(size):
    with pytest.raises(ConfigError, match="batch_size must be a positive integer"):
        batches(numbered(3), size)


def test_walk_over_nothing():
    with pytest.raises(DataError, match="batch is empty"):
        batches(SpikeBatch.from_samples([], 3, 1.0), 2)


def test_event_set_refuses_labels_outside_its_classes_and_emptiness():
    with pytest.raises(DataError, match=r"labels must lie in \[0, 2\), got 2 at sample 2"):
        EventSet("train", numbered(3), ["a", "b"])
    with pytest.raises(DataError, match="no sample"):
        EventSet("train", SpikeBatch.from_samples([], 3, 1.0, labels=np.zeros(0, int)), ["a"])


def test_load_passes_options_and_ignores_the_directory_of_embedded_sets():
    data = load("yinyang", "train", "/nowhere", n=4, t_min=1.0)
    assert len(data) == 4 and data.name == "yinyang" and "4 samples" in repr(data)
    assert isinstance(load("digits", "test"), Digits)


@pytest.mark.parametrize(
    "name, options, words",
    [
        ("shdd", {}, "no data set 'shdd'; did you mean 'shd'"),
        ("YinYang", {}, "did you mean 'yinyang'"),
        ("qqqq", {}, "known: yinyang, digits, shd, ssc"),
        ("shd", {"n_chanels": 140}, "no option 'n_chanels'; did you mean 'n_channels'"),
        ("digits", {"hold_out": (1,)}, "data set 'digits' has no option 'hold_out'"),
        ("digits", {"split_": 1}, "has no option"),
    ],
)
def test_unknown_names(name, options, words):
    with pytest.raises(ConfigError, match=words):
        load(name, "train", **options)


class FakeCamera:
    """Two events of a 3 x 2 sensor with two polarities."""

    sensor_size = (3, 2, 2)
    dtype = np.dtype([("x", np.int16), ("y", np.int16), ("t", np.int64), ("p", bool)])

    def __init__(self, *samples):
        self.samples = samples

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, i):
        return np.array(self.samples[i], self.dtype), i


def test_tonic_addresses_and_times():
    batch = from_tonic(FakeCamera([(2, 1, 5000, True), (1, 0, 1500, False)], [(0, 1, 0, True)]), 10.0)
    assert batch.n_units == 12 and batch.labels.tolist() == [0, 1]
    assert batch.times.tolist() == [1.5, 5.0, 0.0]
    assert batch.units.tolist() == [1, 2 + 3 * 1 + 6, 3 + 6]
    assert from_tonic(FakeCamera([(0, 0, 1, 0)], [(0, 1, 0, 1)]), 10.0, indices=[1]).labels.tolist() == [1]


@pytest.mark.parametrize(
    "samples, words",
    [
        ([[(3, 0, 0, 0)]], r"sample 0: x must lie in \[0, 3\)"),
        ([[(0, -1, 0, 0)]], r"y must lie in \[0, 2\)"),
        ([[(0, 0, 10_000, 0)]], "sample 0 has a spike at 10 ms, outside the window of 10 ms"),
        ([[(0, 0, -1, 0)]], "must not be negative"),
        ([[(0, 0, 1, 0)], []], "sample 1 has no spike"),
        ([], "no sample"),
    ],
)
def test_tonic_bad_samples(samples, words):
    with pytest.raises(DataError, match=words):
        from_tonic(FakeCamera(*samples), 10.0)


def test_tonic_crop_and_empty_when_asked():
    batch = from_tonic(FakeCamera([(0, 0, 1, 0), (0, 0, 99_999, 0)], []), 10.0, crop=True, allow_empty=True)
    assert np.diff(batch.offsets).tolist() == [1, 0]


def test_tonic_needs_a_sensor():
    with pytest.raises(ConfigError, match="sensor_size"):
        from_tonic([1, 2], 10.0)


def test_import_is_light():
    code = "import sys, spsnn.datasets; print([m for m in ('tonic', 'sklearn', 'h5py') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
