"""A population of neurons of any model on a CUDA device: one launch advances all T steps, one block per sample.

A thread owns every ``blockDim.x``-th neuron: it alone writes that neuron's state and its column of ``x``, so that
nothing is added atomically and equal inputs give equal bits.  Spikes, and in the adjoint ``grad_x``, are read by the
other threads of the block after the barrier that ends a step.
"""

from functools import cache, partial

from numba import cuda

from spsnn.kernels.neuron import compile_neuron

THREADS = 256


@cache
def kernels(functions, n_state):
    """``(run, run_adjoint)`` as `spsnn.kernels.cpu.custom.kernels`, on device arrays (host arrays are copied)."""
    advance, retreat = compile_neuron(functions, n_state, partial(cuda.jit, device=True))

    @cuda.jit
    def run(x, weight, lag, p, spikes, u, states):
        b = cuda.blockIdx.x
        _, n_steps, n = x.shape
        for t in range(n_steps):
            for j in range(cuda.threadIdx.x, n, cuda.blockDim.x):
                advance(x[b], spikes[b], u[b], states[b], p, t, j)
            cuda.syncthreads()
            for i in range(len(weight)):
                if spikes[b, t, i] != 0:
                    for j in range(cuda.threadIdx.x, n, cuda.blockDim.x):
                        at = t + lag[i, j]
                        if at < n_steps:
                            x[b, at, j] += weight[i, j]

    @cuda.jit
    def run_adjoint(
        x, spikes, u, states, grad_spikes, grad_u, weight, lag, p, detach_reset, kind, slope, grad_state, grad_x
    ):
        b = cuda.blockIdx.x
        _, n_steps, n = x.shape
        for back in range(n_steps):
            for j in range(cuda.threadIdx.x, n, cuda.blockDim.x):
                retreat(
                    x[b], spikes[b], u[b], states[b], grad_spikes[b], grad_u[b], weight, lag, p, detach_reset, kind,
                    slope, grad_state[b], grad_x[b], n_steps - 1 - back, j,
                )  # fmt: skip
            cuda.syncthreads()

    return tuple(_launcher(kernel) for kernel in (run, run_adjoint))


def _launcher(kernel):
    return lambda x, *rest: kernel[len(x), min(THREADS, x.shape[2])](x, *rest)
