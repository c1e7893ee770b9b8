"""One epoch of full-size SHD against the same network in dense PyTorch with per-synapse delays, in one run.

700 -> 256 recurrent -> 20, dt 4 ms, T = 250, batch 128.  Spikes are read from a data directory with SHD in the public
layout (--data-dir or SPSNN_DATA); without one, spike trains of the same size are drawn at random and the table says so.

python benchmarks/shd_epoch.py --data-dir DIR
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time

import common
import numpy as np
import torch
from dense import Spike, delayed
from torch import nn

import spsnn

HIDDEN, CLASSES, DT, WINDOW, BATCH, EPOCH = 256, 20, 4.0, 1000.0, 128, 8156


def load(data_dir):
    """``(SpikeBatch, description)`` of the training set."""
    if data_dir:
        data = spsnn.datasets.load("shd", "train", data_dir=data_dir, duration=WINDOW, crop=True, allow_empty=True)
        return data.events, f"spikes of {len(data)} recordings in the SHD layout"
    rng = np.random.default_rng(0)
    trains = [(rng.uniform(0, WINDOW, 8000), rng.integers(0, 700, 8000)) for _ in range(4 * BATCH)]
    labels = rng.integers(0, CLASSES, len(trains))
    return spsnn.SpikeBatch.from_samples(trains, 700, WINDOW, labels), "random spikes, 8,000 a sample"


def network():
    """The network of the comparison."""
    return spsnn.SpSNN(
        [700, HIDDEN, CLASSES],
        spsnn.Euclidean(2),
        spsnn.LIF(tau_mem=20, tau_syn=5),
        grid=spsnn.Grid(dt=DT, estimator="surrogate"),
        recurrent=True,
        readout="max_membrane",
        position_scale=20.0,
        max_delay=240.0,
        weight_gain=1.2,
        recurrent_gain=0.5,
    )


class Dense(nn.Module):
    """The same network in dense PyTorch operations: a ring of pending arrivals, read by a gather per step.

    The delayed input of every synapse is ``spikes[b, t - lag_ij, i]``, summed over ``i`` with its weight; the delay's
    gradient is that of the interpolated potential, so that the same parameters are trained.
    """

    def __init__(self, model):
        super().__init__()
        self.weights = nn.ParameterList(s.weight.detach().clone() for _, _, s in model.synapses())
        self.lags = [
            (s.delays().detach() / DT).round().long().clamp_(min=int(pre == post)) for pre, post, s in model.synapses()
        ]
        self.constants = model.neuron.constants(DT, 1, np.float32)[:, 0]
        self.slope = model.grid.slope

    def forward(self, dense):
        """Logits from spikes ``[B, T, 700]``."""
        feed, out, loop = self.weights
        lag_in, lag_out, lag_loop = self.lags
        a, c, b = (float(self.constants[k]) for k in (0, 1, 6))
        n_samples, n_steps, _ = dense.shape
        x = delayed(dense, feed, lag_in)
        v = i = dense.new_zeros(n_samples, HIDDEN)
        history = dense.new_zeros(n_samples, int(lag_loop.max()) + 1, HIDDEN)
        spikes = []
        rows = torch.arange(HIDDEN)[:, None].expand(HIDDEN, HIDDEN)
        for t in range(n_steps):
            past = history[:, lag_loop - 1, rows]  # (B, pre, post)
            v, i = a * v + c * i, b * i + x[:, t] + torch.einsum("bij,ij->bj", past, loop)
            z = Spike.apply(v - 1.0, self.slope)
            v = v * (1 - z.detach())
            history = torch.cat([z[:, None], history[:, :-1]], 1)
            spikes.append(z)
        y = delayed(torch.stack(spikes, 1), out, lag_out)
        v = i = dense.new_zeros(n_samples, CLASSES)
        best = dense.new_full((n_samples, CLASSES), -1e30)
        for t in range(n_steps):
            v, i = a * v + c * i, b * i + y[:, t]
            best = torch.maximum(best, v)
        return best


class Clock:
    """Wall time and synaptic events of the forward and the backward pass."""

    def __init__(self):
        self.seconds, self.events = np.zeros(2), np.zeros(2)

    def rates(self):
        """Synaptic events per second, forward and backward."""
        return (self.events / self.seconds).tolist()


def spsnn_step(model, optimizer, batch, clock):
    """One training step of spsnn; returns the hidden spikes per sample."""
    start = time.perf_counter()
    output = model(batch)
    loss = nn.functional.cross_entropy(output.logits, torch.from_numpy(batch.labels))
    middle = time.perf_counter()
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    clock.seconds += middle - start, time.perf_counter() - middle
    optimizer.step()
    hidden = output.spikes[0]
    forward = batch.n_events * HIDDEN + len(hidden.steps) * (HIDDEN + CLASSES)
    # Backward also visits the positions near the threshold, where the surrogate is not zero.
    clock.events += forward, forward + len(hidden.active_steps) * (HIDDEN + CLASSES)
    return len(hidden.steps) / len(batch)


def dense_step(model, optimizer, batch):
    """One training step of dense PyTorch."""
    logits = model(torch.from_numpy(batch.to_dense(DT)))
    optimizer.zero_grad(set_to_none=True)
    nn.functional.cross_entropy(logits, torch.from_numpy(batch.labels)).backward()
    optimizer.step()


def measure(kind, data_dir, n_batches):
    """One row, measured in a process of its own so that the peak memory is its own."""
    spsnn.keep_freed_memory()
    events, _ = load(data_dir)
    order = np.random.default_rng(0).permutation(len(events))
    size = BATCH if kind == "spsnn" else 8  # dense PyTorch keeps [B, pre, post] per step for the gradient
    batches = [events[np.sort(order[k * size : (k + 1) * size])] for k in range(n_batches)]
    model, spikes, rates = network(), "", ("", "")
    if kind == "spsnn":
        optimizer = torch.optim.Adam(model.parameters())
        spsnn_step(model, optimizer, batches[0], Clock())
        clock, start = Clock(), time.perf_counter()
        spikes = float(np.mean([spsnn_step(model, optimizer, batch, clock) for batch in batches]))
        rates = clock.rates()
    else:
        dense = Dense(model)
        optimizer = torch.optim.Adam(dense.parameters())
        dense_step(dense, optimizer, batches[0])
        start = time.perf_counter()
        for batch in batches:
            dense_step(dense, optimizer, batch)
    per_sample = (time.perf_counter() - start) / (n_batches * size)
    return {
        "network": "spsnn" if kind == "spsnn" else "dense PyTorch, weights only",
        "batch": size,
        "ms/sample": 1e3 * per_sample,
        "s/epoch (8,156 samples)": EPOCH * per_sample,
        "hidden spikes/sample": spikes,
        "forward events/s": rates[0],
        "backward events/s": rates[1],
        "peak memory MB": common.peak_memory_mb(),
    }


def agreement(data_dir):
    """Largest difference of the logits of both networks, so that nobody is compared with another computation."""
    events, _ = load(data_dir)
    model = network()
    with torch.no_grad():
        batch = events[:4]
        return float((model(batch).logits - Dense(model)(torch.from_numpy(batch.to_dense(DT)))).abs().max())


def main():
    """Measure each network in its own process and write the table."""
    import json

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", default=os.environ.get("SPSNN_DATA"))
    parser.add_argument("--batches", type=int, default=20, help="batches of 128 timed for spsnn")
    parser.add_argument("--only", choices=("spsnn", "dense"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.only:
        print(json.dumps(measure(args.only, args.data_dir, args.batches if args.only == "spsnn" else 2)))
        return
    rows = []
    for kind in ("spsnn", "dense"):
        command = [sys.executable, __file__, "--only", kind, "--batches", str(args.batches)]
        command += ["--data-dir", args.data_dir] if args.data_dir else []
        result = subprocess.run(command, check=True, capture_output=True, text=True)
        rows.append(json.loads(result.stdout.splitlines()[-1]))
    ratio = rows[1]["ms/sample"] / rows[0]["ms/sample"]
    for row in rows:
        row["time / spsnn"] = row["ms/sample"] / rows[0]["ms/sample"]
    text = (
        f"700 -> {HIDDEN} recurrent -> {CLASSES}, dt {DT:g} ms, T = 250, training steps (forward, backward, Adam) on "
        f"{load(args.data_dir)[1]}. spsnn trains weights and coordinates; dense PyTorch only weights, with the same "
        "rounded delays per synapse, at the batch size that its memory allows. Logits of the two agree to "
        f"{agreement(args.data_dir):.1e}. spsnn is {ratio:.1f} times as fast."
    )
    common.write("shd_epoch", "One epoch of SHD", text, {"Training": rows})


if __name__ == "__main__":
    main()
