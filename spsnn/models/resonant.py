"""Resonant Sparse Geometry Network: nodes in hyperbolic space that inputs ignite, as published."""

from __future__ import annotations

import torch
from torch import nn

from spsnn.models._arguments import as_sequence, one_of, positive, seeded, sizes
from spsnn.models.resonant_learning import SlowLearning
from spsnn.space import PoincareBall

METRICS = ("hyperbolic", "euclidean")
HEADS = ("sum", "mean")
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
        """Points ``[..., dim]`` of ``x [..., F]``, at most .9 from the centre."""
        return self.space.project(self.layers(x) * self.scale)


class ResonantSparseGeometryNetwork(SlowLearning, nn.Module):
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
    positions.  The published sizes have 41,672 parameters (32 features, 20 classes) and 40,382 (10 classes).

    (R), what the source leaves open: W_h has a bias and theta, l one number per node, which gives those counts; tau and
    temperature are 1; ``metric`` is that of ``dist`` in a and in B; all linear layers start as torch starts them.

    Known and to be said: at ``temperature=1`` all nodes are active, so nothing is sparse; see
    `SparseResonantNetwork`.  The h of all nodes start as one vector, so that the model sees little more than the mean
    over time.  With ``head="sum"`` the loss starts in the hundreds, as N aligned vectors add up; ``mean`` divides by N.

    Args:
        n_features: F.
        n_classes: C.
        n_nodes: N.
        hidden: H.
        n_steps: L; 5 on the hierarchical task, 7 on the long-range one.
        rank: length of U_i and V_i.
        dim: of the Poincare ball.
        tau: reach of a connection, in hyperbolic distance.
        temperature: softness of the threshold.
        ignition: width of the ignition.
        inhibition: radius of B.
        cut: activity below which a node sends nothing.
        metric: ``hyperbolic`` (the paper's text) or ``euclidean`` (its code) ``dist``.
        head: ``sum`` (published) or ``mean``.
        rule: ``published`` or ``corrected`` slow learning, see `SlowLearning`.
        decay: of the slow rule.
        seed: of all initial values; None takes torch's global generator.

    Raises:
        ConfigError: for an argument outside its range.

    Source: Resonant Sparse Geometry Networks.
    """

    def __init__(
        self,
        n_features,
        n_classes,
        n_nodes=256,
        hidden=128,
        n_steps=5,
        rank=32,
        dim=3,
        tau=1.0,
        temperature=1.0,
        ignition=0.4,
        inhibition=0.3,
        cut=0.01,
        metric="hyperbolic",
        head="sum",
        rule="published",
        decay=0.995,
        seed=None,
    ):
        super().__init__()
        sizes(n_features=n_features, n_classes=n_classes, n_nodes=n_nodes, hidden=hidden, n_steps=n_steps, rank=rank)
        positive(tau=tau, temperature=temperature, ignition=ignition, inhibition=inhibition)
        one_of("metric", metric, METRICS)
        one_of("head", head, HEADS)
        self.n_steps, self.tau, self.temperature = n_steps, tau, temperature
        self.ignition, self.inhibition, self.cut, self.metric, self.pool = ignition, inhibition, cut, metric, head
        self.space = PoincareBall(dim)
        with seeded(seed):
            self.position = nn.Parameter(self.space.initial(n_nodes, 0.3))
            self.theta = nn.Parameter(torch.full((n_nodes,), 0.5))
            self.level = nn.Parameter(torch.linspace(0, 1, n_nodes))
            self.sender = nn.Parameter(0.01 * torch.randn(n_nodes, rank))  # U
            self.receiver = nn.Parameter(0.01 * torch.randn(n_nodes, rank))  # V
            self.sparks = Sparks(n_features, dim)
            self.message = nn.Linear(hidden, hidden)
            self.norm = nn.LayerNorm(hidden)
            self.init = nn.Linear(n_features, hidden)
            self.head = nn.Linear(hidden, n_classes)
        self.register_buffer("kept", ~torch.eye(n_nodes, dtype=torch.bool))
        self.register_buffer("sprouted", torch.zeros(n_nodes, n_nodes, dtype=torch.bool))
        self.start_slow_learning(rule, decay)

    def weights(self):
        """Connection strengths ``W [N, N]``, from row to column; 0 where there is no synapse."""
        p = self.space.project(self.position)
        nearness = torch.exp(-self.space.distance(p, p) / self.tau)
        downward = nn.functional.softplus(self.level[:, None] - self.level + 1)
        return torch.where(self.kept, self.affinity() * nearness * downward, 0)

    def forward(self, x):
        """Logits ``[B, C]`` of ``x [B, T, F]`` or ``[B, F]``."""
        x = as_sequence(x, self.init.in_features)
        p = self.space.project(self.position)
        near = self._distance(self.sparks(x), p).amin(1)  # (B, N)
        a = torch.exp(-near.square() / (2 * self.ignition**2))
        h = a[..., None] * self.init(x.mean(1))[:, None]  # (B, N, H)
        w = self.weights()
        rivals = (self._distance(p, p) < self.inhibition).to(x.dtype).detach()
        n_rivals = rivals.sum(1)
        active = [self._share(a)]
        for _ in range(self.n_steps):
            m = torch.einsum("ji,bjh->bih", w, ((a > self.cut) * a)[..., None] * h)
            g = self.message(m)
            a = torch.sigmoid((a + 0.1 * g.norm(dim=-1) - self.theta) / self.temperature)
            h = self.norm(g + h) * a[..., None]
            a = (a * n_rivals / (a @ rivals.T + 1e-6)).clamp(0, 1)
            active.append(self._share(a))
        self.activation = a.detach()
        self._active = torch.stack(active)
        total = torch.einsum("bi,bih->bh", a, h)
        return self.head(total / len(p) if self.pool == "mean" else total)

    def statistics(self):
        """What the last forward pass did.

        Returns:
            Dict of ``active_fraction`` (share of nodes above ``cut`` at the end), ``active_by_step [L + 1]`` from
            ignition on, ``mean_activation``, ``activation [N]`` (batch mean), ``synapses`` (kept) and
            ``mean_affinity`` (of the kept).
        """
        by_step = self._active.cpu().numpy()
        return {
            "active_fraction": float(by_step[-1]),
            "active_by_step": by_step,
            "mean_activation": float(self.activation.mean()),
            "activation": self.activation.mean(0).cpu().numpy(),
            "synapses": int(self.kept.sum()),
            "mean_affinity": float(self.affinity().detach()[self.kept].mean()),
        }

    def _share(self, a):
        return (a > self.cut).to(torch.float32).mean().detach()

    def _distance(self, p, q):
        if self.metric == "hyperbolic":
            return self.space.distance(p, q)
        squares = (p[..., :, None, :] - q[..., None, :, :]).square().sum(-1)
        return (squares + self.space.eps**2).sqrt()
