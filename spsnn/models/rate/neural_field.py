"""Oscillators on a sphere under a router that sets their gain."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from spsnn.checks import finite, whole_number
from spsnn.errors import ConfigError
from spsnn.models.rate._arguments import seeded
from spsnn.models.rate.base import RateModel, RateSettings
from spsnn.models.rate.thalamic_router import N_REGIONS, ThalamicRouter, means
from spsnn.space import Sphere

N_SECTORS = 10
LARGEST = 10.0  # magnitude of a state
REACH = 0.3  # of the coupling, radians


@dataclass(frozen=True)
class FieldSettings(RateSettings):
    """Settings of `NeuralField`.

    Attributes:
        bias: start of the gate's bias; -5 keeps a memory of some 50 steps, 0 of one or two.
        chunks: parts into which features without time are cut and shown one after another, each in its place with
            zeros around it.
        repeats: steps for which each part, or each step of a sequence, is shown.
        router: without it the gain stays 1.
    """

    bias: float = 0.0
    chunks: int = 1
    repeats: int = 1
    router: bool = True

    def __post_init__(self):
        super().__post_init__()
        finite(self, "bias")
        whole_number("chunks", self.chunks, least=1)
        whole_number("repeats", self.repeats, least=1)


class NeuralField(RateModel):
    """N = S + M + P oscillators on a Fibonacci sphere, coupled by distance, gated by a `ThalamicRouter`.

        A = W x + b + F_r,   B = F_i,   F = sum_j K_nj (x_j - x_n), real and imaginary part
        x_ss  = ((lam A - omega B), (omega A + lam B)) / (lam^2 + omega^2)
        t     = sigmoid(gain lam dt / tau + bias)
        x    <- (1 - t) x + t x_ss,   |x| <= 10;   then gain = router(x)
        logits = head(|x| gain) after the last step

    x starts at 0 and the gain at 1.  With sizes ``[49, 49, 100, 500, 10]`` it has 44,650 parameters (published: 47K),
    for rows of 28 pixels, ``[28, 28, 100, 500, 10]``, 30,139 (36K).

    (R), what the source leaves open: nodes are contiguous blocks, sensory, motor (in 10 sectors) and prefrontal, and
    the input reaches all; ``K_ij = k0 exp(-angle_ij / .3)`` with zero diagonal, rows scaled to sum k0; k0 starts at .1
    and is learned, as are lam = softplus(.) from 1, omega from .1 N(0, 1) and the bias of each node; dt = tau = 1.

    Statistics: ``magnitude`` and ``gain`` (means over nodes after the last step), ``coherence`` (|mean_n x_n / |x_n||
    there, mean over samples).

    Args:
        sizes: ``[inputs F, sensory S, motor M, prefrontal P, outputs C]``.
        settings: fields of `FieldSettings`.

    Raises:
        ConfigError: for sizes or settings outside their range.

    Source: NeuralField.
    """

    kind = "neural_field"
    Settings = FieldSettings
    sequence = True

    def __init__(self, sizes, **settings):
        super().__init__(sizes, **settings)
        if len(self.sizes) != 5:
            raise ConfigError(
                "a neural field has sizes [inputs, sensory, motor, prefrontal, outputs], e.g. [28, 28, 100, 500, 10]; "
                f"got {self.sizes}"
            )
        n_features, *blocks, n_classes = self.sizes
        self.blocks = dict(zip(("sensory", "motor", "prefrontal"), blocks, strict=True))
        if self.blocks["motor"] < N_SECTORS:
            raise ConfigError(f"motor must have {N_SECTORS} nodes at least, one for each sector, got {blocks[1]}")
        if self.settings.chunks > n_features:
            raise ConfigError(f"chunks must be at most the {n_features} features, got {self.settings.chunks}")
        n, space = sum(blocks), Sphere()
        place = space.initial(n)
        nearness = torch.exp(-space.distance(place.double(), place.double()) / REACH).fill_diagonal_(0)
        coupling = (nearness / nearness.sum(1, keepdim=True)).float()
        self.register_buffer("place", place, persistent=False)
        self.register_buffer("coupling", coupling, persistent=False)
        self.held = None  # couplings of both parts [2, N, N] as a chip holds them, rounded to scales of their own
        self.register_buffer("pool", means(n, N_REGIONS), persistent=False)
        self.register_buffer("sectors", means(self.blocks["motor"], N_SECTORS), persistent=False)
        with seeded(self.settings.seed):
            self.drive = nn.Linear(n_features, n)
            self.strength = nn.Parameter(torch.tensor(0.1))
            self.decay = nn.Parameter(torch.full((n,), math.log(math.e - 1)))  # softplus gives 1
            self.omega = nn.Parameter(0.1 * torch.randn(n))
            self.bias = nn.Parameter(torch.full((n,), float(self.settings.bias)))
            self.router = ThalamicRouter() if self.settings.router else None
            self.head = nn.Linear(n, n_classes)

    @property
    def holds_chip(self):
        """Whether this is a copy with the couplings of a chip."""
        return self.held is not None

    def steps(self, x):
        """States of all steps, ``[(real, imaginary, magnitude, gain), ...]`` of ``[B, N]`` each.

        Args:
            x: ``[B, T, F]``.
        """
        if self.settings.chunks > 1:
            x = self._cut(x)
        drives = self.drive(x).unbind(1)  # T of (B, N)
        real = imaginary = torch.zeros_like(drives[0])
        gain = torch.ones_like(real)
        trace = []
        for drive in drives:
            for _ in range(self.settings.repeats):
                real, imaginary, magnitude, gain = self._step(drive, real, imaginary, gain)
                trace.append((real, imaginary, magnitude, gain))
        return trace

    def _step(self, drive, real, imaginary, gain):
        lam, omega = nn.functional.softplus(self.decay), self.omega
        along, across = torch.stack([lam, omega]) / (lam.square() + omega.square())
        of_real, of_imaginary = (self.coupling,) * 2 if self.held is None else self.held
        a = drive + self.strength * (real @ of_real.T - real)
        b = self.strength * (imaginary @ of_imaginary.T - imaginary)
        gate = torch.sigmoid(gain * lam + self.bias)
        real = real.lerp(along * a - across * b, gate)
        imaginary = imaginary.lerp(across * a + along * b, gate)
        magnitude = (real.square() + imaginary.square() + 1e-12).sqrt()
        inside = (LARGEST / magnitude).clamp_max(1)
        real, imaginary, magnitude = real * inside, imaginary * inside, magnitude * inside
        if self.router is not None:
            gain = self.router(magnitude, real, imaginary, self.pool)
        return real, imaginary, magnitude, gain

    def rates(self, x):
        """Logits, and what nodes send: both parts of the state at every step, and the rate after the last one."""
        trace = self.steps(x)
        real, imaginary, magnitude, gain = trace[-1]
        rate = magnitude * gain
        with torch.no_grad():
            unit = real / magnitude, imaginary / magnitude
            coherence = torch.hypot(*(u.mean(1) for u in unit)).mean()
            self.figures = {"magnitude": magnitude.mean(), "gain": gain.mean(), "coherence": coherence}
            sent = [torch.stack([state[k] for state in trace], 1) for k in (0, 1)]
        return self.head(rate), [*sent, rate]

    @torch.no_grad()
    def trace(self, batch):
        """What the field does on a batch, for the pictures; S steps are T times ``repeats``, means are over samples.

        Args:
            batch: what `features` takes.

        Returns:
            Dict of arrays: ``magnitude [N]`` and ``gain [N]`` at the end, ``phase [S, N]`` of the first sample in
            (-pi, pi], ``coherence [S]`` (``|mean_n exp(i phase)|``), ``regions [S, 12]`` (mean magnitude), ``motor
            [B, 10]`` (mean rate of each motor sector, all samples).
        """
        trace = self.steps(self.features(batch))
        real, imaginary, size, _ = (torch.stack(x) for x in zip(*trace, strict=True))  # (S, B, N)
        _, _, magnitude, gain = trace[-1]
        start = self.blocks["sensory"]
        rate = (magnitude * gain)[:, start : start + self.blocks["motor"]]
        arrays = {
            "magnitude": magnitude.mean(0),
            "gain": gain.mean(0),
            "phase": torch.atan2(imaginary[:, 0], real[:, 0]),
            "coherence": torch.hypot((real / size).mean(2), (imaginary / size).mean(2)).mean(1),
            "regions": size.mean(1) @ self.pool,
            "motor": rate @ self.sectors,
        }
        return {name: x.cpu().numpy() for name, x in arrays.items()}

    def _cut(self, x):
        if x.shape[1] > 1:
            raise ConfigError(f"chunks cut features without time, the data has {x.shape[1]} steps; set chunks=1")
        part = torch.arange(self.sizes[0], device=x.device) * self.settings.chunks // self.sizes[0]  # (F,)
        return x * (part == torch.arange(self.settings.chunks, device=x.device)[:, None])

    def places(self):
        """Both parts of a state and its rate sit where the node is; outputs are at the centre, inputs have no place."""
        place = self.place.cpu().numpy()
        nodes = [(name, len(place), place) for name in ("real", "imaginary", "rate")]
        return [("input", self.sizes[0], None), *nodes, ("output", self.sizes[-1], np.zeros((self.sizes[-1], 3)))]

    def wiring(self):
        """Input to all nodes, the coupling of each part, and the read-out; a rate forms where its node is.

        What a node does alone (gate, decay, rotation) and the router are not in the graph.
        """
        apart = ~torch.eye(len(self.place), dtype=torch.bool)
        coupling = self.strength * (self.coupling.expand(2, -1, -1) if self.held is None else self.held)
        projections = [
            ("input", "real", self.drive.weight.T, None),
            ("real", "real", coupling[0].T, apart),
            ("imaginary", "imaginary", coupling[1].T, apart),
            ("real", "rate", torch.eye(len(self.place)), ~apart),
            ("imaginary", "rate", torch.eye(len(self.place)), ~apart),
            ("rate", "output", self.head.weight.T, None),
        ]
        return projections, {"real": self.drive.bias, "output": self.head.bias}

    def times_driven(self, population, steps):
        """Nodes are driven at every step, outputs once."""
        steps = self.settings.chunks if self.settings.chunks > 1 else steps
        return 1 if population == "output" else steps * self.settings.repeats

    def rewire(self, weights, biases):
        """A copy with the weights of a chip."""
        copy = self.copy()
        copy.drive.weight.copy_(weights["input", "real"].T)
        copy.drive.bias.copy_(biases["real"])
        held = torch.stack([weights[part, part].T for part in ("real", "imaginary")])
        copy.held = held.to(self.device) / self.strength
        copy.head.weight.copy_(weights["rate", "output"].T)
        copy.head.bias.copy_(biases["output"])
        return copy

    def storage(self):
        """Numbers of the model: the coupling follows from the places and one strength, so ``weights`` leaves it out."""
        weights = sum(p.numel() for layer in (self.drive, self.head) for p in layer.parameters())
        return {"weights": weights, "numbers": self.n_parameters()}
