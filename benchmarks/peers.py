"""The grid engine and its peers side by side: the same network and spikes, forward and training step, in one run.

Every row runs in a process of its own, on as many cores as it has threads.  spsnn and dense PyTorch use this
environment, the peers `.venv-peers` (`make peers`); one that is missing or fails is a row that says why.

python benchmarks/peers.py
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import importlib
import importlib.metadata
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import common
import numpy as np
from peers.workload import Result, Workload

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / ".venv-peers" / "bin" / "python"
LIMIT = 240  # seconds per row

#                pre, post, spikes, steps, longest lag, samples
WORKLOADS = {"A": (700, 256, 8000, 250, 62, 32), "B": (140, 256, 6000, 100, 25, 32)}


@dataclass(frozen=True)
class Row:
    """One line of a table: an adapter's function and what it computes."""

    name: str
    package: str
    adapter: str
    delays: str = "per synapse"
    precision: str = "float32"
    threads: tuple[int, ...] = (1, 2)
    learns: str = ""
    detach_reset: bool = True
    tolerance: int = 0


NONE, OWN, CONTINUOUS = "none", "distances of its own", "per synapse, continuous time"
FORWARD = (
    Row("spsnn", "spsnn", "spsnn.forward"),
    Row("NEST", "nest-simulator", "nest.forward", precision="float64"),
    Row("Brian2, C++ standalone", "brian2", "brian2.standalone", precision="float64"),
    Row("Brian2, Cython", "brian2", "brian2.cython", precision="float64", threads=(1,)),
    Row("Lava, CPU simulation", "lava-nc", "lava.forward", precision="float64", threads=(1,)),
    Row("eventax", "eventax", "eventax.forward", CONTINUOUS, threads=(1,), tolerance=1),
    Row("dense PyTorch", "torch", "dense.forward"),
    Row("snnTorch", "snntorch", "snntorch.forward", NONE),
    Row("SpikingJelly", "spikingjelly", "spikingjelly.forward", NONE),
    Row("jaxsnn, discrete", "jaxsnn", "jaxsnn.forward", NONE),
)
TRAINING = (
    Row("spsnn", "spsnn", "spsnn.step", learns="weights, delays"),
    Row("spsnn, SpatialSynapse", "spsnn", "spsnn.step_spatial", OWN, learns="weights, coordinates"),
    Row("DCLS", "dcls", "dcls.step", learns="weights, delays"),
    Row("dense PyTorch", "torch", "dense.step", learns="weights"),
    Row("eventax", "eventax", "eventax.step", CONTINUOUS, threads=(1,), learns="weights, delays", tolerance=1),
    Row("snnTorch", "snntorch", "snntorch.step", NONE, learns="weights", detach_reset=False),
    Row("SpikingJelly", "spikingjelly", "spikingjelly.step", NONE, learns="weights"),
    Row("jaxsnn, discrete", "jaxsnn", "jaxsnn.step", NONE, learns="weights", detach_reset=False),
)
GOALS = (
    ("forward >= 50 x NEST on A", "Forward, A", "NEST"),
    ("training step >= 50 x DCLS on A", "Training step, A", "DCLS"),
    ("training step >= 3 x DCLS on B", "Training step, B", "DCLS"),
)


def run(row, threads, workload, folder):
    """``(Result, version)`` of a row in its own process, or ``(None, reason)``."""
    python = sys.executable if row.package in ("spsnn", "torch") or not PEERS.exists() else PEERS
    out = folder / "result.npz"
    command = [python, __file__, "--only", row.adapter, row.package, str(threads), workload, out]
    env = os.environ | dict.fromkeys(("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"), str(threads))
    env |= {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**30)}  # freed memory stays with every process
    log = folder / "log.txt"
    with log.open("w") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=stream, env=env, start_new_session=True)
        try:
            code = process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            return None, f"stopped after {LIMIT} s"
        finally:
            stop(process)
    if code:
        return None, f"did not run: {(log.read_text().strip() or f'exit code {code}').splitlines()[-1]}"
    with np.load(out) as saved:
        arrays = dict(saved)
    version = str(arrays.pop("version"))
    return Result(**arrays), version


def stop(process):
    """End a row's process and all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def measure(adapter, package, threads, workload, out):
    """Run one adapter and save its result: what happens in a row's process."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    module, function = adapter.split(".")
    result = getattr(importlib.import_module(f"peers.{module}"), function)(Workload.load(workload, threads))
    np.savez(out, version=importlib.metadata.version(package), **vars(result))


