"""Damaged and wrong HDF5 files: each is refused with a message that names the file and the fault."""

import h5py
import numpy as np
import pytest

from spsnn.datasets import SHD
from spsnn.errors import DataError

GOOD = [([0.1, 0.2], [5, 6]), ([0.3], [7])]


@pytest.fixture
def file(tmp_path, write):
    path = tmp_path / "SHD" / "shd_train.h5"
    write(path, GOOD, [0, 1], [3, 3])
    return path


def refuse(path, *words, **options):
    with pytest.raises(DataError) as e:
        SHD("train", path.parent.parent, **options)
    for word in (path.name, *words):
        assert word in str(e.value)


def replace(path, key, **what):
    with h5py.File(path, "a") as h:
        del h[key]
        h.create_dataset(key, **what)


def set_vlen(path, key, row, values, dtype):
    with h5py.File(path, "a") as h:
        h[key][row] = np.asarray(values, dtype)


def test_truncated(file):
    whole = file.read_bytes()
    for size in (len(whole) - 1, len(whole) // 2, 100, 0):
        file.write_bytes(whole[:size])
        refuse(file, f"({size} bytes) cannot be read as HDF5", "truncated", "fetch or unpack it again")


def test_not_hdf5(file):
    file.write_bytes(b"<html>404 not found</html>" * 50)
    refuse(file, "cannot be read as HDF5")


def test_bytes_lost_inside_the_file(file):
    whole = bytearray(file.read_bytes())
    with h5py.File(file) as h:
        start = h["labels"].id.get_offset()
    whole[600:start] = bytes(start - 600)  # headers and heaps zeroed, length kept
    file.write_bytes(bytes(whole))
    refuse(file)


@pytest.mark.parametrize("key", ["spikes/times", "spikes/units", "labels"])
def test_missing_data_set(file, key):
    with h5py.File(file, "a") as h:
        del h[key]
    refuse(file, f"there is no data set '{key}'", "extra/speaker")


def test_group_in_place_of_a_data_set(file):
    with h5py.File(file, "a") as h:
        del h["spikes/units"]
        h.create_group("spikes/units")
    refuse(file, "there is no data set 'spikes/units'")


@pytest.mark.parametrize(
    "key, what, words",
    [
        ("spikes/times", {"data": np.zeros(2)}, "variable-length float vectors"),
        ("spikes/times", {"data": np.zeros((2, 5))}, "one entry a sample"),
        ("spikes/units", {"shape": (2,), "dtype": h5py.vlen_dtype(np.float32)}, "variable-length integer vectors"),
        ("labels", {"data": np.array([0.0, np.nan])}, "'labels' must be integers"),
        ("labels", {"data": np.array([0, 1, 2])}, "numbers of samples differ"),
        ("labels", {"data": np.array([0, 20])}, "sample 1 has the label 20; labels must lie in [0, 20)"),
        ("labels", {"data": np.array([-1, 2])}, "sample 0 has the label -1"),
        ("extra/speaker", {"data": np.array([1])}, "'extra/speaker' must hold one integer a sample (2)"),
        ("extra/keys", {"data": np.array([b"a", b"b"])}, "'extra/keys' must name 20 classes, got 2"),
    ],
)
def test_wrong_content(file, key, what, words):
    replace(file, key, **what)
    refuse(file, words)


def test_file_without_samples(file, write):
    write(file, [], [], [])
    refuse(file, "holds no sample")


def test_times_and_units_of_different_length(file):
    set_vlen(file, "spikes/units", 1, [1, 2, 3], np.uint16)
    refuse(file, "sample 1 has 1 spike times but 3 units")


@pytest.mark.parametrize("value, shown", [(np.nan, "nan"), (np.inf, "inf"), (-0.5, "-500.0")])
def test_time_that_is_no_time(file, value, shown):
    set_vlen(file, "spikes/times", 1, [value], np.float16)
    refuse(file, f"sample 1 has a spike at {shown} ms", "finite and >= 0")
    refuse(file, f"sample 1 has a spike at {shown} ms", crop=True)


def test_spike_outside_the_window(file):
    set_vlen(file, "spikes/times", 0, [0.1, 1.5], np.float16)
    refuse(file, "sample 0 has a spike at 1500 ms", "window of 1400 ms", "longer duration", "crop=True")
    assert SHD("train", file.parent.parent, crop=True).n_cropped == 1
    assert SHD("train", file.parent.parent, duration=1501.0).events.n_events == 3


def test_spike_at_the_very_end_is_outside(file):
    set_vlen(file, "spikes/times", 0, [0.1, 0.5], np.float16)
    refuse(file, "sample 0 has a spike at 500 ms", duration=500.0)


def test_unit_outside_the_channels(file):
    set_vlen(file, "spikes/units", 1, [700], np.uint16)
    refuse(file, "sample 1 has a spike in unit 700; units must lie in [0, 700)")
    refuse(file, "unit 700", n_channels=140)


def test_empty_sample(file):
    for key, dtype in (("spikes/times", np.float16), ("spikes/units", np.uint16)):
        set_vlen(file, key, 1, [], dtype)
    refuse(file, "sample 1 is empty", "allow_empty=True")
    kept = SHD("train", file.parent.parent, allow_empty=True)
    assert np.diff(kept.events.offsets).tolist() == [2, 0]


def test_sample_with_no_spikes_in_the_window(file):
    refuse(file, "sample 1 has no spike in the first 250 ms", "allow_empty=True", duration=250.0, crop=True)
    kept = SHD("train", file.parent.parent, duration=250.0, crop=True, allow_empty=True)
    assert np.diff(kept.events.offsets).tolist() == [2, 0] and kept.n_cropped == 1


def test_fault_is_named_by_its_row_in_the_file_when_speakers_are_chosen(file, write):
    write(file, [([0.1], [1])] * 3 + [([0.1], [999])], [0] * 4, [1, 2, 1, 2])
    assert len(SHD("train", file.parent.parent, hold_out=(2,))) == 2
    with pytest.raises(DataError, match="sample 3 has a spike in unit 999"):
        SHD("validation", file.parent.parent, hold_out=(2,))
