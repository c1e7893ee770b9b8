"""Yin-Yang, one spike per input, on the event engine: delays from space, per synapse, and none, over five seeds.

python benchmarks/yinyang_events.py --jobs 2
"""

from __future__ import annotations

import argparse
import os
import statistics
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

os.environ.setdefault("NUMBA_NUM_THREADS", "1")  # one core per run; --jobs spreads runs over cores
os.environ.setdefault("OMP_NUM_THREADS", "1")

import common
import torch

import spsnn

DELAYS = {"space, 2-D": "spatial", "per synapse": "free", "none": "none"}


def run(kind, seed, epochs):
    """One training run; the test set is read once, at the epoch chosen on the validation set."""
    torch.set_num_threads(1)
    train, validation, test = (
        spsnn.datasets.YinYang(split, t_min=2.0, bias_time=2.0) for split in ("train", "validation", "test")
    )
    model = spsnn.SpSNN(
        [5, 45, 3],
        spsnn.Euclidean(2),
        spsnn.LIF(tau_mem=20.0, tau_syn=5.0),
        grid=spsnn.Grid(min_slope=0.1),
        engine="event",
        delay=DELAYS[kind],
        readout="first_spike",
        readout_scale=10.0,
        silent_pull=10.0,
        weight_mean=2.0,
        weight_gain=2.0,
        seed=seed,
    )
    settings = spsnn.TrainingConfig(
        epochs=epochs, batch_size=50, lr=0.02, position_lr=0.2, clip_norm=0.3, rescue=1e-3, seed=seed
    )
    history = spsnn.fit(model, train, validation, settings)
    best = next(e for e in reversed(history) if e["best"])
    return {
        "delays": kind,
        "seed": seed,
        "parameters": model.n_parameters(),
        "test accuracy [%]": round(100 * spsnn.evaluate(model, test)["accuracy"], 1),
        "validation accuracy [%]": round(100 * best["validation_accuracy"], 1),
        "epoch": best["epoch"] + 1,
        "spikes per neuron": best["spikes_per_neuron"],
        "s/epoch": statistics.median(e["seconds"] for e in history),
    }


def summary(rows):
    """Medians per kind of delay."""
    out = []
    for kind in dict.fromkeys(r["delays"] for r in rows):
        mine = [r for r in rows if r["delays"] == kind]
        test = sorted(r["test accuracy [%]"] for r in mine)
        out.append(
            {
                "delays": kind,
                "parameters": mine[0]["parameters"],
                "seeds": len(mine),
                "median test accuracy [%]": f"{statistics.median(test):.1f}",
                "all [%]": ", ".join(f"{t:.1f}" for t in test),
                "s/epoch": statistics.median(r["s/epoch"] for r in mine),
            }
        )
    return out


def main():
    """Train all runs and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=1, help="runs at once, one core each")
    parser.add_argument("--delays", nargs="+", choices=DELAYS, default=list(DELAYS))
    args = parser.parse_args()
    rows = []
    with ProcessPoolExecutor(args.jobs, get_context("spawn")) as pool:
        todo = [pool.submit(run, kind, seed, args.epochs) for kind in args.delays for seed in range(args.seeds)]
        for done in as_completed(todo):
            rows.append(done.result())
            print(rows[-1], flush=True)
    rows.sort(key=lambda r: (list(DELAYS).index(r["delays"]), r["seed"]))
    text = (
        "5 -> 45 -> 3 LIF (tau_mem 20 ms, tau_syn 5 ms), one spike per input, the first output spike decides; exact "
        f"gradients, {args.epochs} epochs of 5,000 samples in batches of 50. One recipe for all, "
        "chosen with the spatial network on the validation set. All networks start from the same delays (none: zero). "
        "The epoch is the best on the 1,000 validation samples; the 1,000 test samples are read once, at that epoch. "
        "s/epoch is the training time on one core."
    )
    title = "Yin-Yang in continuous time"
    common.write("yinyang_events", title, text, {"Summary": summary(rows), "Runs": rows})


if __name__ == "__main__":
    main()
