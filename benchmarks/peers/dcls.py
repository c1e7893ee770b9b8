"""DCLS: a convolution over time whose kernel is built from one learnable position (delay) per synapse, float32."""

import common
import dense
import torch
from DCLS.construct.modules import Dcls1d

from peers.workload import SLOPE, A, B, C, Result


def step(w):
    """Forward and backward, gradients of weights and positions; the interpolation is linear (``version="max"``)."""
    size = int(w.lag.max()) + 1
    layer = Dcls1d(w.weight.shape[0], w.weight.shape[1], 1, dilated_kernel_size=size, bias=False, version="max")
    layer.weight.data = torch.from_numpy(w.weight.T.copy())[:, :, None]
    layer.P.data = (size - 1 - size // 2 - torch.from_numpy(w.lag.T.copy()).float())[None, :, :, None]
    z = torch.nn.functional.pad(torch.from_numpy(w.spikes).transpose(1, 2), (size - 1, 0))
    cotangent = torch.from_numpy(w.cotangent)

    def run():
        layer.zero_grad()
        spikes = dense.lif(layer(z).transpose(1, 2), A, C, B, SLOPE)
        spikes.backward(cotangent)
        return spikes

    seconds = common.median_seconds(run, 5, budget=10)
    return Result(seconds, run().detach().numpy() > 0, layer.weight.grad[:, :, 0].numpy().T)
