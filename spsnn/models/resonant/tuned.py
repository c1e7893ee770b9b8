"""Resonant network whose nodes are tuned to patterns: a node ignites where the input both lands near it and fits it."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from spsnn.models.rate._arguments import dropped, seeded
from spsnn.models.resonant.settings import TunedResonantSettings
from spsnn.models.resonant.sparse import SparseResonantNetwork, _samples


class TunedResonantNetwork(SparseResonantNetwork):
    """`SparseResonantNetwork` whose nodes have a tuning ``c_i`` to windows of the input.

        r_i = max_t [1.5 c_i . w_t - d(p_i, spark_t)^2 / (2 ignition^2)],   w_t = x_t .. x_{t + span - 1}
        A   = the k = active N nodes with the largest r
        a_i = softplus(r_i - theta_i),   h_i = a_i (W_c U_i + 3 W_m mean_t x_t)
        L times as the sparse network, with h_i <- g_i + h_i
        q = 8 mean_{i in A} a_i h_i;   with ``head_width``, q <- GELU(W_q q + b_q)
        logits = head(q)

    In three dimensions alone a spark cannot tell 160 patterns apart; the tuning can, and the place keeps its say.  All
    nodes are compared with all windows, T N span F operations without gradient; gradients and messages touch A alone.
    While training all nodes may be active at first, since nodes that never were have learned nothing.

    Args:
        sizes: ``[F, N, C]``.
        settings: fields of `TunedResonantSettings`.

    Raises:
        ConfigError: for a setting outside its range.
    """

    kind = "rsgn_tuned"
    Settings = TunedResonantSettings
    # Chosen on the validation split of the hierarchical task.
    match_gain, mean_gain, readout_gain = 1.5, 3.0, 8.0

    def __init__(self, sizes=(32, 144, 20), **settings):
        super().__init__(sizes, **settings)
        s = self.settings
        self.init, self.norm, self.dropout = None, None, nn.Dropout(s.dropout)
        self.rng = np.random.default_rng(s.seed)  # of dropout; `fit` puts its own here
        if s.head_width is not None:
            with seeded(s.seed + 2):
                self.readout = nn.Linear(s.width, s.head_width)
                self.head = nn.Linear(s.head_width, self.sizes[2])
        size = s.span * self.sizes[0]
        with torch.no_grad(), seeded(s.seed + 1):
            # Small, so that tunings come from the data: three times as large they fit noise and score 10 points less.
            self.tuning = nn.Parameter(0.3 * torch.randn(self.sizes[1], size) / size**0.5)
            self.sender.mul_(30)  # .3 N(0, 1): nodes differ in what they say
            self.message.weight.mul_(0.05)

    def _ignite(self, x, windows, sparks, slot):
        place = self.space.project(self.position)
        with torch.no_grad():
            away = self._squares(sparks, place) / (2 * self.ignition**2)
            match = self.match_gain * (windows @ self.tuning.T) - away
            best, when = match.max(1)  # (B, N)
            node = best.topk(self.most, 1).indices.sort(1).values
            when, node = when.gather(1, node).flatten(), node.flatten()
        ptr = np.arange(len(x) + 1) * self.most
        sample = _samples(ptr)
        fit = (windows[sample, when] * self.tuning.index_select(0, node)).sum(1)
        away = self._apart(place.index_select(0, node), sparks[sample, when])
        r = self.match_gain * fit - away.square() / (2 * self.ignition**2)
        a = nn.functional.softplus(r - self.theta.index_select(0, node))
        mean = self.mean_gain * self.init_mean(dropped(self, x.mean(1)))
        content = self.own_terms(node) + mean.index_select(0, sample)
        return ptr, node.numpy().astype(np.int32), a, dropped(self, a)[:, None] * content

    def _squares(self, p, q):
        """Squared hyperbolic distances ``[B, T, N]``, by a matrix product."""
        norm_p, norm_q = p.square().sum(-1, keepdim=True), q.square().sum(-1)
        apart = (norm_p + norm_q - 2 * p @ q.T).clamp_min(0)
        return 4 * torch.asinh((apart / ((1 - norm_p) * (1 - norm_q))).sqrt()).square()

    def _renew(self, h, a):
        return h
