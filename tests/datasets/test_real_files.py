"""The loader on real SHD samples, where they are at hand."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from spsnn.datasets import SHD

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "shd_real_12" / "shd_train_12samples.h5"


@pytest.mark.skipif(not REAL.is_file(), reason=f"no real SHD samples at {REAL}")
def test_twelve_real_samples(tmp_path):
    (tmp_path / "SHD").mkdir()
    shutil.copy(REAL, tmp_path / "SHD" / "shd_train.h5")
    data = SHD("train", tmp_path)
    assert len(data) == 12 and data.events.n_units == 700 and data.class_names[15] == "fuenf"
    assert data.events.n_events == 95584
    assert np.diff(data.events.offsets).min() == 3476 and data.events.times.max() > 1000
    small = SHD("train", tmp_path, n_channels=140, dt=4.0, merge=True, duration=1000.0, crop=True)
    assert small.n_cropped == 1 and small.events.to_dense(4.0).shape == (12, 250, 140)
    assert small.events.to_dense(4.0).max() == 1
