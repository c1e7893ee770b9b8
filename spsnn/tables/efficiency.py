"""Accuracy against parameters: results of other tables beside published ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from matplotlib.lines import Line2D

from spsnn.atomic import replacing
from spsnn.cli.workflow import write_json, write_text
from spsnn.errors import ConfigError
from spsnn.pictures._style import INK, MUTED, colour, legend_below, marker, new_figure, styled
from spsnn.tables.write import grid, percent


def write_efficiency(table, results, label="SHD"):
    """Write ``NAME.json``, ``.md`` and ``.png`` from the JSON files that the pictured tables left in ``results``.

    Returns:
        The values written: ``points`` (table, row, parameters, accuracy), ``published``, ``missing`` tables.

    Raises:
        ConfigError: if none of the pictured tables is there.
    """
    results = Path(results)
    points, missing, deviations = [], [], []
    for name in table.pictured:
        try:
            found = json.loads((results / f"{name}.json").read_text(encoding="utf-8"))
            points += [
                {"table": name, **{k: row[k] for k in ("row", "parameters", "accuracy")}} for row in found["rows"]
            ]
        except FileNotFoundError:
            missing.append(f"{name}: no {name}.json in {results}")
            continue
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"{results / name}.json is not a table of 'spsnn reproduce': {error}") from error
        deviations += [f"{name}: {d}" for d in found["deviations"]]
        if found["missing"]:
            missing.append(f"{name}: {found['finished']} of {found['planned']} runs are finished")
    if not points:
        raise ConfigError(
            f"{results} holds none of the tables {', '.join(table.pictured)}; reproduce one of them first"
        )
    values = {
        "table": table.name, "title": table.title.replace("{data}", label), "data": label,
        "text": table.text.replace("{data}", label).strip(), "points": points, "published": table.published,
        "deviations": deviations, "missing": missing,
    }  # fmt: skip
    with replacing(results / f"{table.name}.png") as temporary:
        picture(values).savefig(temporary, dpi=150, format="png")
    write_json(results / f"{table.name}.json", values)
    write_text(results / f"{table.name}.md", markdown(values))
    return values


@styled
def picture(values):
    """Scatter of accuracy over parameters; open marks are published on SHD."""
    figure, ax = new_figure(8.8, 5.0, values["title"], "Accuracy over number of parameters.", nrows=1, ncols=1)
    handles = []
    for k, name in enumerate(dict.fromkeys(p["table"] for p in values["points"])):
        mine = [p for p in values["points"] if p["table"] == name]
        ax.errorbar(
            [p["parameters"] for p in mine],
            [100 * p["accuracy"]["mean"] for p in mine],
            [100 * (p["accuracy"]["std"] or 0.0) for p in mine],
            fmt=marker(k), color=colour(k), ms=5, lw=0, elinewidth=1,
        )  # fmt: skip
        handles.append(Line2D([], [], ls="", marker=marker(k), color=colour(k), label=f"{name}, on {values['data']}"))
    published = sorted(values["published"], key=lambda p: p["parameters"])
    for p, after in zip(published, [*published[1:], None], strict=True):
        ax.plot(p["parameters"], p["accuracy"], "o", mfc="none", mec=MUTED, ms=6)
        crowded = after and after["parameters"] < 3 * p["parameters"] and abs(after["accuracy"] - p["accuracy"]) < 3
        ax.annotate(p["name"], (p["parameters"], p["accuracy"]), (-5 if crowded else 5, 4), textcoords="offset points",
                    ha="right" if crowded else "left", fontsize=6.2, color=INK)  # fmt: skip
    if values["published"]:
        handles.append(Line2D([], [], ls="", marker="o", mfc="none", color=MUTED, label="published on SHD"))
    ax.set_xscale("log")
    ax.set_xlabel("trainable parameters")
    # Equal steps for equal factors of what is wrong, so that 93 and 96 % lie about as far apart as 40 and 63 %.
    ax.set_yscale("function", functions=(lambda a: -np.log(101 - np.minimum(a, 100)), lambda y: 101 - np.exp(-y)))
    ax.set_yticks([0, 20, 40, 60, 80, 90, 95, 98, 100])
    drawn = [100 * p["accuracy"]["mean"] for p in values["points"]] + [p["accuracy"] for p in published]
    ax.set_ylim(max(min(drawn) - 15, 0), min(max(drawn) + 2, 100))
    ax.set_ylabel("test accuracy (%)")
    ax.grid()
    legend_below(figure, handles)
    return figure


def markdown(values):
    """The picture with its numbers."""
    lines = [f"# {values['title']}", "", values["text"], ""]
    lines += [f"**Not complete: {m}.**\n" for m in values["missing"]]
    lines += [f"**Deviates from the table as defined: {d}.**\n" for d in values["deviations"]]
    lines += [f"![accuracy over parameters]({values['table']}.png)", ""]
    lines += grid(
        ("table", "row", "parameters", f"accuracy on {values['data']} [%]"),
        [(p["table"], p["row"], f"{p['parameters']:,.0f}", percent(p["accuracy"])) for p in values["points"]],
    )
    lines += ["## Published on SHD", ""]
    lines += grid(
        ("method", "parameters", "accuracy on SHD [%]"),
        [(p["name"], f"{p['parameters']:,}", p["accuracy"]) for p in values["published"]],
    )
    return "\n".join(lines)
