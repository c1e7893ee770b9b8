"""What every data set has in common, and the walk over its batches."""

import numpy as np

from spsnn.errors import ConfigError, DataError

SPLITS = ("train", "validation", "test")


class EventSet:
    """A labelled set of spike trains.

    Attributes:
        name: short name of the set.
        split: "train", "validation" or "test".
        events: `SpikeBatch` of all samples, with labels.
        n_classes: number of classes.
        class_names: tuple of ``n_classes`` strings.
        speakers: int64 ``[B]``, the speaker of each sample, or None where the set has no speakers.

    ``len(data)`` counts samples; ``data[index]`` (integer, slice or array) gives a `SpikeBatch`.

    Raises:
        DataError: if the set has no sample or a label lies outside the classes.
    """

    name = ""

    def __init__(self, split, events, class_names, speakers=None):
        labels = events.labels
        if not len(events):
            raise DataError(f"{self.name} {split}: the set has no sample")
        if labels.min() < 0 or labels.max() >= len(class_names):
            k = int(np.flatnonzero((labels < 0) | (labels >= len(class_names)))[0])
            raise DataError(
                f"{self.name} {split}: labels must lie in [0, {len(class_names)}), got {labels[k]} at sample {k}"
            )
        self.split = split
        self.events = events
        self.class_names = tuple(class_names)
        self.n_classes = len(self.class_names)
        self.speakers = speakers

    def __len__(self):
        return len(self.events)

    def __getitem__(self, index):
        return self.events[index]

    def __repr__(self):
        e = self.events
        return (
            f"<{self.name} {self.split}: {len(self)} samples, {e.n_events} spikes, "
            f"{e.n_units} units, {e.duration:g} ms, {self.n_classes} classes>"
        )


def check_split(split, name):
    """Raise `ConfigError` unless ``split`` is one of "train", "validation", "test"."""
    if split not in SPLITS:
        raise ConfigError(f"{name}: split must be one of {', '.join(SPLITS)}, got {split!r}")


def batches(events, batch_size, shuffle=False, rng=None):
    """Walk over a set once, in pieces of ``batch_size`` samples; the last piece may be smaller.

    Args:
        events: `SpikeBatch`, or a data set that has one as ``.events``.
        batch_size: samples per piece.
        shuffle: visit the samples in random order.
        rng: ``numpy.random.Generator`` or seed for the order; None takes fresh entropy.

    Returns:
        Iterator over `SpikeBatch`, each with its labels.

    Raises:
        ConfigError: if ``batch_size`` is not a positive integer.
        DataError: if there is no sample.
    """
    events = getattr(events, "events", events)
    if isinstance(batch_size, bool) or not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
        raise ConfigError(f"batch_size must be a positive integer, got {batch_size!r}")
    if not len(events):
        raise DataError("there is no sample to walk over: the batch is empty")
    order = np.random.default_rng(rng).permutation(len(events)) if shuffle else None
    return _walk(events, int(batch_size), order)


def _walk(events, size, order):
    for start in range(0, len(events), size):
        piece = slice(start, start + size)
        yield events[piece if order is None else order[piece]]
