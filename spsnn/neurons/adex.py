"""Adaptive exponential integrate-and-fire neuron; also the example of docs/neurons.md."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.linalg import expm

from spsnn.checks import finite, positive
from spsnn.errors import ConfigError
from spsnn.kernels.neuron import Functions
from spsnn.neurons.custom import CustomNeuron


def step(state, x, p):
    """Linear part exact, exponential term held at its value before the step."""
    v, a, i = state
    vv, va, vi, ve, av, aa, ai, ae, ii, threshold, delta_t, _, v_peak, _ = p
    e = delta_t * math.exp((v - threshold) / delta_t)
    v_next = vv * v + va * a + vi * i + ve * e
    return (v_next, av * v + aa * a + ai * i + ae * e, ii * i + x), v_next - v_peak


def step_adjoint(state, x, p, g_state, g_u):
    """Gradient before the step, and to ``x``."""
    vv, va, vi, ve, av, aa, ai, ae, ii, threshold, delta_t, _, _, _ = p
    slope = math.exp((state[0] - threshold) / delta_t)
    g_v, g_a, g_i = g_state[0] + g_u, g_state[1], g_state[2]
    return (
        (vv + ve * slope) * g_v + (av + ae * slope) * g_a,
        va * g_v + aa * g_a,
        vi * g_v + ai * g_a + ii * g_i,
    ), g_i


def reset(state, p):
    """``V -> v_reset``, ``A -> A + b``."""
    v_reset, b = p[11], p[13]
    return v_reset, state[1] + b, state[2]


def reset_adjoint(state, p, g_state):
    """Gradient before the reset: none to the potential."""
    return 0.0, g_state[1], g_state[2]


@dataclass(frozen=True)
class AdEx(CustomNeuron):
    """Adaptive exponential integrate-and-fire neuron (Brette & Gerstner 2005) with exponential synapses.

        tau_mem dV/dt = -V + delta_t exp((V - threshold) / delta_t) + I - A        tau_syn dI/dt = -I
        tau_adapt dA/dt = -A + a V
        V > v_peak:  spike, V -> v_reset, A -> A + b

    V is 0 at the leak's reversal potential E_L and 1 at V_T with the default threshold, I and A are in units of
    g_L (V_T - E_L), and a in g_L; the defaults of delta_t, tau_adapt, a and b are the paper's values, rounded.

    One step of dt is exact for the linear part and takes the exponential term at the step's beginning (first order in
    dt).  There V is at most ``v_peak``, so the term is bounded by ``delta_t exp((v_peak - threshold) / delta_t)``.

    Attributes:
        tau_mem, tau_syn, tau_adapt: time constants in ms.
        threshold: V_T, where the slope of the exponential term reaches that of the leak.
        delta_t: slope factor.
        v_peak: where a spike is counted, at most ``threshold + 20 delta_t``.
        v_reset: potential after a spike.
        a: subthreshold coupling.
        b: jump of A at a spike.

    Raises:
        ConfigError: on a value outside its range.
    """

    delta_t: float = 0.1
    v_peak: float = 1.5
    v_reset: float = 0.0
    tau_adapt: float = 144.0
    a: float = 0.13
    b: float = 0.13

    kind: ClassVar[str] = "adex"
    functions: ClassVar[Functions] = Functions(step, reset, step_adjoint, reset_adjoint)

    def __post_init__(self):
        super().__post_init__()
        positive(self, "delta_t", "tau_adapt")
        finite(self, "v_peak", "v_reset", "a", "b")
        if not self.threshold <= self.v_peak <= self.threshold + 20 * self.delta_t:
            raise ConfigError(
                f"v_peak must lie between the threshold {self.threshold} and threshold + 20 delta_t = "
                f"{self.threshold + 20 * self.delta_t:g}, or the exponential term leaves the range of numbers; got "
                f"{self.v_peak}"
            )
        if not self.v_reset < self.v_peak:
            raise ConfigError(f"v_reset must lie below v_peak {self.v_peak}, got {self.v_reset}")
        if not self.a > -1:
            raise ConfigError(f"a must be above -1, or the resting state is unstable; got {self.a}")

    def initial_state(self):
        """``(V, A, I)`` = 0."""
        return 0.0, 0.0, 0.0

    def constants(self, dt):
        """Exact solution over one step for (V, A, I) and a constant exponential term, then the parameters."""
        m, w = self.tau_mem, self.tau_adapt
        rates = np.zeros((4, 4))  # d(V, A, I, E)/dt
        rates[0] = -1 / m, -1 / m, 1 / m, 1 / m
        rates[1, :2] = self.a / w, -1 / w
        rates[2, 2] = -1 / self.tau_syn
        f = expm(rates * dt)
        return (*f[0], *f[1], f[2, 2], self.threshold, self.delta_t, self.v_reset, self.v_peak, self.b)
