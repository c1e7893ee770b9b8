"""A model as the integers of a chip run it, with the read-out of the model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from spsnn.autograd.spikes import Spikes
from spsnn.errors import ConfigError
from spsnn.models.graph import BIAS
from spsnn.models.spiking.readouts import read_out
from spsnn.models.spiking.spsnn import Output
from spsnn.models.trainable import Trainable


class IntegerModel(Trainable, torch.nn.Module):
    """Stands in for a model in `spsnn.evaluate`, with the fixed-point neurons of a chip in place of its own.

    Several spikes of one input in one step are one: a chip's spike carries no number.

    Attributes:
        wrapped, clipped: of `IntegerRun`, summed over all calls.

    Args:
        model: `SpSNN` that gives the read-out.
        network: ``spsnn.hwmap.IntegerNetwork`` made of its graph.

    Raises:
        ConfigError: if the network is not one of this model.
    """

    def __init__(self, model, network):
        super().__init__()
        sizes = [p.size for p in network.populations if not p.name.startswith(BIAS)]
        if sizes != model.sizes:
            raise ConfigError(f"the integer network has populations of {sizes} neurons, the model {model.sizes}")
        self.sizes, self.device, self.network = model.sizes, torch.device("cpu"), network
        self.grid = replace(model.grid, dt=network.dt, delays="round")
        self.settings = replace(model.settings, engine="grid")
        self.populations = model.populations
        self.wrapped = self.clipped = 0

    def inputs(self, batch):
        """Input spikes of a `SpikeBatch`, ``{population: [B, T, N]}``; units of a bias spike at every step."""
        dense = (batch.to_dense(self.network.dt) > 0).astype(np.uint8)
        given = {}
        for p in self.network.inputs:
            given[p.name] = np.ones((*dense.shape[:2], p.size), np.uint8) if p.name.startswith(BIAS) else dense
        return given

    def forward(self, batch):
        """`Output` of a `SpikeBatch`."""
        run = self.network.run(self.inputs(batch))
        self.wrapped += run.wrapped
        self.clipped += run.clipped
        return self.read(run)

    def read(self, run):
        """`Output` of an ``IntegerRun`` of this network, or of what another simulator made of it."""
        s, spiking = self.settings, [name for name, neuron in self.populations() if neuron and neuron.spiking]
        spikes = [Spikes.from_dense(torch.from_numpy(run.spikes[name].astype(np.float32))) for name in spiking]
        last = self.populations()[-1][0]
        potential = torch.from_numpy(run.potential[last].astype(np.float32)) if last in run.potential else None
        out = Spikes(spikes[-1].ptr, spikes[-1].steps, spikes[-1].shape, torch.from_numpy(run.spikes[last] * 1.0))
        logits, first = read_out(s.readout, out, potential, self.grid.dt, s.readout_scale, self.grid.estimator)
        return Output(logits.float(), spikes, first)
