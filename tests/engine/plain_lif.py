"""LIF written as a neuron model of one's own: the engine's LIF must come out."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from spsnn.kernels.neuron import Functions
from spsnn.neurons import CustomNeuron


def step(state, x, p):
    v, i = state
    vv, vi, ii, threshold, _, _ = p
    v_next = vv * v + vi * i
    return (v_next, ii * i + x), v_next - threshold


def reset(state, p):
    threshold, v_reset, subtract = p[3:]
    return (state[0] - threshold if subtract else v_reset), state[1]


def step_adjoint(state, x, p, g_state, g_u):
    g_v, g_i = g_state[0] + g_u, g_state[1]
    return (p[0] * g_v, p[1] * g_v + p[2] * g_i), g_i


def reset_adjoint(state, p, g_state):
    return p[5] * g_state[0], g_state[1]


@dataclass(frozen=True)
class PlainLIF(CustomNeuron):
    v_reset: float = 0.0
    subtract: bool = False

    kind: ClassVar[str] = "plain_lif"
    functions: ClassVar[Functions] = Functions(step, reset, step_adjoint, reset_adjoint)

    def initial_state(self):
        return 0.0, 0.0

    def constants(self, dt):
        m, s = self.tau_mem, self.tau_syn
        e_m, e_s = np.exp(-dt / m), np.exp(-dt / s)
        return e_m, s / (m - s) * (e_m - e_s), e_s, self.threshold, self.v_reset, float(self.subtract)
