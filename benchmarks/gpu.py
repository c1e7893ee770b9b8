"""SHD epochs on a GPU: spsnn, the same networks in dense PyTorch, and plain matrix products of the same shape.

140 -> 256 -> 256 -> 20 and 700 -> 256 recurrent -> 20, dt 4 ms, T = 250, batch 256: forward and backward, with weights
and coordinates learnt.  Batches lie on the GPU before the clock starts.  Without a GPU nothing is written.

python benchmarks/gpu.py --data-dir DIR
"""

from __future__ import annotations

import argparse
import os
import time

import common
import numpy as np
import torch
from numba import cuda
from shd_epoch import CLASSES, DT, EPOCH, HIDDEN, Spike, delayed, load
from torch.nn.functional import cross_entropy

import spsnn
from spsnn.autograd.device import DeviceSpikes
from spsnn.autograd.spikes import Spikes

BATCH, DENSE_BATCH = 256, 32  # dense PyTorch keeps [B, pre, post] per step for the gradient
NETWORKS = {
    "140 -> 256 -> 256 -> 20": [140, HIDDEN, HIDDEN, CLASSES],
    "700 -> 256 recurrent -> 20": [700, HIDDEN, CLASSES],
}


def network(sizes):
    """`SpSNN` of the table; the one with a single hidden layer is recurrent."""
    return spsnn.SpSNN(
        sizes, spsnn.Euclidean(2), spsnn.LIF(tau_mem=20, tau_syn=5), grid=spsnn.Grid(dt=DT), recurrent=len(sizes) == 3,
        readout="max_membrane", position_scale=20.0, max_delay=240.0, weight_gain=1.2, recurrent_gain=0.5,
    )  # fmt: skip


def rebinned(events, n_units):
    """Events on fewer channels, neighbours joined."""
    units = events.units // (events.n_units // n_units)
    return spsnn.SpikeBatch(events.times, units, events.offsets, n_units, events.duration, events.labels)


class Dense(torch.nn.Module):
    """The same network in dense PyTorch, weights only: one product per lag, and per step where it is recurrent."""

    def __init__(self, model):
        super().__init__()
        synapses = [*model.feedforward, *model.loops]
        self.weights = torch.nn.ParameterList(s.weight.detach().clone() for s in synapses)
        self.lags = [(s.delays().detach() / DT).round().long() for s in synapses]
        self.n_layers, self.slope = len(model.feedforward), model.grid.slope
        c = model.neuron.constants(DT, 1, np.float32)[:, 0]
        self.constants = [float(c[k]) for k in (0, 1, 6)]

    def forward(self, z):
        """Logits from spikes ``[B, T, I]``."""
        a, c, b = self.constants
        for k in range(self.n_layers):
            x = delayed(z, self.weights[k], self.lags[k])
            v = i = torch.zeros_like(x[:, 0])
            loop = k == 0 and len(self.weights) > self.n_layers
            if loop:
                lag = self.lags[-1].clamp(min=1)
                history = v.new_zeros(len(v), int(lag.max()), HIDDEN)
                rows = torch.arange(HIDDEN, device=z.device)[:, None]
            record = []
            for t in range(x.shape[1]):
                v, i = a * v + c * i, b * i + x[:, t]
                if loop:
                    i = i + torch.einsum("bij,ij->bj", history[:, lag - 1, rows], self.weights[-1])
                if k == self.n_layers - 1:
                    record.append(v)
                    continue
                spike = Spike.apply(v - 1.0, self.slope)
                v = v * (1 - spike.detach())
                record.append(spike)
                if loop:
                    history = torch.cat([spike[:, None], history[:, :-1]], 1)
            z = torch.stack(record, 1)
        return z.amax(1)


def seconds_per_sample(step, batches, size):
    """Median over the batches of the time of ``step(batch)``, after two rounds to warm up."""
    times = []
    for batch in [*batches[:1] * 2, *batches]:
        torch.cuda.synchronize()
        start = time.perf_counter()
        step(batch)
        torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return float(np.median(times[2:])) / size


def learn(model, batch):
    """Forward and backward pass on ``(input, labels)``."""
    inputs, labels = batch
    output = model(inputs)
    cross_entropy(getattr(output, "logits", output), labels).backward()


def products(model):
    """The matrix products of one batch, forward and backward, without delays, neurons or sparsity."""
    shapes = [s.weight.shape for _, _, s in model.synapses()]
    n_steps = round(1000 / DT)
    pairs = [
        (
            torch.rand(BATCH * n_steps, i, device="cuda"),
            torch.rand(i, j, device="cuda"),
            torch.rand(BATCH * n_steps, j, device="cuda"),
        )
        for i, j in shapes
    ]

    def run(_):
        for x, w, g in pairs:
            _ = x @ w, x.T @ g, g @ w.T

    return run


def rows(name, sizes, events, n_batches):
    """The three rows of one network."""
    torch.manual_seed(0)
    model = network(sizes).to("cuda")
    dense = Dense(model)
    events = rebinned(events, sizes[0])
    order = np.random.default_rng(0).permutation(len(events))

    def batches(size, make):
        for k in range(n_batches):
            batch = events[np.sort(order[np.arange(k * size, (k + 1) * size) % len(order)])]
            yield make(batch), torch.from_numpy(batch.labels).to("cuda")

    sparse = list(batches(BATCH, lambda b: DeviceSpikes.of(Spikes.from_batch(b, DT), "cuda")))
    full = list(batches(DENSE_BATCH, lambda b: torch.from_numpy(b.to_dense(DT)).to("cuda")))
    with torch.no_grad():
        few = events[:8]
        worst = float((model(few).logits - dense(torch.from_numpy(few.to_dense(DT)).to("cuda"))).abs().max())
    times = {
        "spsnn, weights and coordinates": seconds_per_sample(lambda b: learn(model, b), sparse, BATCH),
        "dense PyTorch, weights only": seconds_per_sample(lambda b: learn(dense, b), full, DENSE_BATCH),
        "matrix products alone": seconds_per_sample(products(model), sparse, BATCH),
    }
    return [
        {"network": name, "computation": what, "ms/sample": 1e3 * t, "s/epoch (8,156 samples)": EPOCH * t,
         "largest difference of logits": worst if what.startswith("dense") else ""}
        for what, t in times.items()
    ]  # fmt: skip


def main():
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", default=os.environ.get("SPSNN_DATA"))
    parser.add_argument("--batches", type=int, default=20, help="batches timed")
    args = parser.parse_args()
    if not (torch.cuda.is_available() and cuda.is_available()):
        print("no GPU that torch and numba-cuda can use: nothing measured, nothing written")
        return
    events, description = load(args.data_dir)
    table = [row for name, sizes in NETWORKS.items() for row in rows(name, sizes, events, args.batches)]
    text = (
        f"On one {torch.cuda.get_device_name()}: forward and backward passes on {description}, median of "
        f"{args.batches} batches of {BATCH} (dense PyTorch: {DENSE_BATCH}) that lie on the GPU. The goal is 0.5 s per "
        "epoch. 'Matrix products alone' are the cuBLAS calls of a network without delays, neurons and sparsity."
    )
    common.write("gpu", "SHD on a GPU", text, {"Training": table})


if __name__ == "__main__":
    main()
