"""A table as JSON and Markdown, from what is finished."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from spsnn.cli.workflow import write_json, write_text
from spsnn.tables.chip import FIGURES
from spsnn.tables.joined import joined_accuracies
from spsnn.tables.record import data_of
from spsnn.tables.shifted import PREFIX, figure_name, shifted_accuracies
from spsnn.tables.similarity import row_similarity
from spsnn.tables.summary import by_seed, compare, smallest_above, summarise_row


def collect(table, runs, record):
    """``{row: {(seed, fold): metrics}}`` of the finished runs."""
    found = {}
    for run in runs:
        metrics = record.result(run)
        if metrics is not None:
            found.setdefault(run.row.name, {})[run.seed, run.fold] = metrics
    return {name: found[name] for name in table.rows if name in found}


def made_with(runs, record):
    """``[{"runs": how many, **versions}]`` of the finished runs that say so, the most frequent first."""
    counted = Counter(json.dumps(v) for run in runs if (v := record.versions(run)))
    return [{"runs": n, **json.loads(text)} for text, n in counted.most_common()]


def tabulate(table, runs, record, *, name=None, folds=(), deviations=(), figures=None, data_dir=None, whole=True
):  # fmt: skip
    """The table as plain values, which `write_table` stores as ``name``.

    Args:
        table, runs: `Table` and its runs.
        record: `spsnn.tables.record.Record`.
        name, folds, data_dir: as `spsnn.tables.reproduce.reproduce`.
        deviations: sentences.
        whole: whether all is done that is to be done; what networks decide together is found then.
        figures: ``{row: statistics}`` of the table as it was.  One that stood for more runs than are at hand now stays:
            the likeness of weights, for example, needs the models themselves.
    """
    found = collect(table, runs, record)
    rows = [summarise_row(name, results) for name, results in found.items()]
    seeds = {name: by_seed(results) for name, results in found.items()}
    comparisons = [
        {"first": a, "second": b, "figure": name, **test}
        for a, b in table.compare
        if a in seeds and b in seeds
        for name, test in compare(seeds[a], seeds[b]).items()
    ]
    missing = [f"{run}" for run in runs if (run.seed, run.fold) not in found.get(run.row.name, {})]
    values = {
        "table": name or table.name,
        "title": table.title.replace("{data}", record.label),
        "text": table.text.replace("{data}", record.label).strip(),
        "data": data_of(runs[0], record.label),
        "protocol": protocol(table, folds),
        "deviations": list(deviations),
        "finished": len(runs) - len(missing),
        "planned": len(runs),
        "missing": missing,
        "made_with": made_with([r for r in runs if (r.seed, r.fold) in found.get(r.row.name, {})], record),
        "rows": rows,
        "comparisons": comparisons,
    }
    if table.similarity:
        for row in rows:
            alike = row_similarity([r for r in runs if r.row.name == row["row"]], record.out)
            if alike is not None:
                mean, pairs = alike
                row["statistics"] = {**row["statistics"], "similarity": {"mean": mean, "std": None, "n": pairs}}
    if table.joined and whole:
        for row in rows:
            mine = [r for r in runs if r.row.name == row["row"]]
            row["statistics"] = {**row["statistics"], **joined_accuracies(mine, record.out, data_dir)}
    if table.channel_shifts and whole:
        for row in rows:
            mine = [r for r in runs if r.row.name == row["row"]]
            more = shifted_accuracies(mine, record.out, data_dir, table.channel_shifts)
            row["statistics"] = {**row["statistics"], **more}
    for row in rows:
        for figure, value in (figures or {}).get(row["row"], {}).items():
            if _stays(figure, table) and value["n"] > row["statistics"].get(figure, {"n": 0})["n"]:
                row["statistics"] = {**row["statistics"], figure: value}
    if table.smallest_above is not None:
        values["smallest_above"] = {"accuracy": table.smallest_above, "row": smallest_above(rows, table.smallest_above)}
    return values


def _stays(figure, table):
    """Whether a figure of the table as it was is still asked for, and not found in the record of a run."""
    if figure.endswith(" joined"):
        return table.joined
    if figure.startswith(PREFIX):
        return bool(table.channel_shifts) and figure in map(figure_name, ([0], table.channel_shifts))
    return table.similarity if figure == "similarity" else figure not in FIGURES


def protocol(table, folds):
    """How the runs are trained and scored, in words."""
    if folds:
        held = "; ".join(", ".join(str(s) for s in fold) for fold in folds)
        return (
            f"Validation accuracy on training speakers held out in turn ({held}), mean over the folds of a seed. "
            "The test set is not read."
        )
    again = ", and once more under each damage" if table.damage else ""
    again += ", and once more for networks side by side, over whose choices there is mean ± deviation" * table.joined
    again += ", and again with its channels moved where the model is at hand" * bool(table.channel_shifts)
    if table.protocol == "retrain":
        return (
            "Trained on all training data; the number of epochs is fixed and the last one is taken; the test set is "
            f"read once per run, after training{again}."
        )
    return f"The epoch is chosen on the validation set; the test set is read once per run, at that epoch{again}."


def write_table(values, results):
    """Write ``NAME.json`` and ``NAME.md`` to the folder ``results``; returns the path of the second."""
    name = values["table"]
    write_json(Path(results) / f"{name}.json", values)
    write_text(Path(results) / f"{name}.md", markdown(values))
    return Path(results) / f"{name}.md"


def markdown(values):
    """The table for people."""
    lines = [f"# {values['title']}", ""]
    if values["missing"]:
        lines += [f"**Partial: {values['finished']} of {values['planned']} runs are finished.**", ""]
    lines += [f"**Deviates from the table as defined: {d}.**\n" for d in values["deviations"]]
    lines += [values["text"], "", values["protocol"], ""]
    rows = values["rows"]
    if rows:
        lines += grid(
            ("row", "accuracy [%]", "in training [%]", "seeds", "parameters", "training, median [s]",
             "spikes per neuron", "epoch"),
            [
                (r["row"], percent(r["accuracy"]), in_training(r), r["accuracy"]["n"], f"{r['parameters']:,.0f}",
                 f"{r['seconds']:.0f}", f"{r['spikes_per_neuron']:.2f}", r["epoch"])
                for r in rows
            ],
        )  # fmt: skip
        lines += [
            "Accuracy: mean over seeds ± sample standard deviation. In training: mean accuracy on the training data in "
            "the epoch taken, while weights change, with augmentation and dropout where there are any.",
            "",
        ]
    if "smallest_above" in values:
        wanted = values["smallest_above"]
        lines += [f"Fewest parameters above {100 * wanted['accuracy']:g} %: {wanted['row'] or 'none'}.", ""]
    figures = list(dict.fromkeys(name for r in rows for name in r["statistics"]))
    if figures:
        held = values["protocol"].startswith("Validation")
        lines += [f"## Figures on the {'validation' if held else 'test'} set", ""]
        cells = lambda r: [plain_figure(r["statistics"].get(name), r["accuracy"]["n"]) for name in figures]  # noqa: E731
        lines += grid(("row", *figures), [(r["row"], *cells(r)) for r in rows if r["statistics"]])
    if rows and rows[0]["damage"]:
        names = list(rows[0]["damage"])
        lines += ["## Accuracy under damage [%]", ""]
        clean = ("none", *(percent(r["accuracy"]) for r in rows))
        lines += grid(
            ("damage", *(r["row"] for r in rows)),
            [clean, *((name, *(percent(r["damage"][name]) for r in rows)) for name in names)],
        )
    if values["comparisons"]:
        lines += ["## Paired over seeds", "", "Exact two-sided sign-flip test; with n seeds p is at least 2 / 2^n.", ""]
        lines += grid(
            ("first", "second", "figure", "first - second [points]", "n", "p"),
            [
                (c["first"], c["second"], c["figure"], f"{100 * c['difference']:+.2f}", c["n"],
                 "-" if c["p"] is None else f"{c['p']:.3g}")
                for c in values["comparisons"]
            ],
        )  # fmt: skip
    if values["missing"]:
        parts = {}
        for run in values["missing"]:
            row, part = run.split(", seed ", 1)
            parts.setdefault(row, []).append(part)
        lines += ["## Missing", "", *(f"- {row}: seed {'; '.join(found)}" for row, found in parts.items()), ""]
    told = 0
    for versions in values["made_with"]:
        n, facts = versions["runs"], [f"{k} {v}" for k, v in versions.items() if k != "runs"]
        lines += [f"{n} run{'s' * (n > 1)} with {', '.join(facts)}.", ""]
        told += n
    if told < values["finished"]:
        lines += [f"{values['finished'] - told} runs without a record of versions.", ""]
    return "\n".join(lines)


def percent(value):
    """``97.4 ± 0.3``."""
    spread = "" if value["std"] is None else f" ± {100 * value['std']:.1f}"
    return f"{100 * value['mean']:.1f}{spread}"


def in_training(row):
    """``97.4``, or a dash where runs do not say."""
    return "-" if row["train_accuracy"] is None else f"{100 * row['train_accuracy']:.1f}"


def plain_figure(value, seeds):
    """``0.444 ± 0.012``, with ``(2)`` behind it where that is of two runs and fewer than seeds; a dash where none."""
    if value is None:
        return "-"
    mean, spread = value["mean"], value["std"]
    noise = spread is not None and spread < 1e-9 * abs(mean)
    fewer = f" ({value['n']})" * (value["n"] < seeds)
    return f"{mean:.4g}" + ("" if spread is None else f" ± {0 if noise else spread:.2g}") + fewer


def grid(header, rows):
    """Lines of a Markdown table."""
    cell = lambda value: " ".join(str(value).split()).replace("|", "\\|")  # noqa: E731
    line = lambda cells: "| " + " | ".join(map(cell, cells)) + " |"  # noqa: E731
    return [line(header), "|" + "---|" * len(header), *map(line, rows), ""]
