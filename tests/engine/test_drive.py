"""Bias and batch normalisation of currents against torch autograd through the unrolled network."""

import numpy as np
import pytest
import torch

from spsnn import LIF, AdaptiveLIF, ConfigError
from spsnn.autograd.drive import Drive
from spsnn.autograd.population import Grid, run_population
from spsnn.autograd.spikes import Spikes
from spsnn.models.spiking.current import response

from .nets import relative
from .unrolled import surrogate_spike, unroll

NEURONS = [LIF(tau_mem=12.0, tau_syn=4.0), AdaptiveLIF(tau_mem=9.0, tau_syn=3.0, b=0.3, a=0.2)]
GRID = Grid(dt=1.0, surrogate="arctan")


def leaves(dtype, gain):
    rng = np.random.default_rng(5)
    p = {
        "w": rng.normal(0.6, 0.9, (6, 11)), "d": rng.uniform(0, 6, (6, 11)), "bias": rng.normal(0.05, 0.1, 11),
        "w_loop": rng.normal(0.0, 0.3, (11, 11)), "d_loop": rng.uniform(0, 6, (11, 11)),
    }  # fmt: skip
    if gain:
        p["gain"] = rng.uniform(0.8, 2.5, 11)
    return {k: torch.tensor(x.astype(np.float32), dtype=dtype, requires_grad=True) for k, x in p.items()}


def batch_norm(p, fixed):
    """The equation of `Drive`; ``fixed`` statistics have no gradient."""

    def drive(x_0, x_1):
        if "gain" not in p:
            return x_0 + p["bias"], x_1
        mean, var = x_0.mean((0, 1)), x_0.var((0, 1), correction=0)
        if fixed:
            mean, var = mean.detach(), var.detach()
        scale = p["gain"] / torch.sqrt(var + 1e-5)
        return (x_0 - mean) * scale + p["bias"], x_1 * scale.detach()

    return drive


def gradients(p, z, neuron, loop, engine, fixed=False):
    z = torch.from_numpy(z).to(p["w"].dtype).requires_grad_()
    loops = (p["w_loop"], p["d_loop"]) if loop else None
    if engine:
        spikes, v = run_population(
            neuron, [(Spikes.from_dense(z), p["w"], p["d"])], GRID, loops, True, drive=Drive(p["bias"], p.get("gain"))
        )
        out = spikes.dense
    else:
        spike = surrogate_spike(GRID.surrogate, GRID.slope)
        out, v = unroll(neuron, [(z, p["w"], p["d"])], 1.0, "round", spike, loops, drive=batch_norm(p, fixed))
    weights = torch.linspace(0.5, 2, out.shape[1], dtype=out.dtype)[:, None]
    (((out + 0.3 * v) * weights).sum(1).square().mean()).backward()
    found = {k: x.grad for k, x in p.items() if x.grad is not None} | {"z": z.grad}
    for x in p.values():
        x.grad = None
    return out.detach(), found


@pytest.mark.parametrize("gain", [True, False])
@pytest.mark.parametrize("loop", [True, False])
@pytest.mark.parametrize("neuron", NEURONS, ids=lambda n: n.kind)
@pytest.mark.parametrize("dtype, bound", [(torch.float64, 1e-9), (torch.float32, 2e-4)])
def test_gradients(neuron, loop, gain, dtype, bound):
    p = leaves(dtype, gain)
    z = (np.random.default_rng(1).random((5, 40, 6)) < 0.15).astype(float)
    out, found = gradients(p, z, neuron, loop, True)
    want_out, want = gradients(p, z, neuron, loop, False)
    assert 20 < out.sum() < out.numel() / 2
    assert torch.equal(out, want_out)
    # Delays are defined to learn with the statistics held.
    want["d"] = gradients(p, z, neuron, loop, False, fixed=True)[1]["d"]
    assert set(found) == set(want) and {"w", "bias", "d", "z"} <= set(found)
    for name in want:
        assert relative(found[name], want[name]) < bound, name


def test_statistics_are_those_of_the_arrivals():
    p = leaves(torch.float64, True)
    z = torch.from_numpy((np.random.default_rng(1).random((5, 40, 6)) < 0.15).astype(float))
    drive = Drive(p["bias"], p["gain"])
    run_population(NEURONS[0], [(Spikes.from_dense(z), p["w"], p["d"])], GRID, drive=drive)
    x = torch.zeros(5, 40, 11, dtype=torch.float64)
    lags = p["d"].detach().round().long()
    for b, t, i in z.nonzero().tolist():
        for j in range(11):
            if t + lags[i, j] < 40:
                x[b, t + lags[i, j], j] += p["w"].detach()[i, j]
    torch.testing.assert_close(drive.mean, x.mean((0, 1)))
    torch.testing.assert_close(drive.var, x.var((0, 1), correction=0))


@pytest.mark.parametrize("neuron", NEURONS, ids=lambda n: n.kind)
def test_response_is_the_spread_of_the_potential_under_white_noise(neuron):
    noise = np.random.default_rng(0).normal(size=400_000)
    c = neuron.constants(1.0, 1, np.float64)[:7, 0]
    v = a = i = 0.0
    record = np.empty(len(noise))
    for k, x in enumerate(noise):
        v, a, i = c[0] * v + c[1] * i + c[2] * a, c[3] * v + c[4] * i + c[5] * a, c[6] * i + x
        record[k] = v
    assert abs(record.std() / response(neuron, 1.0) - 1) < 0.02


@pytest.mark.parametrize("grid", [Grid(delays="exact"), Grid(estimator="eventprop")])
def test_refused_with_other_grids(grid):
    p = leaves(torch.float64, False)
    z = Spikes.from_dense(torch.zeros(1, 5, 6, dtype=torch.float64))
    with pytest.raises(ConfigError, match="needs delays='round', estimator='surrogate'"):
        run_population(LIF(), [(z, p["w"], p["d"])], grid, drive=Drive(p["bias"]))
