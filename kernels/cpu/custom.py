"""A population of neurons of any model on the CPU, advanced over all T steps, and its adjoint."""

from functools import cache

from numba import njit, prange

from spsnn.kernels.neuron import compile_neuron


@cache
def kernels(functions, n_state):
    """``(run, run_adjoint)`` of a model's `Functions` with ``n_state`` numbers of state, compiled once per process.

    ``run(x, weight, lag, p, spikes, u, states)`` advances all samples.  ``x [B, T, J]`` holds the arrivals from
    outside and receives those of the recurrent ``weight``, ``lag [J, J]`` (pre, post; empty where there are none; lags
    are at least 1).  ``states [B, T + 1, S, J]`` starts with the initial state.  Writes ``spikes`` and ``u
    [B, T, J]`` and the rest of ``states``.

    ``run_adjoint(x, spikes, u, states, grad_spikes, grad_u, weight, lag, p, detach_reset, kind, slope, grad_state,
    grad_x)`` takes what `run` left and ``grad_spikes``, ``grad_u [B, T, J]``, and writes ``grad_x = dL/dx [B, T, J]``
    and, over the zeros of ``grad_state [B, S, J]``, the gradient of the initial state.
    """
    advance, retreat = compile_neuron(functions, n_state, njit)

    @njit(parallel=True)
    def run(x, weight, lag, p, spikes, u, states):
        n_samples, n_steps, n = x.shape
        for b in prange(n_samples):
            for t in range(n_steps):
                for j in range(n):
                    advance(x[b], spikes[b], u[b], states[b], p, t, j)
                for i in range(len(weight)):
                    if spikes[b, t, i] != 0:
                        for j in range(n):
                            at = t + lag[i, j]
                            if at < n_steps:
                                x[b, at, j] += weight[i, j]

    @njit(parallel=True)
    def run_adjoint(
        x, spikes, u, states, grad_spikes, grad_u, weight, lag, p, detach_reset, kind, slope, grad_state, grad_x
    ):
        n_samples, n_steps, n = x.shape
        for b in prange(n_samples):
            for back in range(n_steps):
                for j in range(n):
                    retreat(
                        x[b], spikes[b], u[b], states[b], grad_spikes[b], grad_u[b], weight, lag, p, detach_reset, kind,
                        slope, grad_state[b], grad_x[b], n_steps - 1 - back, j,
                    )  # fmt: skip

    return run, run_adjoint
