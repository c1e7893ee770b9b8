"""A neural field whose coupling is learned among near nodes and whose gates hear it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from spsnn.checks import not_negative, positive, whole_number
from spsnn.errors import ConfigError
from spsnn.models.rate._arguments import dropped, seeded
from spsnn.models.rate.base import RateModel, RateSettings
from spsnn.models.rate.thalamic_router import N_REGIONS, means
from spsnn.space import Sphere


@dataclass(frozen=True)
class GatedSettings(RateSettings):
    """Settings of `GatedField`.

    Attributes:
        degree: nearest nodes that each node hears.
        reach: of the coupling in radians.
        omega: angular velocities start uniform in [-omega, omega] radians per step; 0 holds them there.
        memory: the biases of the gates start so that nodes forget over 1 to ``memory`` steps.
        dropout: share of the read-out's inputs that are left out in training.
    """

    degree: int = 64
    reach: float = 1.0
    omega: float = 0.3
    memory: float = 28.0
    dropout: float = 0.0

    def __post_init__(self):
        super().__post_init__()
        whole_number("degree", self.degree, least=1)
        positive(self, "reach", "memory")
        not_negative(self, "omega", "dropout")
        if self.memory < 1 or self.dropout >= 1:
            raise ConfigError(f"memory must be at least 1 and dropout below 1, got {self.memory} and {self.dropout}")


class LocalCoupling(nn.Module):
    """Learned weights among near nodes, scaled by the distance between them.

        C_nj = K_nj V_nj,   K_nj = exp(-angle_nj / reach) / (sum_j exp(-2 angle_nj / reach))^(1/2) for j near n, else 0

    With V ~ N(0, 1) a node receives unit variance from independent neighbours of unit variance.

    Attributes:
        value: V ``[N, degree]``.
        kernel: K of the same shape.
        near: the nodes ``[N, degree]`` that each node hears, nearest first.

    Args:
        angle: ``[N, N]``, distances in radians.
        degree: neighbours of a node.
        reach: in radians.
    """

    def __init__(self, angle, degree, reach):
        super().__init__()
        away, near = angle.clone().fill_diagonal_(math.inf).topk(degree, largest=False)
        kernel = torch.exp(-away / reach)
        self.register_buffer("near", near, persistent=False)
        self.register_buffer("kernel", (kernel / kernel.norm(dim=1, keepdim=True)).float(), persistent=False)
        self.value = nn.Parameter(torch.randn(near.shape))

    def forward(self):
        """C as a matrix ``[pre, post]``."""
        n = len(self.near)
        return self.value.new_zeros(n, n).scatter(1, self.near, self.value * self.kernel).T.contiguous()

    def mask(self):
        """Bool ``[pre, post]``, where there is a synapse."""
        n = len(self.near)
        return torch.zeros(n, n, dtype=torch.bool, device=self.near.device).scatter(1, self.near, True).T

    def put_(self, matrix):
        """Take the weights of a matrix ``[pre, post]``."""
        self.value.copy_(matrix.T.to(self.near.device).gather(1, self.near) / self.kernel)


class GatedField(RateModel):
    """N oscillators on a Fibonacci sphere that learn what to hear from whom nearby, and when.

        A = W_r x + b_r + sum_j C_nj xr_j,   B = W_i x + b_i + sum_j C_nj xi_j
        t = sigmoid(W_t x + b_t + sum_j D_nj xr_j)
        x <- (1 - t) R(omega) x + t (tanh A, tanh B),   R(omega) a rotation by omega
        logits = head(xr, xi) after the last step

    C and D are `LocalCoupling`: a node hears its ``degree`` nearest neighbours, the farther the weaker.  Next to
    `NeuralField`: the coupling is learned, input reaches both parts of the state, states rotate between steps (the
    published step moves them straight to the steady state, so that nothing oscillates), and each node has its own gate
    in place of the router's gain.

    With sizes ``[28, 128, 10]`` it has 30,218 parameters.  b_t starts at ``-log U(1, memory)``.

    Statistics: ``magnitude`` (mean over nodes after the last step), ``gate`` (mean over steps and nodes).

    Args:
        sizes: ``[inputs F, nodes N, outputs C]``.
        settings: fields of `GatedSettings`.

    Raises:
        ConfigError: for sizes or settings outside their range.

    Source: gates as in Zhou et al. 2016 (minimal gated units); start of b_t by Tallec & Ollivier 2018.
    """

    kind = "gated_field"
    Settings = GatedSettings
    sequence = True

    def __init__(self, sizes, **settings):
        super().__init__(sizes, **settings)
        s = self.settings
        if len(self.sizes) != 3:
            raise ConfigError(f"a gated field has sizes [inputs, nodes, outputs], e.g. [28, 128, 10]; got {self.sizes}")
        n_features, n, n_classes = self.sizes
        if s.degree >= n:
            raise ConfigError(f"degree must be below the number of nodes, {n}, got {s.degree}")
        space = Sphere()
        place = space.initial(n)
        angle = space.distance(place.double(), place.double())
        self.register_buffer("place", place, persistent=False)
        with seeded(s.seed):
            self.drive = nn.Linear(n_features, 3 * n)  # real, imaginary, gate
            self.coupling = LocalCoupling(angle, s.degree, s.reach)
            self.hearing = LocalCoupling(angle, s.degree, s.reach)
            self.omega = nn.Parameter(s.omega * (2 * torch.rand(n) - 1), requires_grad=s.omega > 0)
            self.head = nn.Linear(2 * n, n_classes)
            with torch.no_grad():
                self.drive.bias[2 * n :] = -torch.log(1 + (s.memory - 1) * torch.rand(n))
        self.dropout = nn.Dropout(s.dropout)
        self.rng = np.random.default_rng(s.seed)  # of dropout; `fit` puts its own here
        self.held = None  # couplings of both parts [2, N, N] as a chip holds them, rounded to scales of their own

    @property
    def holds_chip(self):
        """Whether this is a copy with the couplings of a chip."""
        return self.held is not None

    def steps(self, x):
        """States ``[2, B, N]`` after each step, real and imaginary, and gates ``[B, N]``, as two lists.

        Args:
            x: ``[B, S, F]``.
        """
        b, n = len(x), self.sizes[1]
        aims, openings = self.drive(x.transpose(0, 1)).split([2 * n, n], 2)  # (S, B, .)
        aims = aims.unflatten(2, (2, n)).transpose(1, 2).reshape(-1, 2 * b, n)
        coupling, hearing = self.coupling(), self.hearing()
        cos, sin = self.omega.cos(), torch.stack([-self.omega.sin(), self.omega.sin()])[:, None]
        state = aims.new_zeros(2, b, n)
        states, gates = [], []
        for aim, opening in zip(aims, openings, strict=True):
            if self.held is None:
                aim = torch.addmm(aim, state.view(2 * b, n), coupling).view(2, b, n)
            else:
                aim = aim.view(2, b, n) + state @ self.held
            gate = torch.sigmoid(torch.addmm(opening, state[0], hearing))
            state = torch.lerp(state * cos + state.flip(0) * sin, torch.tanh(aim), gate)
            states.append(state)
            gates.append(gate)
        return states, gates

    def rates(self, x):
        """Logits, and what nodes send, both parts of the state at every step."""
        states, gates = self.steps(x)
        real, imaginary = states[-1]
        with torch.no_grad():
            size = torch.hypot(real, imaginary).mean()
            self.figures = {"magnitude": size, "gate": torch.stack([g.mean() for g in gates]).mean()}
            sent = [torch.stack([s[k] for s in states], 1) for k in (0, 1)]
        return self.head(dropped(self, torch.cat([real, imaginary], 1))), sent

    @torch.no_grad()
    def trace(self, batch):
        """What the field does on a batch, for the pictures.

        Returns:
            Dict of ``magnitude``, ``phase``, ``coherence`` and ``regions`` as in `NeuralField.trace`, and ``gate [N]``,
            the mean over steps and samples.
        """
        states, gates = self.steps(self.features(batch))
        z = torch.stack([torch.complex(*state) for state in states])  # (S, B, N)
        size = z.abs()
        arrays = {
            "magnitude": size[-1].mean(0),
            "gate": torch.stack(gates).mean((0, 1)),
            "phase": z[:, 0].angle(),
            "coherence": (z / size.clamp_min(1e-12)).mean(2).abs().mean(1),
            "regions": size.mean(1) @ means(z.shape[2], N_REGIONS).to(z.device),
        }
        return {name: x.cpu().numpy() for name, x in arrays.items()}

    def places(self):
        """Both parts of a state and its gate sit where the node is; outputs are at the centre, inputs have no place."""
        place = self.place.cpu().numpy()
        nodes = [(name, len(place), place) for name in ("real", "imaginary", "gate")]
        return [("input", self.sizes[0], None), *nodes, ("output", self.sizes[-1], np.zeros((self.sizes[-1], 3)))]

    def wiring(self):
        """Input to both parts and the gate, the couplings, and the read-out; what a node does alone is not in it."""
        n, near = self.sizes[1], self.coupling.mask()
        coupling = self.coupling().expand(2, n, n) if self.held is None else self.held
        into, bias, read = self.drive.weight.T.split(n, 1), self.drive.bias.split(n), self.head.weight.T
        projections = [
            ("input", "real", into[0], None),
            ("input", "imaginary", into[1], None),
            ("input", "gate", into[2], None),
            ("real", "real", coupling[0], near),
            ("imaginary", "imaginary", coupling[1], near),
            ("real", "gate", self.hearing(), near),
            ("real", "output", read[:n], None),
            ("imaginary", "output", read[n:], None),
        ]
        return projections, dict(zip(("real", "imaginary", "gate"), bias, strict=True)) | {"output": self.head.bias}

    def times_driven(self, population, steps):
        """Nodes are driven at every step, outputs once."""
        return 1 if population == "output" else steps

    def rewire(self, weights, biases):
        """A copy with the weights of a chip."""
        copy = self.copy()
        names = ("real", "imaginary", "gate")
        copy.drive.weight.copy_(torch.cat([weights["input", name] for name in names], 1).T)
        copy.drive.bias.copy_(torch.cat([biases[name] for name in names]))
        copy.held = torch.stack([weights[name, name] for name in names[:2]]).to(self.device)
        copy.hearing.put_(weights["real", "gate"])
        copy.head.weight.copy_(torch.cat([weights[name, "output"] for name in names[:2]]).T)
        copy.head.bias.copy_(biases["output"])
        return copy
