"""Growth of local networks with neurons, spikes, steps and dimension: time and memory.

python benchmarks/growth.py
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

import common
import matplotlib
import numpy as np
from numba import get_num_threads, njit, prange

import spsnn
from spsnn.kernels.cpu import local

matplotlib.use("Agg")
import matplotlib.pyplot as plt

FAN_OUT = 1000
STEPS = {1_000: 1000, 10_000: 300, 100_000: 60, 1_000_000: 30}
NEAR = 1 << 14  # numbers in 64 KB


@njit(cache=True, parallel=True)
def find(net, spikes, n_slabs):
    """Find the synapses of all spikes as `local._deliver` does, and add nothing."""
    n = net.unit.size - local.LANES
    for s in prange(n_slabs):
        lo, hi = s * n // n_slabs, (s + 1) * n // n_slabs
        runs = np.empty((local.MAX_RUNS, 2), np.int64)
        address, value = np.empty(hi - lo + local.LANES, np.uint32), np.empty(hi - lo + local.LANES, np.float32)
        for pre in spikes:
            for r in range(local._find_runs(net, pre, lo, hi, runs)):
                local._arrivals(net, pre, runs[r, 0], runs[r, 1], 0, np.float32(1), address, value)


@njit(cache=True, parallel=True)
def add(address, ring, repeats):
    """The floor: every thread adds at random places of its own 64 KB."""
    for s in prange(len(ring)):
        for _ in range(repeats):
            for k in range(np.uint64(len(address))):
                ring[s, address[k]] += np.float32(1)


def floor():
    """ns per read-modify-write, all threads together."""
    address = np.random.default_rng(0).integers(0, NEAR, NEAR).astype(np.uint32)
    ring = np.zeros((get_num_threads(), NEAR), np.float32)
    return 1e9 * common.median_seconds(lambda: add(address, ring, 1000), 7) / 1000 / ring.size


def case(n, dim, rate, n_steps, repeats):
    """Time, memory and work of one size."""
    rng = np.random.default_rng(0)
    ball = {1: 2.0, 2: np.pi, 3: 4 * np.pi / 3}[dim]
    radius = (FAN_OUT / n / ball) ** (1 / dim) if n > FAN_OUT else dim**0.5
    weight = np.where(rng.random(n) < 0.8, 0.01, -0.04)
    net = spsnn.LocalNetwork(rng.random((n, dim)), weight, radius, d_min=1.0, alpha=12 / radius)
    count = rng.poisson(n * n_steps * rate / 1000)
    train = rng.uniform(0, n_steps, count), rng.integers(0, n, count)
    drive = spsnn.SpikeBatch.from_samples([train], n, n_steps)
    run = net.simulate(drive, 7.0)  # one such input spike makes one spike: the drive sets the activity
    peak = common.peak_memory_mb()
    seconds = common.median_seconds(lambda: net.simulate(drive, 7.0), repeats)
    silent = common.median_seconds(lambda: net.simulate(drive, 0.0), repeats)
    spikes = net._index[run.spikes.units]
    finding = common.median_seconds(lambda: find(net._cells, spikes, get_num_threads()), repeats)
    return {
        "N": n,
        "dimension": dim,
        "T": n_steps,
        "spikes/step": run.spikes.n_events / n_steps,
        "fan-out": run.synaptic_events / run.spikes.n_events,
        "ms/step": 1e3 * seconds / n_steps,
        "ns/event": 1e9 * seconds / run.synaptic_events,
        "events/s": run.synaptic_events / seconds,
        "neurons": f"{silent / seconds:.0%}",
        "finding synapses": f"{finding / seconds:.0%}",
        "peak MB": peak,
    }


def measure(n, dim=2, rate=10.0, n_steps=None, repeats=5):
    """`case` in a process of its own."""
    settings = json.dumps([n, dim, rate, n_steps or STEPS[n], repeats])
    done = subprocess.run([sys.executable, __file__, "--case", settings], stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(done.stdout)


def slope(rows, x, y):
    """Slope of log y against log x by least squares."""
    return np.polyfit(*(np.log([row[key] for row in rows]) for key in (x, y)), 1)[0]


def draw(rows, floor_ns):
    """Time per step and memory against N."""
    figure, axes = plt.subplots(1, 2, figsize=(7, 2.8), layout="constrained")
    n = [row["N"] for row in rows]
    axes[0].plot(n, [row["ms/step"] for row in rows], "o-", label="measured")
    events = [row["spikes/step"] * row["fan-out"] for row in rows]
    axes[0].plot(n, np.array(events) * floor_ns / 1e6, "k--", label="one addition per event")
    axes[0].legend(frameon=False)
    axes[1].plot(n, [row["peak MB"] for row in rows], "o-")
    axes[0].set(xscale="log", yscale="log", xlabel="neurons", ylabel="ms per step")
    axes[1].set(xscale="log", ylim=(0, None), xlabel="neurons", ylabel="peak memory, MB")
    figure.savefig(common.RESULTS / "growth.png", dpi=100)


def main():
    """Measure and write the tables and the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", help=argparse.SUPPRESS)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    if args.case:
        print(json.dumps(case(*json.loads(args.case))))
        return
    repeats, floor_ns = args.repeats, floor()
    by_n = [measure(n, repeats=repeats) for n in STEPS]
    by_rate = [measure(100_000, rate=rate, repeats=repeats) for rate in (2.5, 5, 10, 20, 40)]
    by_steps = [measure(10_000, n_steps=t, repeats=repeats) for t in (125, 250, 500, 1000)]
    for row in by_steps:
        row["ms"] = row["ms/step"] * row["T"]
    by_dim = [
        row
        for plane in by_n[2:]
        for row in (measure(plane["N"], 1, repeats=repeats), plane, measure(plane["N"], 3, repeats=repeats))
    ]
    large = by_n[1:]
    per_neuron = 2**20 * (by_n[3]["peak MB"] - by_n[2]["peak MB"]) / (by_n[3]["N"] - by_n[2]["N"])
    text = f"""
One recurrent population in the unit interval, square or cube; every neuron has a synapse on all others within the
radius that holds {FAN_OUT} of them away from the edges (all others for N = 1,000); delays 1 to 13 ms, dt = 1 ms, single
precision; every size in a process of its own, median of {repeats}. Poisson input of 10 Hz per neuron, of which each
spike makes one.

A synaptic event is one spike at one synapse. The floor is one read-modify-write per event: {floor_ns:.2f} ns at random
places of 64 KB per thread; at a million neurons an event takes {by_n[-1]["ns/event"] / floor_ns:.1f} times as long.
"neurons" is the share of the time without any spike, "finding synapses" that of the distances and hashes of all spikes;
the rest adds arrivals to the ring, which for a million neurons does not fit the caches.

Slopes in log-log by least squares:

- ms/step against N from 10,000: {slope(large, "N", "ms/step"):.2f}
- ms/step against spikes at N = 100,000: {slope(by_rate, "spikes/step", "ms/step"):.2f}
- ms against T at N = 10,000: {slope(by_steps, "T", "ms"):.2f}

From 100,000 to 1,000,000 neurons the peak memory rises by {per_neuron:.0f} bytes per neuron, 64 of them in the ring.

![time and memory](growth.png)
"""
    tables = {"Neurons": by_n, "Spikes, N = 100,000": by_rate, "Steps, N = 10,000": by_steps, "Dimension": by_dim}
    common.write("growth", "Growth of local networks", text, tables)
    draw(by_n, floor_ns)


if __name__ == "__main__":
    main()
