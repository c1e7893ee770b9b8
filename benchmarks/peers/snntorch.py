"""snnTorch: `Linear` and `Synaptic`, which have no delays per synapse, float32."""

import common
import dense
import snntorch
import torch

from peers.dense import train
from peers.workload import SLOPE, A, B, C, Result


def forward(w):
    """Spikes of a batch, without delays."""
    spikes, _ = _network(w)
    with torch.no_grad():
        return Result(common.median_seconds(spikes, 5, budget=10), spikes().numpy() > 0)


def step(w):
    """Forward and backward without delays, gradient of the weights."""
    spikes, weight = _network(w)
    return train(w, spikes, weight)


def _network(w):
    weight = torch.from_numpy(w.weight).requires_grad_()
    z = torch.from_numpy(w.spikes)
    neuron = snntorch.Synaptic(
        alpha=B, beta=A, reset_mechanism="zero", reset_delay=False, spike_grad=lambda u: dense.Spike.apply(u, SLOPE)
    )

    def spikes():
        syn, mem = neuron.reset_mem()
        out = []
        # snnTorch applies the new current at once, spsnn that of the step before: the input is moved by one step.
        for x in torch.nn.functional.pad(C * (z @ weight), (0, 0, 1, -1)).unbind(1):
            spike, syn, mem = neuron(x, syn, mem)
            out.append(spike)
        return torch.stack(out, 1)

    return spikes, weight
