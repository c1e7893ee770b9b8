"""A whole model in continuous time: one call of the event engine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from spsnn.autograd.events import Wiring, run_events
from spsnn.autograd.projection import check_synapses
from spsnn.errors import ConfigError
from spsnn.functional import nth_spike
from spsnn.kernels.events import SpikeBatch
from spsnn.neurons import LIF, LeakyIntegrator

READOUTS = ("first_spike", "mean_membrane")


@dataclass(frozen=True)
class SpikeTimes:
    """Spikes of one population in continuous time.

    Attributes:
        ptr, times: neuron ``i`` of sample ``b`` spikes at ``times[ptr[b, i]:ptr[b, i + 1]]`` ms.
    """

    ptr: np.ndarray
    times: np.ndarray

    def counts(self):
        """Number of spikes, ``[B, N]``."""
        return np.diff(self.ptr, axis=1)


def check_event_engine(settings, neuron, output):
    """Refuse what the event engine does not do.

    Raises:
        ConfigError: names the setting and the way out.
    """
    if settings.readout not in READOUTS:
        raise ConfigError(
            f"the event engine reads out {' or '.join(READOUTS)}, got {settings.readout!r}; use it or engine='grid'"
        )
    for name in ("learn_neuron", "learn_output", "neuron_spread"):
        if getattr(settings, name):
            raise ConfigError(
                f"on the event engine a population shares its parameters, got {name}={getattr(settings, name)}; remove "
                "it or set engine='grid'"
            )
    for n in (neuron, output):
        if type(n) not in (LIF, LeakyIntegrator) or n.refractory:
            raise ConfigError(f"the event engine has LIF neurons without refractory period, got {n}; set engine='grid'")


def run_continuous(model, batch):
    """Run a `SpikeBatch` through an `SpSNN`; spike times of the batch are taken as they are.

    Returns:
        ``(logits [B, C], [SpikeTimes of every spiking population after the input], first spikes [B, C] or None)``:

            first_spike     -readout_scale * time of the first spike; of a silent neuron, the window's length, whose
                            gradient is that of ``-silent_pull * mean V``
            mean_membrane    readout_scale * integral of V over the window / its length

    Raises:
        ConfigError: if ``batch`` is not a `SpikeBatch`, or has another number of units, or the model is on a GPU.
    """
    if model.device.type != "cpu":
        raise ConfigError(f"the event engine runs on the CPU, the model is on {model.device}; use model.to('cpu')")
    if not isinstance(batch, SpikeBatch):
        raise ConfigError(f"the event engine takes a SpikeBatch, got {type(batch).__name__}")
    if batch.n_units != model.sizes[0]:
        raise ConfigError(f"the model takes {model.sizes[0]} input units, the data has {batch.n_units}")
    start = np.cumsum([0, *model.sizes])  # populations in one numbering
    pre, post, weight, delay = [], [], [], []
    number = {name: k for k, (name, _) in enumerate(model.populations())}
    for a, b, s in model.synapses():
        k, m = number[a], number[b]
        d = s.delays()
        check_synapses(s.weight, d, s.n_pre, s.n_post)
        i, j = np.nonzero(s.mask.numpy())
        pre.append(start[k] + i)
        post.append(start[m] - start[1] + j)
        weight.append(s.weight[s.mask])
        delay.append(d[s.mask])
    wiring = Wiring(
        batch.offsets, batch.units.astype(np.int64), batch.n_units, np.concatenate(pre), np.concatenate(post),
        batch.duration, model.grid.min_slope,
    )  # fmt: skip
    populations = [neuron for _, neuron in model.populations()[1:]]
    constants = [(n.tau_mem, n.tau_syn, n.threshold if n.spiking else np.inf, n.v_reset) for n in populations]
    neurons = torch.tensor(constants, dtype=torch.float64).repeat_interleave(torch.tensor(model.sizes[1:]), 0)
    times, sample, unit, integral = run_events(
        wiring, torch.from_numpy(batch.times), torch.cat(weight), torch.cat(delay), *neurons.T
    )
    passed, first = [], None
    for k, neuron in enumerate(populations):
        if not neuron.spiking:
            continue
        low, high = start[k + 1] - start[1], start[k + 2] - start[1]
        mine = (unit >= low) & (unit < high)
        key = sample[mine] * (high - low) + unit[mine] - low
        passed.append(_by_neuron(times[mine].detach().numpy(), key.numpy(), len(batch), high - low))
        if k == len(populations) - 1:
            shape = len(batch), model.sizes[-1]
            first = nth_spike(times[mine], key, shape[0] * shape[1], silent=batch.duration).reshape(shape)
            mean = integral[:, -shape[1] :] / batch.duration
            pull = model.settings.silent_pull * (mean - mean.detach())  # zero, with a gradient
            first = torch.where(first == batch.duration, first - pull, first)
    scale = model.settings.readout_scale
    if first is not None:
        return -scale * first, passed, first
    return scale * integral[:, -model.sizes[-1] :] / batch.duration, passed, None


def _by_neuron(times, key, n_samples, n):
    order = np.argsort(key, kind="stable")
    before = np.concatenate([[0], np.cumsum(np.bincount(key, minlength=n_samples * n))])
    ptr = before[np.arange(n_samples)[:, None] * n + np.arange(n + 1)]
    return SpikeTimes(ptr, times[order])
