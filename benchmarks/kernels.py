"""Rates of the grid engine's projection kernels: synaptic events per second and core, against the floor.

python benchmarks/kernels.py
"""

from __future__ import annotations

import argparse

import common
import numba
import numpy as np
import torch

import spsnn
from spsnn.autograd.delays import Distances, arrival_of, delay_tensors, kernel_form
from spsnn.autograd.projection import pull_back, spread
from spsnn.autograd.spikes import Spikes, active_positions
from spsnn.kernels.cpu.adjoint import run_adjoint
from spsnn.kernels.cpu.loop import loop_of, no_loop
from spsnn.kernels.cpu.population import run
from spsnn.kernels.cpu.projection import tiles_of
from spsnn.kernels.cpu.surrogate import SURROGATES

# name: pre, post, input spikes per sample, steps, longest delay in steps
WORKLOADS = {"A": (700, 256, 8000, 250, 60), "B": (140, 256, 6000, 100, 25)}
SAMPLES, NEURON = 32, spsnn.LIF(tau_mem=20, tau_syn=5)


@numba.njit
def read_modify_write(places, row, rounds):
    """The floor: one addition per place of a row in the first-level cache, eight at a time."""
    for k in range(rounds):
        w = np.float32(k)
        for e in range(np.uint64(0), np.uint64(len(places)), np.uint64(8)):
            for m in range(np.uint64(8)):
                row[places[e + m]] += w


def floor():
    """Read-modify-writes per second of one core, at random places of 10 KB."""
    at, row = np.random.default_rng(0).integers(0, 2500, 8000).astype(np.uint32), np.zeros(2500, np.float32)
    (seconds,) = common.least_seconds([lambda: read_modify_write(at, row, 1000)])
    return 1000 * len(at) / seconds


def projection(workload, storage, mode, repeats):
    """Forward and backward rates of a feed-forward projection, one row of the table."""
    n_pre, n_post, n_spikes, n_steps, longest = WORKLOADS[workload]
    rng = np.random.default_rng(0)
    trains = [(rng.uniform(0, n_steps, n_spikes), rng.integers(0, n_pre, n_spikes)) for _ in range(SAMPLES)]
    fixed = Spikes.from_batch(spsnn.SpikeBatch.from_samples(trains, n_pre, n_steps), 1.0)
    spikes = Spikes(fixed.ptr, fixed.steps, fixed.shape, None, fixed.ptr, fixed.steps)  # a gradient at every spike
    delays = places(n_pre, n_post, longest)
    if storage == "stored":
        delays = (longest * torch.rand(n_pre, n_post)).contiguous()
    form = kernel_form(delay_tensors(delays), delays, torch.float32)
    weight = rng.normal(size=(n_pre, n_post)).astype(np.float32)
    arrival = arrival_of(NEURON, 1.0, n_steps, mode == "exact", 0, torch.float32)
    x = [tiles_of(SAMPLES, n_steps, n_post, np.float32) for _ in range(2)]
    if mode == "round":
        x[1] = x[1][:, :, :0]
    grads = [rng.normal(size=x[0].shape).astype(np.float32) for _ in range(2)]
    times = {
        "forward": lambda: spread(spikes, weight, form, arrival, *x),
        "backward": lambda: pull_back(spikes, weight, form, arrival, True, False, *grads),
        "with presynaptic": lambda: pull_back(spikes, weight, form, arrival, True, True, *grads),
    }
    return row({"workload": workload, "delays": storage, "mode": mode}, times, SAMPLES * n_spikes * n_post, repeats)


def places(n_pre, n_post, longest, recurrent=False):
    """Coordinates in the plane, some 2 % of the distances beyond ``longest``, where they are cut."""
    g = torch.Generator().manual_seed(0)
    pre, post = (longest / 4 * torch.randn(n, 2, generator=g) for n in (n_pre, n_post))
    return Distances(pre, pre if recurrent else post, torch.tensor(1.0), max_delay=float(longest))


def row(names, calls, events, repeats):
    """Rates of ``calls`` with one thread and with all of them."""
    n_threads = numba.config.NUMBA_NUM_THREADS
    keys = [(name, n) for name in calls for n in (1, n_threads)]
    timed = common.least_seconds([with_threads(n, calls[name]) for name, n in keys], repeats)
    seconds, found = dict(zip(keys, timed, strict=True)), dict(names)
    for name in calls:
        found[f"{name}, events/s, 1 thread"] = events / seconds[name, 1]
    for name in list(calls)[1:]:
        found[f"{name} / forward"] = seconds[name, 1] / seconds["forward", 1]
    for name in calls:
        found[f"{name}, efficiency of {n_threads} threads"] = seconds[name, 1] / seconds[name, n_threads] / n_threads
    return found


