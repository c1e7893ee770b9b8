"""CUDA kernels of neuron models given as functions against those of the CPU."""

import numpy as np
import pytest

from spsnn.kernels.cpu import custom as cpu
from spsnn.kernels.cpu.surrogate import SURROGATES
from spsnn.kernels.cuda import custom as cuda
from spsnn.neurons import AdEx

from ..engine.plain_lif import PlainLIF

B, T, J, DT = 2, 25, 7, 0.5
NEURONS = [
    AdEx(tau_mem=12.0, tau_syn=4.0, delta_t=0.2, v_peak=1.4, v_reset=-0.2, tau_adapt=30.0, a=0.4, b=0.3),
    PlainLIF(tau_mem=12.0, tau_syn=4.0, subtract=True),
]


def advance(kernels, neuron, loop, detach_reset, seed):
    """Spikes, u and dL/dx in float32."""
    rng = np.random.default_rng(seed)
    run, run_adjoint = kernels(neuron.functions, len(neuron.initial_state()))
    p = tuple(np.float32(c) for c in neuron.constants(DT))
    x = rng.normal(0.8, 0.8, (B, T, J)).astype(np.float32)
    weight = rng.normal(0.3, 0.9, (J, J)).astype(np.float32)
    lag = rng.integers(1, T + 1, (J, J)).astype(np.uint32)
    if not loop:
        weight, lag = weight[:0, :0], lag[:0, :0]
    grads = [rng.normal(size=x.shape).astype(np.float32) for _ in range(2)]
    spikes, u = np.empty_like(x), np.empty_like(x)
    states = np.zeros((B, T + 1, len(neuron.initial_state()), J), np.float32)
    run(x, weight, lag, p, spikes, u, states)
    grad_x, grad_state = np.empty_like(x), np.zeros_like(states[:, 0])
    run_adjoint(
        x, spikes, u, states, *grads, weight, lag, p, detach_reset, SURROGATES["triangular"], np.float32(0.7),
        grad_state, grad_x,
    )  # fmt: skip
    return spikes, u, grad_x


@pytest.mark.parametrize("threads", [3, 256])  # fewer than neurons: a thread owns several
@pytest.mark.parametrize("neuron", NEURONS)
@pytest.mark.parametrize(("loop", "detach_reset"), [(False, True), (True, False)])
def test_the_cpu_kernels_agree(monkeypatch, neuron, loop, detach_reset, threads):
    monkeypatch.setattr(cuda, "THREADS", threads)
    want = advance(cpu.kernels, neuron, loop, detach_reset, 3)
    assert want[0].sum() > 10 and np.abs(want[1]).min() > 1e-4
    got = advance(cuda.kernels, neuron, loop, detach_reset, 3)
    np.testing.assert_array_equal(got[0], want[0])
    for a, b in zip(got[1:], want[1:], strict=True):
        assert np.abs(a - b).max() < 1e-4 * np.abs(b).max()
