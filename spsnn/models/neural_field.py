"""Oscillators on a sphere under a router that sets their gain."""

from __future__ import annotations

import math

import torch
from torch import nn

from spsnn.errors import ConfigError
from spsnn.models._arguments import as_sequence, seeded, sizes
from spsnn.space import Sphere

N_REGIONS = 12
N_SECTORS = 10
LARGEST = 10.0  # magnitude of a state
REACH = 0.3  # of the coupling, radians


class ThalamicRouter(nn.Module):
    """Gain of each node from a summary of the regions.

        r      = 12 regions x (mean |x|, mean xr)
        s_nk   = (W_Q r)_k . (W_K (xr_n, xi_n))_k / sqrt d
        TRN_k  = sum_{l != k} softplus(w_kl) mean_n sigmoid(s_nl)
        CT_k   = (W_C mean|x| + b_C)_k
        gain_n = mean_k sigmoid(s_nk - TRN_k + CT_k)

    (R) the whole form: W_Q, W_K and W_C have biases, w starts at -3 and keeps its idle diagonal, regions are contiguous
    blocks of nodes, which on a Fibonacci sphere are bands of latitude.

    Args:
        n_nuclei: K.
        width: d.
    """

    def __init__(self, n_nuclei=8, width=16):
        super().__init__()
        self.n_nuclei, self.width = n_nuclei, width
        self.query = nn.Linear(2 * N_REGIONS, n_nuclei * width)
        self.key = nn.Linear(2, n_nuclei * width)
        self.inhibition = nn.Parameter(torch.full((n_nuclei, n_nuclei), -3.0))
        self.feedback = nn.Linear(N_REGIONS, n_nuclei)
        self.register_buffer("others", 1 - torch.eye(n_nuclei), persistent=False)

    def forward(self, magnitude, real, state, pool):
        """Gains ``[B, N]``.

        Args:
            magnitude: ``[B, N]``, |x|.
            real: ``[B, N]``, xr.
            state: ``[B, N, 2]``, (xr, xi).
            pool: ``[N, 12]``, mean over each region.
        """
        regions = magnitude @ pool
        q = self.query(torch.cat([regions, real @ pool], 1)).unflatten(1, (self.n_nuclei, self.width))  # (B, K, d)
        # Keys are linear in two numbers, so queries go through the map of the keys instead of N keys being made.
        w = self.key.weight.unflatten(0, (self.n_nuclei, self.width))
        through = torch.einsum("bkd,kdc->bck", q, w)
        offset = (q * self.key.bias.unflatten(0, (self.n_nuclei, self.width))).sum(2)
        s = (state @ through + offset[:, None]) / math.sqrt(self.width)  # (B, N, K)
        reticular = torch.sigmoid(s).mean(1) @ (nn.functional.softplus(self.inhibition) * self.others).T
        return torch.sigmoid(s + (self.feedback(regions) - reticular)[:, None]).mean(2)


