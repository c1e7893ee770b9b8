"""Yin-Yang: the published arrays, and their spikes."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from spsnn.datasets import YinYang, yin_yang_class, yin_yang_points
from spsnn.errors import ConfigError, DataError

# SHA-256 of the bytes of the published train / validation / test arrays (float64 samples, int64 labels).
PUBLISHED = {
    "train": (
        "f5a4054d56f2a058f8250fba7ff9720458e1625db7af78a295e45701745b2228",
        "534d12acda4f9dbc7208a99d3646115a4aa7d74ca31d6d23f822079a568559b7",
    ),
    "validation": (
        "5eac358bdf2122763dce3703a79f3005e56e46a4db25ec329a07333d0f7b8093",
        "5a4c2f605814a620f514c1091f10441ce562cd81e902ce701b3cf94ae7576f7d",
    ),
    "test": (
        "7bab3ed668ed4992679cff6339fe21bfe7d0c921ddc6187eaa3bc6ef34b888d7",
        "daa0f8f4e3b37b1ddec2afee22f09afb768f0e575f3f568e7469f1ebc6af73c1",
    ),
}
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "yin_yang"


@pytest.mark.parametrize("split", PUBLISHED)
def test_published_arrays(split):
    data = YinYang(split)
    assert data.samples.dtype == np.float64 and data.events.labels.dtype == np.int64
    digests = tuple(hashlib.sha256(a.tobytes()).hexdigest() for a in (data.samples, data.events.labels))
    assert digests == PUBLISHED[split]


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"the published arrays are not at {SHARED}")
@pytest.mark.parametrize("split", PUBLISHED)
def test_published_files(split):
    data = YinYang(split)
    np.testing.assert_array_equal(data.samples, np.load(SHARED / f"{split}_samples.npy"))
    np.testing.assert_array_equal(data.events.labels, np.load(SHARED / f"{split}_labels.npy"))


def test_ttfs_times():
    data = YinYang("test", n=50)
    e = data.events
    assert (e.n_units, e.duration, e.n_events, data.n_classes) == (5, 60.0, 250, 3)
    for i in range(50):
        one = data[i]
        times = dict(zip(one.units.tolist(), one.times, strict=True))
        want = np.float32(10 + 30 * data.samples[i])
        assert [times[u] for u in range(4)] == want.tolist()
        assert times[4] == 20


def test_scale_window_and_no_bias():
    data = YinYang("train", n=20, t_min=0.1, scale=4.0, bias=False, duration=10.0)
    assert data.events.n_units == 4 and data.events.n_events == 80
    assert data.events.times.min() >= 0.1 and data.events.times.max() <= 4.1


def test_rate_encoding_follows_the_values():
    data = YinYang("train", n=200, encoding="rate", max_rate=1000.0, duration=1000.0)
    counts = data.events.to_dense(1000.0)[:, 0]  # [B, 5]
    expected = np.hstack([data.samples, np.ones((200, 1))]) * 1000
    # Poisson: standard deviation sqrt(expected); 1000 draws stay within 5 sigma.
    assert (np.abs(counts - expected) < 5 * np.sqrt(expected) + 1).all()


def test_class_of_known_points():
    assert yin_yang_class(0.25, 0.5) == yin_yang_class(0.75, 0.5) == 2
    assert yin_yang_class(0.5, 0.9) == 1 and yin_yang_class(0.5, 0.1) == 0
    assert yin_yang_class(0.25, 0.35) == 1 and yin_yang_class(0.75, 0.65) == 0


def test_points_lie_in_their_class_and_classes_balance():
    points, classes = yin_yang_points(900, 7)
    assert [yin_yang_class(x, y) for x, y in points[:, :2]] == classes.tolist()
    assert (np.hypot(points[:, 0] - 0.5, points[:, 1] - 0.5) <= 0.5).all()
    np.testing.assert_array_equal(points[:, 2:], 1 - points[:, :2])
    assert np.bincount(classes).min() > 240  # 300 +- 4.2 sigma


@pytest.mark.parametrize(
    "options, words",
    [
        ({"encoding": "phase"}, "'ttfs' or 'rate', got 'phase'"),
        ({"n": 0}, "n must be a positive integer"),
        ({"n": 2.5}, "n must be a positive integer"),
        ({"seed": -1}, "seed"),
        ({"r_small": 0.3}, "r_small < r_big / 2"),
        ({"r_big": float("nan")}, "r_small < r_big / 2"),
        ({"scale": 60.0}, r"t_min \+ scale < duration"),
        ({"t_min": -1.0}, "0 <= t_min"),
        ({"bias_time": 60.0}, "bias_time"),
        ({"encoding": "rate", "max_rate": -5.0}, "max_rate"),
    ],
)
def test_bad_options(options, words):
    with pytest.raises(ConfigError, match=words):
        YinYang("train", **{"n": 3} | options)


def test_unknown_split():
    with pytest.raises(ConfigError, match="train, validation, test, got 'dev'"):
        YinYang("dev")


def test_index_beyond_the_set():
    with pytest.raises((IndexError, DataError)):
        YinYang("train", n=3)[3]
