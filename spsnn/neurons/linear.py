"""Linear neurons with a threshold: leaky integrate-and-fire, its adaptive form, and the leaky integrator."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from scipy.linalg import expm

from spsnn.checks import finite, not_negative, positive
from spsnn.errors import ConfigError


@lru_cache(maxsize=256)
def _propagator(neuron, dt):
    """Entries (vv, vi, va, av, ai, aa, ii) of the exact solution over one step."""
    p = expm(neuron._rates() * dt)
    return p[0, 0], p[0, 2], p[0, 1], p[1, 0], p[1, 2], p[1, 1], p[2, 2]


@dataclass(frozen=True)
class LIF:
    """Leaky integrate-and-fire neuron with exponential synapses.

        tau_mem dV/dt = -V + I        tau_syn dI/dt = -I
        V > threshold:  spike, V -> v_reset (``reset="zero"``) or V - threshold (``reset="subtract"``)

    Attributes:
        tau_mem, tau_syn: time constants in ms.
        threshold: dimensionless.
        v_reset: potential after a spike and during the refractory period; 0 with ``reset="subtract"``.
        reset: ``zero`` or ``subtract``.
        refractory: time in ms during which V is held at ``v_reset``; rounded to steps.

    Raises:
        ConfigError: on a value outside its range.
    """

    tau_mem: float = 20.0
    tau_syn: float = 5.0
    threshold: float = 1.0
    v_reset: float = 0.0
    reset: str = "zero"
    refractory: float = 0.0

    kind: ClassVar[str] = "lif"
    spiking: ClassVar[bool] = True
    adaptive: ClassVar[bool] = False

    def __post_init__(self):
        positive(self, "tau_mem", "tau_syn", "threshold")
        not_negative(self, "refractory")
        finite(self, "v_reset")
        if self.reset not in ("zero", "subtract"):
            raise ConfigError(f"reset must be 'zero' or 'subtract', got {self.reset!r}")
        if self.reset == "subtract" and self.v_reset != 0:
            raise ConfigError(f"v_reset is 0 with reset='subtract', got {self.v_reset}")
        if self.v_reset >= self.threshold:
            raise ConfigError(f"v_reset must lie below the threshold {self.threshold}, got {self.v_reset}")

    def _rates(self):
        """Matrix M of ``d(V, A, I)/dt = M (V, A, I)`` in 1/ms."""
        m, s = self.tau_mem, self.tau_syn
        return np.array([[-1 / m, 0, 1 / m], [0, 0, 0], [0, 0, -1 / s]])

    def constants(self, dt, n, dtype):
        """Constants ``[10, n]`` of `spsnn.kernels.cpu.population` for a step of ``dt`` ms."""
        threshold = self.threshold if self.spiking else 1e30
        column = [*_propagator(self, dt), threshold, self.v_reset, self._jump()]
        return np.repeat(np.array(column, dtype)[:, None], n, axis=1)

    def _jump(self):
        return 0.0

    def adaptation_rates(self, n, dtype):
        """``[2, n]``: 1/tau_adapt and a/tau_adapt."""
        return np.zeros((2, n), dtype)

    def refractory_steps(self, dt):
        """Refractory period in steps of ``dt`` ms."""
        return round(self.refractory / dt)

    def psp_peak(self):
        """Largest potential that one spike of weight 1 causes from rest."""
        m, s = self.tau_mem, self.tau_syn
        if np.isclose(m, s, rtol=1e-6):
            return float(np.exp(-1))
        t = np.log(m / s) * m * s / (m - s)
        return float(s / (m - s) * (np.exp(-t / m) - np.exp(-t / s)))

    def parameters(self):
        """All settings as a plain dictionary."""
        return asdict(self)


@dataclass(frozen=True)
class AdaptiveLIF(LIF):
    """LIF with an adaptation current A (Brette & Gerstner 2005, linear; adLIF of Bittar & Garner 2022).

        tau_mem dV/dt = -V + I - A        tau_adapt dA/dt = -A + a V        A -> A + b at a spike

    Attributes:
        tau_adapt: time constant of the adaptation in ms.
        a: subthreshold coupling, dimensionless.
        b: jump of A at a spike, in units of the threshold's drive.
    """

    tau_adapt: float = 100.0
    a: float = 0.0
    b: float = 0.2

    kind: ClassVar[str] = "adlif"
    adaptive: ClassVar[bool] = True

    def __post_init__(self):
        super().__post_init__()
        positive(self, "tau_adapt")
        finite(self, "a", "b")
        if not self.a > -1:
            raise ConfigError(f"a must be above -1, or the resting state is unstable; got {self.a}")

    def _rates(self):
        m, s, w = self.tau_mem, self.tau_syn, self.tau_adapt
        return np.array([[-1 / m, -1 / m, 1 / m], [self.a / w, -1 / w, 0], [0, 0, -1 / s]])

    def _jump(self):
        return self.b

    def adaptation_rates(self, n, dtype):
        """``[2, n]``: 1/tau_adapt and a/tau_adapt."""
        return np.repeat(np.array([[1 / self.tau_adapt], [self.a / self.tau_adapt]], dtype), n, axis=1)


@dataclass(frozen=True)
class LeakyIntegrator(LIF):
    """LIF that never spikes: its potential is read out."""

    kind: ClassVar[str] = "li"
    spiking: ClassVar[bool] = False
