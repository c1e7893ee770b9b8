"""SHD and SSC from files in the public layout."""

import numpy as np
import pytest
import tonic

from spsnn.datasets import SHD, SSC, ChannelShift, GroupChannels, TimeBin, from_tonic, load
from spsnn.errors import ConfigError, DataError
from spsnn.kernels.events import SpikeBatch

FIELDS = ("times", "units", "offsets", "labels")


def same(a, b):
    for field in FIELDS:
        np.testing.assert_array_equal(getattr(a, field), getattr(b, field))
    assert (a.n_units, a.duration) == (b.n_units, b.duration)


def rows_of(speakers, chosen):
    return np.flatnonzero(np.isin(speakers, chosen))


@pytest.mark.parametrize("split, train", [("train", True), ("test", False)])
def test_shd_agrees_with_tonic(data_dir, split, train):
    data, oracle = SHD(split, data_dir), tonic.datasets.SHD(str(data_dir), train=train)
    assert len(data) == len(oracle) and data.n_classes == 20 and data.class_names[1] == "word1"
    np.testing.assert_array_equal(data.speakers, oracle.speaker)
    for i in range(0, len(oracle), 50):
        events, label = oracle[i]
        one = data[i]
        order = np.lexsort((events["x"], events["t"]))
        # tonic cuts the time to whole microseconds.
        np.testing.assert_allclose(one.times, events["t"][order] / 1000, atol=1.1e-3, rtol=0)
        assert sorted(one.units) == sorted(events["x"]) and one.labels[0] == label


def test_shd_times_are_the_float16_seconds_in_ms(tmp_path, write):
    write(tmp_path / "SHD" / "shd_train.h5", [([0.5, 0.25, 0.25], [3, 699, 0])], [19])
    e = SHD("train", tmp_path).events
    assert e.times.tolist() == [250, 250, 500] and e.units.tolist() == [0, 699, 3] and e.labels.tolist() == [19]


@pytest.mark.parametrize("split, file, n", [("train", "train", 4), ("validation", "valid", 3), ("test", "test", 2)])
def test_ssc_agrees_with_tonic(data_dir, split, file, n):
    data = load("ssc", split, data_dir, n_channels=100)
    assert len(data) == n and data.n_classes == 35 and data.events.labels.tolist() == [30 + k for k in range(n)]
    oracle = from_tonic(tonic.datasets.SSC(str(data_dir), split=file), 1400.0)
    assert np.diff(data.events.offsets).tolist() == np.diff(oracle.offsets).tolist()
    np.testing.assert_allclose(data.events.times, oracle.times, atol=1.1e-3, rtol=0)


def test_speaker_folds_are_disjoint_and_complete(data_dir):
    full = SHD("train", data_dir)
    assert len(full) == 600
    held, rest = (SHD(s, data_dir, hold_out=(2, 7)) for s in ("validation", "train"))
    same(held.events, full[rows_of(full.speakers, (2, 7))])
    same(rest.events, full[rows_of(full.speakers, [s for s in range(12) if s not in (2, 7)])])
    assert set(held.speakers) == {2, 7} and len(held) + len(rest) == 600
    assert set(SHD("validation", data_dir).speakers) == {0, 11}
    assert len(SHD("test", data_dir, hold_out=(2, 7))) == 9


def test_options_at_load_equal_the_transforms(data_dir):
    full = SHD("train", data_dir).events
    same(SHD("train", data_dir, n_channels=140).events, GroupChannels(140)(full))
    for merge in (False, True):
        binned = SHD("train", data_dir, n_channels=20, dt=4.0, merge=merge).events
        same(binned, TimeBin(4.0, merge)(GroupChannels(20)(full)))
    assert binned.n_events < full.n_events


def test_crop_counts_what_it_drops(data_dir):
    full = SHD("train", data_dir).events
    cut = SHD("train", data_dir, duration=300.0, crop=True, allow_empty=True)
    assert cut.n_cropped == (full.times >= 300).sum() > 0
    assert cut.events.duration == 300.0
    np.testing.assert_array_equal(cut.events.times, full.times[full.times < 300])
    assert SHD("train", data_dir).n_cropped == 0


