"""Sparsification while training: which synapses stay, and when."""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import dataclass, fields

import numpy as np
import torch

from spsnn.checks import not_negative, positive, whole
from spsnn.errors import ConfigError, ModelFileError

METHODS = ("magnitude", "regrow", "spatial")
RAMPS = ("cubic", "linear", "constant")
SCOPES = ("projection", "global", "erdos_renyi")


@dataclass(frozen=True)
class SparsityConfig:
    """How `fit` prunes.  By default it does not.

    With ``tau = (step - first) / (last - first)`` between the steps at ``start`` and ``end``, the kept share is

        cubic      density + (1 - density) (1 - tau)^3        (Zhu & Gupta 2017)
        linear     density + (1 - density) (1 - tau)
        constant   density, from ``start`` on

    Attributes:
        density: share kept in the end of the synapses that there are when training starts, at least one per projection.
        method: which synapses go.  ``magnitude``: the smallest ``|w|``.  ``spatial``: the smallest
            ``|w| exp(-delay / length)``, which favours short wires.  ``regrow``: as ``magnitude``; then every update
            also drops a share of the kept ones, the smallest, and grows as many elsewhere (SET, Mocanu et al. 2018;
            RigL, Evci et al. 2020).
        ramp: ``cubic``, ``linear`` or ``constant``.
        start, end: of the ramp and of all updates, as shares of training.
        every: steps (batches) from one update to the next.
        scope: rank synapses within each ``projection``, or ``global``: over all of them.  ``erdos_renyi`` ranks within
            each, but of a projection of I to J neurons keeps a share in proportion to ``(I + J) / (I J)``, at most all,
            such that ``density`` is that of all together: small projections stay denser (SET, RigL).
        projections: the ones to prune, e.g. ``["input->hidden1", "hidden1->hidden1"]``, or None: all.
        length: ms, of ``spatial``; 0 is its limit, in which the longest delays go whatever their weights.
        regrow: of ``regrow``, where synapses grow: ``random``, or ``gradient``: where ``|dL/dw|`` of the batch is
            largest.
        drop: of ``regrow``, the share dropped at ``start``; it falls as a cosine to 0 at ``end``.
    """

    density: float = 1.0
    method: str = "magnitude"
    ramp: str = "cubic"
    start: float = 0.0
    end: float = 0.5
    every: int = 100
    scope: str = "projection"
    projections: list | None = None
    length: float | None = None
    regrow: str | None = None
    drop: float | None = None

    def __post_init__(self):
        for name, known in (
            ("method", METHODS), ("ramp", RAMPS), ("scope", SCOPES),
            ("regrow", (None, "random", "gradient")),
        ):  # fmt: skip
            if getattr(self, name) not in known:
                choices = ", ".join(k for k in known if k)
                raise ConfigError(f"{name} must be one of {choices}, got {getattr(self, name)!r}")
        if self.projections is not None:
            if isinstance(self.projections, str) or not all(isinstance(p, str) for p in self.projections):
                raise ConfigError(f"projections must be a list such as ['input->hidden1'], got {self.projections!r}")
            object.__setattr__(self, "projections", list(self.projections))
        whole(self, "every")
        positive(self, "density", "every", "end")
        not_negative(self, "start")
        if self.density > 1:
            raise ConfigError(f"density is the share of synapses kept, in (0, 1], got {self.density}")
        if not self.start <= self.end <= 1:
            raise ConfigError(
                f"must have 0 <= start <= end <= 1, shares of training, got start={self.start} and end={self.end}"
            )
        for name, method in (("length", "spatial"), ("regrow", "regrow"), ("drop", "regrow")):
            given = getattr(self, name) is not None
            if given and self.method != method:
                raise ConfigError(f"{name} belongs to method={method!r}, got method={self.method!r}; leave {name} out")
            if not given and self.method == method:
                raise ConfigError(f"method={method!r} needs {name}; see SparsityConfig")
        if self.length is not None:
            not_negative(self, "length")
        if self.drop is not None:
            positive(self, "drop")
            if self.drop >= 1:
                raise ConfigError(f"drop is a share of the kept synapses, in (0, 1), got {self.drop}")
        if self.density == 1 and any(getattr(self, f.name) != f.default for f in fields(self)):
            raise ConfigError("density=1 prunes nothing; set density below 1, or leave the other sparsity settings out")

    def density_at(self, tau):
        """Share of synapses kept at ``tau`` in [0, 1] between ``start`` and ``end``."""
        power = {"cubic": 3, "linear": 1}.get(self.ramp)
        return self.density + (0.0 if power is None else (1 - self.density) * (1 - tau) ** power)


