"""What resonant networks share: the way to a chip and back, and the epochs at which structure changes."""

from __future__ import annotations

import torch

from spsnn.errors import ConfigError, DataError
from spsnn.models.rate.base import RateModel

RESTRUCTURE_EVERY = 10  # epochs


class ResonantModel(RateModel):
    """Base of resonant networks of sizes ``[F, N, C]``.

    On a chip every matrix of the equations is there once: what N nodes do with H-vectors is a product of what nodes do
    (ignition, W) and what channels do (init, W_h, head).  The populations are ``input``, ``window`` (copies of the
    input at ``span`` delays, where there are any), ``spark1`` and ``spark`` (the layers of `Sparks`), ``nodes``,
    ``state`` and ``readout`` (a hidden layer before the head, where there is one).  A node sends ``sum_t |a_i h_i|_1``
    over all rounds t, the channel c of the state ``sum_t sum_i |a_i h_ic|``: so synaptic events are counted per channel
    and node, although the graph has N + H units in place of N H.  What is sent in any of the L + 1 rounds counts for
    every target, where W needs the first L and the head the last: an upper bound.  From ``spark`` to ``nodes`` go the
    positions, since a distance needs <spark, p>.
    Thresholds, levels, norms and the bias of init are constants of the units.

    A child has the modules ``sparks``, ``init``, ``message``, ``head``, the parameter ``position`` and
    ``coupling()``; see `ResonantSparseGeometryNetwork`.
    """

    sequence = True
    coordinates = ("position",)
    match_gain = mean_gain = readout_gain = 1.0
    span = 1
    held_weight = held_code = None  # of a copy that a chip's weights were put in

    def __init__(self, sizes, **settings):
        super().__init__(sizes, **settings)
        if len(self.sizes) != 3:
            raise ConfigError(f"a resonant network has sizes [inputs, nodes, outputs], got {self.sizes}")
        self.init_mean = self.code = self.tuning = self.readout = None

    @property
    def holds_chip(self):
        """Whether this is a copy with the synapses of a chip."""
        return self.held_weight is not None

    def start_epoch(self, epoch, epochs):
        """Every tenth epoch the slow rule changes the structure, see `SlowLearning`."""
        if self.settings.rule != "none" and epoch and epoch % RESTRUCTURE_EVERY == 0:
            self.restructure(torch.Generator().manual_seed(2**20 * self.settings.seed + epoch))

    def finish_step(self, loss):
        """The step of the slow rule, if there is one."""
        if self.settings.rule != "none":
            self.slow_step(loss)

    def windows(self, x):
        """``x [B, T, F]`` as ``[B, T - span + 1, F span]``.

        Raises:
            DataError: if T is less than ``span``.
        """
        if self.span == 1:
            return x
        if x.shape[1] < self.span:
            raise DataError(
                f"a sequence needs at least span={self.span} steps, got {x.shape[1]}; raise bins, or lower span"
            )
        return x.unfold(1, self.span, 1).flatten(2)

    def landings(self, x):
        """Points ``[B, T - span + 1, dim]`` of the ball at which ``x [B, T, F]`` lands."""
        return self.sparks(self.windows(x))[1]

    def coupling(self):
        """``(W [N, N], mask)`` from row to column."""
        raise ConfigError(f"{self.kind} says nothing of its synapses")

    def hold_(self, weight, code, source):
        """Take ``W [N, N]`` and the terms ``[N, H]`` of the nodes' own as they are, with the synapses of ``source``."""
        self.held_weight, self.held_code = weight.to(self.device), None if code is None else code.to(self.device)

    def _windowed(self):
        return self.span > 1 or self.init_mean is not None

    def _matrices(self):
        """``(pre, post, parameter [post, pre], factor)`` of all projections but W and the code."""
        taps = "window" if self._windowed() else "input"
        made = [
            (taps, "spark1", self.sparks.layers[0].weight, 1.0),
            ("spark1", "spark", self.sparks.layers[2].weight, 1.0),
            ("spark", "nodes", self.position, 1.0),
            ("state", "state", self.message.weight, 1.0),
        ]
        if self.readout is None:
            made.append(("state", "output", self.head.weight, self.readout_gain))
        else:
            made.append(("state", "readout", self.readout.weight, self.readout_gain))
            made.append(("readout", "output", self.head.weight, 1.0))
        if self.tuning is not None:
            made.append((taps, "nodes", self.tuning, self.match_gain))
        if self.init is not None:
            made.append((taps, "state", self.init.weight, 1.0))
        if self.init_mean is not None:
            made.append(("input", "state", self.init_mean.weight, self.mean_gain))
        return made

    def _biases(self):
        layers = self.sparks.layers
        biases = {"spark1": layers[0].bias, "spark": layers[2].bias, "state": self.message.bias}
        if self.readout is not None:
            biases["readout"] = self.readout.bias
        return biases | {"output": self.head.bias}

    def places(self):
        """Nodes at their points of the ball, spark units on its axes, all others at its centre."""
        f, n, c = self.sizes
        dim, centre = self.position.shape[1], lambda n: torch.zeros(n, self.position.shape[1]).numpy()
        window = [("window", f * self.span, centre(f * self.span))] if self._windowed() else []
        read = [] if self.readout is None else [("readout", len(self.readout.bias), centre(len(self.readout.bias)))]
        return [
            ("input", f, centre(f)),
            *window,
            ("spark1", len(self.sparks.layers[0].bias), centre(len(self.sparks.layers[0].bias))),
            ("spark", dim, 0.9 * torch.eye(dim).numpy()),
            ("nodes", n, self.space.project(self.position).detach().cpu().numpy()),
            ("state", self.settings.width, centre(self.settings.width)),
            *read,
            ("output", c, centre(c)),
        ]

    def wiring(self):
        """Every matrix once, see the class."""
        projections = [(pre, post, factor * w.T, None) for pre, post, w, factor in self._matrices()]
        if self._windowed():
            mask = torch.eye(self.sizes[0], dtype=torch.bool).repeat_interleave(self.span, 1)
            projections.insert(0, ("input", "window", mask.float(), mask))
        projections.append(("nodes", "nodes", *self.coupling()))
        if self.code is not None:
            projections.append(("nodes", "state", self.own_terms(), None))
        return projections, self._biases()

    def times_driven(self, population, steps):
        """Sparks form at every position of the window, states in every round; the head reads once."""
        if population in ("spark1", "spark"):
            return steps - self.span + 1
        return self.settings.n_steps if population == "state" else 1

    def own_terms(self, nodes=slice(None)):
        """Terms ``W_c U_i`` of the given nodes, ``[n, H]``."""
        return self.code(self.sender[nodes]) if self.held_code is None else self.held_code[nodes]

    def rewire(self, weights, biases):
        """A copy with the matrices of a chip; its synapses are those of this network."""
        copy = self.copy().eval()
        for pre, post, parameter, factor in copy._matrices():
            parameter.copy_(weights[pre, post].T / factor)
        for post, bias in copy._biases().items():
            bias.copy_(biases[post])
        copy.hold_(weights["nodes", "nodes"], weights.get(("nodes", "state")), self)
        return copy
