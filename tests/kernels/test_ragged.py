"""The passes over ragged events, each against its definition in plain Python."""

import multiprocessing
from itertools import pairwise

import numpy as np
import pytest

from spsnn.autograd.spikes import Spikes
from spsnn.datasets import Blend
from spsnn.kernels.cpu import ragged
from spsnn.kernels.events import SpikeBatch

WINDOW = np.float32(10)


def batch(seed, n_samples=5, n_units=4):
    """Times on few values, so that many are equal, units and offsets; one sample is empty."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 12, n_samples)
    counts[seed % n_samples] = 0
    times = [np.sort(rng.integers(0, 10, n).astype(np.float32)) for n in counts]
    units = [rng.integers(0, n_units, n).astype(np.int32) for n in counts]
    return np.concatenate(times), np.concatenate(units), np.concatenate([[0], np.cumsum(counts)])


def samples(times, units, offsets):
    """A list of ``(time, unit)`` of each sample."""
    events = list(zip(times.tolist(), units.tolist(), strict=True))
    return [events[a:b] for a, b in pairwise(offsets)]


@pytest.mark.parametrize("seed", range(6))
def test_keep_and_take(seed):
    times, units, offsets = batch(seed)
    mask = np.random.default_rng(seed).random(len(times)) < 0.6
    kept = [sum(mask[:end]) for end in offsets]
    assert samples(*ragged.keep(mask, times, units, offsets)) == samples(times[mask], units[mask], kept)
    rows = np.array([3, 3, 0, 4])
    ends = np.concatenate([[0], np.cumsum(np.diff(offsets)[rows])])
    found = samples(*ragged.take(times, units, offsets[rows], ends), ends)
    assert found == [samples(times, units, offsets)[row] for row in rows]


@pytest.mark.parametrize("seed", range(12))
def test_blend_is_its_definition(seed):
    times, units, offsets = batch(seed)
    rng = np.random.default_rng(seed)
    partner = rng.permutation(5)
    mask, taken = rng.random(len(times)) < 0.5, rng.random(np.diff(offsets)[partner].sum()) < 0.5
    shift = rng.choice([-3.0, 0.0, 0.5, 4.0], 5).astype(np.float32)
    own, at, want = samples(times, units, offsets), 0, []
    for b, other in enumerate(partner):
        events = [e for e, m in zip(own[b], mask[offsets[b] : offsets[b + 1]], strict=True) if m]
        for t, u in own[other]:
            if taken[at] and 0 <= t + shift[b] < WINDOW:
                events.append((float(t + shift[b]), u))
            at += 1
        want.append(sorted(events))
    assert samples(*ragged.blend(times, units, offsets, mask, partner, taken, shift, WINDOW)) == want


@pytest.mark.parametrize(
    ("field", "event", "value"),
    [
        ("times", 0, -0.5),
        ("times", 5, 10.0),
        ("times", 2, np.nan),
        ("times", 5, np.inf),
        ("times", 2, 0.5),
        ("units", 1, -1),
        ("units", 4, 4),
    ],
)
def test_one_fault_is_found(field, event, value):
    arrays = {"times": np.array([0, 1, 2, 0, 3, 9], np.float32), "units": np.array([0, 3, 1, 2, 0, 1], np.int32)}
    offsets = np.array([0, 3, 3, 6])
    assert ragged.is_valid(arrays["times"], arrays["units"], offsets, 4, WINDOW)
    arrays[field][event] = value
    assert not ragged.is_valid(arrays["times"], arrays["units"], offsets, 4, WINDOW)


def test_mean_times_and_stretched_units():
    times, units, offsets = batch(1)
    means = [np.mean([t for t, _ in s]) if s else 0.0 for s in samples(times, units, offsets)]
    assert np.allclose(ragged.mean_times(times, offsets), means)
    rng = np.random.default_rng(1)
    factors, within = rng.uniform(0.8, 1.2, 5), rng.random(len(times))
    factors[0] = 1e12
    want = np.floor(2 + np.repeat(factors, np.diff(offsets)) * (units + within - 2))
    want = np.where((want >= 0) & (want < 4), want, -1)
    assert np.array_equal(ragged.stretch_units(units, offsets, factors, within, 4), want)


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system cannot fork")
def test_loaders_may_transform_in_forked_processes():
    trains = [([1.0, 2.0], [0, 1]), ([3.0], [2]), ([], [])]
    events = SpikeBatch.from_samples(trains, 3, 10.0, [0, 0, 0])
    Spikes.from_batch(events, 1.0)  # starts Numba's threads, which a fork does not survive
    child = multiprocessing.get_context("fork").Process(target=lambda: Blend(0.5)(events[np.array([2, 0, 1])], 0))
    child.start()
    child.join(60)
    assert child.exitcode == 0
