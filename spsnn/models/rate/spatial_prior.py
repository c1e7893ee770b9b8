"""The spatial weight prior: how far apart two neurons sit on a line scales the weight between them."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import nn

from spsnn.checks import not_negative, positive, seed
from spsnn.errors import ConfigError
from spsnn.models.rate.base import RateModel, RateSettings
from spsnn.models.rate.prior_kernels import KERNELS, index_distance, kernel, plane_places
from spsnn.space import Line

MODES = ("multiply", "normalise", "cap", "decay")
CONTROLS = ("none", "shuffle", "matched")
FLOOR = 0.1  # a synapse whose kernel lies below counts as absent in `sparsity`


@dataclass(frozen=True)
class PriorSettings(RateSettings):
    """Settings of `SpatialPriorMLP`.

    With the share of training ``a = epoch / (epochs - 1)``, the kernel K of an epoch is

        K = (1 - a) K(kernel; k) + a K(anneal_to; k),     k = k + a (sharpen_to - k)

    Attributes:
        kernel: of `kernel`.
        k: of the exponential kernel.
        mode: ``multiply``: W o K; ``normalise``: K o (W / norm of the weights into a neuron) times a learned scale that
            starts at 1; ``cap``: W clamped to [-K, K]; ``decay``: W alone, with ``decay sum (W - K)^2`` in the loss.
        anneal_to: kernel at the last epoch, or None; ``none`` lets the prior fade to 1.
        sharpen_to: k at the last epoch, or None.
        decay: of the mode ``decay``.
        control: ``shuffle``: all entries of K permuted, so that its values stay and its geometry goes; ``matched``:
            K replaced by the root mean square of its entries, so that only the smaller start and step stay.
        shuffle_seed: of the permutation.
        rescale: divide K by its root mean square, so that the weights start as large as without a prior.
        image: ``[channels, rows, columns]`` of the input: layers lie in the plane, `plane_places`, distances are over
            sqrt 2, and those to the output layer 0.  None: all layers lie on a line.
        prune: synapses whose kernel lies below are absent from the start.
    """

    kernel: str = "exponential"
    k: float = 3.0
    mode: str = "multiply"
    anneal_to: str | None = None
    sharpen_to: float | None = None
    decay: float = 1e-4
    control: str = "none"
    shuffle_seed: int = 1000
    rescale: bool = False
    image: list[int] | None = None
    prune: float = 0.0

    def __post_init__(self):
        super().__post_init__()
        positive(self, "k", *(["sharpen_to"] if self.sharpen_to is not None else []))
        not_negative(self, "decay", "prune")
        if self.image is not None:
            if isinstance(self.image, list | tuple):
                object.__setattr__(self, "image", list(self.image))  # as in files
            sides = self.image if isinstance(self.image, list) else []
            if len(sides) != 3 or not all(type(n) is int and n >= 1 for n in sides):
                raise ConfigError(f"image must be [channels, rows, columns], got {self.image}")
        if self.prune and (self.anneal_to is not None or self.sharpen_to is not None):
            raise ConfigError("prune belongs to a kernel that stays; leave out anneal_to and sharpen_to")
        seed("shuffle_seed", self.shuffle_seed)
        for name, known in (("kernel", KERNELS), ("mode", MODES), ("control", CONTROLS)):
            if getattr(self, name) not in known:
                raise ConfigError(f"{name} must be one of {', '.join(known)}, got {getattr(self, name)!r}")
        if self.anneal_to is not None and self.anneal_to not in KERNELS:
            raise ConfigError(f"anneal_to must be one of {', '.join(KERNELS)} or absent, got {self.anneal_to!r}")
        if self.sharpen_to is not None and "exponential" not in (self.kernel, self.anneal_to):
            raise ConfigError(f"sharpen_to belongs to the exponential kernel, got kernel={self.kernel!r}; leave it out")


class SpatialPriorLinear(nn.Module):
    """Linear layer under a spatial prior: ``y = x E + b`` with the effective weights E of `PriorSettings`.

    Attributes:
        weight: ``[n_pre, n_post]``, before the prior; starts as in `torch.nn.Linear`.
        bias: ``[n_post]``.
        mask: bool ``[n_pre, n_post]``; False where a synapse was pruned.
        kernel: K of the present epoch ``[n_pre, n_post]``; not saved, it follows from the settings and ``progress``.
        unit: what K was divided by, 1 unless ``rescale``.
        progress: share of training a, from 0 to 1.

    Args:
        n_pre, n_post: numbers of neurons.
        settings: `PriorSettings`.
        generator: of the starting values.
        layer: number of the layer, which the permutation of ``shuffle`` depends on.
        distance: ``[n_pre, n_post]``; by default that on the line.
    """

    def __init__(self, n_pre, n_post, settings=None, generator=None, layer=0, distance=None):
        super().__init__()
        self.n_pre, self.n_post, self.settings, self.clipped = n_pre, n_post, settings or PriorSettings(), 0.0
        self.watched, self.effective, self.layer = False, None, layer
        bound = 1 / math.sqrt(n_pre)
        draw = lambda *shape: bound * (2 * torch.rand(*shape, generator=generator) - 1)  # noqa: E731
        self.weight = nn.Parameter(draw(n_pre, n_post))
        self.bias = nn.Parameter(draw(n_post))
        self.scale = nn.Parameter(torch.ones(())) if self.settings.mode == "normalise" else None
        self.distance = index_distance(n_pre, n_post) if distance is None else distance
        self.register_buffer("mask", torch.ones(n_pre, n_post, dtype=torch.bool))
        self.register_buffer("progress", torch.zeros(()))
        self.register_buffer("kernel", torch.ones(n_pre, n_post), persistent=False)
        self.register_load_state_dict_post_hook(lambda module, _: module.set_progress(float(module.progress)))
        self.set_progress(0.0)
        if self.settings.prune:
            self.prune_(self.kernel > 0)
            if not self.mask.any():
                raise ConfigError(
                    f"prune {self.settings.prune:g} leaves no synapse from {n_pre} to {n_post} neurons; lower it, or k"
                )

    @torch.no_grad()
    def set_progress(self, share):
        """Put the kernel to where the schedules stand at ``share`` of training."""
        self.progress.fill_(share)
        s, distance = self.settings, self.distance.to(self.weight.device)
        k = s.k if s.sharpen_to is None else s.k + share * (s.sharpen_to - s.k)
        made = kernel(s.kernel, distance, k)
        if s.anneal_to is not None:
            made = (1 - share) * made + share * kernel(s.anneal_to, distance, k)
        if s.control == "shuffle":
            generator = torch.Generator().manual_seed(s.shuffle_seed + self.layer)
            order = torch.randperm(made.numel(), generator=generator).to(made.device)
            made = made.flatten()[order].reshape(made.shape)
        elif s.control == "matched":
            made = torch.full_like(made, float(made.square().mean().sqrt()))
        made = made * (made >= s.prune)
        self.unit = float(made.square().mean().sqrt()) if s.rescale else 1.0
        self.kernel.copy_(made / self.unit)

    def weights(self):
        """Effective weights E ``[n_pre, n_post]``."""
        w, mode = self.weight, self.settings.mode
        if mode == "multiply":
            w = w * self.kernel
        elif mode == "normalise":
            w = self.kernel * (w / w.norm(dim=0, keepdim=True).clamp_min(1e-12)) * self.scale
        elif mode == "cap":
            w = w.clamp(-self.kernel, self.kernel)
        # amin() is 16 times as fast as all(); what is returned is never the parameter itself.
        if w is self.weight or not self.mask.view(torch.uint8).amin():
            w = w * self.mask
        if self.watched and w.requires_grad:
            w.retain_grad()
            self.effective = w
        return w

    def penalty(self):
        """``decay sum (W - K)^2`` over the synapses there are in the mode ``decay``, else 0."""
        if self.settings.mode != "decay":
            return 0.0
        return self.settings.decay * ((self.weight - self.kernel) * self.mask).square().sum()

    def sparsity(self):
        """Share of synapses whose kernel, before ``rescale``, lies below 0.1: weak, not absent, by their floor."""
        return float((self.kernel * self.unit < FLOOR).float().mean())

    def prune_(self, keep):
        """Keep the synapses of the bool ``keep [n_pre, n_post]`` alone."""
        with torch.no_grad():
            self.mask.copy_(keep)
            self.weight.masked_fill_(~self.mask, 0.0)

    def per_synapse(self):
        """Parameters ``[n_pre, n_post]`` with a value for every synapse."""
        return [self.weight]

    def magnitudes(self):
        """``|E| [n_pre, n_post]``, by which synapses are ranked when they are pruned."""
        with torch.no_grad():
            return self.weights().abs()

    def forward(self, x):
        """``[..., n_post]`` from ``[..., n_pre]``."""
        return x @ self.weights() + self.bias


class SpatialPriorMLP(RateModel):
    """Perceptron with ReLU whose layers are `SpatialPriorLinear`.

    Statistics: ``sparsity`` (share of kernel entries below 0.1 over all layers), ``density`` (share of synapses that
    are not pruned).

    Args:
        sizes: e.g. ``[3072, 512, 256, 10]``.
        settings: fields of `PriorSettings`.
    """

    kind = "spatial_prior"
    Settings = PriorSettings

    def __init__(self, sizes, **settings):
        super().__init__(sizes, **settings)
        generator = torch.Generator().manual_seed(self.settings.seed)
        image = self.settings.image
        if image is not None and math.prod(image) != self.sizes[0]:
            raise ConfigError(f"image {image} has {math.prod(image)} values, the input {self.sizes[0]}")
        self.layers = nn.ModuleList(
            SpatialPriorLinear(a, b, self.settings, generator, k, self._distance(k))
            for k, (a, b) in enumerate(zip(self.sizes, self.sizes[1:], strict=False))
        )

    def _distance(self, layer):
        if self.settings.image is None:
            return None
        if layer == len(self.sizes) - 2:
            return torch.zeros(self.sizes[-2:])
        pre, post = (points for _, _, points in self.places()[layer : layer + 2])
        return torch.from_numpy(np.linalg.norm(pre[:, None] - post[None], axis=-1).astype(np.float32) / math.sqrt(2))

    def start_epoch(self, epoch, epochs):
        """Move the kernels to ``a = epoch / (epochs - 1)``."""
        s = self.settings
        if s.anneal_to is not None or s.sharpen_to is not None:
            for layer in self.layers:
                layer.set_progress(epoch / max(epochs - 1, 1))

    def penalty(self):
        """Sum over layers of `SpatialPriorLinear.penalty`."""
        return sum(layer.penalty() for layer in self.layers)

    def sparsity(self):
        """Share of kernel entries below 0.1 over all layers."""
        weak = sum(layer.sparsity() * layer.mask.numel() for layer in self.layers)
        return weak / sum(layer.mask.numel() for layer in self.layers)

    def density(self):
        """Share of synapses that are not pruned."""
        return sum(int(layer.mask.sum()) for layer in self.layers) / sum(x.mask.numel() for x in self.layers)

    def rates(self, x):
        """Logits and the activity of the hidden layers."""
        hidden = []
        for layer in self.layers[:-1]:
            x = torch.relu(layer(x))
            hidden.append(x)
        return self.layers[-1](x), hidden

    def statistics(self):
        """``sparsity`` and ``density``."""
        return {"sparsity": self.sparsity(), "density": self.density()}

    def hard_pruned(self, below=FLOOR):
        """A copy without the synapses whose kernel, before ``rescale``, lies below ``below``.

        What the sparsity is worth once it is real: the effective weights of the synapses that stay are unchanged.
        """
        copy = self.copy()
        for layer in copy.layers:
            layer.mask &= layer.kernel * layer.unit >= below  # weights stay, the norm of ``normalise`` is over them
        return copy

    def synapses(self):
        """``(pre name, post name, layer)``."""
        names = [name for name, _, _ in self.places()]
        return list(zip(names, names[1:], self.layers, strict=False))

    def places(self):
        """All layers spread over the same line, or in the unit square with the output in its middle."""
        names = ["input", *(f"hidden{k}" for k in range(1, len(self.sizes) - 1)), "output"]
        if self.settings.image is None:
            return [(name, n, Line().initial(n).numpy()) for name, n in zip(names, self.sizes, strict=True)]
        hidden = [plane_places(n).numpy() for n in self.sizes[1:-1]]
        points = [plane_places(self.sizes[0], self.settings.image).numpy(), *hidden, np.full((self.sizes[-1], 2), 0.5)]
        return list(zip(names, self.sizes, points, strict=True))

    def wiring(self):
        """Effective weights and biases."""
        made = self.synapses()
        return [(a, b, s.weights(), s.mask) for a, b, s in made], {b: s.bias for _, b, s in made}

    def rewire(self, weights, biases):
        """A copy without prior whose weights are those of a chip."""
        settings = {**asdict(self.settings), "kernel": "none", "mode": "multiply", "anneal_to": None}
        copy = type(self)(self.sizes, **{**settings, "sharpen_to": None}).to(self.device)
        for (pre, post, layer), own in zip(copy.synapses(), self.layers, strict=True):
            layer.mask.copy_(own.mask)
            layer.weight.copy_(weights[pre, post])
            layer.bias.copy_(biases[post])
        return copy


def weight_similarity(first, second):
    """Cosine of the flattened effective weights of two models of the same sizes."""
    with torch.no_grad():
        a, b = (torch.cat([layer.weights().flatten() for layer in m.layers]) for m in (first, second))
    return float(torch.nn.functional.cosine_similarity(a.double(), b.double(), 0))
