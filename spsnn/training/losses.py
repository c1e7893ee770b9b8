"""Training losses."""

from __future__ import annotations

import torch
from torch.nn import functional

from spsnn.errors import ConfigError


def loss(output, labels, config, duration, estimator):
    """Cross-entropy plus the regularisers of `TrainingConfig`.

    Args:
        output: `spsnn.models.Output`.
        labels: int64 ``[B]``.
        duration: window in ms.

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
        hidden = [s.dense.sum(1).mean(0) for s in output.spikes]
        total = total + config.rate_weight * torch.cat([(r - config.rate_target).square() for r in hidden]).mean()
    if config.time_weight:
        if output.first_spike is None:
            raise ConfigError("time_weight needs readout='first_spike'")
        total = total + config.time_weight * output.first_spike.gather(1, labels[:, None]).mean() / duration
    return total


def rescue_silent(model, output, amount):
    """Lower the weight gradients into neurons that were silent over the whole batch; returns how many there were."""
    silent_count = 0
    for synapse, spikes in zip(model.feedforward, output.spikes, strict=False):
        silent = torch.as_tensor(spikes.counts().sum(0) == 0)
        silent_count += int(silent.sum())
        if amount and silent.any():
            synapse.weight.grad -= amount * (silent[None, :] & synapse.mask)
    return silent_count
