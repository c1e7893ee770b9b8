"""Resonant Sparse Geometry Network: nodes in hyperbolic space that inputs ignite, as published."""

from __future__ import annotations

import torch
from torch import nn

from spsnn.models.rate._arguments import seeded
from spsnn.models.resonant.graph import ResonantModel
from spsnn.models.resonant.learning import SlowLearning
from spsnn.models.resonant.settings import ResonantSettings
from spsnn.space import PoincareBall

SPARK_NORM = 0.9


class Sparks(nn.Module):
    """Points of the ball at which a sequence lands: Linear(F, 12), GELU, Linear(12, dim), tanh, times a learned scale.

    Args:
        n_features: F.
        dim: of the ball.
        hidden: units in between.
        scale: initial scale.
        gain: factor on the initial weights of both layers.
    """

    def __init__(self, n_features, dim=3, hidden=12, scale=0.7, gain=1.0):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(n_features, hidden), nn.GELU(), nn.Linear(hidden, dim), nn.Tanh())
        with torch.no_grad():
            self.layers[0].weight.mul_(gain)
            self.layers[2].weight.mul_(gain)
        self.scale = nn.Parameter(torch.tensor(float(scale)))
        self.space = PoincareBall(dim, SPARK_NORM)

    def forward(self, x):
        """Units in between ``[..., hidden]`` and points ``[..., dim]`` within .9 of the centre, of ``x [..., F]``."""
        hidden = self.layers[:2](x)
        return hidden, self.space.project(self.layers[2:](hidden) * self.scale)


