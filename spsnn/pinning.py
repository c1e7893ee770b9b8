"""Figures of a network on a chip, kept in a file and compared with tolerances; `pytest_spsnn` makes tests of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spsnn._version import __version__
from spsnn.atomic import replacing
from spsnn.errors import ConfigError

FORMAT, SCHEMA = "spsnn-pinned-chip", 1
_SETTINGS = ("target", "delay_label", "partition", "placement", "seed", "timing_model", "activity_source")
_SOURCES = ("energy_source", "time_source")
_SHOWN = 5  # neurons that a message lists

# tolerance: key in the file, words of a message, whether the tolerance is relative
_FIGURES = {
    "accuracy": ("accuracy_percent", "accuracy as mapped [%]", False),
    "latency": ("latency_us_per_inference", "latency per inference [us]", True),
    "energy": ("energy_nj_per_inference", "energy per inference [nJ]", True),
}


@dataclass(frozen=True)
class Tolerances:
    """How far each figure may be from its pinned value, in either direction; None leaves it out.

    Attributes:
        accuracy: percentage points of the accuracy as mapped.
        latency: share of the pinned latency, ``|now - pinned| <= latency * pinned``.
        energy: share of the pinned energy.
        layout: ``"exact"``, or the share of neurons that may sit on another core.

    Raises:
        ConfigError: a negative tolerance, or a layout that is neither.
    """

    accuracy: float | None = 0.5
    latency: float | None = 0.01
    energy: float | None = 0.01
    layout: str | float | None = "exact"

    def __post_init__(self):
        for name in (*_FIGURES, "layout"):
            value = getattr(self, name)
            if value is None or (name == "layout" and value == "exact"):
                continue
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not (number and 0 <= value < float("inf")):
                also = "'exact', " if name == "layout" else ""
                raise ConfigError(f"tolerance {name} must be {also}a number >= 0 or None, got {value!r}")


def measure(model, target="loihi2", *, accuracy=True, split="test", data=None, data_dir=None, **options):
    """Map a model and take the figures to pin.

    Args:
        model: path of a model file, or `SpSNN`.
        target: name of a target, path of a TOML file, or ``Target``.
        accuracy: also run the quantised network on the data.
        split: split of the data set that the model was trained on.
        data: data set (`EventSet`) in place of that one.
        data_dir: directory of the data files; None takes ``SPSNN_DATA``.
        **options: of `spsnn.hwmap.compile`: ``placement``, ``partition``, ``delay_mode``, ``cores``, ``seed``.

    Returns:
        ``(chip, figures)``; figures is what `write` writes.
    """
    from spsnn.cli import workflow
    from spsnn.models import SpSNN, load

    place = "the model" if isinstance(model, SpSNN) else model
    model = model if isinstance(model, SpSNN) else load(model)
    if data is None:
        data = workflow.load_split(workflow.data_of(model, place), split, data_dir)
    chip, report = workflow.map_model(model, data, target=target, accuracy=accuracy, **options)
    figures = {key: report[key] for key, _, _ in _FIGURES.values() if key in report}
    rest = {key: value for key, value in options.items() if key not in report}
    if accuracy:
        figures["accuracy_percent"] = 100 * report["mapped_accuracy"]
    return chip, {
        "format": FORMAT,
        "schema": SCHEMA,
        "spsnn": __version__,
        "settings": json.loads(json.dumps({key: report[key] for key in _SETTINGS} | rest, default=str)),
        "sources": {key: report[key] for key in _SOURCES},
        "figures": {key: float(value) for key, value in figures.items()},
        "layout": _places(chip),
    }


def _places(chip):
    """Place of every neuron that sits on a core, ``{population: [[tile x, tile y, core of the tile], ...]}``."""
    slots = np.asarray(chip.slots)
    place = np.column_stack([*chip.target.tile_of_slot(slots), slots % chip.target.cores_per_tile])
    return {p.name: place[chip.core_of(p.name)].tolist() for p in chip.network.populations if p.kind != "input"}


def write(path, figures):
    """Write a baseline, whole or not at all; one line for each entry, so that a diff can be read."""
    lines = []
    for key, value in figures.items():
        if isinstance(value, dict):
            inner = ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in value.items())
            value = f"{{\n{inner}\n }}"
        else:
            value = json.dumps(value)
        lines.append(f" {json.dumps(key)}: {value}")
    with replacing(path) as temporary:
        temporary.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def problem(path, now, tolerances):
    """What is wrong with a baseline, as text for a reader; None if the figures keep to it."""
    path = Path(path)
    if not path.is_file():
        return f"there is no baseline yet; the figures now are\n\n  {_about(now)}\n" + "\n".join(
            f"  {words:<28}{now['figures'][key]:>12.5g}" for key, words, _ in _FIGURES.values() if key in now["figures"]
        )
    try:
        pinned = json.loads(path.read_text(encoding="utf-8"))
        if (pinned["format"], pinned["schema"]) != (FORMAT, SCHEMA):
            return f"the baseline has format {pinned['format']!r} {pinned['schema']!r}, expected {FORMAT!r} {SCHEMA}"
        return compare(pinned, now, tolerances)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        return f"the baseline cannot be read: {type(error).__name__}: {error}"


def compare(pinned, now, tolerances):
    """Differences between two sets of figures beyond the tolerances, as a table; None if there are none."""
    old, new = pinned["settings"], now["settings"]
    changed = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    if changed:
        told = "\n".join(f"  {key}: {old.get(key)!r} -> {new.get(key)!r}" for key in changed)
        return f"the baseline was made with other settings (pinned -> now)\n{told}"
    rows, failed = [], False
    for name, (key, words, relative) in _FIGURES.items():
        allowed = getattr(tolerances, name)
        if allowed is not None:
            row, good = _figure_row(words, pinned["figures"].get(key), now["figures"][key], allowed, relative)
            rows.append(row)
            failed |= not good
    moved, total, listing = _moved(pinned["layout"], now["layout"])
    if tolerances.layout is not None:
        share = 0 if tolerances.layout == "exact" else tolerances.layout
        good = moved <= share * total
        allowed = "none" if tolerances.layout == "exact" else f"{100 * share:g} %"
        rows.append(
            ("neurons on another core", "", f"{moved} of {total}", f"{100 * moved / total:.3g} %", allowed, good)
        )
        failed |= not good
    if not failed:
        return None
    head = ("figure", "pinned", "now", "change", "allowed", True)
    widths = [max(len(row[k]) for row in (head, *rows)) for k in range(5)]
    lines = ["the chip has left its baseline", "", f"  {_about(now)}"]
    for row in (head, *rows):
        cells = [
            row[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(row[1:5], widths[1:], strict=True)),
        ]
        lines.append("  " + "   ".join(cells) + ("" if row[5] else "   <- not kept"))
    if tolerances.layout is not None and moved:
        lines += ["", f"Neurons that changed core, the first {min(_SHOWN, len(listing))} of {moved}:", *listing]
    lines += [f"{key}: {pinned['sources'].get(key)!r} -> {value!r}"
              for key, value in now["sources"].items() if pinned["sources"].get(key) != value]  # fmt: skip
    if pinned.get("spsnn") != now.get("spsnn"):
        lines.append(f"spsnn: {pinned.get('spsnn')} -> {now.get('spsnn')}")
    return "\n".join(lines)


def _about(figures):
    """What every table of these figures must say: chip, delay mode, where the constants come from."""
    settings, sources = figures["settings"], figures["sources"]
    energy, time = (sources[key].split(":")[0] for key in _SOURCES)
    return f"{settings['target']}, delays {settings['delay_label']}; energies {energy}, times {time}"


def _figure_row(words, pinned, now, allowed, relative):
    limit = f"± {100 * allowed:g} %" if relative else f"± {allowed:g} points"
    if pinned is None:
        return (words, "not pinned", f"{now:.5g}", "", limit, False), False
    change = now - pinned
    # 1e-9 forgives the rounding of a difference such as 97.7 - 97.2
    good = abs(change) <= (allowed * abs(pinned) if relative else allowed) + 1e-9 * abs(pinned)
    if not relative:
        text = f"{change:+.3g} points"
    else:
        text = f"{100 * change / pinned:+.3g} %" if pinned else f"{change:+.3g}"
    return (words, f"{pinned:.5g}", f"{now:.5g}", text, limit, good), good


def _moved(pinned, now):
    """Neurons whose place changed: ``(number, all, lines on the first)``; a neuron that came or went counts."""
    moved, total, lines = 0, 0, []
    for name in {**pinned, **now}:
        old, new = pinned.get(name, []), now.get(name, [])
        size = max(len(old), len(new))
        total += size
        for k in range(size):
            before, after = (_where(places[k]) if k < len(places) else "absent" for places in (old, new))
            if before != after:
                moved += 1
                if len(lines) < _SHOWN:
                    lines.append(f"  {name}[{k}]: {before} -> {after}")
    return moved, total, lines


def _where(place):
    x, y, core = place
    return f"core {core} of tile ({x}, {y})"
