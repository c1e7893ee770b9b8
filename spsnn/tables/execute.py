"""Run what a table needs and is not there yet, in one process or several."""

from __future__ import annotations

import functools
import json
import os
import platform
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from pathlib import Path

import torch

from spsnn import models
from spsnn._version import __version__
from spsnn.autograd.device import find_device
from spsnn.cli import workflow
from spsnn.cli.config import DataConfig
from spsnn.errors import ConfigError, SpsnnError
from spsnn.tables import transfer
from spsnn.tables.chip import chip_figures
from spsnn.tables.record import is_trained, positions_of
from spsnn.tables.robustness import damaged_accuracies


def versions(device="cpu"):
    """What a run is made with."""
    import numba
    import numpy

    threads = f"cpu, {numba.get_num_threads()} thread{'s' * (numba.get_num_threads() > 1)}"
    return {
        "spsnn": __version__, "python": platform.python_version(), "torch": torch.__version__,
        "numba": numba.__version__, "numpy": numpy.__version__,
        "device": torch.cuda.get_device_name() if device == "cuda" else threads,
    }  # fmt: skip


def perform(run, out, data_dir, device):
    """Train (or continue) one run and score it; returns what went wrong, or None."""
    folder = Path(out) / run.folder
    try:
        if not is_trained(run, out):
            _train(run, out, data_dir, device)
        _score(run, folder, data_dir, device)
    except SpsnnError as error:
        return str(error)
    return None


def check_data(data, data_dir):
    """`DataError` for missing data, before anything runs; wrong options are left to the runs that have them."""
    try:
        remembered_split(data, "train", data_dir)
    except ConfigError:
        return


def _train(run, out, data_dir, device):
    """Train (or continue) one run."""
    folder = Path(out) / run.folder
    model, sets = workflow.prepare(
        run.config, folder, data_dir=data_dir, resume=True, load=remembered_split, test=run.fold is None
    )
    if run.source is not None:
        transfer.carry_positions(model, Path(out) / run.source / "model.h5")
    if run.row.freeze_positions:
        transfer.freeze_positions(model)
    model.to(find_device(device))
    if not (folder / "checkpoint.h5").exists():
        workflow.write_json(folder / "start.json", {"positions": positions_of(run), "versions": versions(device)})
    workflow.train(run.config, folder, model, sets, resume=True, on_epoch=functools.partial(_tell, run))


def _score(run, folder, data_dir, device):
    """What the table asks of a trained run: its figures on a chip, and under damage."""
    split = "test" if run.fold is None else "validation"
    if run.chip:
        figures = chip_figures(
            models.load(folder / "model.h5"), remembered_split(run.config.data, split, data_dir), run.chip
        )
        workflow.write_json(folder / "chip.json", {"settings": run.chip, "split": split, "figures": figures})
    if run.damage:
        model = models.load(folder / "model.h5").to(find_device(device))
        events = remembered_split(run.config.data, split, data_dir).events
        scores = damaged_accuracies(model, events, run.damage, run.seed)
        workflow.write_json(folder / "damage.json", {"settings": run.damage, "split": split, "accuracy": scores})


def _tell(run, entry):
    """Ten signs of life of a run on stderr, also from other processes."""
    total, epoch = run.config.training.epochs, entry["epoch"] + 1
    if epoch % max(total // 10, 1) == 0:
        text = (
            f"{run}: epoch {epoch}/{total}, train {100 * entry['train_accuracy']:.1f} %, {entry['seconds']:.3g} s/epoch"
        )
        print(text, file=sys.stderr, flush=True)


def remembered_split(data, split, data_dir):
    """As `workflow.load_split`; a process reads each set once."""
    own = getattr(data, split)
    if own is None:
        return workflow.load_split(data, split, data_dir)  # says what is missing
    return _load(json.dumps([data.name, {**data.options, **own}], sort_keys=True), split, data_dir)


@functools.lru_cache(maxsize=8)
def _load(text, split, data_dir):
    name, options = json.loads(text)
    return workflow.load_split(DataConfig(name, options), split, data_dir)


def perform_all(runs, out, *, jobs=1, data_dir=None, device="cpu", on_done=None):
    """Do all runs; those that start from others' coordinates come after them.

    Args:
        runs: list of `Run`, none of them finished.
        out: folder of the table.
        jobs: processes; each gets its share of the cores.
        on_done: called with ``(run, what went wrong or None)`` after each.

    Raises:
        DataError: if all runs are on one data set and it cannot be loaded; what is wrong with one run stops only that.
    """
    if len({run.config.data.name for run in runs}) == 1:
        check_data(runs[0].config.data, data_dir)
    first = [run for run in runs if run.source is None]
    with workers(jobs) as submit:
        for wave in (first, [run for run in runs if run.source is not None]):
            for run, wrong in submit(_guarded, [(run, str(out), data_dir, device) for run in wave], wave):
                if on_done is not None:
                    on_done(run, wrong)


def _guarded(run, out, data_dir, device):
    if run.source is not None and not (Path(out) / run.source / "model.h5").exists():
        return f"there is no {run.source / 'model.h5'} to take coordinates from"
    return perform(run, out, data_dir, device)


def n_cores():
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _start_worker(threads):
    torch.set_num_threads(threads)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent():
    """A process whose parent was killed would go on writing to the folders that a restart writes to."""
    parent_process().join()
    os._exit(1)


@contextmanager
def workers(jobs):
    """Yield ``submit(function, arguments of each call, label of each)``, an iterator over ``(label, result)``.

    With one job the calls run here, one after the other; with more, in fresh processes that share the cores.
    """
    if jobs == 1:
        yield lambda function, calls, labels: (
            (label, function(*call)) for label, call in zip(labels, calls, strict=True)
        )
        return
    threads = str(max(n_cores() // jobs, 1))
    names = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, threads))  # read by a process as it starts
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), initializer=_start_worker, initargs=(int(threads),))

    def submit(function, calls, labels):
        futures = {pool.submit(function, *c): label for label, c in zip(labels, calls, strict=True)}
        for future in as_completed(futures):
            yield futures[future], future.result()

    try:
        yield submit
    finally:
        pool.shutdown(cancel_futures=True)
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)