class ResonantSparseGeometryNetwork(SlowLearning, ResonantModel):
    """Inputs ignite the nodes near which they land; activity then spreads over L steps by distance and affinity.

        W_ij = sigmoid(U_i . V_j) exp(-d(p_i, p_j) / tau) softplus(l_i - l_j + 1),   W_ii = 0
        a_i  = exp(-min_t dist(spark_t, p_i)^2 / (2 ignition^2)),   h_i = a_i * init(mean_t x_t)
        L times:
            g_i  = W_h sum_j W_ji 1[a_j > cut] a_j h_j + b_h
            a'_i = sigmoid((a_i + .1 |g_i| - theta_i) / temperature)
            h_i <- LayerNorm(g_i + h_i) a'_i
            a_i <- clamp(a'_i n_i / (sum_{j in B(i)} a'_j + 1e-6), 0, 1),   B(i) = {j: dist(p_i, p_j) < inhibition}
        logits = head(sum_i a_i h_i)

    ``d`` is the hyperbolic distance, ``n_i`` the number of nodes in B(i), i included; inhibition passes no gradient to
    positions.  The published sizes ``[32, 256, 20]`` have 41,672 parameters, ``[32, 256, 10]`` 40,382.

    (R), what the source leaves open: W_h has a bias and theta, l one number per node, which gives those counts; tau and
    temperature are 1; ``metric`` is that of ``dist`` in a and in B; all linear layers start as torch starts them.

    Known and to be said: at ``temperature=1`` all nodes are active, so nothing is sparse; see
    `SparseResonantNetwork`.  The h of all nodes start as one vector, so that the model sees little more than the mean
    over time.  With ``head="sum"`` the loss starts in the hundreds, as N aligned vectors add up; ``mean`` divides by N.

    Statistics: ``active_fraction`` (share of nodes above ``cut`` at the end), ``mean_activation``, ``synapses``.

    Attributes:
        activation: final a ``[B, N]`` of the last forward pass.
        active_by_step: share of active nodes ``[L + 1]`` in it, from ignition on.

    Args:
        sizes: ``[F, N, C]``.
        settings: fields of `ResonantSettings`.

    Raises:
        ConfigError: for a setting outside its range.

    Source: Resonant Sparse Geometry Networks.
    """

    kind = "rsgn"
    Settings = ResonantSettings

    def __init__(self, sizes=(32, 256, 20), **settings):
        super().__init__(sizes, **settings)
        (n_features, n_nodes, n_classes), s = self.sizes, self.settings
        self.space = PoincareBall(s.dim)
        with seeded(s.seed):
            self.position = nn.Parameter(self.space.initial(n_nodes, 0.3))
            self.theta = nn.Parameter(torch.full((n_nodes,), 0.5))
            self.level = nn.Parameter(torch.linspace(0, 1, n_nodes))
            self.sender = nn.Parameter(0.01 * torch.randn(n_nodes, s.rank))  # U
            self.receiver = nn.Parameter(0.01 * torch.randn(n_nodes, s.rank))  # V
            self.sparks = Sparks(n_features, s.dim)
            self.message = nn.Linear(s.width, s.width)
            self.norm = nn.LayerNorm(s.width)
            self.init = nn.Linear(n_features, s.width)
            self.head = nn.Linear(s.width, n_classes)
        self.register_buffer("kept", ~torch.eye(n_nodes, dtype=torch.bool))
        self.register_buffer("sprouted", torch.zeros(n_nodes, n_nodes, dtype=torch.bool))
        self.start_slow_learning()

    def weights(self):
        """Connection strengths ``W [N, N]``, from row to column; 0 where there is no synapse."""
        if self.held_weight is not None:
            return self.held_weight
        p = self.space.project(self.position)
        nearness = torch.exp(-self.space.distance(p, p) / self.settings.reach)
        downward = nn.functional.softplus(self.level[:, None] - self.level + 1)
        return torch.where(self.kept, self.affinity() * nearness * downward, 0)

    def coupling(self):
        """``(W [N, N], mask)`` from row to column."""
        return self.weights(), self.kept

    def rates(self, x):
        """Logits ``[B, C]`` of ``x [B, T, F]``, and what spark layers, nodes and state send."""
        s, p = self.settings, self.space.project(self.position)
        hidden, sparks = self.sparks(x)
        near = self._distance(sparks, p).amin(1)  # (B, N)
        a = torch.exp(-near.square() / (2 * s.ignition**2))
        h = a[..., None] * self.init(x.mean(1))[:, None]  # (B, N, H)
        w = self.weights()
        rivals = (self._distance(p, p) < s.inhibition).to(x.dtype).detach()
        n_rivals = rivals.sum(1)
        active, by_node, by_channel = [self._share(a)], 0, 0
        for _ in range(s.n_steps):
            sent = ((a > s.cut) * a)[..., None] * h
            size = sent.detach().abs()
            by_node, by_channel = by_node + size.sum(2), by_channel + size.sum(1)
            g = self.message(torch.einsum("ji,bjh->bih", w, sent))
            a = torch.sigmoid((a + 0.1 * g.norm(dim=-1) - self.theta) / s.temperature)
            h = self.norm(g + h) * a[..., None]
            a = (a * n_rivals / (a @ rivals.T + 1e-6)).clamp(0, 1)
            active.append(self._share(a))
        self.activation = a.detach()
        self.active_by_step = torch.stack(active)
        self.figures = {
            "active_fraction": active[-1],
            "mean_activation": self.activation.mean(),
            "synapses": self.kept.sum(),
        }
        sent = a[..., None] * h
        size = sent.detach().abs()
        logits = self.head(sent.mean(1) if s.head == "mean" else sent.sum(1))
        return logits, [hidden, sparks, by_node + size.sum(2), by_channel + size.sum(1)]

    def node_activity(self):
        """Final a of every node in the last forward pass, mean over samples, ``[N]``."""
        return self.activation.mean(0).cpu().numpy()

    def _share(self, a):
        return (a > self.settings.cut).to(torch.float32).mean().detach()

    def _distance(self, p, q):
        if self.settings.metric == "hyperbolic":
            return self.space.distance(p, q)
        squares = (p[..., :, None, :] - q[..., None, :, :]).square().sum(-1)
        return (squares + self.space.eps**2).sqrt()
