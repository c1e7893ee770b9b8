"""Search of settings on validation data with Optuna.  The test set is never read."""

from __future__ import annotations

import json
import math
import statistics
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from spsnn.autograd.device import find_device
from spsnn.cli import workflow
from spsnn.cli.config import build_config, change, differences, read_values
from spsnn.cli.folds import fold_overrides
from spsnn.errors import ConfigError, SpsnnError
from spsnn.graph.hdf5 import make_folder
from spsnn.tables.execute import check_data, remembered_split, workers
from spsnn.tables.write import grid


def optuna():
    """Optuna, quiet.

    Raises:
        ConfigError: if it is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise ConfigError("a sweep needs Optuna, which is not installed; pip install 'spsnn[sweep]'") from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def sweep(
    config, parameters, out, *, trials=20, overrides=(), folds=(), seed=0, storage=None, jobs=1, data_dir=None,
    device="cpu", report=None,
):  # fmt: skip
    """Look for the settings with the highest validation accuracy, the mean over ``folds``.

    The accuracy is that of the epoch that ``training.select`` takes: the best one, or the last.  Settings come from a
    tree-structured Parzen estimator.  From the sixth trial on, one is given up when, after a third of its epochs, its
    best mean over the folds so far is below the median of earlier trials at the same epoch; one whose settings do not
    fit together, or that diverges, is given up at once, and its error is kept.  With one job, trials are the same for
    the same seed, also when the sweep is stopped and started again.

    Args:
        config: shipped name or YAML file.
        parameters: list of `spsnn.cli.parameters.Parameter`.
        out: folder for ``best.yaml`` (a whole configuration), ``trials.json`` and ``trials.md``.
        trials: number of finished or given-up trials to reach, those of an earlier start included.
        overrides: ``key=value`` for all trials.
        folds: held-out speakers of each fold; without them the configuration's own validation set.
        seed: of the search; that of the networks is the configuration's.
        storage: SQLite file of the trials; default ``out/trials.db``.
        jobs: trials at once, each in a process with its share of the cores.
        report: called with a line of text after every trial.

    Returns:
        ``{"best", "accuracy", "trials", ...}``, as in ``trials.json``.

    Raises:
        ConfigError: on wrong settings before anything is trained, or a storage that holds another sweep.
        DataError: on missing data, before anything is trained.
    """
    library = optuna()
    for option, value in (("trials", trials), ("jobs", jobs)):
        if value < 1:
            raise ConfigError(f"--{option} must be at least 1, got {value}")
    if seed < 0:
        raise ConfigError(f"--seed must not be negative, got {seed}")
    keys = [p.key for p in parameters]
    if not keys or len(set(keys)) < len(keys):
        raise ConfigError(f"a sweep needs --param, one for each key; got {keys}")
    plan = Plan(read_values(config, overrides), tuple(parameters), tuple(folds), seed, trials, data_dir, device)
    for parameter in parameters:
        for text in parameter.samples():
            plan.configurations([text])
    find_device(device)
    of_data = [[text] for p in parameters if p.key.startswith("data.") for text in p.samples()]
    for texts in of_data or [[]]:
        check_data(plan.configurations(texts)[0].data, data_dir)
    out = Path(out)
    storage = Path(storage or out / "trials.db")
    for folder in (out, storage.parent):
        make_folder(folder)
    study = open_study(storage, plan)
    for trial in study.get_trials(deepcopy=False, states=(library.trial.TrialState.RUNNING,)):  # of a stopped sweep
        study.tell(trial.number, state=library.trial.TrialState.FAIL)
        study.enqueue_trial(trial.params)

    def write():
        values = tabulate(study, plan)
        if values["best"] is not None:
            best = build_config(change(plan.values, values["best"])).as_dict()
            workflow.write_text(out / "best.yaml", yaml.safe_dump(best, sort_keys=False))
        workflow.write_json(out / "trials.json", values)
        workflow.write_text(out / "trials.md", markdown(values))
        return values

    def on_trial(line):
        if report is not None:
            report(line)
        write()

    calls = [(plan, str(storage), worker, jobs, on_trial if jobs == 1 else None) for worker in range(jobs)]
    with workers(jobs) as submit:
        for _ in submit(work, calls, range(jobs)):
            write()
    return write()


@dataclass(frozen=True)
class Plan:
    """What a process needs to know to run trials; the first four fields make one sweep different from another."""

    values: dict
    parameters: tuple
    folds: tuple
    seed: int
    trials: int
    data_dir: str | None
    device: str

    def identity(self):
        """What the storage of this sweep is marked with, JSON-able."""
        parameters = {p.key: [list(p.choices)] if p.choices else [p.low, p.high, p.log] for p in self.parameters}
        folds = [list(fold) for fold in self.folds]
        return {"config": self.values, "parameters": parameters, "folds": folds, "seed": self.seed}

    def configurations(self, overrides):
        """`RunConfig` of each fold."""
        config = build_config(change(self.values, overrides))
        if config.data.validation is None:
            raise ConfigError("a sweep needs a validation set, but data.validation is null; give it keys or folds")
        if not self.folds:
            return [config]
        changed = change(self.values, overrides)
        return [build_config(change(changed, fold_overrides(config, fold))) for fold in self.folds]


def open_study(storage, plan):
    """The Optuna study in an SQLite file, made on first use.

    Raises:
        ConfigError: if the file is not a storage, or holds another sweep.
    """
    library = optuna()
    from sqlalchemy.exc import SQLAlchemyError

    if Path(storage).is_file():
        with open(storage, "rb") as file:
            start = file.read(16)
        if start and start != b"SQLite format 3\0":  # SQLite itself replaces a file of a few bytes
            raise ConfigError(f"{storage} is not an SQLite file; choose another --storage")
    try:
        study = library.create_study(
            storage=f"sqlite:///{Path(storage).resolve()}",
            study_name="spsnn",
            direction="maximize",
            load_if_exists=True,
        )
    except (SQLAlchemyError, library.exceptions.OptunaError, RuntimeError) as error:
        raise ConfigError(
            f"{storage} cannot be used as storage of a sweep ({str(error).splitlines()[0]}); choose another --storage"
        ) from error
    own = json.loads(json.dumps(plan.identity()))
    changes = differences(study.user_attrs.get("plan", own), own)
    if changes:
        raise ConfigError(
            f"{storage} holds another sweep ({'; '.join(changes[:3])}); choose another --storage, or --out"
        )
    study.set_user_attr("plan", own)
    return study


def work(plan, storage, worker, jobs, on_trial=None):
    """Run trials until the study has enough of them; several processes may do so at once."""
    library = optuna()
    states = library.trial.TrialState
    study = open_study(storage, plan)
    study.pruner = library.pruners.MedianPruner(n_warmup_steps=plan.configurations([])[0].training.epochs // 3)

    def live(before=math.inf):
        known = study.get_trials(deepcopy=False, states=(states.COMPLETE, states.PRUNED, states.RUNNING))
        return sum(t.number < before for t in known)

    while live() < plan.trials:
        # The seed follows from the trials so far, so that a sweep that was stopped goes on as if it had not been.
        state = np.random.SeedSequence([plan.seed, live(), worker]).generate_state(1)
        study.sampler = library.samplers.TPESampler(seed=int(state[0]), constant_liar=jobs > 1)
        trial = study.ask()
        if live(trial.number) >= plan.trials:  # another process was faster
            study.tell(trial, state=states.FAIL)
            return
        try:
            accuracy = objective(trial, plan)
            study.tell(trial, accuracy)
            outcome = f"{100 * accuracy:.2f} %"
        except library.TrialPruned:
            study.tell(trial, state=states.PRUNED)
            outcome = "given up"
        except SpsnnError as error:  # settings that do not fit together, or a network that diverges
            trial.set_user_attr("error", str(error))
            study.tell(trial, state=states.PRUNED)
            outcome = str(error)
        if on_trial is not None:
            on_trial(f"trial {trial.number}: {outcome}  {', '.join(trial.user_attrs['set'])}")


def objective(trial, plan):
    """Validation accuracy of one trial, the mean over folds."""
    overrides = [parameter.suggest(trial) for parameter in plan.parameters]
    trial.set_user_attr("set", overrides)
    place, scores = find_device(plan.device), []
    for k, config in enumerate(plan.configurations(overrides)):
        sets = {split: remembered_split(config.data, split, plan.data_dir) for split in ("train", "validation")}
        model = workflow.make_model(config, sets["train"]).to(place)

        def on_epoch(entry, k=k, epochs=config.training.epochs):
            trial.report(statistics.fmean([*scores, entry["validation_accuracy"]]), k * epochs + entry["epoch"])
            if trial.should_prune():
                raise optuna().TrialPruned

        history = workflow.fit_model(config, model, sets, on_epoch=on_epoch)
        best = next(e for e in reversed(history) if e["best"])
        scores.append(best["validation_accuracy"])
        trial.set_user_attr("folds", scores)
        trial.set_user_attr("parameters", model.n_parameters())
    return statistics.fmean(scores)


def tabulate(study, plan):
    """Finished and given-up trials, the best first, as plain values."""
    names = {"COMPLETE": "finished", "PRUNED": "given up"}
    trials = [
        {
            "trial": t.number,
            "state": names[t.state.name],
            "accuracy": t.value if t.state.name == "COMPLETE" else None,
            "set": t.user_attrs.get("set"),
            "folds": t.user_attrs.get("folds", []),
            "parameters": t.user_attrs.get("parameters"),
            "error": t.user_attrs.get("error"),
            "seconds": t.duration.total_seconds(),
        }
        for t in study.get_trials(deepcopy=False)
        if t.state.name in names
    ]
    trials.sort(key=lambda t: (t["accuracy"] is None, -(t["accuracy"] or 0), t["trial"]))
    finished = bool(trials) and trials[0]["accuracy"] is not None
    return {
        "best": trials[0]["set"] if finished else None,
        "accuracy": trials[0]["accuracy"] if finished else None,
        "select": plan.configurations([])[0].training.select,
        **plan.identity(),
        "trials": trials,
    }


def markdown(values):
    """The trials for people."""
    folds = "; ".join(", ".join(str(s) for s in fold) for fold in values["folds"])
    on = f"the mean over held-out speakers {folds}" if folds else "on the validation set"
    rows = [
        (t["trial"], "-" if t["accuracy"] is None else f"{100 * t['accuracy']:.2f}",
         ", ".join(f"{100 * f:.1f}" for f in t["folds"]), "; ".join(t["set"] or []), f"{t['seconds']:.0f}",
         t["error"] or t["state"])
        for t in values["trials"]
    ]  # fmt: skip
    lines = ["# Sweep", "", f"Validation accuracy, {on}; {values['select']} epoch; seed {values['seed']}.", ""]
    lines += grid(("trial", "accuracy [%]", "by fold", "settings", "seconds", ""), rows)
    return "\n".join(lines)
