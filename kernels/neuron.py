"""One neuron, one step and its adjoint, made from the functions of a neuron model for any compiler.

A model is four plain functions on numbers and tuples of numbers, `Functions`.  With ``z = (u > 0)`` one step is

    state', u = step(state, x, p)        state = reset(state', p) where z = 1, else state'

and its adjoint goes back from ``g = dL/dstate`` after the step, with the surrogate psi(u) in place of dz/du:

    dL/dz'   = dL/dz + g (reset(state') - state')                         (the second term unless ``detach_reset``)
    g'       = reset_adjoint(state', p, g) where z = 1, else g
    g, dL/dx = step_adjoint(state, x, p, g', psi(u) dL/dz' + dL/du)
"""

from collections.abc import Callable
from typing import NamedTuple

from spsnn.kernels.cpu.surrogate import surrogate


class Functions(NamedTuple):
    """A neuron model: functions that the interpreter, `numba.njit` and `numba.cuda.jit` all take.

    They may use `math`, and only their arguments: ``state`` and ``g_state`` are tuples of S numbers, ``p`` the tuple
    of the model's constants, ``x`` the summed weights of the spikes that arrive in the step.

    Attributes:
        step: ``(state, x, p) -> (state, u)``, one step of dt; ``u > 0`` is a spike.
        reset: ``(state, p) -> state``, what a spike does to the state.
        step_adjoint: ``(state, x, p, g_state, g_u) -> (g_state, g_x)``, the gradient before the step from the one
            after it.
        reset_adjoint: ``(state, p, g_state) -> g_state``, likewise.
    """

    step: Callable
    reset: Callable
    step_adjoint: Callable
    reset_adjoint: Callable


def compile_neuron(functions, n_state, compiler):
    """``(advance, retreat)`` of one neuron of one sample, compiled by ``compiler``.

    Both work on one sample's arrays: ``x``, ``spikes``, ``u``, ``grad_x [T, J]``, ``states [T + 1, S, J]`` (before
    each step, and after the last), ``grad_state [S, J]``.
    """
    step, reset, step_adjoint, reset_adjoint = (compiler(f) for f in functions)
    psi = compiler(surrogate.py_func)
    load, store, jump = _tuples(n_state, compiler)

    @compiler
    def advance(x, spikes, u, states, p, t, j):
        state, over = step(load(states[t], j), x[t, j], p)
        u[t, j] = over
        if over > 0:
            spikes[t, j] = 1
            store(states[t + 1], j, reset(state, p))
        else:
            spikes[t, j] = 0
            store(states[t + 1], j, state)

    @compiler
    def retreat(
        x, spikes, u, states, grad_spikes, grad_u, weight, lag, p, detach_reset, kind, slope, grad_state, grad_x, t, j
    ):
        n_steps, n = x.shape
        state = load(states[t], j)
        after, _ = step(state, x[t, j], p)
        g_u = grad_u[t, j]
        slope_u = psi(u[t, j], kind, slope)
        if slope_u != 0:
            g_z = grad_spikes[t, j]
            if weight.size > 0:
                for m in range(n):
                    at = t + lag[j, m]
                    if at < n_steps:
                        g_z += weight[j, m] * grad_x[at, m]
            if not detach_reset:
                g_z += jump(grad_state, j, after, reset(after, p))
            g_u += slope_u * g_z
        if spikes[t, j] != 0:
            store(grad_state, j, reset_adjoint(after, p, load(grad_state, j)))
        g_state, g_x = step_adjoint(state, x[t, j], p, load(grad_state, j), g_u)
        store(grad_state, j, g_state)
        grad_x[t, j] = g_x

    return advance, retreat


def _tuples(n, compiler):
    """Column ``j`` of an array ``[n, J]`` as a tuple, its inverse, and ``sum_k g[k, j] (after[k] - before[k])``.

    Built one entry at a time, because compiled code needs the length of a tuple and every index into it fixed.
    """
    if n == 0:
        return compiler(lambda a, j: ()), compiler(lambda a, j, state: None), compiler(lambda g, j, before, after: 0)
    k = n - 1
    load_rest, store_rest, jump_rest = _tuples(k, compiler)

    @compiler
    def load(a, j):
        return (*load_rest(a, j), a[k, j])

    @compiler
    def store(a, j, state):
        store_rest(a, j, state)
        a[k, j] = state[k]

    @compiler
    def jump(g, j, before, after):
        return jump_rest(g, j, before, after) + g[k, j] * (after[k] - before[k])

    return load, store, jump
