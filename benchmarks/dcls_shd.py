"""The yardstick for speech: the DCLS network of Hammouamri et al. (2023) on data in the SHD layout.

140 -> 256 -> 256 -> 20 feed-forward, a learned delay for every synapse (`dcls`, Gaussian kernels that narrow while
training, delays to 250 ms), batch normalisation, dropout, LIF with hard reset, steps of 10 ms; the published recipe
except for the number of epochs (150 there) and, with --hidden, the number of neurons.  Whole steps at test time.  All
training data and the last epoch, or --hold-out for a validation set of speakers; the test set is read once, after
training.  Goes on from its checkpoint.
Needs dcls: pip install 'spsnn[bench]'.

python benchmarks/dcls_shd.py --data-dir DIR --label SHD --epochs 150
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

import common
import numpy as np
import torch
from DCLS.construct.modules import Dcls1d
from torch import nn
from torch.nn import functional

import spsnn

CHANNELS, CLASSES, DT, WINDOW, BATCH = 140, 20, 10.0, 1000.0, 256
TAU, DROPOUT, LR, POSITION_LR = 10.05, 0.4, 1e-3, 0.1
KERNEL = 25  # steps; delays from 0 to 24


class Spike(torch.autograd.Function):
    """Heaviside step with the derivative of an arc tangent, ``alpha / 2 / (1 + (pi alpha u / 2)^2)``, alpha = 5."""

    @staticmethod
    def forward(ctx, u):
        ctx.save_for_backward(u)
        return (u >= 0).to(u.dtype)

    @staticmethod
    def backward(ctx, grad):
        (u,) = ctx.saved_tensors
        return grad * 2.5 / (1 + (2.5 * math.pi * u) ** 2)


class Layer(nn.Module):
    """Delayed weights ``[B, I, T] -> [B, T + 12, J]``: kernels of 25 steps, delay ``12 - P``."""

    def __init__(self, n_in, n_out):
        super().__init__()
        self.conv = Dcls1d(n_in, n_out, 1, dilated_kernel_size=KERNEL, bias=False, version="gauss")
        nn.init.kaiming_uniform_(self.conv.weight, nonlinearity="relu")
        nn.init.uniform_(self.conv.P, -(KERNEL // 2), KERNEL // 2)
        nn.init.constant_(self.conv.SIG, KERNEL // 2)
        self.conv.SIG.requires_grad = False

    def forward(self, z):
        return self.conv(functional.pad(z, (KERNEL - 1, KERNEL // 2))).transpose(1, 2)


class Network(nn.Module):
    """Logits ``[B, 20]``: the sum over steps of the softmax of the output potentials."""

    def __init__(self, hidden):
        super().__init__()
        self.layers = nn.ModuleList([Layer(CHANNELS, hidden), Layer(hidden, hidden), Layer(hidden, CLASSES)])
        self.norms = nn.ModuleList([nn.BatchNorm1d(hidden), nn.BatchNorm1d(hidden)])
        self.decay = 1 - DT / TAU

    def forward(self, z):
        """``z``: counts ``[B, I, T]``."""
        self.spikes = []
        for layer, norm in zip(self.layers, self.norms, strict=False):
            x = norm(layer(z).flatten(0, 1)).view(len(z), -1, norm.num_features)
            v, fired = torch.zeros_like(x[:, 0]), []
            for x_t in x.unbind(1):
                v = self.decay * v + x_t
                s = Spike.apply(v - 1.0)
                v = v * (1 - s.detach())
                fired.append(s)
            z = torch.stack(fired, 2)
            self.spikes.append(float(z.detach().sum() / len(z)))
            if self.training:
                z = z * (torch.rand_like(z[:, :, :1]) > DROPOUT) / (1 - DROPOUT)
        v, total = 0.0, 0.0
        for x_t in self.layers[-1](z).unbind(1):
            v = self.decay * v + x_t
            total = total + v.softmax(1)
        return total

    def narrow(self, factor):
        """Multiply the width of the kernels."""
        for layer in self.layers:
            layer.conv.SIG *= factor

    def clamp(self):
        """Keep delays inside the kernels."""
        for layer in self.layers:
            layer.conv.clamp_parameters()


def counts(split, data_dir, hold_out):
    """``(counts [N, I, T] uint8, labels [N])`` of a split."""
    options = {} if split == "test" else {"hold_out": hold_out}
    data = spsnn.datasets.load(
        "shd", split, data_dir=data_dir, n_channels=CHANNELS, duration=WINDOW, crop=True, allow_empty=True, **options
    ).events
    dense = np.zeros((len(data), CHANNELS, int(WINDOW / DT)), np.uint8)
    for row, sample in enumerate(dense):
        at = slice(data.offsets[row], data.offsets[row + 1])
        step = np.minimum((data.times[at] / DT).astype(int), sample.shape[1] - 1)
        np.add.at(sample, (data.units[at], step), 1)
    return torch.from_numpy(dense), torch.as_tensor(np.asarray(data.labels)).long()


@torch.no_grad()
def accuracy(network, data):
    """Accuracy and spikes per hidden neuron with delays in whole steps and kernels one step wide."""
    network.eval()
    kept = [(layer.conv.P.clone(), layer.conv.SIG.clone(), layer.conv.DCK.version) for layer in network.layers]
    for layer in network.layers:
        layer.conv.P.round_()
        layer.conv.SIG.zero_()
        layer.conv.DCK.version = "max"
    network.clamp()
    right, spikes = 0, 0.0
    for z, label in zip(data[0].split(BATCH), data[1].split(BATCH), strict=True):
        right += int((network(z.float()).argmax(1) == label).sum())
        spikes += sum(network.spikes) * len(z)
    for layer, (p, sig, version) in zip(network.layers, kept, strict=True):
        layer.conv.P.data, layer.conv.SIG.data, layer.conv.DCK.version = p, sig, version
    return right / len(data[1]), spikes / len(data[1]) / (2 * network.norms[0].num_features)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--label", default="SHD", help="what to call the data")
    parser.add_argument("--epochs", type=int, default=150)
    parser.add_argument("--hold-out", default="", help="speakers to validate on, e.g. 0,11; none: all training data")
    parser.add_argument("--hidden", type=int, default=256, help="neurons of each hidden layer")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--checkpoint", type=Path, default=Path("runs/dcls_shd.pt"))
    parser.add_argument("--name", default="dcls_shd", help="of the table under docs/results")
    args = parser.parse_args()
    speakers = [int(s) for s in args.hold_out.split(",") if s]
    torch.manual_seed(args.seed)
    train = counts("train", args.data_dir, speakers)
    validation = counts("validation", args.data_dir, speakers) if speakers else None
    network = Network(args.hidden)
    settings = [args.epochs, speakers, args.seed, args.hidden]
    positions = [p for name, p in network.named_parameters() if name.endswith(".P")]
    weights = [p for name, p in network.named_parameters() if p.requires_grad and not name.endswith(".P")]
    steps = args.epochs * -(-len(train[1]) // BATCH)
    adam = torch.optim.Adam(weights, lr=LR, weight_decay=1e-5)
    adam_positions = torch.optim.Adam(positions, lr=POSITION_LR)
    schedule = torch.optim.lr_scheduler.OneCycleLR(adam, 5 * LR, total_steps=steps)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(adam_positions, args.epochs)
    state = {"network": network, "adam": adam, "positions": adam_positions, "schedule": schedule, "cosine": cosine}
    history, first = [], 0
    if args.checkpoint.exists():
        saved = torch.load(args.checkpoint, weights_only=True)
        if saved["settings"] != settings:
            raise SystemExit(f"{args.checkpoint} belongs to other settings; choose another --checkpoint")
        for name, value in state.items():
            value.load_state_dict(saved[name])
        history, first = saved["history"], len(saved["history"])
        torch.set_rng_state(saved["rng"])
    narrowing = max(args.epochs // 4, 1)
    for epoch in range(first, args.epochs):
        start, losses, right = time.perf_counter(), [], 0
        network.train()
        for rows in torch.randperm(len(train[1])).split(BATCH):
            logits = network(train[0][rows].float())
            loss = functional.cross_entropy(logits, train[1][rows])
            for optimizer in (adam, adam_positions):
                optimizer.zero_grad()
            loss.backward()
            adam.step()
            adam_positions.step()
            schedule.step()
            network.clamp()
            losses.append(loss.item())
            right += int((logits.argmax(1) == train[1][rows]).sum())
        cosine.step()
        if epoch < narrowing:
            network.narrow((0.23 / (KERNEL // 2)) ** (1 / narrowing))
        entry = {"epoch": epoch + 1, "loss": float(np.mean(losses)), "train_accuracy": right / len(train[1])}
        if validation:
            entry["validation_accuracy"] = accuracy(network, validation)[0]
        entry["seconds"] = time.perf_counter() - start
        history.append(entry)
        print(entry, flush=True)
        args.checkpoint.parent.mkdir(parents=True, exist_ok=True)
        saved = {name: value.state_dict() for name, value in state.items()}
        saved |= {"history": history, "rng": torch.get_rng_state(), "settings": settings}
        torch.save(saved, args.checkpoint.with_suffix(".new"))
        args.checkpoint.with_suffix(".new").replace(args.checkpoint)
    row = {
        "network": f"DCLS, {CHANNELS}-{args.hidden}-{args.hidden}-{CLASSES}",
        "seed": args.seed,
        "epochs": args.epochs,
        "parameters": sum(p.numel() for p in network.parameters() if p.requires_grad),
        "seconds": sum(e["seconds"] for e in history),
        "held out": args.hold_out or "none",
        "read on": "validation" if speakers else "test",
    }
    score = accuracy(network, validation or counts("test", args.data_dir, speakers))
    row |= {"accuracy [%]": f"{100 * score[0]:.1f}", "spikes per neuron": score[1]}
    text = f"{args.label}; published recipe (150 epochs there); last epoch taken, delays in whole steps of {DT:g} ms."
    common.write(
        args.name, f"{args.label}: the DCLS network as a yardstick", text, {"result": [row], "epochs": history}
    )


if __name__ == "__main__":
    main()
