"""Commands of many runs: ``spsnn reproduce`` and ``spsnn sweep``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spsnn.cli import console
from spsnn.cli.app import DataDir, Device, Json, app
from spsnn.cli.folds import parse_folds
from spsnn.errors import TrainingError

Jobs = Annotated[int, typer.Option(help="Runs at once, each a process with its share of the cores.")]
Folds = Annotated[
    str | None, typer.Option(help="Speakers of shd to hold out in turn, e.g. '0,11;1,2'; scores are averaged.")
]


@app.command(epilog="Example:  spsnn reproduce dimensions-yinyang --jobs 2 --results runs/tables")
def reproduce(
    name: Annotated[str | None, typer.Argument(help="Table, or a YAML file; without it the tables are listed.")] = None,
    seeds: Annotated[int | None, typer.Option(help="Number of seeds; default that of the table.")] = None,
    rows: Annotated[list[str], typer.Option("--rows", help="Rows to run, e.g. '2-D/*'; repeatable.")] = [],  # noqa: B006
    epochs: Annotated[
        int | None, typer.Option(help="Other number of epochs: a deviation, which the table states.")
    ] = None,
    folds: Folds = None,
    jobs: Jobs = 1,
    device: Device = "cpu",
    data_dir: DataDir = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the runs; default runs/reproduce/NAME.")] = None,
    results: Annotated[Path, typer.Option(help="Folder of the table.")] = Path("docs/results"),
    label: Annotated[str, typer.Option(help="Name of the data in files of the SHD layout.")] = "SHD",
    table_only: Annotated[bool, typer.Option("--table-only", help="Run nothing; write what is finished.")] = False,
    json: Json = False,
):
    """Run what is missing of a table of results and write it; started again it goes on."""
    from spsnn.tables.plan import read_table, shipped_tables

    if name is None:
        console.show(
            "Tables", {table: read_table(table).title.replace("{data}", "SHD") for table in shipped_tables()}, json
        )
        return
    from spsnn.tables.reproduce import reproduce as run_table

    try:
        values, failures = run_table(
            name, seeds=seeds, rows=rows, epochs=epochs, folds=parse_folds(folds) if folds else (), jobs=jobs,
            device=device, data_dir=data_dir, out=out, results=results, label=label, run=not table_only,
            report=console.note,
        )  # fmt: skip
    except KeyboardInterrupt:
        console.err.print("stopped; the same command goes on from the last finished epochs")
        raise typer.Exit(130) from None
    shown = {
        row["row"]: f"{_percent(row['accuracy'])} %, {row['parameters']:.0f} parameters"
        for row in values.get("rows", [])
    }
    shown["written"] = str(results / f"{values['table']}.md")
    if values["missing"]:
        shown["not finished"] = len(values["missing"])
    console.show(values["title"], values if json else shown, json)
    if failures:
        raise typer.Exit(1)


@app.command(
    epilog="Example:  spsnn sweep digits --param training.lr=1e-3..1e-1:log --param hidden=[30],[60] --trials 20"
)
def sweep(
    config: Annotated[str, typer.Argument(help="YAML file, or the name of a shipped configuration.")],
    param: Annotated[list[str], typer.Option("--param", help="key=lo..hi, key=lo..hi:log or key=a,b; repeatable.")],
    set: Annotated[list[str], typer.Option("--set", help="Override a key in all trials.")] = [],  # noqa: B006
    trials: Annotated[int, typer.Option(help="Number of trials, those of an earlier start included.")] = 20,
    folds: Folds = None,
    seed: Annotated[int, typer.Option(help="Seed of the search.")] = 0,
    storage: Annotated[Path | None, typer.Option(help="SQLite file of the trials; default OUT/trials.db.")] = None,
    jobs: Jobs = 1,
    device: Device = "cpu",
    data_dir: DataDir = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the results; default runs/sweep/CONFIG.")] = None,
    json: Json = False,
):
    """Search settings on validation data; the test set is never read. Started again it goes on."""
    from spsnn.cli.parameters import parse_parameter
    from spsnn.cli.sweep import sweep as search

    out = out or Path("runs") / "sweep" / Path(config).stem
    try:
        values = search(
            config, [parse_parameter(text) for text in param], out, trials=trials, overrides=set,
            folds=parse_folds(folds) if folds else (), seed=seed, storage=storage, jobs=jobs, data_dir=data_dir,
            device=device, report=console.note,
        )  # fmt: skip
    except KeyboardInterrupt:
        console.err.print("stopped; the same command goes on")
        raise typer.Exit(130) from None
    if values["best"] is None:
        raise TrainingError(f"no trial was finished, see {out / 'trials.md'}; take other settings and another --out")
    shown = {
        "accuracy": values["accuracy"],
        "settings": "  ".join(values["best"] or []),
        "trials": len(values["trials"]),
    }
    console.show(f"Best of the sweep; files in {out}", values if json else shown, json)


def _percent(value):
    from spsnn.tables.write import percent

    return percent(value)
