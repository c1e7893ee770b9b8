"""From finished runs to the figures of a table."""

from __future__ import annotations

import statistics

import numpy as np
from scipy.stats import permutation_test


def figures(metrics):
    """What is compared between rows: ``accuracy`` (test, or validation where the test set was not read) and damage."""
    accuracy = metrics.get("test_accuracy", metrics["validation_accuracy"])
    return {"accuracy": accuracy, **metrics.get("damage", {})}


def by_seed(results):
    """``{seed: {figure: value}}`` from ``{(seed, fold): metrics}``; a seed counts as the mean over its folds."""
    seeds = {}
    for (seed, _), metrics in results.items():
        seeds.setdefault(seed, []).append(figures(metrics))
    return {
        seed: {name: statistics.fmean(f[name] for f in found) for name in found[0]} for seed, found in seeds.items()
    }


def spread(values):
    """Mean and sample standard deviation (None for a single value)."""
    return {
        "mean": statistics.fmean(values),
        "std": statistics.stdev(values) if len(values) > 1 else None,
        "n": len(values),
    }


def summarise_row(name, results):
    """Figures of a row over seeds.

    Args:
        name: of the row.
        results: ``{(seed, fold): metrics}`` of its finished runs, at least one.

    Seconds are the median over runs, which a run that shared its core with other work moves less than the mean.
    """
    seeds, runs = by_seed(results), list(results.values())
    told = [m for m in runs if "statistics" in m]
    mean = lambda key: statistics.fmean(m[key] for m in runs)  # noqa: E731
    return {
        "row": name,
        "accuracy": spread([s["accuracy"] for s in seeds.values()]),
        "train_accuracy": mean("train_accuracy") if all("train_accuracy" in m for m in runs) else None,
        "damage": {k: spread([s[k] for s in seeds.values()]) for k in next(iter(seeds.values())) if k != "accuracy"},
        "statistics": {k: spread([m["statistics"][k] for m in told]) for k in (told[0]["statistics"] if told else ())},
        "parameters": mean("parameters"),
        "seconds": statistics.median(m["seconds_train"] for m in runs),
        "spikes_per_neuron": mean("spikes_per_neuron"),
        "epoch": epoch_taken(runs),
        "runs": [
            {
                "seed": seed,
                **({} if fold is None else {"held_out": list(fold)}),
                **figures(m),
                "validation_accuracy": m["validation_accuracy"],
                "train_accuracy": m.get("train_accuracy"),
                **{k: m[k] for k in ("best_epoch", "epochs", "parameters", "seconds_train", "spikes_per_neuron")},
            }
            for (seed, fold), m in results.items()
        ],
    }


def epoch_taken(runs):
    """Which epoch the figures are of, and how it was chosen."""
    taken, total = sorted(m["best_epoch"] for m in runs), sorted({m["epochs"] for m in runs})
    total = " or ".join(str(t) for t in total)
    if all(m["select"] == "last" for m in runs):
        return f"the last of {total}"
    span = str(taken[0]) if taken[0] == taken[-1] else f"{taken[0]} to {taken[-1]}"
    return f"best on validation: {span} of {total}"


def compare(first, second):
    """Paired differences of two rows over the seeds that both have, for every figure.

    The p-value is that of the exact two-sided sign-flip test: under the null hypothesis each seed's difference is as
    likely to have the other sign, and all ``2^n`` sign patterns are counted, so that ``p >= 2 / 2^n``.

    Args:
        first, second: ``{seed: {figure: value}}``.

    Returns:
        ``{figure: {"difference", "n", "p"}}``, the difference first minus second; p is None below two seeds.
    """
    common = sorted(set(first) & set(second))
    if not common:
        return {}
    return {name: sign_flip([first[s][name] - second[s][name] for s in common]) for name in first[common[0]]}


def sign_flip(differences):
    """Mean difference and its exact sign-flip p-value (up to 16 differences; beyond, 65,536 random sign patterns)."""
    d = np.asarray(differences, float)
    if len(d) < 2:
        return {"difference": float(d.mean()), "n": len(d), "p": None}
    test = permutation_test(
        (d,), lambda x, axis: x.mean(axis), permutation_type="samples", n_resamples=2**16, vectorized=True
    )
    return {"difference": float(d.mean()), "n": len(d), "p": float(test.pvalue)}


def smallest_above(rows, share):
    """Row with the fewest parameters whose mean accuracy exceeds ``share``, or None."""
    above = [row for row in rows if row["accuracy"]["mean"] > share]
    return min(above, key=lambda row: row["parameters"])["row"] if above else None
