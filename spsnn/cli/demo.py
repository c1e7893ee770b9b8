"""The demo: from coordinates to a chip on real input, and the report of a run."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

from spsnn import __version__, hwmap, models, pictures
from spsnn.cli import console, pages, workflow
from spsnn.cli.config import read_config
from spsnn.errors import ConfigError, ModelFileError

CORES = 16  # both networks would fit one core; spread out, steps are shorter and static energy is lower
TARGET = "loihi2"
MARK = ".spsnn-demo"
KEPT = (
    "test_accuracy", "validation_accuracy", "parameters", "spikes_per_neuron", "clipped_delays", "seconds_train",
)  # fmt: skip


def run_demo(out, *, data_dir=None, seed=0):
    """Train, map and report; returns the flat figures that ``metrics.json`` holds."""
    started = time.perf_counter()
    out = Path(out)
    names = ["yinyang", "digits"]
    if data_dir and (Path(data_dir) / "SHD").is_dir():
        names.append("shd")
    elif data_dir:
        raise ConfigError(f"{data_dir} has no folder SHD; leave out --data-dir (SPSNN_DATA) to run without speech")
    _claim(out, names)
    sections, metrics, seconds = [], {}, 0.0
    for name in names:
        config = read_config(name, [f"model.seed={seed}", f"training.seed={seed}"])
        model, sets = workflow.prepare(config, out / name, data_dir=data_dir)
        with console.training_progress(config.training.epochs, name) as (on_epoch, on_batch):
            history, figures = workflow.train(config, out / name, model, sets, on_epoch=on_epoch, on_batch=on_batch)
        seconds += figures["seconds_train"]
        metrics |= {f"{name}.{key}": figures[key] for key in KEPT}
        parts, chip = _sections(name, model, sets["test"], history, figures, TARGET, CORES)
        sections += parts
        workflow.write_json(out / name / "chip.json", chip)
        metrics[f"{name}.mapped_accuracy"] = chip["mapped_accuracy"]
        metrics[f"{name}.latency_us_per_inference"] = chip["latency_us_per_inference"]
        metrics[f"{name}.energy_nj_per_inference"] = chip["energy_nj_per_inference"]
        if name == "digits":  # the headline figures are those of the real images
            metrics["hardware.network"] = name
            for key in ("latency_us_per_inference", "energy_nj_per_inference", "energy_source", "time_source"):
                metrics[f"hardware.{key}"] = chip[key]
    metrics["seconds.train"] = seconds
    metrics["seconds.total"] = time.perf_counter() - started
    cards = []
    for name in names:
        label = {"yinyang": "Yin-Yang", "digits": "Digits", "shd": "SHD"}[name]
        note = (
            f"{metrics[f'{name}.parameters']} parameters; {100 * metrics[f'{name}.mapped_accuracy']:.1f} % on the chip"
        )
        cards.append((f"{label} test accuracy", f"{100 * metrics[f'{name}.test_accuracy']:.1f} %", note))
    cards += [
        ("Latency per digit", f"{metrics['hardware.latency_us_per_inference']:.3g} µs", "Loihi 2, simple model"),
        ("Energy per digit", f"{metrics['hardware.energy_nj_per_inference'] / 1000:.3g} µJ", "energies inherited"),
    ]
    pictures.write_report(
        out / "report.html",
        "From coordinates to a chip",
        sections,
        cards=cards,
        subtitle="Spatial spiking networks: positions are learned, distances are delays, and the layout follows.",
        meta={"spsnn": __version__, "seed": seed, "seconds in total": round(metrics["seconds.total"], 1)},
    )
    workflow.write_json(out / "metrics.json", metrics)
    return metrics


def _claim(out, names):
    """Make the folder; clear the runs of an earlier demo, and nothing else."""
    taken = [out / name for name in names if (out / name).exists()]
    if taken and not (out / MARK).exists():
        raise ConfigError(f"{taken[0]} was not made by an earlier demo; choose another folder with --out")
    for folder in taken:
        shutil.rmtree(folder)
    workflow.write_text(out / MARK, "This folder is replaced by the next 'spsnn demo' with the same --out.\n")


def write_run_report(run, *, target=TARGET, cores=None, data_dir=None):
    """``RUN/report.html`` from the files that `workflow.train` left; the chip is left out where a model has none."""
    run = Path(run)
    if not (run / "model.h5").is_file():
        raise ConfigError(f"{run} holds no finished run (no model.h5); train one with 'spsnn train ... --out {run}'")
    model = models.load(run / "model.h5")
    try:
        history = json.loads((run / "history.json").read_text())
        metrics = json.loads((run / "metrics.json").read_text())
        if not isinstance(history, list) or not {"confusion", *KEPT} <= set(metrics):
            raise ValueError("entries are missing")
    except (OSError, ValueError, TypeError) as error:
        raise ModelFileError(f"{run}: history.json or metrics.json cannot be read: {error}") from error
    data = workflow.data_of(model, run / "model.h5")
    test = workflow.load_split(data, "test", data_dir)
    accuracy = ("Test accuracy", f"{100 * metrics['test_accuracy']:.1f} %", f"{metrics['parameters']} parameters")
    if not model.goes_to_chip:
        if cores is not None:
            raise ConfigError(f"a model of kind {model.kind!r} goes to no chip, so it has no cores; leave out --cores")
        section = pages.model_section(data.name, model, test, history, metrics)
        title = f"{data.name}: {model.kind}"
        return pictures.write_report(
            run / "report.html", title, [section], cards=[accuracy], meta={"spsnn": __version__}
        )
    sections, chip = _sections(data.name, model, test, history, metrics, target, cores)
    times, energies = (f"{chip['target_title']}; {chip[k].split(':')[0]}" for k in ("time_source", "energy_source"))
    cards = [
        accuracy,
        ("Latency per inference", f"{chip['latency_us_per_inference']:.3g} µs", times),
        ("Energy per inference", f"{chip['energy_nj_per_inference'] / 1000:.3g} µJ", energies),
    ]
    return pictures.write_report(
        run / "report.html",
        f"{data.name}: from coordinates to {chip['target_title']}",
        sections,
        cards=cards,
        meta={"spsnn": __version__},
        badge="HYPOTHETICAL" if chip["hypothetical"] else None,
    )


def _sections(name, model, test, history, metrics, target, cores):
    chip, figures = workflow.map_model(model, test, target=target, cores=cores)
    rows = hwmap.compare_placements(chip.network, target, cores=cores)
    figures["placements"] = rows
    training = pages.model_section(name, model, test, history, metrics)
    return [training, *pages.chip_section(name, chip, figures, rows)], figures