class NeuralField(nn.Module):
    """N = S + M + P oscillators on a Fibonacci sphere, coupled by distance, gated by a `ThalamicRouter`.

        A = W x + b + F_r,   B = F_i,   F = sum_j K_nj (x_j - x_n), real and imaginary part
        x_ss  = ((lam A - omega B), (omega A + lam B)) / (lam^2 + omega^2)
        t     = sigmoid(gain lam dt / tau + bias)
        x    <- (1 - t) x + t x_ss,   |x| <= 10;   then gain = router(x)
        logits = head(|x| gain) after the last step

    x starts at 0 and the gain at 1.  With 49 features it has 44,650 parameters (published: 47K), with rows of 28 pixels
    30,139 (36K).

    (R), what the source leaves open: nodes are contiguous blocks, sensory (one per feature), motor, prefrontal, and the
    input reaches all; ``K_ij = k0 exp(-angle_ij / .3)`` with zero diagonal, rows scaled to sum k0; k0 starts at .1 and
    is learned, as are lam = softplus(.) from 1, omega from .1 N(0, 1) and the bias of each node; dt = tau = 1.

    Args:
        n_features: F.
        n_classes: C.
        sensory: S; None for F.
        motor: M, in 10 sectors.
        prefrontal: P.
        chunks: parts into which features ``[B, F]`` are cut and shown one after another, each in its place with zeros
            around it.
        repeats: steps for which each part, or each step of ``[B, T, F]``, is shown.
        bias: start of the gate's bias; -5 keeps a memory of some 50 steps, 0 of one or two.
        router: without it the gain stays 1.
        seed: of all initial values; None takes torch's global generator.

    Raises:
        ConfigError: for an argument outside its range.

    Source: NeuralField.
    """

    def __init__(
        self,
        n_features,
        n_classes,
        sensory=None,
        motor=100,
        prefrontal=500,
        chunks=1,
        repeats=1,
        bias=0.0,
        router=True,
        seed=None,
    ):
        super().__init__()
        sensory = n_features if sensory is None else sensory
        sizes(n_features=n_features, n_classes=n_classes, sensory=sensory, motor=motor, prefrontal=prefrontal)
        sizes(chunks=chunks, repeats=repeats)
        if motor < N_SECTORS:
            raise ConfigError(f"motor must be at least {N_SECTORS}, a node for each sector, got {motor}")
        if chunks > n_features:
            raise ConfigError(f"chunks must be at most n_features={n_features}, got {chunks}")
        n = sensory + motor + prefrontal
        self.blocks = {"sensory": sensory, "motor": motor, "prefrontal": prefrontal}
        self.n_features, self.chunks, self.repeats = n_features, chunks, repeats
        space = Sphere()
        place = space.initial(n)
        nearness = torch.exp(-space.distance(place.double(), place.double()) / REACH).fill_diagonal_(0)
        self.register_buffer("place", place, persistent=False)
        self.register_buffer("coupling", (nearness / nearness.sum(1, keepdim=True)).float(), persistent=False)
        self.register_buffer("pool", _means(n, N_REGIONS), persistent=False)
        self.register_buffer("sectors", _means(motor, N_SECTORS), persistent=False)
        with seeded(seed):
            self.drive = nn.Linear(n_features, n)
            self.strength = nn.Parameter(torch.tensor(0.1))
            self.decay = nn.Parameter(torch.full((n,), math.log(math.e - 1)))  # softplus gives 1
            self.omega = nn.Parameter(0.1 * torch.randn(n))
            self.bias = nn.Parameter(torch.full((n,), float(bias)))
            self.router = ThalamicRouter() if router else None
            self.head = nn.Linear(n, n_classes)

    def forward(self, x):
        """Logits ``[B, C]`` of ``x [B, F]`` or ``[B, T, F]``."""
        if x.dim() == 2 and self.chunks > 1:
            x = self._cut(x)
        x = as_sequence(x, self.n_features)
        drive = self.drive(x)  # (B, T, N)
        real = drive.new_zeros(len(x), drive.shape[2])
        imaginary, gain = torch.zeros_like(real), torch.ones_like(real)
        trace = []
        for t in range(x.shape[1]):
            for _ in range(self.repeats):
                real, imaginary, magnitude, gain = self._step(drive[:, t], real, imaginary, gain)
                trace.append(self._summary(real, imaginary, magnitude))
        self._trace, self._state = trace, tuple(s.detach() for s in (real, imaginary, magnitude, gain))
        return self.head(magnitude * gain)

    def _step(self, drive, real, imaginary, gain):
        lam, omega = nn.functional.softplus(self.decay), self.omega
        size = lam.square() + omega.square()
        a = drive + self.strength * (real @ self.coupling.T - real)
        b = self.strength * (imaginary @ self.coupling.T - imaginary)
        gate = torch.sigmoid(gain * lam + self.bias)
        real = (1 - gate) * real + gate * (lam * a - omega * b) / size
        imaginary = (1 - gate) * imaginary + gate * (omega * a + lam * b) / size
        magnitude = (real.square() + imaginary.square() + 1e-12).sqrt()
        inside = (LARGEST / magnitude).clamp_max(1)
        real, imaginary, magnitude = real * inside, imaginary * inside, magnitude * inside
        if self.router is not None:
            gain = self.router(magnitude, real, torch.stack([real, imaginary], 2), self.pool)
        return real, imaginary, magnitude, gain

    @torch.no_grad()
    def _summary(self, real, imaginary, magnitude):
        """Phase ``[N]`` of the first sample, coherence and mean magnitude ``[12]`` of the regions."""
        phase = torch.atan2(imaginary[0], real[0])
        coherence = torch.hypot((real / magnitude).mean(1), (imaginary / magnitude).mean(1)).mean()
        return phase, coherence, magnitude.mean(0) @ self.pool

    def statistics(self):
        """What the last forward pass did; S steps are T times ``repeats``, means are over the batch.

        Returns:
            Dict of arrays: ``magnitude [N]`` and ``gain [N]`` at the end, ``phase [S, N]`` of the first sample in
            (-pi, pi], ``coherence [S]`` (``|mean_n exp(i phase)|``), ``regions [S, 12]`` (mean magnitude),
            ``motor [B, 10]`` (mean rate of each motor sector, all samples), and of floats: ``mean_magnitude``,
            ``mean_gain``.
        """
        _, _, magnitude, gain = self._state
        phase, coherence, regions = (torch.stack(x) for x in zip(*self._trace, strict=True))
        start = self.blocks["sensory"]
        rate = (magnitude * gain)[:, start : start + self.blocks["motor"]]
        arrays = {
            "magnitude": magnitude.mean(0),
            "gain": gain.mean(0),
            "phase": phase,
            "coherence": coherence,
            "regions": regions,
            "motor": rate @ self.sectors,
        }
        floats = {"mean_magnitude": float(magnitude.mean()), "mean_gain": float(gain.mean())}
        return {name: x.cpu().numpy() for name, x in arrays.items()} | floats

    def _cut(self, x):
        part = torch.arange(self.n_features, device=x.device) * self.chunks // self.n_features  # (F,)
        return x[:, None] * (part == torch.arange(self.chunks, device=x.device)[:, None])


def _means(n, parts):
    """``[n, parts]`` that averages ``n`` nodes over ``parts`` contiguous blocks, as equal as can be."""
    block = torch.arange(n) * parts // n
    member = (block[:, None] == torch.arange(parts)).float()
    return member / member.sum(0)
