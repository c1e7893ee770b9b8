"""The Spatial Context Network: neurons at centroids in the space of the input, which gate themselves by distance."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from spsnn.checks import positive
from spsnn.errors import ConfigError
from spsnn.models.rate.base import RateModel, RateSettings
from spsnn.space import Euclidean

DAMPINGS, CONTEXTS, GATES = ("published", "odd"), ("scalar", "vector"), ("hard", "straight_through")
PREFERENCES = (0.38, 0.25, 0.22, 0.15)


@dataclass(frozen=True)
class ContextSettings(RateSettings):
    """Settings of `SpatialContextNetwork`; the defaults are the published ones.

    Attributes:
        stability_factor: 1 / eps of the closeness.
        routing_threshold: closeness above which a neuron takes part.
        explosion_threshold: context above which it is damped.
        damping: ``published``, ``sqrt(|C|)`` above the threshold, which jumps there (2 becomes 1.414) and leaves
            negative contexts alone; or ``odd``: continuous with its slope, and the same for both signs.
        context: ``scalar``, one C, so that all logits lie on a line; or ``vector``, one C for each output.
        gate: ``hard``, without a gradient; or ``straight_through``: hard forward, in the backward pass the gradient of
            ``sigmoid((f - threshold) / gate_width)``.
        gate_width: of the straight-through gradient.
    """

    stability_factor: float = 10.0
    routing_threshold: float = 0.5
    explosion_threshold: float = 2.0
    damping: str = "published"
    context: str = "scalar"
    gate: str = "hard"
    gate_width: float = 0.1

    def __post_init__(self):
        super().__post_init__()
        positive(self, "stability_factor", "routing_threshold", "explosion_threshold", "gate_width")
        for name, known in (("damping", DAMPINGS), ("context", CONTEXTS), ("gate", GATES)):
            if getattr(self, name) not in known:
                raise ConfigError(f"{name} must be one of {', '.join(known)}, got {getattr(self, name)!r}")


class SpatialContextNetwork(RateModel):
    """n neurons with centroids ``mu [n, d]`` in the space of the input.

        f_j = 1 / (|x - mu_j| / sqrt(d) + 1 / stability_factor)          closeness
        M_j = 1 if f_j > routing_threshold else 0
        z   = max(1, sum_j M_j)
        C   = (sum_j M_j f_j w_j) z / n                                  context
        C   = sqrt(|C| + 1e-8) if C > explosion_threshold
        o   = Linear(C) * softmax(p)

    Start: mu, w ~ N(0, 1); p = log [.38, .25, .22, .15] for four outputs, else 0; Linear as in torch.  With
    ``damping="odd"``: ``C = sign(C) (2 sqrt(theta |C|) - theta)`` where ``|C| > theta``.  With ``context="vector"`` w
    is ``[n, out]``, every output has its own C, and Linear acts on each alone.

    Statistics: ``active`` (mean number of neurons with M = 1), ``efficiency`` (active / n), ``context`` (mean C).

    Args:
        sizes: ``[d, n, out]``; the published ones are ``[10, 32, 4]``, with 364 parameters.
        settings: fields of `ContextSettings`.

    Source: the proof of concept of the Spatial Context Network.  An untrained network has 30.2 of 32 neurons active on
    N(0, I) already: with x ~ N(0, I) and mu ~ N(0, I), |x - mu|^2 / 2 is chi-squared with d degrees of freedom, and
    P(chi2_10 < 18.05) = 0.946.
    """

    kind = "scn"
    Settings = ContextSettings
    coordinates = ("mu",)

    def __init__(self, sizes=(10, 32, 4), **settings):
        super().__init__(sizes, **settings)
        if len(self.sizes) != 3:
            raise ConfigError(f"a Spatial Context Network has sizes [inputs, neurons, outputs], got {self.sizes}")
        (d, n, out), s = self.sizes, self.settings
        generator = torch.Generator().manual_seed(s.seed)
        self.mu = nn.Parameter(Euclidean(d).initial(n, 1.0, generator=generator))
        self.w = nn.Parameter(torch.randn(n, out if s.context == "vector" else 1, generator=generator))
        # torch.nn.Linear(1, out): both uniform in [-1, 1]
        self.scale = nn.Parameter(2 * torch.rand(out, generator=generator) - 1)
        self.shift = nn.Parameter(2 * torch.rand(out, generator=generator) - 1)
        start = torch.tensor(PREFERENCES).log() if out == len(PREFERENCES) else torch.zeros(out)
        self.p = nn.Parameter(start)

    def closeness(self, x):
        """``f [B, n]`` of inputs ``[B, d]``."""
        distance = torch.cdist(x, self.mu, compute_mode="donot_use_mm_for_euclid_dist")
        return 1 / (distance / self.sizes[0] ** 0.5 + 1 / self.settings.stability_factor)

    def gate(self, f):
        """``M [B, n]``, 0 or 1."""
        s = self.settings
        hard = (f > s.routing_threshold).to(f.dtype)
        if s.gate == "hard":
            return hard
        soft = torch.sigmoid((f - s.routing_threshold) / s.gate_width)
        return hard + soft - soft.detach()

    def damp(self, c):
        """Context ``[B, K]`` after damping."""
        s, top = self.settings, self.settings.explosion_threshold
        if s.damping == "published":
            return torch.where(c > top, (c.abs() + 1e-8).sqrt(), c)
        size = c.abs().clamp_min(top)  # below the threshold the root is not used, and must have a finite gradient
        return torch.where(c.abs() > top, c.sign() * (2 * (top * size).sqrt() - top), c)

    def rates(self, x):
        """Logits, and the activity of the neurons (``M f``) and of the context."""
        f = self.closeness(x)
        m = self.gate(f)
        z = m.sum(1, keepdim=True).clamp_min(1)
        c = self.damp((m * f) @ self.w * z / self.sizes[1])
        logits = (c * self.scale + self.shift) * torch.softmax(self.p, 0)
        active = m.detach().sum(1).mean()
        self.figures = {"active": active, "efficiency": active / self.sizes[1], "context": c.detach().mean()}
        return logits, [m * f, c]

    def places(self):
        """Inputs sit on the unit vectors of their axes, neurons at their centroids; context and outputs at their mean.

        The chip can so keep near what is near in the space of the input.
        """
        d, n, out = self.sizes
        mu = self.mu.detach().cpu().numpy()
        centre = mu.mean(0, keepdims=True)
        n_contexts = self.w.shape[1]
        return [
            ("input", d, torch.eye(d).numpy()),
            ("hidden1", n, mu),
            ("context", n_contexts, centre.repeat(n_contexts, 0)),
            ("output", out, centre.repeat(out, 0)),
        ]

    def wiring(self):
        """Centroids as the weights that neurons compare the input with, w, and the scaled read-out."""
        share = torch.softmax(self.p, 0)
        if self.settings.context == "vector":
            read, mask = torch.diag(self.scale * share), torch.eye(self.sizes[2], dtype=torch.bool)
        else:
            read, mask = (self.scale * share)[None], None
        projections = [
            ("input", "hidden1", self.mu.T, None),
            ("hidden1", "context", self.w, None),
            ("context", "output", read, mask),
        ]
        return projections, {"output": self.shift * share}

    def rewire(self, weights, biases):
        """A copy with the centroids, weights and read-out of a chip."""
        copy = self.copy()
        share = torch.softmax(self.p, 0).cpu()
        read = weights["context", "output"]
        copy.mu.copy_(weights["input", "hidden1"].T)
        copy.w.copy_(weights["hidden1", "context"])
        copy.scale.copy_((read.diagonal() if self.settings.context == "vector" else read[0]) / share)
        copy.shift.copy_(biases["output"] / share)
        return copy
