"""From a current to the potential that it leaves after one step."""

import numpy as np


def coupling(dt, tau_mem, tau_syn):
    """Potential that a unit current at the start of a step leaves at its end, from rest.

        C = tau_syn / (tau_mem - tau_syn) (exp(-dt/tau_mem) - exp(-dt/tau_syn))

    or ``dt/tau exp(-dt/tau)`` where both are tau.

    Args:
        dt, tau_mem, tau_syn: in ms, numbers or arrays.
    """
    x = dt * (1 / np.asarray(tau_mem, float) - 1 / np.asarray(tau_syn, float))
    phi = np.where(x == 0, 1.0, np.expm1(x) / np.where(x == 0, 1.0, x))
    return dt / tau_mem * np.exp(-dt / tau_mem) * phi
