"""Resonant network whose work follows its activity: few nodes are active, and only their synapses are touched."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn

from spsnn.autograd.active_set import Spread
from spsnn.errors import CapacityError, ConfigError, DataError, TrainingError
from spsnn.kernels.cpu import active_set, ball
from spsnn.models.rate._arguments import seeded
from spsnn.models.resonant.graph import ResonantModel
from spsnn.models.resonant.learning import PRUNE_BELOW, SparseSlowLearning
from spsnn.models.resonant.network import Sparks
from spsnn.models.resonant.settings import SparseResonantSettings
from spsnn.models.spiking._neighbourhood import KnownWeights, radius_of_degree
from spsnn.space import PoincareBall

CUT = 0.01
MOST_MAPPED = 8192


class SparseResonantNetwork(SparseSlowLearning, ResonantModel):
    """The equations of `ResonantSparseGeometryNetwork` on the active set A alone.

        spark_t = sparks(x_t .. x_{t + span - 1})
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

    Statistics: ``active_fraction`` (at the end), ``mean_activation`` over all nodes, ``messages`` (active synapses per
    sample, all steps), ``synapses``, ``degree``.

    Attributes:
        active_by_step: share of active nodes ``[L + 1]`` in the last forward pass, from ignition on.

    Args:
        sizes: ``[F, N, C]``.
        settings: fields of `SparseResonantSettings`.

    Raises:
        ConfigError: for a setting outside its range.
    """

    kind = "rsgn_sparse"
    Settings = SparseResonantSettings

    def __init__(self, sizes=(32, 256, 20), **settings):
        super().__init__(sizes, **settings)
        (n_features, n_nodes, n_classes), s = self.sizes, self.settings
        if s.degree >= n_nodes:
            raise ConfigError(f"degree must be below the number of nodes, {n_nodes}; got {s.degree}")
        self.span, self.share = s.span, s.active
        self.space = PoincareBall(s.dim)
        with seeded(s.seed):
            self.position = nn.Parameter(self.space.initial(n_nodes, 0.3))
            self.theta = nn.Parameter(torch.full((n_nodes,), 0.5))
            self.level = nn.Parameter(torch.linspace(0, 1, n_nodes))
            self.sender = nn.Parameter(0.01 * torch.randn(n_nodes, s.rank))  # U
            self.receiver = nn.Parameter(0.01 * torch.randn(n_nodes, s.rank))  # V
            self.sparks = Sparks(s.span * n_features, s.dim, gain=s.spark_gain)
            self.message = nn.Linear(s.width, s.width)
            self.norm = nn.LayerNorm(s.width)
            self.init = nn.Linear(s.span * n_features, s.width)
            self.init_mean = nn.Linear(n_features, s.width, bias=False) if s.content == "both" else None
            self.code = nn.Linear(s.rank, s.width, bias=False) if s.node_code else None
            self.head = nn.Linear(s.width, n_classes)
        radius = radius_of_degree(self.space, self.position.detach(), s.degree)
        self.register_buffer("radius", torch.tensor(radius, dtype=torch.float64))
        self.start_slow_learning()
        self._held = None
        self.forget()
        self.register_load_state_dict_post_hook(lambda network, _: network.forget())

    @property
    def reach(self):
        """Tau of a connection."""
        return float(self.radius) / 2 if self.settings.reach is None else self.settings.reach

    @property
    def ignition(self):
        """Width of the ignition."""
        return float(self.radius) / 3 if self.settings.ignition is None else self.settings.ignition

    @property
    def most(self):
        """Largest number of active nodes."""
        share = self.share if self.training else self.settings.active
        return max(int(share * self.sizes[1] + 1e-6), 1)

    def start_epoch(self, epoch, epochs):
        """Set the active share of the epoch; structure as in `ResonantModel`."""
        super().start_epoch(epoch, epochs)
        s = self.settings
        if s.active_start is not None:
            left = max(1 - epoch / (s.active_until * epochs), 0) if s.active_until else 0
            self.share = s.active + left * (s.active_start - s.active)

    def forget(self):
        """Drop what was derived from the parameters; they have changed."""
        self._graph = self._weights = None

    def train(self, mode=True):
        """Switch between training and evaluation; the neighbourhood is found anew."""
        self.forget()
        return super().train(mode)

    def graph(self):
        """Synapses as ``(cells, ptr [N + 1], pre [E], post [E])``; node i sends to ``post[ptr[i]:ptr[i + 1]]``."""
        if self._graph is None:
            with torch.no_grad():
                if not self.position.isfinite().all():
                    raise TrainingError("positions of nodes are not finite: training diverged; lower lr")
                cells = ball.build(self.space.project(self.position).double().numpy())
                if self._held is not None:
                    self._graph = cells, *self._held
                    return self._graph
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
        if self.held_weight is not None:
            return self.held_weight[pre, post]
        p, level = self.space.project(self.position), self.level
        i, j = torch.from_numpy(pre), torch.from_numpy(post)
        nearness = torch.exp(-self._apart(p.index_select(0, i), p.index_select(0, j)) / self.reach)
        downward = nn.functional.softplus(level.index_select(0, i) - level.index_select(0, j) + 1)
        return self._affinity(pre, post) * nearness * downward

    def coupling(self):
        """``(W [N, N], mask)`` from row to column.

        Raises:
            CapacityError: above 8,192 nodes, since the matrix is dense.
        """
        if self.sizes[1] > MOST_MAPPED:
            raise CapacityError(
                f"a graph is made of at most {MOST_MAPPED:,} nodes, the model has {self.sizes[1]:,}; take fewer"
            )
        _, _, pre, post = self.graph()
        w = self.position.new_zeros(2 * self.sizes[1:2])
        w[pre, post] = self.weights()
        mask = torch.zeros_like(w, dtype=torch.bool)
        mask[pre, post] = True
        return w, mask

    def storage(self):
        """As `RateModel.storage`, from the synapses that are there, also where there are too many nodes for `coupling`.

        ``weights`` counts every matrix once, the synapses between nodes, the window and the code, biases included.
        """
        counts = [parameter.numel() for _, _, parameter, _ in self._matrices()]
        counts += [bias.numel() for bias in self._biases().values()]
        counts.append(len(self.graph()[3]))
        if self._windowed():
            counts.append(self.sizes[0] * self.span)
        if self.code is not None:
            counts.append(self.sizes[1] * self.settings.width)
        return {"weights": sum(counts), "numbers": self.n_parameters()}

    def hold_(self, weight, code, source):
        """As `ResonantModel.hold_`, with the synapses that ``source`` has now."""
        super().hold_(weight, code, source)
        self._held = source.graph()[1:]
        self.forget()

    def rates(self, x):
        """Logits ``[B, C]`` of ``x [B, T, F]``, and what windows, spark layers, nodes and state send."""
        if x.device.type != "cpu":
            raise ConfigError(f"{self.kind} runs on the CPU, got data on {x.device}; train it with --device cpu")
        s, sent = self.settings, _Sent(len(x), self.sizes[1])
        _, graph_ptr, _, post = self.graph()
        slot = np.full(self.sizes[1], -1, np.int32)
        known = self._known_weights()
        windows = self.windows(x)
        hidden, sparks = self.sparks(windows)
        if not sparks.isfinite().all():
            if not x.isfinite().all():
                raise DataError("features are not finite; clean the data")
            raise TrainingError("sparks are not finite: training diverged; lower lr or set clip_norm")
        ptr, node, a, h = self._ignite(x, windows, sparks, slot)
        sizes_of_sets, n_messages = [len(node)], 0
        for _ in range(s.n_steps):
            message = a[:, None] * h
            sent.add(ptr, node, message)
            value = nn.functional.linear(message, self.message.weight)
            out_ptr, out_node, own, target = active_set.reach(graph_ptr, post, ptr, node, slot)
            start, weight = known.of(node)
            g = Spread.apply(value, weight, (graph_ptr, start, node, target), len(out_node)) + self.message.bias
            own, there = torch.from_numpy(own).long(), torch.from_numpy(out_node)
            before = torch.cat([a, a.new_zeros(1)])[own]  # row -1 is the zero at the end
            u = (before + 0.1 * g.norm(dim=1) - self.theta.index_select(0, there)) / s.temperature
            ptr, rows = active_set.winners(out_ptr, u.detach().numpy(), math.log(CUT / (1 - CUT)), self.most)
            node, rows = out_node[rows], torch.from_numpy(rows)
            a = torch.sigmoid(u.index_select(0, rows))
            kept = torch.cat([h, h.new_zeros(1, h.shape[1])])[own[rows]]
            h = self._renew(g.index_select(0, rows) + kept, a)
            sizes_of_sets.append(len(node))
            n_messages += len(target)
        self._last = ptr, node, a.detach(), n_messages
        self.active_by_step = np.array(sizes_of_sets) / (len(x) * self.sizes[1])
        self._count(len(x))
        message = a[:, None] * h
        sent.add(ptr, node, message)
        total = h.new_zeros(len(x), h.shape[1]).index_add(0, _samples(ptr), message)
        n_active = torch.from_numpy(np.diff(ptr)).clamp_min(1)
        state = self.readout_gain * total / n_active[:, None]
        read = [] if self.readout is None else [nn.functional.gelu(self.readout(state))]
        taps = [windows] if self._windowed() else []
        return self.head(*read or [state]), [*taps, hidden, sparks, sent.by_node, sent.by_channel, *read]

    def _ignite(self, x, windows, sparks, slot):
        """The first active set of ``x [B, T, F]``: ``ptr``, ``node``, a ``[K]`` and h ``[K, H]``."""
        padded = nn.functional.pad(sparks.detach(), (0, 3 - sparks.shape[-1])).double().numpy()
        reach = self.ignition * math.sqrt(-2 * math.log(CUT))
        ptr, node, nearest = ball.ignite(self.graph()[0], padded, reach, self.most, slot)
        sample, here, nearest = _samples(ptr), torch.from_numpy(node), torch.from_numpy(nearest).long()
        p = self.space.project(self.position.index_select(0, here))
        a = torch.exp(-self._apart(p, sparks[sample, nearest]).square() / (2 * self.ignition**2))
        if self.settings.content == "mean":
            h = self.init(windows.mean(1)).index_select(0, sample)
        else:
            h = self.init(windows[sample, nearest])
        if self.init_mean is not None:
            h = h + self.init_mean(x.mean(1)).index_select(0, sample)
        if self.code is not None:
            h = h + self.own_terms(here)
        return ptr, node, a, a[:, None] * h

    def _renew(self, h, a):
        return self.norm(h) * a[:, None]

    def _count(self, n_samples):
        _, _, a, n_messages = self._last
        n, synapses = self.sizes[1], len(self.graph()[3])
        self.figures = {
            "active_fraction": self.active_by_step[-1],
            "mean_activation": a.sum() / n_samples / n,
            "messages": n_messages / n_samples,
            "synapses": synapses,
            "degree": synapses / n,
        }

    def node_activity(self):
        """Final a of every node in the last forward pass, mean over samples, ``[N]``."""
        ptr, node, a, _ = self._last
        return np.bincount(node, a.numpy(), self.sizes[1]) / (len(ptr) - 1)

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


class _Sent:
    """What nodes ``[B, N]`` and channels ``[B, H]`` have sent: sums of |a h| over the other and all rounds."""

    def __init__(self, n_samples, n_nodes):
        self.by_node, self.by_channel = torch.zeros(n_samples, n_nodes), 0

    @torch.no_grad()
    def add(self, ptr, node, message):
        """Count the messages ``[K, H]`` of active rows."""
        size, sample = message.abs(), _samples(ptr)
        at = sample * self.by_node.shape[1] + torch.from_numpy(node)
        self.by_node.view(-1).index_add_(0, at, size.sum(1).to(self.by_node.dtype))
        self.by_channel = size.new_zeros(len(self.by_node), size.shape[1]).index_add(0, sample, size) + self.by_channel


def _samples(ptr):
    return torch.from_numpy(np.repeat(np.arange(len(ptr) - 1), np.diff(ptr)))
