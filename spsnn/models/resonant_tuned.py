"""Resonant network whose nodes are tuned to patterns: a node ignites where the input both lands near it and fits it."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from spsnn.errors import ConfigError, DataError
from spsnn.models._arguments import seeded
from spsnn.models.resonant_sparse import SparseResonantNetwork, _samples

# Chosen on the validation split of the hierarchical task.
MATCH_GAIN, MEAN_GAIN, READOUT_GAIN = 1.5, 3.0, 8.0


class TunedResonantNetwork(SparseResonantNetwork):
    """`SparseResonantNetwork` whose nodes have a tuning ``c_i`` to windows of the input.

        r_i = max_t [1.5 c_i . w_t - d(p_i, spark_t)^2 / (2 ignition^2)],   w_t = x_t .. x_{t + window - 1}
        A   = the k = active N nodes with the largest r
        a_i = softplus(r_i - theta_i),   h_i = a_i (W_c U_i + 3 W_m mean_t x_t)
        L times as the sparse network, with h_i <- g_i + h_i
        logits = head(8 mean_{i in A} a_i h_i)

    In three dimensions alone a spark cannot tell 160 patterns apart; the tuning can, and the place keeps its say.  All
    nodes are compared with all windows, T N window F operations without gradient; gradients and messages touch A alone.
    While training, start with `set_active` at 1 and lower it: nodes that never were active have learned nothing.

    Args:
        n_features: F.
        n_classes: C.
        n_nodes: N.
        hidden: H.
        n_steps: L.
        rank: length of U_i and V_i.
        window: steps of a pattern.
        ignition: width.
        dropout: share of active nodes, and of the mean input, left out in training.
        seed: of all initial values; None takes torch's global generator.
        **options: of `SparseResonantNetwork`, except ``content`` and ``code``.

    Raises:
        ConfigError: for an argument outside its range.
    """

    def __init__(
        self,
        n_features,
        n_classes,
        n_nodes=144,
        hidden=64,
        n_steps=1,
        rank=16,
        window=5,
        ignition=2.0,
        dropout=0.3,
        seed=None,
        **options,
    ):
        if not 0 <= dropout < 1:
            raise ConfigError(f"dropout must lie in [0, 1), got {dropout}")
        super().__init__(
            n_features, n_classes, n_nodes, hidden, n_steps, rank, window=window, ignition=ignition, content="both",
            code=True, seed=seed, **options,
        )  # fmt: skip
        self.init, self.norm, self.dropout = None, None, nn.Dropout(dropout)
        size = window * n_features
        with torch.no_grad(), seeded(None if seed is None else seed + 1):
            # Small, so that tunings come from the data: three times as large they fit noise and score 10 points less.
            self.tuning = nn.Parameter(0.3 * torch.randn(n_nodes, size) / size**0.5)
            self.sender.mul_(30)  # .3 N(0, 1): nodes differ in what they say
            self.message.weight.mul_(0.05)

    def set_active(self, share):
        """Let at most ``share`` of the nodes, in (0, 1], be active from now on.

        Raises:
            ConfigError: if ``share`` is out of range.
        """
        if not 0 < share <= 1:
            raise ConfigError(f"active must lie in (0, 1], got {share}")
        self.most = max(int(share * len(self.theta)), 1)

    def _ignite(self, x, slot):
        mean, x = x.mean(1), self._windows(x)
        sparks, place = self.sparks(x), self.space.project(self.position)
        if not sparks.isfinite().all():
            raise DataError("sparks are not finite: features or the parameters of the sparks hold NaN or infinity")
        with torch.no_grad():
            match = MATCH_GAIN * (x @ self.tuning.T) - self._squares(sparks, place) / (2 * self.ignition**2)
            best, when = match.max(1)  # (B, N)
            node = best.topk(self.most, 1).indices.sort(1).values
            when, node = when.gather(1, node).flatten(), node.flatten()
        ptr = np.arange(len(x) + 1) * self.most
        sample = _samples(ptr)
        fit = (x[sample, when] * self.tuning.index_select(0, node)).sum(1)
        away = self._apart(place.index_select(0, node), sparks[sample, when])
        r = MATCH_GAIN * fit - away.square() / (2 * self.ignition**2)
        a = nn.functional.softplus(r - self.theta.index_select(0, node))
        content = self.code(self.sender.index_select(0, node))
        content = content + MEAN_GAIN * self.init_mean(self.dropout(mean)).index_select(0, sample)
        return ptr, node.numpy().astype(np.int32), a, self.dropout(a)[:, None] * content

    def _squares(self, p, q):
        """Squared hyperbolic distances ``[B, T, N]``, by a matrix product."""
        norm_p, norm_q = p.square().sum(-1, keepdim=True), q.square().sum(-1)
        apart = (norm_p + norm_q - 2 * p @ q.T).clamp_min(0)
        return 4 * torch.asinh((apart / ((1 - norm_p) * (1 - norm_q))).sqrt()).square()

    def _renew(self, h, a):
        return h

    def _pool(self, mean):
        return READOUT_GAIN * mean
