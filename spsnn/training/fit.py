"""The training loop."""

from __future__ import annotations

import math
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from spsnn.checks import whole_number
from spsnn.datasets.transforms import shift_channels
from spsnn.errors import ConfigError, DataError, TrainingError
from spsnn.kernels.events import SpikeBatch
from spsnn.memory import keep_freed_memory
from spsnn.models.spiking.current import resting
from spsnn.training.checkpoint import resume_checkpoint, save_checkpoint
from spsnn.training.config import TrainingConfig
from spsnn.training.denormals import flushing_denormals
from spsnn.training.losses import delay_penalty, loss, rescue_silent
from spsnn.training.sparsify import Sparsifier, SparsityConfig


class Run:
    """State of a training run between epochs: optimiser, schedule, random numbers, history, best model."""

    def __init__(self, model, config, sparsity, n_samples):
        self.config, self.n_samples = config, n_samples
        self.rng = np.random.default_rng(config.seed)
        self.history, self.best_epoch = [], 0
        self.best_state = {}
        self.optimizer = make_optimizer(model, config)
        self.total = total = config.epochs * math.ceil(n_samples / config.batch_size)
        self.sparsifier = Sparsifier(model, sparsity, total)
        self.scheduler = torch.optim.lr_scheduler.LambdaLR(self.optimizer, lambda step: _rate(step, total, config))
        if not model.spiking:
            _refuse_spiking_settings(config)
        if config.slope_start is not None and model.estimator != "surrogate":
            raise ConfigError(
                f"slope_start is a slope of the surrogate, the model learns by {model.estimator!r}; remove it"
            )


def _refuse_spiking_settings(config):
    names = ("rate_target", "rate_weight", "time_weight", "delay_weight", "delay_band", "rescue")
    given = [name for name in names if getattr(config, name) != getattr(TrainingConfig(), name)]
    if given:
        raise ConfigError(
            f"{', '.join(given)} is about spikes and delays, which a rate-coded model has none of; leave it out"
        )


def make_optimizer(model, config):
    """Adam or AdamW with the groups of the model, see `Trainable.parameter_groups`."""
    groups = model.parameter_groups(config) or _spiking_groups(model, config)
    kind = torch.optim.Adam if config.optimizer == "adam" else torch.optim.AdamW
    # Fused: one pass over memory in place of ten.  Spikes cost far more than Adam, so their rounding is left alone.
    return kind([g for g in groups if g["params"]], fused=not model.spiking)


def _spiking_groups(model, config):
    """Groups for weights, for coordinates and delays, and for alpha and parameters of neurons."""
    position_lr = config.position_lr or 10 * config.lr
    weights, places, scales = [], [], []
    for name, p in model.named_parameters():
        if p.requires_grad:
            # log(alpha) and what a sigmoid holds within bounds move like a weight, not like a place.
            scaled = name.endswith("log_alpha") or name.startswith(("neurons.", "currents."))
            (weights if name.endswith("weight") else scales if scaled else places).append(p)
    return [
        {"params": weights, "lr": config.lr, "weight_decay": config.weight_decay},
        {"params": places, "lr": position_lr, "weight_decay": 0.0},
        {"params": scales, "lr": config.lr, "weight_decay": 0.0},
    ]


def _rate(step, total, config):
    warm = config.warmup * total
    if step < warm:
        return (step + 1) / max(warm, 1)
    if config.schedule == "constant":
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(total - warm, 1)))


@contextmanager
def _slope_of_step(model, run):
    """The surrogate of the next step: ``slope_start (slope / slope_start)^(step / last step)``."""
    grid, start = model.grid, run.config.slope_start
    if start is not None:
        share = run.scheduler.last_epoch / max(run.total - 1, 1)
        model.grid = replace(grid, slope=start * (grid.slope / start) ** share)
    try:
        yield
    finally:
        model.grid = grid


