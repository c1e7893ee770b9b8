"""Resonant network whose work follows its activity: few nodes are active, and only their synapses are touched."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn

from spsnn.autograd.active_set import Spread
from spsnn.errors import ConfigError, DataError
from spsnn.kernels.cpu import active_set, ball
from spsnn.models._arguments import as_sequence, one_of, positive, seeded, sizes
from spsnn.models._neighbourhood import KnownWeights, radius_of_degree
from spsnn.models.resonant import Sparks
from spsnn.models.resonant_learning import AFFINITY_RATE, PRUNE_BELOW, SlowBase
from spsnn.space import PoincareBall

CONTENTS = ("mean", "local", "both")
CUT = 0.01


class SparseResonantNetwork(SlowBase, nn.Module):
    """The equations of `ResonantSparseGeometryNetwork` on the active set A alone.

        spark_t = sparks(x_t .. x_{t + window - 1})
        a_i  = exp(-d(p_i, spark)^2 / (2 ignition^2)),   h_i = a_i (init(content_i) + W_c U_i),   spark the nearest
        A    = the k = active N nodes with the largest a, above .01
        L times:
            g_i  = W_h sum_{j in A} W_ji a_j h_j + b_h,   synapses j -> i where d(p_j, p_i) <= radius
            a'_i = sigmoid((a_i + .1 |g_i| - theta_i) / temperature),   i in A or reached from it
            A   <- the k of these with the largest a', above .01
            h_i <- LayerNorm(g_i + h_i) a'_i,   a_i <- a'_i
        logits = head(mean_{i in A} a_i h_i)

    Being among the k strongest takes the place of the inhibition by neighbours, which restores a mean activation near 1
    and so keeps every node active.  One message costs ``|A| degree H`` operations; W_h is applied before it, to |A|
    rows.  Finding the ignited nodes costs what lies near the sparks.  Networks of any size are found, not stored:
    O(N degree) memory.  Weights are computed for the synapses of nodes that send, once per forward pass in training,
    once per ``eval()`` without gradients.  Runs on the CPU.

    The neighbourhood is that of the positions at the last ``train()`` or ``eval()``: synapses of affinity below .01
    are left out, moving nodes gain and lose synapses, and after loading it is found anew.

    Args:
        n_features: F.
        n_classes: C.
        n_nodes: N.
        hidden: H.
        n_steps: L.
        rank: length of U_i and V_i.
        dim: of the Poincare ball, 1 to 3.
        active: largest share of nodes that are active, in (0, 1].
        degree: synapses of a node on average at the start; sets the radius.
        tau: reach of a connection; None for half the radius.
        temperature: softness of the threshold.
        ignition: width; None for a third of the radius, so that a spark ignites about as many nodes as a node reaches.
        window: steps that make one spark.
        content: what an ignited node takes in: the ``mean`` over all windows as published, the ``local`` window of the
            spark nearest to it, or ``both``, the mean over time by weights of its own.
        code: give each node's h a term of its own, ``W_c U_i``, so that nodes differ in what they say.
        spark_gain: factor on the initial weights of the sparks; above 1 they start spread out instead of side by side.
        decay: of U and V in `slow_step`.
        seed: of all initial values; None takes torch's global generator.

    Raises:
        ConfigError: for an argument outside its range.
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
        active=0.1,
        degree=16,
        tau=None,
        temperature=1.0,
        ignition=None,
        window=1,
        content="mean",
        code=False,
        spark_gain=1.0,
        decay=0.9999,
        seed=None,
    ):
        super().__init__()
        sizes(n_features=n_features, n_classes=n_classes, n_nodes=n_nodes, hidden=hidden, n_steps=n_steps, rank=rank)
        sizes(window=window, degree=degree)
        positive(
            temperature=temperature, **{k: v for k, v in {"tau": tau, "ignition": ignition}.items() if v is not None}
        )
        one_of("content", content, CONTENTS)
        one_of("dim", dim, (1, 2, 3))
        if not 0 < active <= 1:
            raise ConfigError(f"active must lie in (0, 1], got {active}")
        if degree >= n_nodes:
            raise ConfigError(f"degree must be below n_nodes={n_nodes}, got {degree}")
        self.most = max(int(active * n_nodes), 1)
        self.n_features, self.n_steps, self.temperature = n_features, n_steps, temperature
        self.window, self.content = window, content
        self.space = PoincareBall(dim)
        with seeded(seed):
            self.position = nn.Parameter(self.space.initial(n_nodes, 0.3))
            self.theta = nn.Parameter(torch.full((n_nodes,), 0.5))
            self.level = nn.Parameter(torch.linspace(0, 1, n_nodes))
            self.sender = nn.Parameter(0.01 * torch.randn(n_nodes, rank))  # U
            self.receiver = nn.Parameter(0.01 * torch.randn(n_nodes, rank))  # V
            self.sparks = Sparks(window * n_features, dim, gain=spark_gain)
            self.message = nn.Linear(hidden, hidden)
            self.norm = nn.LayerNorm(hidden)
            self.init = nn.Linear(window * n_features, hidden)
            self.init_mean = nn.Linear(n_features, hidden, bias=False) if content == "both" else None
            self.code = nn.Linear(rank, hidden, bias=False) if code else None
            self.head = nn.Linear(hidden, n_classes)
        radius = radius_of_degree(self.space, self.position.detach(), degree)
        self.register_buffer("radius", torch.tensor(radius, dtype=torch.float64))
        self.given_tau, self.given_ignition = tau, ignition
        self.start_slow_learning(decay)
        self._graph = self._weights = None
        self.register_load_state_dict_post_hook(_forget)

    @property
    def tau(self):
        """Reach of a connection."""
        return float(self.radius) / 2 if self.given_tau is None else self.given_tau

    @property
    def ignition(self):
        """Width of the ignition."""
        return float(self.radius) / 3 if self.given_ignition is None else self.given_ignition

    def train(self, mode=True):
        """Switch between training and evaluation; the neighbourhood is found anew."""
        _forget(self)
        return super().train(mode)

    def graph(self):
        """Synapses as ``(cells, ptr [N + 1], pre [E], post [E])``; node i sends to ``post[ptr[i]:ptr[i + 1]]``."""
        if self._graph is None:
            with torch.no_grad():
                if not self.position.isfinite().all():
                    raise DataError("positions of nodes must be finite; training diverged, lower the learning rate")
                cells = ball.build(self.space.project(self.position).double().numpy())
                ptr, post = ball.neighbours(cells, float(self.radius))
                pre = np.repeat(np.arange(len(ptr) - 1, dtype=np.int32), np.diff(ptr))
                keep = (self._affinity(pre, post) >= PRUNE_BELOW).numpy()
                ptr = np.concatenate([[0], np.cumsum(keep)])[ptr]
                self._graph = cells, ptr, pre[keep], post[keep]
        return self._graph

    def weights(self, synapses=slice(None)):
        """Strengths of the given ``synapses`` of `graph`, all unless told, ``[E]``."""
        _, _, pre, post = self.graph()
        pre, post = pre[synapses], post[synapses]
        p, level = self.space.project(self.position), self.level
        i, j = torch.from_numpy(pre), torch.from_numpy(post)
        nearness = torch.exp(-self._apart(p.index_select(0, i), p.index_select(0, j)) / self.tau)
        downward = nn.functional.softplus(level.index_select(0, i) - level.index_select(0, j) + 1)
        return self._affinity(pre, post) * nearness * downward

    def forward(self, x):
        """Logits ``[B, C]`` of ``x [B, T, F]`` or ``[B, F]``."""
        x = as_sequence(x, self.n_features)
        _, graph_ptr, _, post = self.graph()
        slot = np.full(len(self.theta), -1, np.int32)
        known = self._known_weights()
        ptr, node, a, h = self._ignite(x, slot)
        sizes_of_sets, n_messages = [len(node)], 0
        for _ in range(self.n_steps):
            value = nn.functional.linear(a[:, None] * h, self.message.weight)
            out_ptr, out_node, own, target = active_set.reach(graph_ptr, post, ptr, node, slot)
            start, weight = known.of(node)
            g = Spread.apply(value, weight, (graph_ptr, start, node, target), len(out_node)) + self.message.bias
            own, there = torch.from_numpy(own).long(), torch.from_numpy(out_node)
            before = torch.cat([a, a.new_zeros(1)])[own]  # row -1 is the zero at the end
            u = (before + 0.1 * g.norm(dim=1) - self.theta.index_select(0, there)) / self.temperature
            ptr, rows = active_set.winners(out_ptr, u.detach().numpy(), math.log(CUT / (1 - CUT)), self.most)
            node, rows = out_node[rows], torch.from_numpy(rows)
            a = torch.sigmoid(u.index_select(0, rows))
            kept = torch.cat([h, h.new_zeros(1, h.shape[1])])[own[rows]]
            h = self._renew(g.index_select(0, rows) + kept, a)
            sizes_of_sets.append(len(node))
            n_messages += len(target)
        self._last = ptr, node, a.detach(), np.array(sizes_of_sets), n_messages
        total = h.new_zeros(len(x), h.shape[1]).index_add(0, _samples(ptr), a[:, None] * h)
        n_active = torch.from_numpy(np.diff(ptr)).clamp_min(1)
        return self.head(self._pool(total / n_active[:, None]))

    def _ignite(self, x, slot):
        """The first active set of ``x [B, T, F]``: ``ptr``, ``node``, a ``[K]`` and h ``[K, H]``."""
        mean, x = x.mean(1), self._windows(x)
        sparks = self.sparks(x)
        if not sparks.isfinite().all():
            raise DataError("sparks are not finite: features or the parameters of the sparks hold NaN or infinity")
        padded = nn.functional.pad(sparks.detach(), (0, 3 - sparks.shape[-1])).double().numpy()
        reach = self.ignition * math.sqrt(-2 * math.log(CUT))
        ptr, node, nearest = ball.ignite(self.graph()[0], padded, reach, self.most, slot)
        sample, here, nearest = _samples(ptr), torch.from_numpy(node), torch.from_numpy(nearest).long()
        p = self.space.project(self.position.index_select(0, here))
        a = torch.exp(-self._apart(p, sparks[sample, nearest]).square() / (2 * self.ignition**2))
        h = self.init(x.mean(1)).index_select(0, sample) if self.content == "mean" else self.init(x[sample, nearest])
        if self.init_mean is not None:
            h = h + self.init_mean(mean).index_select(0, sample)
        if self.code is not None:
            h = h + self.code(self.sender.index_select(0, here))
        return ptr, node, a, a[:, None] * h

    def _renew(self, h, a):
        return self.norm(h) * a[:, None]

    def _pool(self, mean):
        return mean

    def statistics(self):
        """What the last forward pass did.

        Returns:
            Dict of ``active_fraction`` (at the end), ``active_by_step [L + 1]`` from ignition on,
            ``mean_activation`` over all nodes, ``activation [N]`` (batch mean), ``synapses``, ``messages`` (active
            synapses per sample, all steps) and ``degree``.
        """
        ptr, node, a, by_step, n_messages = self._last
        n_samples, n = len(ptr) - 1, len(self.theta)
        activation = np.bincount(node, a.numpy(), n) / n_samples
        synapses = len(self.graph()[3])
        return {
            "active_fraction": float(by_step[-1] / n_samples / n),
            "active_by_step": by_step / n_samples / n,
            "mean_activation": float(activation.mean()),
            "activation": activation,
            "synapses": synapses,
            "messages": n_messages / n_samples,
            "degree": synapses / n,
        }

    @torch.no_grad()
    def slow_step(self, loss):
        """The corrected rule of `SlowLearning` on the synapses there are, and the thresholds.

        Args:
            loss: that of the batch; its negative is the reward.

        Raises:
            DataError: before the first forward pass, or if the loss is not finite.
        """
        if not hasattr(self, "_last"):
            raise DataError("slow_step needs the activity of a forward pass; call the model first")
        ptr, node, a, *_ = self._last
        mean = torch.zeros_like(self.theta).index_add(0, torch.from_numpy(node), a) / (len(ptr) - 1)
        _, _, pre, post = self.graph()
        i, j = torch.from_numpy(pre), torch.from_numpy(post)
        s = self._affinity(pre, post)
        change = (AFFINITY_RATE * self.surprise(loss) * mean[i] * mean[j] * s * (1 - s))[:, None]
        to_sender, to_receiver = change * self.receiver[j], change * self.sender[i]
        self.sender.mul_(self.decay).index_add_(0, i, to_sender)
        self.receiver.mul_(self.decay).index_add_(0, j, to_receiver)
        self.follow(mean, len(ptr) - 1)

    @torch.no_grad()
    def restructure(self, generator=None):
        """Move nodes that were silent since the last call by ``.05 N(0, 1)`` and find the neighbourhood anew.

        Returns:
            Dict with the numbers ``moved`` (nodes) and ``synapses``.

        Raises:
            DataError: before the first `slow_step` since the last call.
        """
        moved = self.move_silent(generator)
        _forget(self)
        return {"moved": moved, "synapses": len(self.graph()[3])}

    def _known_weights(self):
        if self.training or torch.is_grad_enabled():
            return KnownWeights(self)
        if self._weights is None:
            self._weights = KnownWeights(self)
        return self._weights

    def _affinity(self, pre, post):
        i, j = torch.from_numpy(pre), torch.from_numpy(post)
        return torch.sigmoid((self.sender.index_select(0, i) * self.receiver.index_select(0, j)).sum(1))

    def _apart(self, p, q):
        return self.space.distance(p[:, None], q[:, None])[:, 0, 0]

    def _windows(self, x):
        if self.window == 1:
            return x
        if x.shape[1] < self.window:
            raise DataError(f"a sequence needs at least window={self.window} steps, got {x.shape[1]}")
        return x.unfold(1, self.window, 1).flatten(2)  # (B, T - window + 1, F * window)


def _forget(network, _=None):
    """Drop what was derived from the parameters; they have changed."""
    network._graph = network._weights = None


def _samples(ptr):
    return torch.from_numpy(np.repeat(np.arange(len(ptr) - 1), np.diff(ptr)))
