"""A spatial synapse in front of snnTorch's neurons: all gradients against the same network in plain torch."""

import numpy as np
import pytest
import torch

import spsnn

from ..engine.nets import dense_spikes, relative

snntorch = pytest.importorskip("snntorch")

T, DT = 30, 0.5
NEURONS = {
    "leaky": lambda: snntorch.Leaky(beta=0.9),
    "synaptic": lambda: snntorch.Synaptic(alpha=0.7, beta=0.9),
    "alpha": lambda: snntorch.Alpha(alpha=0.9, beta=0.8),
}


def loss_of(neuron, current, c):
    """Random linear functional of spikes and membrane potentials."""
    state, total = neuron.reset_mem(), 0.0
    state = state if isinstance(state, tuple) else (state,)
    for t in range(T):
        spikes, *state = neuron(current[:, t], *state)
        total = total + (c[0, :, t] * spikes).sum() + (c[1, :, t] * state[-1]).sum()
    return total


@pytest.mark.parametrize("name", NEURONS)
def test_gradients(name):
    rng = np.random.default_rng(0)
    z = torch.from_numpy(dense_spikes(rng, (2, T, 6), 0.3)).requires_grad_()
    synapse = spsnn.SpatialSynapse(6, 4, spsnn.Euclidean(2), position_scale=2.0).double()
    synapse.init_weight(gain=1.0, mean=2.0)
    neuron, c = NEURONS[name]().double(), torch.from_numpy(rng.normal(size=(2, 2, T, 4)))
    leaves = [z, synapse.weight, synapse.pre.position, synapse.post.position]
    got = torch.autograd.grad(loss_of(neuron, synapse(z, DT), c), leaves)

    delays, w = synapse.delays(), synapse.weight
    lag = np.rint(delays.detach().numpy() / DT).astype(int)
    current = sum(
        torch.nn.functional.pad(z, (0, 0, k, 0))[:, :T] @ (w * torch.from_numpy(lag == k)) for k in np.unique(lag)
    )
    loss = loss_of(neuron, current, c)
    g, *want = torch.autograd.grad(loss, [current, z, w], retain_graph=True)
    g = np.pad(g.numpy(), ((0, 0), (1, 1), (0, 0)))
    to_delay = np.zeros(lag.shape)
    for b, t, i in np.argwhere(z.detach().numpy()):
        for j in range(4):
            if (a := t + lag[i, j]) < T:
                to_delay[i, j] += w[i, j].item() * (g[b, a + 2, j] - g[b, a, j]) / (2 * DT)
    want += torch.autograd.grad(delays, leaves[2:], torch.from_numpy(to_delay))
    assert max(relative(a, b) for a, b in zip(got, want, strict=True)) < 1e-9
    assert min(x.abs().max() for x in want) > 1e-3
