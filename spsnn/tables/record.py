"""What is known of the runs of a table: from their folders, and from the record beside the table."""

from __future__ import annotations

import json
import math
from numbers import Real
from pathlib import Path

import yaml

from spsnn.cli.config import build_config, differences
from spsnn.cli.workflow import write_text
from spsnn.errors import ConfigError

PARTS = ("start", "metrics", "damage", "chip")
NUMBERS = ("parameters", "seconds_train", "spikes_per_neuron", "best_epoch", "epochs")
SHARES = ("train_accuracy", "validation_accuracy", "test_accuracy")
WORDS = ("validation_accuracy", "select")


def positions_of(run):
    """Where a run takes its coordinates from, and whether they are trained."""
    return {"from": run.row.positions_from, "frozen": run.row.freeze_positions}


def is_trained(run, out):
    """Whether the folder of a run holds its trained model."""
    return (Path(out) / run.folder / "metrics.json").exists()


def data_of(run, label):
    """What the data of a run are called: ``label`` for files of the SHD layout."""
    return label if run.config.data.name in ("shd", "ssc") else run.config.data.name


class Record:
    """The runs of one table.

    A run is what ``config.yaml`` and the JSON files of its folder say.  A line of the file ``path`` says the same of
    every finished run, so that a table outlives the folders of its runs; where both are there, the folder counts.

    Args:
        out: folder of the runs.
        path: ``NAME.runs.jsonl`` beside the table.
        label: what the table calls the data set, where it is SHD or SSC.

    Raises:
        ConfigError: for a line that is no run.
    """

    def __init__(self, out, path, label="SHD"):
        self.out, self.path, self.label = Path(out), Path(path), label
        self.lines = self._read()

    def _read(self):
        """``{run: line}`` of the file."""
        lines = {}
        try:
            text = self.path.read_text(encoding="utf-8", errors="replace") if self.path.exists() else ""
        except OSError as error:
            raise ConfigError(f"{self.path} cannot be read ({error}); write elsewhere with --results") from error
        for number, line in enumerate(text.splitlines(), 1):
            try:
                found = json.loads(line)
                if found["run"] in lines:
                    raise ValueError(f"{found['run']!r} has a line already")
                lines[found["run"]] = found
            except (ValueError, LookupError, TypeError) as error:
                raise ConfigError(
                    f"{self.path}, line {number} is no run ({error}); remove the line, and its run is made anew"
                ) from error
        return lines

    def result(self, run):
        """Metrics of a finished run, or None; ``damage`` holds the accuracies under damage, ``statistics`` the figures
        on the chip where the table asks for them.

        Raises:
            ConfigError: if the folder or the line is of a run with other settings, or cannot be read.
        """
        where, found = self._find(run)
        if found is None:
            return None
        metrics, start = found["metrics"], found["start"]
        changes = differences(found["config"], run.config.as_dict())
        if start.get("positions", positions_of(run)) != positions_of(run):
            changes.append(f"positions {start['positions']}, not {positions_of(run)}")
        if changes:
            raise ConfigError(
                f"{where} holds a run with other settings ({'; '.join(changes[:3])}); choose another folder with "
                f"--out or --results, or remove it and what {self.path.name} and the table say of it"
            )
        asked = ((run.damage, found["damage"]), (run.chip, found["chip"]))
        if metrics is None or any(settings and done.get("settings") != settings for settings, done in asked):
            return None
        metrics = metrics | ({"damage": found["damage"]["accuracy"]} if run.damage else {})
        return metrics | ({"statistics": found["chip"]["figures"]} if run.chip else {})

    def versions(self, run):
        """What a run was begun with, or None."""
        _, found = self._find(run)
        return None if found is None else found["start"].get("versions")

    def keep(self, runs):
        """Write the lines of what is finished of ``runs`` and has its folder; all other lines stay as they are now."""
        before = self._read()
        self.lines = dict(before)
        for run in runs:
            if is_trained(run, self.out) and self.result(run) is not None:
                found, line = self._find(run)[1], self.lines.get(str(run), {})
                metrics = {k: v for k, v in found["metrics"].items() if k not in ("confusion", "storage")}
                same = line.get("metrics") == metrics  # then what this table does not ask for stays true
                more = {name: line[name] for name in ("damage", "chip") if same and not found[name]}
                found = {"data": data_of(run, self.label), **found, "metrics": metrics, **more}
                self.lines[str(run)] = {"run": str(run), **found}
        if self.lines != before:
            write_text(self.path, "".join(json.dumps(line) + "\n" for line in self.lines.values()))

    def _find(self, run):
        """Where a run was found, and ``{"config", *PARTS}``; the second is None where nothing was."""
        folder, line = self.out / run.folder, self.lines.get(str(run))
        where = f"the line {str(run)!r} of {self.path}"
        if line is not None and line.get("data") != data_of(run, self.label):
            raise ConfigError(
                f"{where} is of a run on {line.get('data')}, not on {data_of(run, self.label)}; write elsewhere with "
                "--results, or name the data with --label"
            )
        if line is not None and not is_trained(run, self.out):
            return where, _checked(where, lambda: line)
        if not any((folder / name).exists() for name in ("checkpoint.h5", "metrics.json")):
            return folder, None  # a run that was refused, or ended in its first epoch, may have left its settings
        return folder, _checked(folder, lambda: _read_folder(folder))