def line(row, threads, workload, folder, reference):
    """One line of the table; what does not apply is empty."""
    result, note = run(row, threads, folder / "workload.npz", folder)
    keys = ("peer", "version", "delays", "learns", "precision", "threads", "samples", "steps", "ms/sample", "events/s")
    keys += ("time / spsnn", "equal spikes", "difference of dL/dw", "set-up s", "remarks")
    about = {"peer": row.name, "delays": row.delays, "learns": row.learns, "precision": row.precision}
    found = dict.fromkeys(keys, "") | about | {"threads": threads}
    if result is None:
        return found | {"remarks": note}
    n, n_steps, _ = result.spikes.shape
    seconds = float(result.seconds) / n
    events = float(workload.spikes[:n].sum()) / n * workload.weight.shape[1]
    found |= {"version": note, "samples": n, "steps": n_steps, "set-up s": float(result.setup)}
    found |= {"ms/sample": 1e3 * seconds, "events/s": events / seconds}
    if row.package == "spsnn":
        return found | {"equal spikes": "not compared" if row.delays == OWN else "reference"}
    expected = reference(n, row.delays != NONE, row.detach_reset)
    found["equal spikes"] = equal(result.spikes, expected.spikes[:, :n_steps], row.tolerance)
    if result.gradient.size:
        error = np.linalg.norm(result.gradient - expected.gradient) / np.linalg.norm(expected.gradient)
        found["difference of dL/dw"] = float(error)
    if n_steps < workload.spikes.shape[1]:
        found["remarks"] = f"{n_steps} steps simulated, time scaled to all"
    return found


def equal(a, b, tolerance):
    """Share of the spikes of both that the other has too, at most ``tolerance`` steps away."""
    count = a.sum() + b.sum()
    if not count:
        return "no spike"
    found = (a & near(b, tolerance)).sum() + (b & near(a, tolerance)).sum()
    return f"{100 * found / count:.5g} % of {max(a.sum(), b.sum())}" + (" within one step" if tolerance else "")


def near(spikes, tolerance):
    """``spikes`` and the steps around them."""
    n_steps = spikes.shape[1]
    wide = np.pad(spikes, ((0, 0), (tolerance, tolerance), (0, 0)))
    return np.any([wide[:, k : k + n_steps] for k in range(2 * tolerance + 1)], axis=0)


def tables():
    """``{heading: rows}`` of both workloads."""
    from peers import spsnn

    found = {}
    for name, size in WORKLOADS.items():
        workload = Workload.random(*size)

        @functools.cache
        def reference(n, delays, detach_reset, w=workload):
            cut = {"spikes": w.spikes[:n], "cotangent": w.cotangent[:n], "lag": w.lag if delays else 0 * w.lag}
            return spsnn.reference(dataclasses.replace(w, **cut), detach_reset)

        with tempfile.TemporaryDirectory() as folder:
            workload.save(Path(folder) / "workload.npz")
            for kind, rows in (("Forward", FORWARD), ("Training step", TRAINING)):
                lines = []
                for row in rows:
                    for threads in row.threads:
                        print(f"{kind}, {name}: {row.name}, {threads} threads", file=sys.stderr, flush=True)
                        lines.append(line(row, threads, workload, Path(folder), reference))
                found[f"{kind}, {name}"] = compare(lines)
    return found


def compare(lines):
    """Ratios to spsnn with as many threads; columns that are empty throughout are left out."""
    own = {found["threads"]: found["ms/sample"] for found in reversed(lines) if found["peer"] == "spsnn"}
    for found in lines:
        if found["ms/sample"] and own.get(found["threads"]):
            found["time / spsnn"] = found["ms/sample"] / own[found["threads"]]
    keys = [key for key in lines[0] if any(found[key] != "" for found in lines)]
    return [{key: found[key] for key in keys} for found in lines]


def goals(found):
    """What was aimed at and what was measured, with one thread and with two."""
    rows = []
    for text, heading, peer in GOALS:
        ratios = [r.get("time / spsnn", "") for r in found[heading] if r["peer"] == peer]
        rows.append({"goal": text, "one thread": ratios[0], "two threads": ratios[1]})
    return rows


TEXT = """
One population of LIF neurons (tau_mem 20 ms, tau_syn 5 ms, reset to zero), dt 1 ms, random weights and spikes.
A: 700 -> 256, 8,000 spikes a sample, 250 steps, delays uniform to 62 steps. B: 140 -> 256, 6,000 spikes, 100 steps,
delays to 25 steps. All get the same spikes, weights and delays; where delays are "none", the peer has none per synapse
and computes an easier network. Times leave out set-up and compilation; events are spikes times their fan-out. "Equal
spikes" and "difference of dL/dw" (relative, of the norm) compare with spsnn on the same network. Training steps
differentiate a fixed random sum of the output spikes with the triangular surrogate; eventax, in continuous time, the
sum of its spike times. jaxsnn's event-based solver knows neither delays per synapse nor these time constants.
"""


def main():
    """Measure all rows and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs=5, help=argparse.SUPPRESS)
    only = parser.parse_args().only
    if only:
        adapter, package, threads, workload, out = only
        measure(adapter, package, int(threads), workload, out)
        return
    found = tables()
    common.write("peers", "spsnn and its peers", TEXT, {"Goals": goals(found), **found})


if __name__ == "__main__":
    main()