def fit(
    model, train, validation, config=None, *, sparsity=None, augment=None, checkpoint=None, resume=False, on_epoch=None,
    on_batch=None, provenance=None,
):  # fmt: skip
    """Train a model and leave it at its best epoch on the validation set, or at the last (``config.select``).

    Args:
        model: `spsnn.SpSNN` or a rate-coded model; trained in place.
        train, validation: `SpikeBatch` with labels, data sets that have one as ``.events``, or `DenseSet`.  The
            validation set alone chooses the epoch; where it is None the last epoch is taken.
        config: `TrainingConfig`.
        sparsity: `SparsityConfig`, or None: no synapse is pruned.  While the density falls the best epoch is that of
            the lowest density so far, so that in the end only epochs at the final density count.
        augment: callable ``(batch, rng) -> batch`` applied to every training batch, or None.
        checkpoint: file written after every epoch, whole or not at all.
        resume: continue from ``checkpoint`` if it is there; on one machine the result is the same bit for bit as
            that of a run that was never stopped.
        on_epoch: called with the entry of the history after every epoch.
        on_batch: called with ``(batches done, batches in the epoch)``.
        provenance: JSON-able notes for the checkpoint.

    Returns:
        The history, a list of dictionaries with ``epoch``, ``train_loss``, ``train_accuracy``, ``validation_loss``,
        ``validation_accuracy`` (these two only with a validation set), ``spikes_per_neuron``, ``silent``, ``clipped``,
        ``density`` (of the synapses there were at the start, the share that is left), ``seconds`` and ``best``.

    Raises:
        DataError: on data without labels or with labels that the model has no output for.
        ConfigError: for settings that do not go together.
        TrainingError: if a loss, weight or coordinate is not finite; the last checkpoint is kept.
    """
    keep_freed_memory()
    config = config or TrainingConfig()
    train, validation = (getattr(events, "events", events) for events in (train, validation))
    _check_labels("training", train, model)
    if validation is not None:
        _check_labels("validation", validation, model)
    take_last = validation is None or config.select == "last"
    if config.label_smoothing and hasattr(train, "parts"):
        raise ConfigError(
            f"label_smoothing={config.label_smoothing:g} would spread over the classes of other tasks; set it to 0 for "
            "several tasks at once"
        )
    run = Run(model, config, sparsity or SparsityConfig(), len(train))
    if resume and checkpoint is not None and Path(checkpoint).exists():
        resume_checkpoint(checkpoint, model, run, provenance)
    for epoch in range(len(run.history), config.epochs):
        model.start_epoch(epoch, config.epochs)
        with flushing_denormals(model):
            entry = {"epoch": epoch, **_train_epoch(model, train, run, augment, epoch, on_batch)}
        if validation is not None:
            score = evaluate(model, validation, batch_size=max(config.batch_size, 128))
            entry |= {"validation_loss": score["loss"], "validation_accuracy": score["accuracy"]}
        run.history.append(entry)
        if take_last or not run.best_state or _better(entry, run.history[run.best_epoch]):
            run.best_epoch = epoch
            run.best_state = {name: t.detach().clone() for name, t in model.state_dict().items()}
        entry["best"] = run.best_epoch == epoch
        if checkpoint is not None:
            save_checkpoint(checkpoint, model, run, provenance)
        if on_epoch is not None:
            on_epoch(entry)
    model.load_state_dict(run.best_state)
    model.eval()
    return run.history


def _better(entry, best):
    key = lambda e: (-e.get("density", 1.0), e["validation_accuracy"], -e["validation_loss"])  # noqa: E731
    return key(entry) > key(best)


def _train_epoch(model, train, run, augment, epoch, on_batch):
    config, start = run.config, time.perf_counter()
    model.train()
    model.rng = run.rng
    order = run.rng.permutation(len(train))
    batches = [order[k : k + config.batch_size] for k in range(0, len(order), config.batch_size)]
    total = correct = spikes = silent = 0.0
    for done, rows in enumerate(batches):
        batch = train[np.sort(rows)]
        if augment is not None:
            batch = augment(batch, run.rng)
        labels = torch.from_numpy(batch.labels).to(model.device)
        step = run.scheduler.last_epoch + 1
        with run.sparsifier.watching(step), _slope_of_step(model, run):
            output = model(batch)
        duration, n_hidden = getattr(batch, "duration", None), len(model.sizes) - 2
        value = loss(output, labels, config, duration, model.estimator, n_hidden) + model.penalty()
        if config.delay_weight:
            value = value + config.delay_weight * delay_penalty(model, config.delay_band, run.rng)
        where = f"epoch {epoch}, batch {done}"
        if not torch.isfinite(value):
            raise TrainingError(f"the loss is {value.item()} at {where}; lower lr or set clip_norm")
        run.optimizer.zero_grad(set_to_none=True)
        value.backward()
        if model.spiking:
            silent += rescue_silent(model, output, config.rescue)
        if config.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm)
        run.optimizer.step()
        run.scheduler.step()
        run.sparsifier.update(step, run.optimizer, run.rng)
        model.project_()
        model.finish_step(value.detach())
        for name, p in model.named_parameters():
            if not torch.isfinite(p.sum()) and not torch.isfinite(p).all():  # a finite sum has finite terms
                raise TrainingError(f"{name} is not finite after {where}; lower lr or set clip_norm")
        total += value.item() * len(rows)
        correct += float((output.logits.argmax(1) == labels).sum())
        spikes += output.spikes_per_neuron() * len(rows)
        if on_batch is not None:
            on_batch(done + 1, len(batches))
    n = len(train)
    return {
        "train_loss": total / n,
        "train_accuracy": correct / n,
        "spikes_per_neuron": float(spikes / n),
        "silent": silent / len(batches),
        "clipped": max((s.clipped for _, _, s in model.synapses()), default=0.0),
        "density": run.sparsifier.density(),
        "seconds": time.perf_counter() - start,
    }


