"""``spsnn targets``: the hardware targets, their figures and where each is from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
import yaml
from rich import box
from rich.table import Table

from spsnn.atomic import replacing
from spsnn.cli import console
from spsnn.errors import ConfigError

targets = typer.Typer(no_args_is_help=False, help="Hardware targets: list them, show one, start a file of your own.")
Name = Annotated[str, typer.Argument(help="Name of a target, or a TOML file of your own.")]
Sets = Annotated[list[str], typer.Option("--target-set", help="Give a figure of the target, e.g. n_cores=120.")]


def read_target(name, sets=()):
    """`Target` from a name or file and ``KEY=VALUE`` texts of the command line.

    Raises:
        ConfigError: text without ``=``, or what `load_target` refuses.
    """
    from spsnn.hwmap import load_target

    figures = {}
    for text in sets:
        key, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(f"--target-set needs KEY=VALUE, got {text!r}")
        try:
            figures[key.strip()] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ConfigError(f"--target-set {text!r}: the value cannot be read as YAML") from error
    return load_target(name, **figures)


@targets.callback(invoke_without_command=True, epilog="Example:  spsnn targets")
def list_(
    context: typer.Context,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
):
    """List the packaged targets."""
    if context.invoked_subcommand is None:
        from spsnn.hwmap.targets.profiles import summaries

        _rows("Targets; 'spsnn targets show NAME' has every figure and its source", summaries(), json)


@targets.command(epilog="Example:  spsnn targets show loihi2")
def show(
    name: Name,
    target_set: Sets = [],  # noqa: B006
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
):
    """Every figure of a target with value, provenance and source."""
    from spsnn.hwmap.targets.profiles import describe

    rows = describe(name) if not target_set else describe(read_target(name, target_set))
    _rows(f"Target {name}", rows, json)


@targets.command(epilog="Example:  spsnn targets new mine.toml --from mesh")
def new(
    file: Annotated[Path, typer.Argument(help="TOML file to write; it must not exist.")],
    template: Annotated[str, typer.Option("--from", help="Packaged target to start from.")] = "mesh",
):
    """Write a target file of your own to edit, from a packaged one; docs/targets.md explains the keys."""
    from spsnn.hwmap.targets.profiles import profile_text

    if file.suffix != ".toml":
        raise ConfigError(f"a target file ends in .toml, got {str(file)!r}")
    if file.exists():
        raise ConfigError(f"{file} exists; choose another name")
    text = profile_text(template).replace(f'name = "{template}"', f'name = "{file.stem}"', 1)
    with replacing(file) as temporary:
        temporary.write_text(text, encoding="utf-8")
    console.show("Target file written", {"file": str(file), "use": f"spsnn map MODEL --target {file}"})


_WHOLE = ("name", "figure", "energies", "delay_steps")


def _rows(title, rows, json):
    if json:
        console.show(title, {"targets" if "cores" in rows[0] else "figures": rows}, True)
        return
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    shown = [name for name in rows[0] if name != "title"]
    for name in shown:
        table.add_column(name.replace("_", " "), overflow="fold", no_wrap=name in _WHOLE)
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in map(row.get, shown)))
    console.out.print(table)
