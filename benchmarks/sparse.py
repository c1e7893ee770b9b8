"""Pruned networks: time by density, against the same with all synapses, one core.

python benchmarks/sparse.py
"""

from __future__ import annotations

import argparse
import time

import common
import numba
import numpy as np
import torch

import spsnn
from kernels import NEURON, SAMPLES, WORKLOADS, places
from spsnn.autograd.delays import arrival_of, delay_tensors, kernel_form
from spsnn.autograd.projection import EVERYWHERE, pull_back, spread
from spsnn.autograd.spikes import Spikes
from spsnn.kernels.cpu.projection import tiles_of

DENSITIES = (0.8, 0.5, 0.2, 0.1, 0.05, 0.01)
# name: sizes, recurrent, input spikes per sample, steps, longest delay in ms
NETWORKS = {
    "700 -> 256 recurrent -> 20": ([700, 256, 20], True, 8000, 250, 60.0),
    "140 -> 256 -> 256 -> 20": ([140, 256, 256, 20], False, 6000, 100, 25.0),
}


def projection(workload, density, repeats):
    """One row: forward and backward of one projection, delays from coordinates, `round`."""
    n_pre, n_post, n_spikes, n_steps, longest = WORKLOADS[workload]
    rng = np.random.default_rng(0)
    trains = [(rng.uniform(0, n_steps, n_spikes), rng.integers(0, n_pre, n_spikes)) for _ in range(SAMPLES)]
    fixed = Spikes.from_batch(spsnn.SpikeBatch.from_samples(trains, n_pre, n_steps), 1.0)
    spikes = Spikes(fixed.ptr, fixed.steps, fixed.shape, None, fixed.ptr, fixed.steps)
    distances = places(n_pre, n_post, longest)
    form = kernel_form(delay_tensors(distances), distances, torch.float32)
    mask = rng.random((n_pre, n_post)) < density
    weight = (mask * rng.normal(size=mask.shape)).astype(np.float32)
    arrival = arrival_of(NEURON, 1.0, n_steps, False, 0, torch.float32)
    x_0 = tiles_of(SAMPLES, n_steps, n_post, np.float32)
    x_1 = x_0[:, :, :0]
    grads = [rng.normal(size=x_0.shape).astype(np.float32) for _ in range(2)]
    calls = []
    for m in (EVERYWHERE, mask):
        calls.append(lambda m=m: spread(spikes, weight, form, arrival, x_0, x_1, m))
        for presynaptic in (False, True):
            calls.append(lambda m=m, p=presynaptic: pull_back(spikes, weight, form, arrival, True, p, *grads, m))
    seconds = common.least_seconds(calls, repeats, time.process_time)
    return {
        "workload": workload,
        "density": density,
        **{f"all / kept, {what}": seconds[k] / seconds[k + 3] for k, what in enumerate(PARTS)},
        "forward, ns per kept event": 1e9 * seconds[3] / (SAMPLES * n_spikes / n_pre * max(mask.sum(), 1)),
    }


PARTS = ("forward", "backward", "backward with presynaptic")


def network(name, density, repeats):
    """One row: a whole network against that with all synapses; weights are scaled so that it stays as active."""
    sizes, recurrent, n_spikes, n_steps, longest = NETWORKS[name]
    rng = np.random.default_rng(0)
    trains = [(rng.uniform(0, n_steps, n_spikes), rng.integers(0, sizes[0], n_spikes)) for _ in range(SAMPLES)]
    batch = Spikes.from_batch(spsnn.SpikeBatch.from_samples(trains, sizes[0], n_steps), 1.0)

    def model(share):
        made = spsnn.SpSNN(
            sizes, spsnn.Euclidean(2), NEURON, recurrent=recurrent, position_scale=longest / 4, max_delay=longest,
            on_exceed="clip", weight_gain=0.6 / share**0.5, recurrent_gain=0.2 / share**0.5,
        )  # fmt: skip
        for _, _, synapse in made.synapses():
            synapse.prune_(torch.from_numpy(rng.random(synapse.mask.shape) < share))
        return made

    def forward(model):
        with torch.no_grad():
            return model(batch)

    def step(model):
        model.zero_grad()
        model(batch).logits.square().sum().backward()

    models = model(1.0), model(density)
    calls = [lambda call=call, m=m: call(m) for m in models for call in (forward, step)]
    whole, whole_step, pruned, pruned_step = common.least_seconds(calls, repeats, time.process_time)
    spikes = [float(forward(m).spikes_per_neuron()) for m in models]
    return {
        "network": name,
        "density": density,
        "hidden spikes per neuron, all": spikes[0],
        "pruned": spikes[1],
        "forward, ms": 1e3 * pruned,
        "all / pruned": whole / pruned,
        "forward + backward, ms": 1e3 * pruned_step,
        "all / pruned, both": whole_step / pruned_step,
    }


def main():
    """Measure and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15)
    repeats = parser.parse_args().repeats
    spsnn.keep_freed_memory()
    numba.set_num_threads(1)
    torch.set_num_threads(1)
    alone = [projection(w, d, repeats) for w in WORKLOADS for d in DENSITIES]
    whole = [network(n, d, repeats) for n in NETWORKS for d in DENSITIES]
    text = f"""
Density is the share of synapses kept, at random; "all" is the same with every synapse. Single precision, batch
{SAMPLES}, processor time on one core, best of {repeats}, the calls taking turns.

Projections alone are workloads A (700 -> 256, 8,000 spikes a sample, T = 250) and B (140 -> 256, 6,000 spikes, T = 100)
of [kernels.md](kernels.md), delays from coordinates, rounded to steps; backward gives weights and coordinates. Networks
have the same inputs; a step is a forward and a backward pass with the triangular surrogate for all weights and
coordinates. Their neurons cost the same at every density, and more where they spike more, which bounds the gain.
"""
    common.write("sparse", "Pruned networks", text, {"Projections alone": alone, "Networks": whole})


if __name__ == "__main__":
    main()
