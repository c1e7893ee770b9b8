"""SpikingJelly: `CUBALIFNode` behind a linear layer, without delays per synapse, float32."""

import common
import dense
import torch
from spikingjelly.activation_based import functional, neuron

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
    population = neuron.CUBALIFNode(
        c_decay=B, v_decay=A, v_threshold=1.0, v_reset=0.0, surrogate_function=lambda u: dense.Spike.apply(u, SLOPE)
    )
    population.step_mode = "m"
    population.detach_reset = True

    def spikes():
        functional.reset_net(population)
        # The new current acts at once here, that of the step before in spsnn: the input is moved by one step.
        x = torch.nn.functional.pad(C * (z @ weight), (0, 0, 1, -1))
        return population(x.transpose(0, 1)).transpose(0, 1)

    return spikes, weight
