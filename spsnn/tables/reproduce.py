"""``spsnn reproduce``: run what is missing of a table, and write it."""

from __future__ import annotations

import contextlib
import json
import tempfile
from dataclasses import replace
from pathlib import Path

from spsnn.autograd.device import find_device
from spsnn.errors import ConfigError
from spsnn.graph.hdf5 import make_folder
from spsnn.tables.chip import check_chip
from spsnn.tables.efficiency import write_efficiency
from spsnn.tables.execute import perform_all
from spsnn.tables.joined import check_joined
from spsnn.tables.plan import read_table
from spsnn.tables.record import Record, is_trained
from spsnn.tables.robustness import check_damage
from spsnn.tables.shifted import check_shifted
from spsnn.tables.similarity import check_similarity
from spsnn.tables.transfer import check_positions
from spsnn.tables.write import tabulate, write_table


def reproduce(
    name, *, seeds=None, rows=(), epochs=None, folds=(), jobs=1, device="cpu", data_dir=None, out=None,
    results="docs/results", label="SHD", run=True, report=None,
):  # fmt: skip
    """Run the missing runs of a table and write ``NAME.json`` and ``NAME.md``, anew after every run.

    ``NAME.runs.jsonl`` beside them keeps every finished run with its settings: it counts as finished for ever, also
    where its folder is gone.

    Args:
        name: of a table in the package, or a YAML file.
        seeds: number of seeds in place of the table's; a deviation, which the table states.
        rows: patterns of the rows to run; the others stay in the table as missing.
        epochs: a deviation, which the table states; its files are called ``NAME-Nepochs``.
        folds: hold out these speakers in turn and report validation accuracy; the test set is not read, and the files
            are called ``NAME-folds``.
        jobs: runs at once, each in a process with its share of the cores.
        device, data_dir: of every run.
        out: folder of the runs; default ``runs/reproduce/NAME``.
        results: folder of the table.
        label: what the table calls the data set, where it is SHD or SSC.
        run: False writes the table from what is there.
        report: called with a line of text after every run.

    Returns:
        ``(values of the table, [(run, what went wrong), ...])``.

    Raises:
        ConfigError: on wrong names, settings or folders, or a table in ``results`` with more finished runs, before
            anything runs.
    """
    table = read_table(name)
    say = report or (lambda line: None)
    if table.pictured:
        if seeds is not None or rows or epochs is not None or folds:
            raise ConfigError(f"table {table.name!r} runs nothing, it pictures others; leave out --seeds, --rows, ...")
        make_folder(Path(results))
        return write_efficiency(table, results, label), []
    for option, value in (("seeds", seeds), ("epochs", epochs), ("jobs", jobs)):
        if value is not None and value < 1:
            raise ConfigError(f"--{option} must be at least 1, got {value}")
    find_device(device)
    file_name = table.name + ("" if epochs is None else f"-{epochs}epochs") + ("-folds" if folds else "")
    deviations = [] if epochs is None else [f"{epochs} epochs in place of those of the table"]
    if seeds is not None and seeds != table.seeds:
        deviations.append(f"number of seeds {seeds} in place of {table.seeds}")
    table = replace(table, seeds=seeds or table.seeds, epochs=epochs)
    out = Path(out or Path("runs") / "reproduce" / file_name)
    chosen = table.choose(rows)
    runs = table.runs(folds)
    check_chip(table.chip, runs)
    check_damage(table.damage, runs)
    check_positions(runs)
    if table.similarity:
        check_similarity(runs)
    if table.joined:
        check_joined(runs)
    if table.channel_shifts:
        check_shifted(table.channel_shifts, runs)
    record = Record(out, Path(results) / f"{file_name}.runs.jsonl", label)
    missing = [r for r in runs if record.result(r) is None]
    todo = [r for r in missing if r.row.name in chosen] if run else []
    sources = {r.source for r in todo}  # of which the record keeps no coordinates
    todo = [r for r in runs if r in todo or (r.folder in sources and not (out / r.folder / "model.h5").exists())]
    before = _before(Path(results) / f"{file_name}.json")
    found = len(runs) - len(missing) + sum(is_trained(r, out) for r in missing if r in todo)
    if before["finished"] > found:
        raise ConfigError(
            f"{Path(results) / file_name}.json has {before['finished']} finished runs, {out} and {record.path} have "
            f"{found} of the {len(runs)} asked for; ask for as many rows and seeds, name the folder of the runs with "
            "--out, write elsewhere with --results, or remove the table"
        )
    make_folder(Path(results))
    try:
        with tempfile.TemporaryFile(dir=results):
            pass
    except OSError as error:
        raise ConfigError(f"{results} cannot be written ({error}); choose another folder with --results") from error

    def write(whole=False):
        record.keep(runs)
        values = tabulate(
            table,
            runs,
            record,
            name=file_name,
            folds=folds,
            deviations=deviations,
            figures=before["figures"],
            data_dir=data_dir,
            whole=whole,
        )
        write_table(values, results)
        return values

    failures = []

    def on_done(done, wrong):
        if wrong is not None:
            failures.append((done, wrong))
            say(f"{done}: {wrong}")
        else:
            metrics = record.result(done)
            accuracy = metrics.get("test_accuracy", metrics["validation_accuracy"])
            say(f"{done}: {100 * accuracy:.1f} %, {metrics['seconds_train']:.0f} s of training")
        write()

    say(f"{table.name}: {len(runs) - len(missing)} of {len(runs)} runs are finished, {len(todo)} to do now")
    perform_all(todo, out, jobs=jobs, data_dir=data_dir, device=device, on_done=on_done)
    return write(whole=True), failures


def _before(path):
    """How many runs the table that is there has ``finished``, and the ``figures`` of its rows."""
    finished, figures = 0, {}
    # There may be none, or one of an earlier version.
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError, AttributeError):
        values = json.loads(path.read_text(encoding="utf-8"))
        finished = int(values["finished"])
        for row in values["rows"]:
            figures[row["row"]] = {k: v for k, v in row["statistics"].items() if v["n"]}
    return {"finished": finished, "figures": figures}
