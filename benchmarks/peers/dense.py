"""Dense PyTorch: one product per lag and a loop over steps, float32."""

import common
import dense
import torch

from peers.workload import SLOPE, A, B, C, Result


def forward(w):
    """Spikes of a batch, with delays."""
    z, weight, lag = _network(w)
    with torch.no_grad():
        run = lambda: _spikes(z, weight, lag)  # noqa: E731
        return Result(common.median_seconds(run, 5, budget=10), run().numpy() > 0)


def step(w):
    """Forward and backward, gradient of the weights only."""
    z, weight, lag = _network(w)
    weight.requires_grad_()
    return train(w, lambda: _spikes(z, weight, lag), weight)


def train(w, forward, weight):
    """Time of ``forward`` and its backward pass; ``weight.grad`` is ``[I, J]``."""
    cotangent = torch.from_numpy(w.cotangent)

    def run():
        weight.grad = None
        z = forward()
        z.backward(cotangent)
        return z

    seconds = common.median_seconds(run, 5, budget=10)
    return Result(seconds, run().detach().numpy() > 0, weight.grad.numpy())


def _network(w):
    return torch.from_numpy(w.spikes), torch.from_numpy(w.weight), torch.from_numpy(w.lag)


def _spikes(z, weight, lag):
    return dense.lif(dense.delayed(z, weight, lag), A, C, B, SLOPE)
