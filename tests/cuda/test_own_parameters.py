"""Parameters of each neuron: the CUDA kernels against those of the CPU, which have the unrolled network as oracle."""

import numpy as np
import pytest
import torch

from spsnn.autograd.population import Grid, run_population
from spsnn.neurons import LeakyIntegrator
from spsnn.neurons.learned import learnable

from ..engine.nets import fixed
from .test_grid import KINDS, N_OUT, assert_same, learn, network, on_cpu  # noqa: F401  on_cpu is a fixture

RANGES = {"tau_mem": (6, 20), "tau_syn": (3, 9), "tau_adapt": (15, 60), "a": (-0.4, 3.0), "b": (0.1, 0.6)}


def two_layers(p, z, neurons, grid):
    own = lambda k: {name[2:]: x for name, x in p.items() if name.startswith(f"{k}.")}  # noqa: E731
    loop = p["w_loop"], p["d_loop"]
    s_1, v_1 = run_population(neurons[0], [(fixed(z), p["w"], p["d"])], grid, loop, True, own(0))
    s_2, v_2 = run_population(neurons[1], [(s_1, p["w_out"], p["d_out"])], grid, None, True, own(1))
    return [(s_1.dense, v_1), (s_2 and s_2.dense, v_2)]


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_the_cpu_kernels(kind, device, on_cpu):  # noqa: F811
    """More neurons than threads in a block; reset to zero and by subtraction, refractory, adaptive."""
    n_post, rng = 11, np.random.default_rng(12)
    z, arrays = network(7, n_post=n_post)
    arrays["w_out"] = arrays["w_out"] * 3  # output neurons spike early enough for their jumps to matter
    neurons = KINDS[kind], LeakyIntegrator(15.0, 6.0) if kind == "zero" else KINDS[kind]
    for k, (neuron, n) in enumerate(zip(neurons, (n_post, N_OUT), strict=True)):
        arrays |= {f"{k}.{name}": rng.uniform(*RANGES[name], n) for name in learnable(neuron)}
    args = z, neurons, Grid(dt=0.5, slope=0.6, detach_reset=kind != "subtract")
    got = learn(two_layers, arrays, *args, device=device)
    assert got[0][0][0].sum() > 10 and len(got[1]) == len(arrays)
    assert not [k for k, g in got[1].items() if g.abs().max() < 1e-6]
    assert_same(got, on_cpu(learn, two_layers, arrays, *args), 1e-9)


def test_values_without_gradient_still_give_every_neuron_its_own_delay_gradient(device, on_cpu):  # noqa: F811
    z, arrays = network(7)
    arrays = {k: arrays[k] for k in ("w", "d")}

    def run(p):
        tau = torch.linspace(6, 20, p["w"].shape[1], dtype=torch.float64, device=p["w"].device)
        s, v = run_population(
            KINDS["zero"], [(fixed(z), p["w"], p["d"])], Grid(slope=0.6), None, True, {"tau_mem": tau}
        )
        return [(s.dense, v)]

    assert_same(learn(run, arrays, device=device), on_cpu(learn, run, arrays), 1e-9)
