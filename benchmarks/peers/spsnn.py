"""The grid engine of this package, float32."""

from dataclasses import replace

import common
import torch

import spsnn
from peers.workload import SLOPE, TAU_MEM, TAU_SYN, Result
from spsnn.autograd.population import run_population
from spsnn.autograd.spikes import Spikes

NEURON = spsnn.LIF(tau_mem=TAU_MEM, tau_syn=TAU_SYN)
GRID = spsnn.Grid(dt=1.0, slope=SLOPE)


def forward(w):
    """Spikes of a batch."""
    source, weight, delay = _network(w)
    run = lambda: run_population(NEURON, [(source, weight, delay)], GRID)[0]  # noqa: E731
    return Result(common.median_seconds(run, 20, budget=10), run().dense.numpy() > 0)


def reference(w, detach_reset=True):
    """What the others are compared with: spikes and the gradient of the weights, not timed."""
    source, weight, delay = _network(w)
    z, _ = run_population(NEURON, [(source, weight.requires_grad_(), delay)], replace(GRID, detach_reset=detach_reset))
    z.dense.backward(torch.from_numpy(w.cotangent))
    return Result(0.0, z.dense.detach().numpy() > 0, weight.grad.numpy())


def step(w):
    """Forward and backward, gradients of weights and delays."""
    source, weight, delay = _network(w)
    weight.requires_grad_()
    delay.requires_grad_()
    return _train(w, source, weight, lambda: delay)


def step_spatial(w):
    """Forward and backward, gradients of weights and coordinates; delays are distances of its own."""
    source, weight, _ = _network(w)
    longest = float(w.lag.max())
    synapse = spsnn.SpatialSynapse(*weight.shape, spsnn.Euclidean(2), position_scale=longest / 4)
    synapse.weight.data = weight
    return _train(w, source, synapse.weight, synapse.kernel_delays)


def _network(w):
    weight, delay = torch.from_numpy(w.weight), torch.from_numpy(w.lag).float()
    return Spikes.from_dense(torch.from_numpy(w.spikes)), weight, delay


def _train(w, source, weight, delay):
    cotangent = torch.from_numpy(w.cotangent)

    def run():
        weight.grad = None
        z, _ = run_population(NEURON, [(source, weight, delay())], GRID)
        z.dense.backward(cotangent)
        return z

    seconds = common.median_seconds(run, 20, budget=10)
    return Result(seconds, run().dense.detach().numpy() > 0, weight.grad.numpy())