def test_chosen_classes_are_numbered_anew(data_dir):
    whole, german = SHD("train", data_dir), SHD("train", data_dir, classes=[19, 3])
    labels = whole.events.labels
    rows = np.flatnonzero(np.isin(labels, [3, 19]))
    assert len(rows) > 10
    assert np.array_equal(german.events.labels, (labels[rows] == 3).astype(int))
    assert np.array_equal(german.speakers, whole.speakers[rows])
    assert (german.n_classes, german.class_names) == (2, ("word19", "word3"))
    assert np.array_equal(german.events[5].units, whole.events[rows[5]].units)
    held = SHD("validation", data_dir, classes=[3], hold_out=[1])
    assert set(held.speakers) == {1}
    for wrong in ([], [3, 3], [20], ["a"]):
        with pytest.raises(ConfigError, match="classes must be different numbers from 0 to 19"):
            SHD("train", data_dir, classes=wrong)
    with pytest.raises(ConfigError, match=r"has no sample of the classes \[12\]"):
        SHD("test", data_dir, classes=[12])


def test_environment_names_the_directory(data_dir, monkeypatch):
    monkeypatch.setenv("SPSNN_DATA", str(data_dir))
    assert len(SHD("test")) == 9
    with pytest.raises(DataError, match="elsewhere"):
        SHD("test", data_dir / "elsewhere")


def test_file_without_speakers_and_names_still_loads(tmp_path, write):
    write(tmp_path / "SHD" / "shd_train.h5", [([0.1], [5])], [0], keys=None)
    data = SHD("train", tmp_path)
    assert data.speakers is None and data.class_names[19] == "19"
    with pytest.raises(DataError, match="extra/speaker"):
        SHD("validation", tmp_path)


def test_nothing_is_fetched_unless_asked(tmp_path, monkeypatch, write):
    calls = []

    def fetch(self):
        calls.append(self.url)
        write(tmp_path / "SHD" / "shd_train.h5", [([0.1], [5])], [0], [1])

    monkeypatch.delenv("SPSNN_DATA", raising=False)
    monkeypatch.setattr(tonic.datasets.SHD, "download", fetch)
    with pytest.raises(DataError, match=r"data_dir=.*--data-dir.*SPSNN_DATA"):
        SHD("train", download=True)
    with pytest.raises(DataError, match=r"shd_train\.h5.*--data-dir.*SPSNN_DATA.*download=True"):
        SHD("train", tmp_path)
    assert not calls
    assert len(SHD("train", tmp_path, download=True)) == 1
    assert len(calls) == 1 and calls[0].endswith("shd_train.h5.zip")
    assert len(SHD("train", tmp_path, download=True)) == 1 and len(calls) == 1


def test_failed_download(tmp_path, monkeypatch):
    def fetch(self):
        raise ConnectionError("no route")

    monkeypatch.setattr(tonic.datasets.SSC, "download", fetch)
    with pytest.raises(DataError, match=r"could not fetch SSC.*ConnectionError: no route"):
        SSC("train", tmp_path, download=True)
    monkeypatch.setattr(tonic.datasets, "SSC", lambda **options: None)
    with pytest.raises(DataError, match=r"left no .*ssc_train\.h5"):
        SSC("train", tmp_path, download=True)


@pytest.mark.parametrize(
    "options, words",
    [
        ({"n_channels": 300}, "n_channels must divide 700, got 300"),
        ({"n_channels": 0}, "n_channels must divide 700"),
        ({"n_channels": 1.5}, "n_channels must divide 700"),
        ({"duration": -1.0}, "duration must be a positive number"),
        ({"duration": float("nan")}, "duration must be a positive number"),
        ({"merge": True}, "merge=True needs a step"),
        ({"dt": 0.0}, "dt must be a positive number"),
        ({"hold_out": (3, 99)}, r"hold_out must name speakers.*got \[99\]"),
        ({"hold_out": range(12)}, "leaves no sample"),
    ],
)
def test_bad_options(data_dir, options, words):
    with pytest.raises(ConfigError, match=words):
        SHD("train", data_dir, **options)


def test_validation_without_speakers(data_dir):
    with pytest.raises(ConfigError, match="validation split needs speakers"):
        SHD("validation", data_dir, hold_out=())


def test_result_feeds_transforms(data_dir):
    shifted = ChannelShift(20)(SHD("test", data_dir).events, np.random.default_rng(0))
    assert isinstance(shifted, SpikeBatch) and len(shifted) == 9
