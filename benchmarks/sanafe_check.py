"""SANA-FE on mapped, trained networks and recorded spikes: energy and latency against ours.

python benchmarks/sanafe_check.py [--model runs/shd/model.h5 ...] [--data-dir DIR]

Needs SANA-FE, which `make install` brings and the package itself never imports.  A short training on digits gives the
first network, --model files the others.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import common
import numpy as np
import sanafe

import spsnn
from spsnn import hwmap
from spsnn.cli import workflow
from spsnn.cli.config import read_config
from spsnn.hwmap.cost import cost_of_trace
from spsnn.recording import record_trace

TARGETS = ("loihi1_davies", "loihi1_silicon", "loihi2")
ENERGY, LATENCY = "energy_dynamic_nj_per_inference", "latency_us_per_inference"


def trained_digits(folder):
    """Six epochs of the shipped digits configuration."""
    config = read_config("digits", ["training.epochs=6"])
    model, sets = workflow.prepare(config, folder)
    workflow.train(config, folder, model, sets)
    return folder / "model.h5"


def simulate(chip, trace, folder):
    """Dynamic energy in nJ, latency in us, seconds of SANA-FE with ``simple`` timing."""
    start = time.perf_counter()
    chip.export_sanafe(folder, trace)
    arch = sanafe.load_arch(str(folder / "architecture.yaml"))
    other = sanafe.SpikingChip(arch)
    other.load(sanafe.load_net(str(folder / "network.yaml"), arch))
    out = other.sim(trace.n_steps, timing_model="simple")
    return out["energy"]["total"] * 1e9, out["sim_time"] * 1e6, time.perf_counter() - start


def rows_of(path, data_dir, cores, samples, folder):
    """One row for each target."""
    model = spsnn.load(path)
    data = workflow.load_split(workflow.data_of(model, path), "test", data_dir)
    network = spsnn.to_graph(model, data.events, source=f"{data.name} test", name=data.name)
    for target in TARGETS:
        chip = hwmap.compile(network, target, cores=cores)
        traces = record_trace(model, data.events[:samples], chip.flat)
        ones = np.ones(len(chip.flat.pre), int)
        found = []
        for trace in traces:
            energy, latency, seconds = simulate(chip, trace, folder)
            start = time.perf_counter()
            delayed = cost_of_trace(chip, trace)
            ours = time.perf_counter() - start
            unit = cost_of_trace(chip, trace, ones)
            found.append(
                [energy, latency, unit[ENERGY], unit[LATENCY], delayed[ENERGY], delayed[LATENCY], seconds, ours]
            )
        e, t, unit_e, unit_t, delayed_e, delayed_t, seconds, ours = np.array(found).T
        yield {
            "network": f"{data.name} {'-'.join(map(str, model.sizes))}",
            "target": target,
            "cores": chip.partition.n_cores,
            "samples": len(traces),
            "sanafe_energy_nj": e.mean(),
            "sanafe_latency_us": t.mean(),
            "energy_unit_delays_percent": largest(unit_e / e),
            "latency_unit_delays_percent": largest(unit_t / t),
            "energy_own_delays_percent": largest(delayed_e / e),
            "latency_own_delays_percent": largest(delayed_t / t),
            "mean_model_latency_percent": 100 * (chip.cost[LATENCY] / delayed_t.mean() - 1),
            "seconds_sanafe": seconds.mean(),
            "seconds_ours": ours.mean(),
        }


def largest(ratios):
    """Difference in percent that is largest in size."""
    off = 100 * (ratios - 1)
    return float(off[np.argmax(np.abs(off))])


TEXT = """
[SANA-FE](https://github.com/SLAM-Lab/SANA-FE) 2.2.9, `simple` timing, fed with the recorded spikes of test samples,
against `spsnn.hwmap.cost.cost_of_trace` (dynamic energy and latency; the largest difference over samples, in percent).
Its per-synapse delays do not work: every spike arrives in the next step. *Unit delays* counts ours the same way and
must agree; *own delays* takes the delays of the mapping, which move updates to other steps, drop those that would come
after the last step and join more or fewer arrivals into one update. Where a neuron has dense and sparse synapses,
SANA-FE takes one kind for all synapses of a neuron, so the export gives it a second receiver for the rarer kind, whose
updates are free: that is what is left in `loihi1_silicon`. *Mean model* is the latency of the default cost model, which
spreads activity evenly, against the one counted step by step.
"""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", nargs="*", default=[], help="model files of 'spsnn train'")
    parser.add_argument("--data-dir")
    parser.add_argument("--cores", type=int, default=16)
    parser.add_argument("--samples", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        paths = [trained_digits(folder / "digits"), *args.model]
        rows = [r for p in paths for r in rows_of(p, args.data_dir, args.cores, args.samples, folder / "sanafe")]
    common.write("sanafe", "SANA-FE on the same mapped networks", TEXT, {"Differences": rows})


if __name__ == "__main__":
    main()
