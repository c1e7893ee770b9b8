"""Made sequences: statistics, templates, and what simple controls see in them."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from spsnn.datasets import HierarchicalPatterns, LongRangePatterns, load
from spsnn.errors import ConfigError


def score(train, test, features):
    """Test accuracy of logistic regression on standardised ``features(x)``."""
    a, b = features(train.features), features(test.features)
    mean, std = a.mean(0), a.std(0)
    fit = LogisticRegression(max_iter=2000).fit((a - mean) / std, train.labels)
    return fit.score((b - mean) / std, test.labels)


def averages(x):
    return x.mean(1)


def first(x):
    return x[:, :8].reshape(len(x), -1)


def last(x):
    return x[:, -8:].reshape(len(x), -1)


@pytest.fixture(scope="module")
def hierarchical():
    return load("hierarchical", "train"), load("hierarchical", "validation")


@pytest.fixture(scope="module")
def long_range():
    return load("long_range", "train"), load("long_range", "validation")


def test_sizes_and_seeds(hierarchical):
    train, validation = hierarchical
    assert train.features.shape == (4000, 64, 32) and validation.features.shape == (1000, 64, 32)
    assert train.features.dtype == np.float32 and train.labels.dtype == np.int64
    whole, labels = HierarchicalPatterns(42).draw(5000)
    assert np.array_equal(np.concatenate([train.features, validation.features]), whole)
    assert np.array_equal(np.concatenate([train.labels, validation.labels]), labels)
    test = load("hierarchical", "test")
    assert len(test) == 1000 and test.n_classes == 20 and test[:3].features.shape == (3, 64, 32)
    assert not np.array_equal(test.features, validation.features)
    other = load("hierarchical", "test", seed=43)
    assert other.provenance["seed"] == 43 and not np.array_equal(other.features, test.features)
    assert len(load("hierarchical", "train", n=7)) == 7
    assert not np.array_equal(
        load("hierarchical", "train", n=7).features, load("hierarchical", "validation", n=7).features
    )


def test_hierarchical_statistics(hierarchical):
    train, _ = hierarchical
    p = HierarchicalPatterns(42)
    for values, scale in ((p.local, 0.15), (p.marker, 0.10), (p.everywhere, 0.08)):
        assert abs(values.std() - scale) < 4 * scale / (2 * values.size) ** 0.5
    # Variance: noise, on average 3 local patterns of 5 steps, 4 markers, a twentieth of the global vector.
    variance = 0.09 + (3 * 5 * (p.local**2).mean() + 4 * (p.marker**2).mean()) / 64 + (0.05 * 0.08) ** 2
    assert abs(train.features.var() / variance - 1) < 4 * (2 / train.features.size) ** 0.5 + 2e-3
    assert np.bincount(train.labels, minlength=20).min() > 4000 / 20 - 5 * (4000 / 20) ** 0.5


def test_hierarchical_patterns_are_where_they_should_be(hierarchical):
    # Mean over samples at one step: marker q appears in T / 8 = 8 steps of its quarter with probability 1 / 8 each,
    # on top of local patterns that start anywhere alike.
    train, _ = hierarchical
    p = HierarchicalPatterns(42)
    projected = np.zeros((4, 64))
    for c in range(20):
        mean = train.features[train.labels == c].mean(0)
        projected += p.marker[c] @ mean.T
    expected = np.zeros((4, 64))
    for q in range(4):
        expected[q, 16 * q : 16 * q + 8] = (p.marker[:, q] ** 2).sum() / 8
    noise = 0.31 * np.sqrt((p.marker**2).sum((0, 2)) / 200).max() * 1.2
    assert np.abs(projected - expected).max() < 6 * noise < expected.max()


def test_controls_hierarchical(hierarchical):
    # Published control: 24.3 %; 1,000 test samples have a standard error of 1.4 points.
    assert abs(score(*hierarchical, averages) - 0.243) < 0.03


def test_controls_long_range(long_range):
    # Published controls: 91.5 % from averages, 100 % from the first 8 steps alone.
    assert abs(score(*long_range, averages) - 0.915) < 0.03
    assert score(*long_range, first) == 1.0
    assert score(*long_range, last) == 1.0


def test_pair_needs_both_ends():
    train, test = (load("long_range", s, rule="pair") for s in ("train", "test"))
    chance = 0.1 + 4 * (0.09 / 1000) ** 0.5
    for features in (averages, first, last):
        assert score(train, test, features) < chance
    p = LongRangePatterns(42, "pair")
    a, b = (
        np.einsum("btf,ctf->bc", x, y).argmax(1)
        for x, y in ((test.features[:, :8], p.first), (test.features[:, -8:], p.last))
    )
    assert ((a + b) % 10 == test.labels).all()


def test_errors():
    with pytest.raises(ConfigError, match="rule must be one of class, pair"):
        LongRangePatterns(rule="both")
    with pytest.raises(ConfigError, match="seed"):
        load("hierarchical", "train", seed=-1)
    with pytest.raises(ConfigError, match="n must be"):
        load("hierarchical", "train", n=0)
    with pytest.raises(ConfigError, match="split"):
        load("long_range", "dev")
