"""Figures of a table against NumPy and against tests worked out by hand."""

import numpy as np
import pytest
from scipy.stats import wilcoxon

from spsnn.tables.summary import by_seed, compare, epoch_taken, sign_flip, smallest_above, summarise_row
from spsnn.tables.write import plain_figure


def metrics(accuracy, *, validation=None, epoch=3, select="last", parameters=10, **more):
    return {
        "test_accuracy": accuracy, "validation_accuracy": validation, "best_epoch": epoch, "epochs": 5,
        "select": select, "parameters": parameters, "seconds_train": 2.0, "spikes_per_neuron": 1.5, **more,
    }  # fmt: skip


def test_mean_and_deviation_are_those_of_numpy():
    values = np.random.default_rng(0).random(7)
    row = summarise_row("a", {(k, None): metrics(v) for k, v in enumerate(values)})
    assert row["accuracy"]["mean"] == pytest.approx(values.mean())
    assert row["accuracy"]["std"] == pytest.approx(values.std(ddof=1))
    assert row["accuracy"]["n"] == 7
    assert [run["accuracy"] for run in row["runs"]] == values.tolist()
    assert row["train_accuracy"] is None
    both = {(0, None): metrics(0.5, train_accuracy=0.7), (1, None): metrics(0.5, train_accuracy=0.8)}
    assert summarise_row("a", both)["train_accuracy"] == pytest.approx(0.75)
    assert summarise_row("a", {(0, None): metrics(0.5)})["accuracy"] == {"mean": 0.5, "std": None, "n": 1}


def test_a_seed_counts_as_the_mean_over_its_folds():
    results = {}
    for seed, fold, value in ((0, (0, 11), 0.6), (0, (1, 2), 0.8), (1, (0, 11), 0.5), (1, (1, 2), 0.7)):
        results[seed, fold] = metrics(None, validation=value)
        del results[seed, fold]["test_accuracy"]
    assert by_seed(results) == {0: {"accuracy": pytest.approx(0.7)}, 1: {"accuracy": pytest.approx(0.6)}}
    row = summarise_row("a", results)
    assert row["accuracy"]["n"] == 2
    assert row["accuracy"]["std"] == pytest.approx(np.std([0.7, 0.6], ddof=1))
    assert row["runs"][1]["held_out"] == [1, 2]


@pytest.mark.parametrize(
    ("differences", "p"),
    [
        ([1, 2, 3], 2 / 8),  # only +++ and --- reach a sum of 6
        ([3, 1, -1], 6 / 8),  # |sum| >= 3: 5, 3, 3 and their mirrors
        ([2, 2, 2, -1], 4 / 16),  # |sum| >= 5: 7, 5 and their mirrors
        ([0, 0], 1.0),
        ([1.0] * 8, 2 / 256),
    ],
)
def test_sign_flip_by_hand(differences, p):
    test = sign_flip(differences)
    assert test["p"] == pytest.approx(p)
    assert test["difference"] == pytest.approx(np.mean(differences))


def test_sign_flip_of_ranks_is_the_wilcoxon_test():
    d = np.array([1, -2, 3, 4, -5, 6, 7, 8])  # already ranks: both statistics order the sign patterns alike
    assert sign_flip(d)["p"] == pytest.approx(wilcoxon(d, method="exact").pvalue)


def test_rows_are_compared_over_the_seeds_that_both_have():
    first = {0: {"accuracy": 0.9, "drop": 0.5}, 1: {"accuracy": 0.8, "drop": 0.4}, 2: {"accuracy": 0.7, "drop": 0.1}}
    second = {1: {"accuracy": 0.7, "drop": 0.5}, 2: {"accuracy": 0.4, "drop": 0.4}, 3: {"accuracy": 0.1, "drop": 0.3}}
    found = compare(first, second)
    assert found["accuracy"] == {"difference": pytest.approx(0.2), "n": 2, "p": pytest.approx(0.5)}
    assert found["drop"]["difference"] == pytest.approx(-0.2)
    assert compare({0: first[0]}, {1: second[1]}) == {}
    assert compare({0: first[0]}, {0: second[1]})["accuracy"]["p"] is None


def test_the_epoch_taken_is_told():
    assert epoch_taken([metrics(0.5, epoch=5), metrics(0.5, epoch=5)]) == "the last of 5"
    chosen = [metrics(0.5, epoch=e, select="best") for e in (4, 2)]
    assert epoch_taken(chosen) == "best on validation: 2 to 4 of 5"


def test_the_smallest_row_above_a_share():
    rows = [
        {"row": name, "parameters": n, "accuracy": {"mean": mean}}
        for name, n, mean in (("a", 300, 0.95), ("b", 200, 0.92), ("c", 100, 0.89), ("d", 150, 0.9))
    ]
    assert smallest_above(rows, 0.9) == "b"
    assert smallest_above(rows, 0.99) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        ({"mean": 0.44444, "std": None, "n": 1}, "0.4444 (1)"),  # of one run, where there are two
        ({"mean": 0.44444, "std": 0.0123, "n": 2}, "0.4444 ± 0.012"),
        ({"mean": 1.0, "std": 3.8e-16, "n": 3}, "1 ± 0"),  # the rounding of a mean
        ({"mean": 0.0, "std": 0.0, "n": 2}, "0 ± 0"),
    ],
)
def test_figures_for_people(value, text):
    assert plain_figure(value, seeds=2) == text
