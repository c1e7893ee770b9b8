"""Training losses."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from spsnn.errors import ConfigError

MOST_DELAYS = 2**20


def loss(output, labels, config, duration, estimator, n_hidden):
    """Cross-entropy plus the regularisers of `TrainingConfig`.

    Args:
        output: `spsnn.models.Output`.
        labels: int64 ``[B]``.
        duration: window in ms.
        estimator: of the model's gradients.
        n_hidden: number of hidden populations, the first of ``output.spikes``.

    Raises:
        ConfigError: if a regulariser does not fit the estimator or the readout.
    """
    total = functional.cross_entropy(output.logits, labels, label_smoothing=config.label_smoothing)
    if config.rate_weight:
        if estimator == "eventprop":
            raise ConfigError(
                "EventProp has no gradient for spike rates; set rate_weight=0, or the grid engine and "
                "estimator='surrogate'"
            )
        if not n_hidden:
            raise ConfigError("rate_weight is about hidden neurons, the model has none; set rate_weight=0")
        hidden = [s.dense.sum(1).mean(0) for s in output.spikes[:n_hidden]]
        total = total + config.rate_weight * torch.cat([(r - config.rate_target).square() for r in hidden]).mean()
    if config.time_weight:
        if output.first_spike is None:
            raise ConfigError("time_weight needs readout='first_spike'")
        total = total + config.time_weight * output.first_spike.gather(1, labels[:, None]).mean() / duration
    return total


def delay_penalty(model, band, rng):
    """Mean over projections of the mean over their synapses of

        max(0, low - d / max_delay)^2 + max(0, d / max_delay - high)^2,    d before it is cut.

    Of a projection of more than `MOST_DELAYS` synapses, random presynaptic neurons stand for all.

    Args:
        model: `spsnn.SpSNN` with learnable delays.
        band: ``(low, high)``, shares of ``max_delay``.
        rng: NumPy generator, drawn from only where there are too many synapses.

    Raises:
        ConfigError: if the model has no ``max_delay``, or no delays to learn.
    """
    if model.settings.delay == "none":
        raise ConfigError("delay_weight needs delays to learn, the model has delay='none'; set delay_weight=0")
    if model.settings.max_delay is None:
        raise ConfigError("delay_weight compares delays with max_delay, which is not set; set model.max_delay in ms")
    low, high = band
    total = 0
    synapses = [s for _, _, s in model.synapses()]
    for s in synapses:
        n = max(MOST_DELAYS // s.n_post, 1)
        rows = slice(None) if n >= s.n_pre else torch.from_numpy(np.sort(rng.choice(s.n_pre, n, replace=False)))
        share, mask = s.raw_delays(rows) / s.max_delay, s.mask[rows]
        outside = torch.relu(low - share) + torch.relu(share - high)
        total = total + (outside.square() * mask).sum() / mask.sum().clamp(min=1)
    return total / len(synapses)


def rescue_silent(model, output, amount):
    """Lower the weight gradients into neurons that were silent over the whole batch; returns how many there were."""
    silent_count = 0
    for synapse, spikes in zip(model.feedforward, output.spikes, strict=False):
        silent = torch.as_tensor(spikes.counts().sum(0) == 0)
        silent_count += int(silent.sum())
        if amount and silent.any():
            synapse.weight.grad -= amount * (silent[None, :] & synapse.mask)
    return silent_count