def evaluate(model, events, *, batch_size=256, channel_shifts=(0,)):
    """Accuracy, mean cross-entropy, confusion matrix and spikes per neuron on ``events``.

    Args:
        model: `spsnn.SpSNN` or a rate-coded model.
        events: `SpikeBatch` with labels, a data set that has one as ``.events``, or `DenseSet`.
        channel_shifts: every sample is presented once for each of them, moved by so many input channels, and the logits
            are the mean over presentations; for data whose channels are a scale, such as the frequencies of a cochlea,
            on which speakers lie apart.

    Returns:
        ``{"accuracy", "loss", "confusion" [C, C] (true, predicted), "spikes_per_neuron", "seconds"}``, spikes of all
        presentations together; for a model with figures of its own also ``"statistics"``, their means over samples.

    Raises:
        ConfigError: for a batch size below 1, and for shifts that are no whole numbers or leave no channel.
        DataError: as `fit`, and for shifts of what holds no spikes.
    """
    whole_number("batch_size", batch_size, 1)
    events = getattr(events, "events", events)
    _check_labels("evaluation", events, model)
    check_shifts(channel_shifts, model.sizes[0])
    if tuple(channel_shifts) != (0,) and not isinstance(events, SpikeBatch):
        raise DataError(f"channel_shifts move spikes, got {type(events).__name__}; leave them out")
    keep_freed_memory()
    start = time.perf_counter()
    n_classes = model.sizes[-1]
    confusion = np.zeros((n_classes, n_classes), np.int64)
    total, spikes, statistics = 0.0, 0.0, {}
    with resting(model), torch.no_grad(), flushing_denormals(model):
        for k in range(0, len(events), batch_size):
            batch, logits = events[k : k + batch_size], 0.0
            labels = torch.from_numpy(batch.labels).to(model.device)
            for shift in channel_shifts:
                output = model(shift_channels(batch, shift) if shift else batch)
                logits = logits + output.logits / len(channel_shifts)
                spikes += output.spikes_per_neuron() * len(batch)
                for name, value in model.statistics().items():
                    share = value * len(batch) / (len(events) * len(channel_shifts))
                    statistics[name] = statistics.get(name, 0.0) + share
            total += float(torch.nn.functional.cross_entropy(logits, labels, reduction="sum"))
            np.add.at(confusion, (batch.labels, logits.argmax(1).cpu().numpy()), 1)
    score = {
        "accuracy": float(np.trace(confusion) / len(events)),
        "loss": total / len(events),
        "confusion": confusion,
        "spikes_per_neuron": float(spikes / len(events)),
        "seconds": time.perf_counter() - start,
    }
    return {**score, "statistics": statistics} if statistics else score


def check_shifts(channel_shifts, n_channels=math.inf):
    """Refuse shifts by which `evaluate` cannot move the channels of a sample.

    Raises:
        ConfigError: names them and the rule.
    """
    listed = isinstance(channel_shifts, (list, tuple)) and len(channel_shifts)
    if not listed or not all(type(s) is int and abs(s) < n_channels for s in channel_shifts):
        below = "" if n_channels == math.inf else f", each smaller than the {n_channels} channels"
        raise ConfigError(
            f"channel_shifts must be a list of whole numbers{below}, such as [-3, 0, 3], got {channel_shifts!r}"
        )


def _check_labels(name, events, model):
    if not len(events):
        raise DataError(f"the {name} set is empty")
    if events.labels is None:
        raise DataError(f"the {name} set has no labels; build its SpikeBatch with labels=")
    if events.labels.min() < 0 or events.labels.max() >= model.sizes[-1]:
        raise DataError(
            f"labels of the {name} set run from {events.labels.min()} to {events.labels.max()}, "
            f"the model has {model.sizes[-1]} outputs"
        )
