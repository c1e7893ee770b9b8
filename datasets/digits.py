"""The 1,797 handwritten digits that scikit-learn ships: real input with nothing downloaded."""

import numpy as np

from spsnn.datasets.base import EventSet, check_split
from spsnn.datasets.encodings import encode_rate, encode_ttfs
from spsnn.errors import ConfigError

SPLIT_SEED = 0


def stratified_split(labels, seed=SPLIT_SEED, validation=0.2, test=0.2):
    """Split samples so that each class has the same shares in all three parts.

    Each class is shuffled on its own (``numpy.random.RandomState(seed)``, classes in rising order); the first
    ``round(test * n_c)`` samples are for testing, the next ``round(validation * n_c)`` for validation.

    Args:
        labels: int ``[B]``.
        seed: seed of the shuffle.
        validation: share of the validation part.
        test: share of the test part.

    Returns:
        Dict of sorted int64 index arrays under "train", "validation" and "test".
    """
    rng = np.random.RandomState(seed)
    parts = {"train": [], "validation": [], "test": []}
    for c in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == c))
        n_test, n_validation = round(test * len(rows)), round(validation * len(rows))
        parts["test"].append(rows[:n_test])
        parts["validation"].append(rows[n_test : n_test + n_validation])
        parts["train"].append(rows[n_test + n_validation :])
    return {name: np.sort(np.concatenate(rows)) for name, rows in parts.items()}


class Digits(EventSet):
    """Handwritten digits, 8 x 8 pixels, ten classes, brighter pixels first: ``t = t_min + scale * (1 - v)``.

    ``v`` is the brightness / 16; unit ``8 * row + column``.  Fixed stratified split 60 / 20 / 20 (seed 0).

    Args:
        split: "train" (1079 samples), "validation" (359) or "test" (359).
        encoding: "ttfs" (`encode_ttfs`) or "rate" (`encode_rate` of ``v``, Poisson).
        t_min: ttfs: time of a white pixel, ms.
        scale: ttfs: time between white and black, ms.
        silence_zero: ttfs: black pixels (``v = 0``, about half of all) give no spike instead of a late one.
        bias: add a unit 64: one spike at ``bias_time`` (ttfs), or firing at ``max_rate`` (rate).
        bias_time: ttfs: time of the bias spike, ms.
        max_rate: rate: rate of a white pixel, Hz.
        duration: window, ms; default 60 for ttfs, 100 for rate.
        seed: rate: seed of the spikes; the split never changes.

    Attributes:
        samples: float64 ``[B, 64]``, brightness in [0, 1].
        indices: int64 ``[B]``, rows of ``sklearn.datasets.load_digits``.

    Raises:
        ConfigError: for an unknown split or encoding, or times that do not fit the window.

    Source: Alpaydin and Kaynak 1998, UCI "Optical Recognition of Handwritten Digits" (its test part, CC BY 4.0).
    """

    name = "digits"

    def __init__(
        self,
        split,
        *,
        encoding="ttfs",
        t_min=10.0,
        scale=30.0,
        silence_zero=True,
        bias=False,
        bias_time=20.0,
        max_rate=200.0,
        duration=None,
        seed=0,
    ):
        check_split(split, self.name)
        from sklearn.datasets import load_digits

        source = load_digits()
        self.indices = stratified_split(source.target)[split]
        self.samples = source.data[self.indices] / 16.0
        labels = source.target[self.indices]
        if encoding == "ttfs":
            events = encode_ttfs(
                1.0 - self.samples,
                t_min=t_min,
                scale=scale,
                duration=60.0 if duration is None else duration,
                bias_time=bias_time if bias else None,
                silent=self.samples == 0 if silence_zero else None,
                labels=labels,
            )
        elif encoding == "rate":
            events = encode_rate(
                self.samples,
                max_rate=max_rate,
                duration=100.0 if duration is None else duration,
                bias=bias,
                seed=seed,
                labels=labels,
            )
        else:
            raise ConfigError(f"digits: encoding must be 'ttfs' or 'rate', got {encoding!r}")
        super().__init__(split, events, [str(d) for d in range(10)])
