"""Checkpoints: everything that the next epoch depends on."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import torch

from spsnn._version import __version__
from spsnn.errors import ConfigError, ModelFileError
from spsnn.graph import hdf5, rows
from spsnn.models.files import put_state, state_arrays
from spsnn.training.sparsify import SparsityConfig


def save_checkpoint(path, model, run, provenance=None):
    """Write the run after an epoch; ``state`` is the best model so far, so that `spsnn.load` opens checkpoints."""
    optimizer, scalars = {}, {}
    for k, entry in run.optimizer.state_dict()["state"].items():
        for name, value in entry.items():
            optimizer[f"{k}.{name}"] = value.cpu().numpy()
    for k, entry in run.scheduler.state_dict().items():
        if isinstance(entry, (int, float)):
            scalars[k] = entry
    best = {name: t.cpu().numpy() for name, t in run.best_state.items()}
    training = {
        "config": asdict(run.config),
        "sparsity": asdict(run.sparsifier.config),
        "history": run.history,
        "best_epoch": run.best_epoch,
        "scheduler": scalars,
        "rng": run.rng.bit_generator.state,
        "samples": run.n_samples,
    }
    notes = {"spsnn": __version__, "torch": torch.__version__, **(provenance or {})}
    metrics = run.history[run.best_epoch] if run.history else {}
    texts = {"config": model.config(), "metrics": metrics, "provenance": notes, "training": training}
    groups = {"state": rows.pack(best), "current": rows.pack(state_arrays(model)), "optimizer": optimizer}
    if run.sparsifier.config.density < 1:
        groups["allowed"] = run.sparsifier.allowed
    hdf5.write(path, "spsnn-checkpoint", texts, groups)


def resume_checkpoint(path, model, run, provenance=None):
    """Put a run back to where `save_checkpoint` left it.

    Raises:
        ModelFileError: if the file is damaged or not a checkpoint of this model.
        ConfigError: if the run's settings differ from those of the checkpoint.
    """
    names = ("config", "metrics", "provenance", "training")
    texts, groups = hdf5.read(path, ("spsnn-checkpoint",), names, ("state", "current", "optimizer"), ("allowed",))
    _same("model", texts["config"], hdf5.as_stored(model.config()))
    for key, value in (provenance or {}).items():
        if key in texts["provenance"]:
            _same(key, {key: texts["provenance"][key]}, {key: value})
    training = texts["training"]
    _same("training", training["config"], asdict(run.config))
    _same("sparsity", training.get("sparsity", asdict(SparsityConfig())), asdict(run.sparsifier.config))
    if training.get("samples", run.n_samples) != run.n_samples:
        raise ConfigError(
            f"cannot resume with {run.n_samples} training samples, the checkpoint was made with {training['samples']}; "
            "use the same data or start a new run"
        )
    put_state(model, groups["state"], path)
    run.best_state = {name: t.clone() for name, t in model.state_dict().items()}
    put_state(model, groups["current"], path)
    state = {}
    for name, array in groups["optimizer"].items():
        k, entry = name.split(".", 1)
        state.setdefault(int(k), {})[entry] = torch.from_numpy(np.array(array))
    own = run.optimizer.state_dict()
    try:
        run.optimizer.load_state_dict({"state": state, "param_groups": own["param_groups"]})
        run.scheduler.load_state_dict({**run.scheduler.state_dict(), **training["scheduler"]})
        step = run.scheduler.last_epoch
        for group, base, rate in zip(
            run.optimizer.param_groups, run.scheduler.base_lrs, run.scheduler.lr_lambdas, strict=True
        ):
            group["lr"] = base * rate(step)
        run.rng.bit_generator.state = training["rng"]
    except (KeyError, ValueError, TypeError) as error:
        raise ModelFileError(f"{path}: the state of the optimiser is damaged: {error}") from error
    run.sparsifier.restore(groups.get("allowed"), path)
    run.history, run.best_epoch = training["history"], training["best_epoch"]


def _same(what, saved, own):
    if saved == own:
        return
    keys = [k for k in {**saved, **own} if saved.get(k) != own.get(k)]
    changes = ", ".join(f"{k}: {saved.get(k)!r} in the checkpoint, {own.get(k)!r} now" for k in keys)
    raise ConfigError(f"cannot resume with other {what} settings ({changes}); use the checkpoint's or start a new run")