class Sparsifier:
    """Applies a `SparsityConfig` to a model, step by step.

    Args:
        model: `spsnn.SpSNN`; its masks as they are now say which synapses there can be.
        config: `SparsityConfig`.
        total: steps of the whole training.

    Raises:
        ConfigError: if a projection is unknown, or gradients of pruned synapses are asked of the event engine.
    """

    def __init__(self, model, config, total):
        self.config = config
        self.synapses = {f"{pre}->{post}": s for pre, post, s in model.synapses()}
        self.allowed = {name: s.mask.cpu().numpy().copy() for name, s in self.synapses.items()}
        chosen = self.synapses if config.projections is None else config.projections
        self.chosen = ["".join(str(name).split()) for name in chosen]
        unknown = sorted(set(self.chosen) - set(self.synapses))
        if config.density < 1 and not self.synapses:
            raise ConfigError("this model has no synapses that can be pruned while training; set density=1")
        if config.method == "spatial" and not model.spiking:
            raise ConfigError(
                "method 'spatial' ranks synapses by delay, and a rate-coded model has none; use magnitude"
            )
        if unknown or (self.synapses and not self.chosen):
            raise ConfigError(f"there is no projection {', '.join(unknown)}; known: {', '.join(self.synapses)}")
        if config.regrow == "gradient" and model.spiking and model.settings.engine == "event":
            raise ConfigError(
                "the event engine has no gradient for absent synapses; use regrow='random' or engine='grid'"
            )
        self.first = max(1, round(config.start * total))
        self.last = max(self.first, round(config.end * total))

    def due(self, step):
        """Whether masks change after ``step`` steps of the optimiser."""
        since = step - self.first
        inside = self.config.density < 1 and 0 <= since <= self.last - self.first
        return inside and (since % self.config.every == 0 or step == self.last)

    def density(self):
        """Share of the synapses there were at the start that is kept, over all projections; 1 where there are none."""
        kept = sum(int(s.mask.sum()) for s in self.synapses.values())
        start = sum(int(m.sum()) for m in self.allowed.values())
        return kept / start if start else 1.0

    def restore(self, allowed, path):
        """Take the masks at the start of a run, bool ``[I, J]`` each, from its checkpoint.

        Raises:
            ModelFileError: if they are not those of this model.
        """
        if self.config.density == 1:
            return
        facts = lambda masks: {name: (m.dtype, m.shape) for name, m in masks.items()}  # noqa: E731
        if facts(allowed or {}) != facts(self.allowed):
            raise ModelFileError(f"{path}: the masks at the start of training are not those of this model")
        self.allowed = allowed

    @contextmanager
    def watching(self, step):
        """A forward pass in here keeps the gradients of pruned synapses, if the update after ``step`` needs them."""
        wanted = self.config.regrow == "gradient" and self.due(step)
        for name in self.chosen if wanted else ():
            self.synapses[name].watched = True
        try:
            yield
        finally:
            for name in self.chosen:
                self.synapses[name].watched = False

    def update(self, step, optimizer, rng):
        """Change masks after ``step`` steps, if it is time; weights that go or come are 0 and their state of Adam too.

        Args:
            rng: `numpy.random.Generator` for random growth.
        """
        if not self.due(step):
            return
        tau = (step - self.first) / max(self.last - self.first, 1)
        scores = {name: self._score(self.synapses[name]) for name in self.chosen}
        keep = self._keep(scores, self.config.density_at(tau))
        if self.config.method == "regrow":
            share = self.config.drop * (1 + math.cos(math.pi * tau)) / 2
            keep = {name: self._exchange(name, keep[name], scores[name], share, rng) for name in self.chosen}
        for name in self.chosen:
            synapse, before = self.synapses[name], self.synapses[name].mask.clone()
            synapse.prune_(torch.from_numpy(keep[name]))
            for parameter in synapse.per_synapse():
                _clear(parameter, optimizer, ~(before & synapse.mask))
            synapse.effective = None

    def _score(self, synapse):
        """What ranks the synapses ``[I, J]``, absent ones last."""
        size = synapse.magnitudes().double()
        if self.config.method == "spatial":
            with torch.no_grad():
                delay = synapse.delays().double()
            size = size.log() - delay / self.config.length if self.config.length else -delay
        return np.where(synapse.mask.cpu().numpy(), size.cpu().numpy(), -np.inf)

    def _keep(self, scores, density):
        """Masks of the share ``density`` with the highest scores."""
        allowed = {name: int(self.allowed[name].sum()) for name in scores}
        if self.config.scope != "global":
            even = self.config.scope == "projection"
            shares = dict.fromkeys(scores, density) if even else _erdos_renyi(self.allowed, scores, density)
            return {n: _best(s, self._present(n), max(1, round(shares[n] * allowed[n]))) for n, s in scores.items()}
        flat = np.concatenate([s.ravel() for s in scores.values()])
        there = np.concatenate([self._present(name).ravel() for name in scores])
        chosen = _best(flat, there, max(1, round(density * sum(allowed.values()))))
        parts = np.split(chosen, np.cumsum([s.size for s in scores.values()])[:-1])
        return {name: part.reshape(scores[name].shape) for name, part in zip(scores, parts, strict=True)}

    def _present(self, name):
        return self.synapses[name].mask.cpu().numpy()

    def _exchange(self, name, keep, score, share, rng):
        """Drop a share of the kept synapses and grow as many among those that were absent before."""
        free = self.allowed[name] & ~self._present(name)
        n = min(int(share * keep.sum()), int(free.sum()))
        keep = _best(score, keep, int(keep.sum()) - n)
        if self.config.regrow == "random":
            promise = rng.random(keep.shape)
        else:
            promise = self.synapses[name].effective.grad.abs().cpu().numpy()
        return keep | _best(promise, free, n)


