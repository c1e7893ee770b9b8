"""Made sequences with patterns at several scales, and with patterns at both ends."""

import numpy as np

from spsnn.datasets.base import SPLITS, check_split
from spsnn.datasets.dense import DenseSet
from spsnn.errors import ConfigError

HELD_OUT = 0.2  # share of the published samples that scores a run
N_TEST = 1000
RULES = ("class", "pair")


class _Patterns:
    """Patterns of each class and the walk over samples; children say how a sample gets its patterns."""

    def __init__(self, seed):
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**32:
            raise ConfigError(f"sequences: seed must be an integer in [0, 2^32), got {seed!r}")
        self.seed = int(seed)
        self.rng = np.random.RandomState(self.seed)  # its stream never changes

    def draw(self, n, rng=None):
        """``n`` samples: features float32 ``[n, T, F]`` and labels int64 ``[n]``.

        Without ``rng`` the stream goes on that drew the patterns, as in the published sets; call it once then.
        """
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
            raise ConfigError(f"sequences: n must be a positive integer, got {n!r}")
        rng = self.rng if rng is None else rng
        labels = self._labels(n, rng)
        features = self.noise * rng.randn(n, self.n_steps, self.n_features)
        for x, label in zip(features, labels, strict=True):
            self._add(x, label, rng)
        return features.astype(np.float32), self._class(labels).astype(np.int64)

    def _labels(self, n, rng):
        return rng.randint(self.n_classes, size=n)

    def _class(self, labels):
        return labels


class HierarchicalPatterns(_Patterns):
    """20 classes told apart by patterns at three scales, T = 64, F = 32, in noise ``.3 N``.

        local    8 patterns of 5 steps per class, ``.15 N``; 2 to 4 of them, drawn with replacement, are added at
                 steps drawn from [0, T - 5)
        marker   4 vectors per class, ``.10 N``; vector q is added at step ``q T / 4 + randint(T / 8)``
        global   1 vector per class, ``.08 N``; ``.05`` of it is added everywhere

    N stands for standard normal numbers, drawn anew for each entry.

    Args:
        seed: of ``numpy.random.RandomState``, patterns and samples; published 42.

    Raises:
        ConfigError: for a seed outside [0, 2^32).

    Source: Resonant Sparse Geometry Networks, hierarchical task.  (R) the order of the draws, and replacement.
    """

    n_classes, n_steps, n_features, noise = 20, 64, 32, 0.3
    global_share = 0.05

    def __init__(self, seed=42):
        super().__init__(seed)
        c, f = self.n_classes, self.n_features
        self.local = 0.15 * self.rng.randn(c, 8, 5, f)
        self.marker = 0.10 * self.rng.randn(c, 4, f)
        self.everywhere = 0.08 * self.rng.randn(c, f)

    def _add(self, x, label, rng):
        for _ in range(rng.randint(2, 5)):
            pattern, start = rng.randint(8), rng.randint(self.n_steps - 5)
            x[start : start + 5] += self.local[label, pattern]
        for q in range(4):
            x[q * self.n_steps // 4 + rng.randint(self.n_steps // 8)] += self.marker[label, q]
        x += self.global_share * self.everywhere[label]


class LongRangePatterns(_Patterns):
    """10 classes told apart by the first and last 8 steps, T = 128, F = 32, in noise ``.3 N``.

        class    the first 8 steps add pattern ``first[c]``, the last 8 ``last[c]``, of a sample of class c
        pair     the first 8 steps add ``first[a]``, the last 8 ``last[b]``, a and b drawn alike and apart; the class is
                 ``(a + b) mod 10``, so either end alone tells nothing of it

    Patterns are ``.5 N``, 8 x 32.  With ``class``, the published rule, either end alone suffices.

    Args:
        seed: of ``numpy.random.RandomState``, patterns and samples; published 42.
        rule: ``class`` or ``pair``.

    Raises:
        ConfigError: for an unknown rule or a seed outside [0, 2^32).

    Source: Resonant Sparse Geometry Networks, long-range task.  (R) the order of the draws, and that the two ends have
    patterns of their own.
    """

    n_classes, n_steps, n_features, noise, length = 10, 128, 32, 0.3, 8

    def __init__(self, seed=42, rule="class"):
        if rule not in RULES:
            raise ConfigError(f"long-range sequences: rule must be one of {', '.join(RULES)}, got {rule!r}")
        super().__init__(seed)
        self.rule = rule
        shape = self.n_classes, self.length, self.n_features
        self.first, self.last = 0.5 * self.rng.randn(*shape), 0.5 * self.rng.randn(*shape)

    def _labels(self, n, rng):
        if self.rule == "class":
            return np.repeat(super()._labels(n, rng)[:, None], 2, axis=1)
        return rng.randint(self.n_classes, size=(n, 2))

    def _class(self, labels):
        return labels[:, 0] if self.rule == "class" else labels.sum(1) % self.n_classes

    def _add(self, x, label, rng):
        x[: self.length] += self.first[label[0]]
        x[-self.length :] += self.last[label[1]]


def hierarchical(split, *, n=None, seed=42):
    """`HierarchicalPatterns` as a data set: 5000 samples, of which the last fifth is for validation.

    The published runs are scored on that fifth, at its best epoch; ``test`` has fresh samples of the same patterns, so
    that an epoch chosen on ``validation`` can be scored on data which chose nothing.

    Args:
        split: "train" (4000 samples), "validation" (1000) or "test" (1000).
        n: number of samples instead, from a stream of its own for each split.
        seed: of patterns and samples; published 42.

    Returns:
        `DenseSet` of features ``[N, 64, 32]``.

    Raises:
        ConfigError: for an unknown split, or ``n`` or ``seed`` out of range.
    """
    check_split(split, "hierarchical")
    return _drawn("hierarchical", split, HierarchicalPatterns(seed), 5000, n)


def long_range(split, *, n=None, seed=42, rule="class"):
    """`LongRangePatterns` as a data set: 3000 samples, split as in `hierarchical`.

    Args:
        split: "train" (2400 samples), "validation" (600) or "test" (1000).
        n: number of samples instead, from a stream of its own for each split.
        seed: of patterns and samples; published 42.
        rule: ``class``, the published one, or ``pair``, which needs both ends.

    Returns:
        `DenseSet` of features ``[N, 128, 32]``.

    Raises:
        ConfigError: for an unknown split or rule, or ``n`` or ``seed`` out of range.
    """
    check_split(split, "long_range")
    return _drawn("long_range", split, LongRangePatterns(seed, rule), 3000, n)


def _drawn(name, split, patterns, published, n):
    held_out = round(HELD_OUT * published)
    rng = None
    if split == "test" or n is not None:
        rng = np.random.RandomState([patterns.seed, 1 + SPLITS.index(split)])
    if split == "test":
        n = N_TEST if n is None else n
    features, labels = patterns.draw(published if n is None else n, rng)
    if rng is None:  # samples are drawn independently, so the order needs no shuffle
        part = slice(None, -held_out) if split == "train" else slice(-held_out, None)
        features, labels = features[part], labels[part]
    provenance = {"source": type(patterns).__name__, "seed": patterns.seed}
    return DenseSet(features, labels, range(patterns.n_classes), name, split, provenance)
