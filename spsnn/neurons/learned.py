"""Parameters that every neuron of a population has for itself, learned within bounds."""

from __future__ import annotations

import math

import torch

from spsnn.errors import ConfigError
from spsnn.neurons.linear import LIF

TIMES = ("tau_mem", "tau_syn", "tau_adapt")
# They contain what adLIF (Bittar & Garner 2022: tau_mem 5 to 25 ms, tau_adapt 30 to 120 ms, b 0 to 2) and SE-adLIF
# (Baronig et al. 2024: tau_mem 5 to 25 ms, tau_adapt 60 to 300 ms, a 0 to 120, b 0.8 to 4 in the units here) train in.
BOUNDS = {"tau_mem": (2.0, 500.0), "tau_syn": (1.0, 200.0), "tau_adapt": (10.0, 1000.0), "a": (-0.5, 120.0),
          "b": (0.0, 4.0)}  # fmt: skip


def learnable(neuron):
    """Names of the parameters that each neuron of a population can have for itself."""
    if not isinstance(neuron, LIF):
        return ()
    return tuple(BOUNDS) if neuron.adaptive else TIMES[:2]


def check_own_parameters(neuron, grid, names):
    """Refuse parameters for each neuron where the engine has no gradient for them.

    Raises:
        ConfigError: names the setting and the way out.
    """
    known = learnable(neuron)
    for name in names:
        if name not in known:
            options = f"one of {', '.join(known)}" if known else "none"
            raise ConfigError(f"a {neuron.kind!r} neuron can learn {options}, got {name!r}")
    if not names:
        return
    if grid.estimator != "surrogate":
        raise ConfigError(
            f"parameters of each neuron ({', '.join(names)}) learn by surrogate gradients; set "
            "grid.estimator='surrogate'"
        )
    if grid.delays != "round":
        raise ConfigError(
            f"parameters of each neuron ({', '.join(names)}) need grid.delays='round': with 'exact' what arrives "
            "depends on the time constants"
        )


def own_constants(neuron, values, dt, n, like):
    """Constants ``[10, n]`` of `spsnn.kernels.cpu.population`, differentiable in ``values``.

    The flow over a step is the matrix exponential of the rates of ``(V, A, I)``, in float64.

    Args:
        neuron: `LIF`, `AdaptiveLIF` or `LeakyIntegrator`, for what ``values`` lacks.
        values: tensors ``[n]`` by name, see `learnable`; times in ms.
        dt: step in ms.
        n: number of neurons.
        like: tensor whose dtype and device the constants take.

    Raises:
        ConfigError: on an unknown name, a wrong shape, or values outside the range of the neuron model.
    """
    real = {"dtype": torch.float64, "device": like.device}
    p = {name: torch.full((n,), float(getattr(neuron, name)), **real) for name in learnable(neuron)}
    for name, value in values.items():
        least = 0 if name in TIMES else -1 if name == "a" else -torch.inf
        if tuple(value.shape) != (n,) or not bool((torch.isfinite(value) & (value > least)).all()):
            raise ConfigError(f"{name} must be [{n}] finite values above {least}, got {value.detach()}")
        p[name] = value.to(**real)
    zero = torch.zeros(n, **real)
    m, s = 1 / p["tau_mem"], 1 / p["tau_syn"]
    w, a, b = (1 / p["tau_adapt"], p["a"], p["b"]) if neuron.adaptive else (zero, zero, zero)
    back = m if neuron.adaptive else zero
    rates = torch.stack([-m, -back, m, a * w, -w, zero, zero, zero, -s], 1).view(n, 3, 3)
    f = torch.linalg.matrix_exp(rates * dt)
    threshold = torch.full_like(zero, neuron.threshold if neuron.spiking else 1e30)
    rows = f[:, 0, 0], f[:, 0, 2], f[:, 0, 1], f[:, 1, 0], f[:, 1, 2], f[:, 1, 1], f[:, 2, 2]
    return torch.stack([*rows, threshold, torch.full_like(zero, neuron.v_reset), b]).to(like.dtype)


def arrival_rates(neuron, values, n, like):
    """``[2, n]``: 1/tau_syn and 1/tau_mem of every neuron, without gradient."""
    own = lambda name: values[name].detach() if name in values else torch.full((n,), getattr(neuron, name))  # noqa: E731
    return torch.stack([1 / own(name).to(like.device, torch.float64) for name in ("tau_syn", "tau_mem")]).to(like.dtype)


class NeuronParameters(torch.nn.Module):
    """Values of parameters for each neuron of a population, held between bounds by a sigmoid.

        times:  value = low (high / low)^sigmoid(x)        a, b:  value = low + (high - low) sigmoid(x)

    ``x [n]`` is float64 and what is trained; called, the module returns the values as ``{name: [n]}``.

    Args:
        neuron: neuron model, whose values are where parameters without a spread start.
        n: number of neurons.
        learn: names of the parameters to train.
        spread: ``{name: (low, high)}``: starts are drawn from there, of times log-uniformly; a parameter with a spread
            that is not trained stays as drawn.
        bounds: ``{name: (low, high)}`` in place of the default bounds.
        generator: of the random starts.

    Raises:
        ConfigError: on a start that does not lie inside the bounds.

    Source: learned time constants, Perez-Nieves et al. 2021; trained within bounds, Bittar & Garner 2022.
    """

    def __init__(self, neuron, n, learn=(), spread=None, bounds=None, generator=None):
        super().__init__()
        spread, self.bounds = spread or {}, {**BOUNDS, **(bounds or {})}
        self.raw = torch.nn.ParameterDict()
        for name in learnable(neuron):
            if name not in learn and name not in spread:
                continue
            ends = torch.tensor(spread.get(name, [getattr(neuron, name)] * 2), dtype=torch.float64)
            low, high = self.bounds[name]
            if not (low < ends.min() and ends.max() < high):
                raise ConfigError(
                    f"{name} of a {neuron.kind!r} neuron must start inside its bounds ({low:g}, {high:g}), got "
                    f"{ends.tolist() if name in spread else getattr(neuron, name)}; change the start, or the bounds "
                    "with neuron_bounds"
                )
            share = self._share(name, ends)
            if name in spread:
                drawn = torch.rand(n, generator=generator, dtype=torch.float64)
                share = share[0] + (share[1] - share[0]) * drawn
            else:
                share = share[:1].expand(n)
            self.raw[name] = torch.nn.Parameter(torch.logit(share), requires_grad=name in learn)

    def _share(self, name, value):
        low, high = self.bounds[name]
        if name in TIMES:
            return torch.log(value / low) / math.log(high / low)
        return (value - low) / (high - low)

    def forward(self):
        """``{name: values [n]}``, float64; times in ms."""
        values = {}
        for name, x in self.raw.items():
            low, high = self.bounds[name]
            share = torch.sigmoid(x)
            values[name] = low * (high / low) ** share if name in TIMES else low + (high - low) * share
        return values

    def put_(self, name, value):
        """Set the values ``[n]`` of a parameter; what lies outside the bounds goes to them."""
        with torch.no_grad():
            x = self.raw[name]
            share = self._share(name, torch.as_tensor(value, dtype=torch.float64, device=x.device))
            x.copy_(torch.logit(share, eps=1e-12))
