"""Commands of many runs: ``spsnn reproduce`` and ``spsnn sweep``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spsnn.cli import console
from spsnn.cli.app import DataDir, Device, Json, app
from spsnn.cli.folds import parse_folds

Jobs = Annotated[int, typer.Option(help="Runs at once, each a process with its share of the cores.")]
Folds = Annotated[
    str | None, typer.Option(help="Speakers of shd to hold out in turn, e.g. '0,11;1,2'; scores are averaged.")
]


@app.command(epilog="Example:  spsnn reproduce dimensions-yinyang --seeds 3 --jobs 2")
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
            report=lambda line: console.err.print(line, markup=False),
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


def _percent(value):
    from spsnn.tables.write import percent

    return percent(value)
