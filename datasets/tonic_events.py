"""Any tonic data set of events as a `SpikeBatch`."""

import numpy as np

from spsnn.datasets._order import sort_events
from spsnn.errors import ConfigError, DataError
from spsnn.kernels.events import SpikeBatch


def from_tonic(dataset, duration, *, indices=None, crop=False, allow_empty=False):
    """Read samples ``(events, label)`` of a tonic data set.

    tonic's events are records with the time ``t`` in us and an address: ``x``, and where the sensor has them
    ``y`` and the polarity ``p``.  With ``sensor_size = (W, H, P)`` the unit is ``(p * H + y) * W + x``;
    for a sensor of one polarity ``p`` is ignored.

    Args:
        dataset: tonic data set, or any sequence of ``(events, label)`` with a ``sensor_size``.
        duration: window, ms.
        indices: the samples to read; None reads all.
        crop: drop spikes at or after ``duration`` instead of refusing them.
        allow_empty: keep samples without a spike instead of refusing them.

    Returns:
        `SpikeBatch` with ``W * H * P`` units and labels.

    Raises:
        ConfigError: if the data set states no ``sensor_size``.
        DataError: if a sample has no spike, or one outside the window or the sensor.
    """
    size = getattr(dataset, "sensor_size", None)
    if size is None or len(size) != 3:
        raise ConfigError(f"from_tonic needs a data set with sensor_size = (W, H, P), got {size!r}")
    width, height, polarities = (int(n) for n in size)
    times, units, counts, labels = [], [], [], []
    for i in range(len(dataset)) if indices is None else indices:
        events, label = dataset[int(i)]
        t = np.asarray(events["t"], np.float64) / 1000.0
        address = [(events["x"], width, "x")]
        if height > 1:
            address.append((events["y"], height, "y"))
        if polarities > 1:
            address.append((events["p"], polarities, "p"))
        unit, stride = np.zeros(len(t), np.int64), 1
        for value, n, field in address:
            value = np.asarray(value).astype(np.int64)
            if len(value) and not 0 <= value.min() <= value.max() < n:
                raise DataError(f"sample {i}: {field} must lie in [0, {n}), got {value.min()} ... {value.max()}")
            unit += stride * value
            stride *= n
        t = t.astype(np.float32)
        late = ~(t < np.float32(duration))
        if late.any():
            if not crop:
                raise DataError(
                    f"sample {i} has a spike at {t[late][0]:.6g} ms, outside the window of {duration:g} ms; "
                    "pass a longer duration, or crop=True to drop such spikes"
                )
            t, unit = t[~late], unit[~late]
        if len(t) and t.min() < 0:
            raise DataError(f"sample {i} has a spike at {t.min():.6g} ms; times must not be negative")
        if not len(t) and not allow_empty:
            raise DataError(f"sample {i} has no spike in the window; pass allow_empty=True to keep it")
        times.append(t)
        units.append(unit)
        counts.append(len(t))
        labels.append(int(label))
    if not counts:
        raise DataError("the tonic data set holds no sample")
    offsets = np.concatenate([[0], np.cumsum(counts)])
    t, u = sort_events(np.concatenate(times), np.concatenate(units), offsets)
    return SpikeBatch(t, u, offsets, width * height * polarities, duration, np.array(labels))