def _read_folder(folder):
    parts = {name: _read_json(folder / f"{name}.json", None if name == "metrics" else {}) for name in PARTS}
    metrics = parts["metrics"]
    if isinstance(metrics, dict) and metrics and "train_accuracy" not in metrics:  # of a run of an earlier version
        history = _read_json(folder / "history.json", None)
        if history is not None:
            metrics["train_accuracy"] = history[metrics["best_epoch"] - 1]["train_accuracy"]
    return {"config": yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8")), **parts}


def _read_json(path, absent):
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else absent


def _checked(where, read):
    """What ``read`` returns, as `Record._find` does."""
    try:
        found = read()
        config = build_config(found["config"]).as_dict()
        parts = {name: found[name] for name in PARTS}
        if not all(isinstance(v, dict) for k, v in parts.items() if not (k == "metrics" and v is None)):
            raise ValueError("a part of it holds no object")
        if not isinstance(parts["start"].get("versions", {}), dict):
            raise ValueError("its versions are no object")
        if parts["metrics"] is not None:
            _check_metrics(parts["metrics"])
        for name, figures in (("damage", "accuracy"), ("chip", "figures")):
            if parts[name]:
                _numbers(f"{name}.{figures}", parts[name][figures].values())
    except (OSError, ValueError, LookupError, TypeError, AttributeError, yaml.YAMLError, ConfigError) as error:
        raise ConfigError(f"{where} cannot be read ({error}); remove it, and the run is made anew") from error
    return {"config": config, **parts}


def _check_metrics(metrics):
    """Refuse metrics from which a table cannot be made."""
    lacking = [name for name in (*NUMBERS, *WORDS) if name not in metrics]
    if lacking:
        raise ValueError(f"its metrics lack {', '.join(lacking)}")
    for name in NUMBERS:
        _numbers(name, [metrics[name]])
    shares = [metrics[name] for name in SHARES if metrics.get(name) is not None]
    _numbers("accuracy", shares)
    if metrics.get("test_accuracy", metrics["validation_accuracy"]) is None or not all(0 <= s <= 1 for s in shares):
        raise ValueError(f"its accuracies must lie in [0, 1], got {shares}")
    _numbers("statistics", metrics.get("statistics", {}).values())


def _numbers(what, values):
    if not all(isinstance(v, Real) and not isinstance(v, bool) and math.isfinite(v) for v in values):
        raise ValueError(f"{what} must be finite numbers, got {list(values)}")
