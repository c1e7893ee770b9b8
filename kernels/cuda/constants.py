"""Gradients of the constants of a population of linear neurons; equations in `spsnn.kernels.cpu.constants`."""

from numba import cuda

from spsnn.kernels.cpu.population import HELD


@cuda.jit
def pull_to_constants(spikes, potential, current, adaptation, constants, subtract, grad_0, grad_1, grad_constants):
    """dL/dconstants of each sample, ``grad_constants [B, 10, J]``, from arrays over time ``[B, T * J]``.

    A thread takes one neuron of one sample; ``adaptation`` is empty where there is none.
    """
    b, j = cuda.blockIdx.x, cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    c, out = constants, grad_constants[b]
    n = c.shape[1]
    if j >= n:
        return
    real = grad_0.dtype.type
    for row in range(10):
        out[row, j] = 0
    la = real(0)
    for back in range(potential.shape[1] // n - 1):
        at = potential.shape[1] - (back + 1) * n + j
        before = at - n
        u, z, i, li, lv = potential[b, before], spikes[b, before], current[b, before], grad_0[b, at], grad_1[b, at]
        v = u
        if u == HELD:
            v = c[8, j]
        elif z != 0:
            v = u - c[7, j] if subtract else c[8, j]
        out[0, j] += lv * v
        out[1, j] += lv * i
        out[6, j] += li * i
        if adaptation.size > 0:
            a = adaptation[b, before] + c[9, j] * z
            out[2, j] += lv * a
            out[3, j] += la * v
            out[4, j] += la * i
            out[5, j] += la * a
            la = c[2, j] * lv + c[5, j] * la
            out[9, j] += la * z