def with_threads(n, call):
    """``call`` with ``n`` threads."""

    def run():
        numba.set_num_threads(n)
        call()

    return run


def recurrent(n, repeats):
    """Rates of ``n`` neurons and their recurrent synapses, some 30 spikes a neuron: one row of the table.

    The time of the same population without recurrent synapses is taken off; weights are zero, so that its spikes are
    the same.  The surrogate's gradient visits the positions near the threshold.
    """
    _, _, _, n_steps, longest = WORKLOADS["A"]
    rng, grid, n_threads = np.random.default_rng(0), spsnn.Grid(), numba.config.NUMBA_NUM_THREADS
    x = tiles_of(SAMPLES, n_steps, n, np.float32)
    x[:] = 0.65 * rng.exponential(size=x.shape)
    delays = places(n, n, longest, recurrent=True)
    form = kernel_form(delay_tensors(delays), delays, torch.float32)
    arrival = arrival_of(NEURON, 1.0, n_steps, False, 1, torch.float32)
    weight, everywhere = np.zeros((n, n), np.float32), np.zeros((0, 0), bool)
    none, zero = np.zeros((SAMPLES, 0, 0), np.float32), np.float32(0)
    spikes, potential, gradient = (np.zeros((SAMPLES, n_steps, n), np.float32) for _ in range(3))
    gradient[:] = rng.normal(size=gradient.shape)
    grads = [np.empty_like(x) for _ in range(2)]
    constants = NEURON.constants(1.0, n, np.float32)
    made = {True: lambda: loop_of(everywhere, weight, form, arrival, False), False: lambda: no_loop(weight.dtype)}

    def forward(looped):
        run(x, none[..., None], made[looped](), constants, False, False, 0, spikes, potential, none, none)

    def backward(looped):
        run_adjoint(
            spikes, potential, none, none, gradient, none, made[looped](), constants, False, False, False, True, False,
            SURROGATES[grid.surrogate], np.float32(grid.slope), constants[0], constants[:2], zero, *grads,
        )  # fmt: skip

    forward(True)
    events = n * float(spikes.sum()), n * np.count_nonzero(active_positions(spikes, potential - NEURON.threshold, grid))
    found = {"neurons": n, "spikes/sample": round(float(spikes.sum()) / SAMPLES)}
    for name, call, count in zip(("forward", "backward"), (forward, backward), events, strict=True):
        calls = [with_threads(m, lambda k=k, call=call: call(k)) for m, k in ((1, False), (1, True), (n_threads, True))]
        alone, with_loop, parallel = common.least_seconds(calls, repeats)
        found |= {
            f"{name}, events/s, 1 thread": count / (with_loop - alone),
            f"{name}, with the neurons": count / with_loop,
            f"{name}, neurons, ns per step": 1e9 * alone / (SAMPLES * n_steps * n),
            f"{name}, efficiency of {n_threads} threads": with_loop / parallel / n_threads,
        }
    return found


def main():
    """Measure and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=25)
    repeats = parser.parse_args().repeats
    spsnn.keep_freed_memory()
    least = floor()
    rows = [projection(w, s, m, repeats) for w in WORKLOADS for s in ("computed", "stored") for m in ("round", "exact")]
    for r in rows:
        r["share of the floor"] = r["forward, events/s, 1 thread"] / least
    loops = [recurrent(n, repeats) for n in (256, 1024)]
    for r in loops:
        r["forward, share of the floor"] = r["forward, events/s, 1 thread"] / least
    text = f"""
Workload A: 700 -> 256, 8,000 spikes a sample, T = 250, delays up to 60 steps. B: 140 -> 256, 6,000 spikes, T = 100,
delays up to 25. Single precision, batch {SAMPLES}, best of {repeats}, the calls taking turns. An event is one spike at
one synapse. Delays are computed from coordinates in the plane, or stored per synapse. Backward gives the gradients of
weights and coordinates (or delays), "with presynaptic" also that of every presynaptic spike's time.

The floor is one read-modify-write per event: {least:.3g}/s of one core, at random places of 10 KB, which fit the
first-level cache. `exact` writes two numbers per event, so that half the floor is its bound. What is lost on A lies
between the events: a source has 11 spikes a sample, and for every four synapses their places and weights are loaded
anew. Rows of a projection take up to 384 KB, the second-level cache.

The recurrent ring (64 slots of 256 or 1,024 neurons, 64 or 256 KB) does not fit the first-level cache, nor do the lists
of places and weights, 8 bytes a synapse; the time it takes to make them, once a pass, is counted. Backward, an event is
a synapse of a position near the threshold, one read.
"""
    common.write("kernels", "Rates of the projection kernels", text, {"Feed-forward": rows, "Recurrent": loops})


if __name__ == "__main__":
    main()
