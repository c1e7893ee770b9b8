"""What all synapses share: weights, a persistent mask, bounded delays."""

from __future__ import annotations

import torch

from spsnn.autograd.synapse import delayed_current
from spsnn.errors import CapacityError, ConfigError


class Synapse(torch.nn.Module):
    """Dense projection from ``n_pre`` to ``n_post`` neurons with delays in ms.

    Used alone, it maps spikes ``[B, T, n_pre]`` to currents ``[B, T, n_post]``, in front of any neuron model.

    Attributes:
        weight: ``[n_pre, n_post]``.
        mask: bool ``[n_pre, n_post]``; where False there is no synapse.  It is saved with the model and
            stays in force while training.
        max_delay: longest delay in ms that the target can hold, or None.
        on_exceed: ``error``, or ``clip``, which cuts delays at ``max_delay`` and reports the share in ``clipped``.

    Raises:
        ConfigError: on contradicting settings.
        CapacityError: in `delays`, when a delay exceeds ``max_delay`` and ``on_exceed`` is ``error``.
    """

    def __init__(self, n_pre, n_post, *, d_min=0.0, max_delay=None, on_exceed="error", self_connections=True):
        super().__init__()
        if on_exceed not in ("error", "clip"):
            raise ConfigError(f"on_exceed must be 'error' or 'clip', got {on_exceed!r}")
        if d_min < 0:
            raise ConfigError(f"d_min must not be negative, got {d_min} ms")
        if max_delay is not None and not max_delay > d_min:
            raise ConfigError(f"max_delay must exceed d_min={d_min} ms, got {max_delay} ms")
        if not self_connections and n_pre != n_post:
            raise ConfigError("self_connections=False needs a recurrent projection, with as many pre as post neurons")
        self.n_pre, self.n_post = n_pre, n_post
        self.d_min, self.max_delay, self.on_exceed = d_min, max_delay, on_exceed
        self.weight = torch.nn.Parameter(torch.zeros(n_pre, n_post))
        mask = torch.ones(n_pre, n_post, dtype=torch.bool)
        if not self_connections:
            mask.fill_diagonal_(False)
        self.register_buffer("mask", mask)
        self.clipped = 0.0
        self.watched, self.effective = False, None
        self.stored = None  # `Stored` while fine-tuning: weights and delays run as a chip holds them

    def init_weight(self, gain, mean=0.0, generator=None):
        """Draw weights from N(mean / n_pre, gain^2 / n_pre)."""
        with torch.no_grad():
            self.weight.normal_(mean / self.n_pre, gain / self.n_pre**0.5, generator=generator)

    def raw_delays(self, rows=slice(None)):
        """Delays ``[n_pre, n_post]`` before the bound, or those of the presynaptic neurons ``rows``."""
        raise TypeError(f"{type(self).__name__} is a base class; use one of its children")

    def delays(self):
        """Delays ``[n_pre, n_post]`` in ms, within ``d_min`` and ``max_delay``."""
        d = self.raw_delays()
        if self.max_delay is None:
            return d
        over = (d.detach() > self.max_delay) & self.mask
        self._check_longest(int(over.sum()), float(d.detach()[over].max()) if over.any() else 0.0)
        return d.clamp(max=self.max_delay)

    def kernel_delays(self):
        """Delays as the engine takes them: the matrix of `delays`, or coordinates."""
        delays = self.delays()
        return delays if self.stored is None else self.stored.delay(delays)

    def _check_longest(self, count, longest):
        n = max(int(self.mask.sum()), 1)
        self.clipped = count / n
        if count and self.on_exceed == "error":
            raise CapacityError(
                f"{count} of {n} delays exceed max_delay={self.max_delay} ms (longest {longest:.4g} ms); raise "
                "max_delay, lower alpha or the scale of the coordinates, or set on_exceed='clip'"
            )

    def weights(self):
        """Weights with masked synapses at zero."""
        weight = (self.weight if self.stored is None else self.stored.weight(self.weight)) * self.mask
        if self.watched and weight.requires_grad:
            weight.retain_grad()
            self.effective = weight
        return weight

    def kernel_mask(self):
        """Mask for the kernels, which skip pruned synapses; None while their gradients are wanted."""
        return None if self.watched else self.mask

    def prune_(self, keep):
        """Keep the synapses of the bool ``keep [n_pre, n_post]`` alone; weights of the others become zero."""
        with torch.no_grad():
            self.mask.copy_(keep)
            self.weight.masked_fill_(~self.mask, 0.0)

    def per_synapse(self):
        """Parameters ``[n_pre, n_post]`` with a value for every synapse."""
        return [self.weight]

    def magnitudes(self):
        """``|w| [n_pre, n_post]``, by which synapses are ranked when they are pruned."""
        return self.weight.detach().abs()

    def project_(self):
        """Bring parameters back into their range after an optimiser step."""

    def forward(self, spikes, dt=1.0):
        """Currents ``[B, T, n_post]`` from spikes ``[B, T, n_pre]`` on a grid of ``dt`` ms."""
        if spikes.shape[-1] != self.n_pre:
            raise ConfigError(
                f"this synapse takes {self.n_pre} presynaptic neurons, the spikes have {spikes.shape[-1]}"
            )
        return delayed_current(spikes, self.weights(), self.kernel_delays(), dt, self.kernel_mask())
