"""What the commands do, without the command line: load, train, evaluate, map."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path

import yaml

from spsnn import datasets, deploy, hwmap, models
from spsnn.atomic import replacing
from spsnn.cli.config import SPIKING, DataConfig, typed
from spsnn.datasets.base import check_split
from spsnn.datasets.registry import check_options
from spsnn.errors import ConfigError, DataError
from spsnn.graph.hdf5 import make_folder
from spsnn.hwmap.noc.result import TIMINGS
from spsnn.models.rate.base import require_spikes
from spsnn.models.registry import rate_model
from spsnn.recording import record_trace
from spsnn.training import evaluate, fit


def load_split(data, split, data_dir=None):
    """One split of the data set that a `DataConfig` names.

    Raises:
        ConfigError: for a split that is unknown or that the configuration does without.
    """
    check_split(split, data.name)
    if getattr(data, split) is None:
        raise ConfigError(f"{data.name}: this run has no {split} set (data.{split} is null); choose another split")
    options = {**data.options, **getattr(data, split)}
    check_options(data.name, options)
    return datasets.load(data.name, split, data_dir=data_dir, **options)


def make_model(config, data):
    """Model of a configuration, with input and output sizes taken from the data.

    Raises:
        ConfigError: if a spiking model is to learn from features, or samples without spikes are to be augmented.
    """
    events = hasattr(data, "events")
    if not events and config.kind == SPIKING:
        raise ConfigError(
            f"{data.name} holds features, a spiking network takes spikes; choose another data set or model"
        )
    if not events and make_augment(config.augment):
        raise ConfigError(f"augmentation changes spikes, {data.name} holds features; leave the section augment out")
    if config.kind != SPIKING:
        return rate_model(config.kind).for_data(data, config.hidden, config.model)
    sizes = [data.events.n_units, *config.hidden, data.n_classes]
    return models.SpSNN(
        sizes, config.space, config.neuron, output=config.output, grid=config.grid, **asdict(config.model)
    )


def make_augment(config):
    """Augmentation of an `AugmentConfig`, or None if every part is off."""
    parts = []
    if config.blend:
        parts.append(datasets.Blend(config.blend))
    if config.stretch:
        parts.append(datasets.TimeStretch(1 + config.stretch))
    if config.channel_shift:
        parts.append(datasets.ChannelShift(config.channel_shift))
    if config.channel_stretch:
        parts.append(datasets.ChannelStretch(1 + config.channel_stretch))
    if config.jitter:
        parts.append(datasets.Jitter(config.jitter))
    if config.drop:
        parts.append(datasets.DropEvents(config.drop))
    return datasets.Compose(parts) if parts else None


def prepare(config, out, *, data_dir=None, resume=False, load=load_split, test=True):
    """Load the data, build the model and claim the folder: everything that can be refused before training.

    Args:
        config: `RunConfig`.
        out: folder of the run.
        data_dir: directory of the data files.
        resume: a run in the folder may go on.
        load: in place of `load_split`, e.g. one that remembers.
        test: load the test set too; `train` scores it if it is there.

    Returns:
        ``(model, {split: data set})``.
    """
    out = Path(out)
    if (out / "checkpoint.h5").exists() and not resume:
        raise ConfigError(f"{out} already holds a run; continue it with --resume, or choose another folder with --out")
    splits = ["train", *(["validation"] if config.data.validation is not None else []), *(["test"] if test else [])]
    sets = {split: load(config.data, split, data_dir) for split in splits}
    model = make_model(config, sets["train"])
    if not (out / "checkpoint.h5").exists():
        _write_config(config, out)
    return model, sets


def _write_config(config, out):
    write_text(out / "config.yaml", yaml.safe_dump(config.as_dict(), sort_keys=False))


def fit_model(config, model, sets, **options):
    """`spsnn.fit` with the settings and the sets of a run; ``options`` are its further arguments."""
    return fit(
        model,
        sets["train"],
        sets.get("validation"),
        config.training,
        sparsity=config.sparsity,
        augment=make_augment(config.augment),
        **options,
    )


def train(config, out, model, sets, *, resume=False, on_epoch=None, on_batch=None):
    """Train, choose the epoch on validation or take the last, test once; write the run's folder.

    ``out`` gets ``config.yaml``, ``checkpoint.h5`` (after every epoch), ``model.h5``, ``history.json`` and
    ``metrics.json``, the last three at the end.

    Returns:
        ``(history, metrics)``.
    """
    out = Path(out)
    started = time.perf_counter()
    provenance = {
        "data": asdict(config.data),
        "augment": asdict(config.augment),
        "class_names": list(sets["train"].class_names),
    }
    history = fit_model(
        config,
        model,
        sets,
        checkpoint=out / "checkpoint.h5",
        resume=resume,
        on_epoch=on_epoch,
        on_batch=on_batch,
        provenance=provenance,
    )
    if not (out / "config.yaml").exists():  # it was lost, and the checkpoint has agreed to these settings
        _write_config(config, out)
    metrics = summarise(config, model, history, sets)
    metrics["seconds_total"] = time.perf_counter() - started
    models.save(model, out / "model.h5", metrics=metrics, provenance=provenance)
    write_json(out / "history.json", history)
    write_json(out / "metrics.json", metrics)
    return history, metrics


def summarise(config, model, history, sets):
    """Metrics of a finished training; the test set is read once, if there is one."""
    best = next(e for e in reversed(history) if e["best"])
    metrics = {
        "train_accuracy": best["train_accuracy"],
        "validation_accuracy": best.get("validation_accuracy"),
        "best_epoch": best["epoch"] + 1,
        "select": config.training.select if "validation" in sets else "last",
        "epochs": len(history),
        "parameters": model.n_parameters(),
        "spikes_per_neuron": best["spikes_per_neuron"],
        "density": best.get("density", 1.0),
        "storage": model.storage(),
        "clipped_delays": best["clipped"],
        "seconds_train": sum(e["seconds"] for e in history),
    }
    if "test" in sets:
        score = evaluate(model, sets["test"])
        metrics |= {
            "test_accuracy": score["accuracy"],
            "test_loss": score["loss"],
            "spikes_per_neuron": score["spikes_per_neuron"],
            "confusion": score["confusion"].tolist(),
        }
        figures = score.get("statistics", {})
        if hasattr(model, "hard_pruned"):
            pruned = model.hard_pruned()
            figures |= {
                "pruned_accuracy": evaluate(pruned, sets["test"])["accuracy"],
                "pruned_density": pruned.density(),
            }
        if hasattr(sets["test"], "accuracies"):
            figures |= sets["test"].accuracies(score["confusion"])
        if figures:
            metrics["statistics"] = figures
    return metrics


def data_of(model, path):
    """`DataConfig` that a loaded model was trained on.

    Raises:
        DataError: if the file does not say.
    """
    if "data" not in model.provenance:
        raise DataError(f"{path} does not say which data it was trained on; train it with 'spsnn train'")
    return typed(DataConfig, model.provenance["data"], "data")


def map_model(
    model, data, *, target="loihi2", accuracy=True, stages=False, timing="simple", samples=16, on_timed=None, **options
):  # fmt: skip
    """Measure activity on ``data``, map the model, and measure the accuracy of what the chip would run.

    Args:
        model: `SpSNN` or a rate-coded model.
        data: data set (`EventSet` or `DenseSet`).
        target, options: of `spsnn.hwmap.compile`.
        accuracy: also run the quantised network on ``data``.
        stages: also run everything from float to mapped, see `spsnn.deploy.staged`.
        timing: ``simple``, or how to time spike traces of the mapped network: ``queue`` or ``noc``.
        samples: number of traces.
        on_timed: called with the `NocResult` of the traces, where there are any.

    Returns:
        ``(chip, figures)``, figures with ``float_accuracy``, ``mapped_accuracy`` and ``stages`` where asked for, and
        those of the traces with the timing before their names.  Several input spikes of a unit in one step are one
        message: a graded spike that carries their number where the target has some, else a plain spike, and the others
        are lost.  ``inputs_joined_percent`` and ``inputs_label`` say so where it happens.
    """
    if timing not in ("simple", *TIMINGS) or samples < 1:
        raise ConfigError(
            f"timing must be one of simple, {', '.join(TIMINGS)} with at least one sample, got {timing!r}, {samples}"
        )
    if stages or timing != "simple":
        require_spikes(model, "--stages" if stages else f"timing {timing!r}")
    source = f"{data.name} {data.split}, {len(data)} samples"
    network = models.to_graph(model, data, source=source, name=data.name)
    chip = hwmap.compile(network, target, **options)
    figures = chip.report()
    if accuracy:
        figures["float_accuracy"] = evaluate(model, data)["accuracy"]
        on_chip, joined = _on_chip(model, data, chip.target)
        figures["mapped_accuracy"] = evaluate(models.from_graph(model, chip.quantised), on_chip)["accuracy"]
        figures |= joined
    if stages:
        figures["stages"] = deploy.staged(model, data.events, chip=chip)[0]
    if timing != "simple":
        mapped = models.from_graph(model, chip.quantised)
        traces = record_trace(mapped, data.events[: min(samples, len(data))], chip.flat)
        result = chip.simulate(traces, timing=timing)
        if on_timed is not None:
            on_timed(result)
        found = result.report()
        figures |= {f"{timing}_{name.removeprefix('noc_')}": value for name, value in found.items()}
    return chip, figures


def _on_chip(model, data, target):
    """The data as a chip gets them, and what to report of it."""
    if not model.spiking:
        return data, {}
    distinct = data.events.distinct(model.grid.dt)
    if distinct is data.events:
        return data, {}
    graded = target.graded_spike_bits > 0
    figures = {
        "inputs_joined_percent": 100 * (1 - distinct.n_events / data.events.n_events),
        "inputs_label": "graded spikes carry how many" if graded else "spikes of one step are one, the others are lost",
    }
    return (data if graded else distinct), figures


def write_text(path, text):
    """Write a small file whole or not at all."""
    make_folder(Path(path).parent)
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path, value):
    """Write JSON whole or not at all."""
    write_text(path, json.dumps(value, indent=1) + "\n")