def _erdos_renyi(allowed, names, density):
    """Shares of the synapses ``allowed[name] [I, J]`` in proportion to ``(I + J) / (I J)``, ``density`` of all.

    A share beyond 1 is 1, and the others share what is left.
    """
    there = np.array([allowed[name].sum() for name in names], float)
    share = np.array([sum(allowed[name].shape) / allowed[name].size for name in names])
    full = np.zeros(len(there), bool)
    while True:
        rest = density * there.sum() - there[full].sum()
        scaled = np.where(full, 1.0, share * rest / max((share * there)[~full].sum(), 1e-300))
        if (scaled <= 1).all():
            return dict(zip(names, scaled.tolist(), strict=True))
        full |= scaled > 1


def _best(score, candidates, n):
    """Mask of the ``n`` candidates with the highest scores, or of all if there are fewer; ties go to the first."""
    at = np.flatnonzero(candidates)
    order = np.argsort(-score.ravel()[at], kind="stable")
    chosen = np.zeros(score.size, bool)
    chosen[at[order[:n]]] = True
    return chosen.reshape(score.shape)


def _clear(weight, optimizer, places):
    """Set what the optimiser keeps for ``places`` of a weight to zero."""
    for value in optimizer.state.get(weight, {}).values():
        if torch.is_tensor(value) and value.shape == weight.shape:
            value[places] = 0
