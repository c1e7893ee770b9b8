"""Grid kernels against the slow reference."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from spsnn.autograd.population import Grid, run_population
from spsnn.autograd.spikes import Spikes
from spsnn.kernels.cpu.population import HELD
from spsnn.kernels.reference.grid import simulate_grid
from spsnn.neurons.linear import LIF, AdaptiveLIF, LeakyIntegrator

from .nets import batch_of, dense_spikes, events_of, fixed, settings

MARGIN = {torch.float32: 1e-4, torch.float64: 1e-9}
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10}


def compare(neuron, z, w, d, mode, dt, dtype, recurrent=None):
    """Run both and compare; returns the reference's record, or None where a potential grazes the threshold more
    closely than rounding can tell."""
    n_samples, n_steps, _ = z.shape
    cast = lambda x: torch.tensor(np.asarray(x), dtype=dtype)  # noqa: E731
    w, d = cast(w), cast(d)
    loop = None if recurrent is None else tuple(map(cast, recurrent))
    spikes, v = run_population(neuron, [(fixed(z), w, d)], Grid(dt=dt, delays=mode), loop, keep_potential=True)
    keys = settings(neuron)
    if not neuron.spiking:
        keys["threshold"] = None
    want = simulate_grid(
        [(events_of(z), w.double().numpy(), d.double().numpy())],
        None if loop is None else tuple(x.double().numpy() for x in loop),
        n_samples=n_samples, n_steps=n_steps, n_post=w.shape[1], dt=dt, delays=mode, **keys,
    )  # fmt: skip
    if neuron.spiking:
        near = np.nanmin(np.abs(want.potential - neuron.threshold), initial=np.inf) < MARGIN[dtype]
        if near:
            return None
        np.testing.assert_array_equal(_dense(spikes), want.spikes)
    got = v.double().numpy()
    held = np.isnan(want.potential)
    np.testing.assert_array_equal(got == np.dtype(str(dtype)[6:]).type(HELD), held)
    scale = max(1.0, np.nanmax(np.abs(want.potential), initial=0))
    assert np.abs(got - want.potential)[~held].max(initial=0) < TOLERANCE[dtype] * scale
    return want


def _dense(spikes):
    out = np.zeros(spikes.shape)
    for b, i in itertools.product(range(spikes.shape[0]), range(spikes.shape[2])):
        out[b, spikes.steps[spikes.ptr[b, i] : spikes.ptr[b, i + 1]], i] = 1
    return out


NEURONS = {
    "lif": lambda **k: LIF(tau_mem=12.0, tau_syn=4.0, **k),
    "adlif": lambda **k: AdaptiveLIF(tau_mem=12.0, tau_syn=4.0, tau_adapt=30.0, a=0.4, b=0.3, **k),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", NEURONS)
@pytest.mark.parametrize("mode", ["round", "exact"])
def test_every_option_against_the_reference(kind, mode, dtype):
    compared = 0
    for seed, reset, refractory, loop in itertools.product((0, 1), ("zero", "subtract"), (0.0, 3.0), (False, True)):
        rng = np.random.default_rng([seed, 7])
        neuron = NEURONS[kind](reset=reset, refractory=refractory, v_reset=0.0 if reset == "subtract" else -0.3)
        z = dense_spikes(rng, (2, 50, 6))
        w, d = rng.normal(0.5, 0.8, (6, 5)), rng.uniform(0, 12, (6, 5))
        recurrent = (rng.normal(0.1, 0.7, (5, 5)), rng.uniform(0, 9, (5, 5))) if loop else None
        want = compare(neuron, z, w, d, mode, 1.0, dtype, recurrent)
        if want is not None:
            compared += 1
            assert 10 < want.spikes.sum() < 300
            assert refractory == 0 or np.isnan(want.potential).any()
    assert compared >= 14


@pytest.mark.parametrize("mode", ["round", "exact"])
def test_leaky_integrator_against_the_reference(mode):
    rng = np.random.default_rng(0)
    z = dense_spikes(rng, (3, 40, 4), 0.3)
    w, d = rng.normal(3, 3, (4, 3)), rng.uniform(0, 12, (4, 3))
    for dtype in (torch.float32, torch.float64):
        compare(LeakyIntegrator(tau_mem=12.0, tau_syn=4.0), z, w, d, mode, 1.0, dtype)


@hypothesis_settings(max_examples=60, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32 - 1), n_samples=st.integers(1, 3), n_steps=st.integers(1, 33), n_pre=st.integers(1, 7),
    n_post=st.integers(1, 9), rate=st.sampled_from([0.0, 0.1, 0.6]), reach=st.sampled_from([0.0, 4.0, 80.0]),
    whole=st.booleans(), mode=st.sampled_from(["round", "exact"]), kind=st.sampled_from(sorted(NEURONS)),
    reset=st.sampled_from(["zero", "subtract"]), refractory=st.sampled_from([0.0, 0.5, 4.0]), loop=st.booleans(),
    dt=st.sampled_from([0.5, 1.0]),
)  # fmt: skip
def test_random_networks(
    seed, n_samples, n_steps, n_pre, n_post, rate, reach, whole, mode, kind, reset, refractory, loop, dt
):
    """Any size, no spikes at all, delays of zero, on the grid or beyond the window."""
    rng = np.random.default_rng(seed)
    neuron = NEURONS[kind](reset=reset, refractory=refractory)
    delays = lambda *shape: (np.rint if whole else np.asarray)(rng.uniform(0, reach, shape))  # noqa: E731
    z = dense_spikes(rng, (n_samples, n_steps, n_pre), rate)
    w = rng.normal(0.6, 1.2, (n_pre, n_post))
    recurrent = (rng.normal(0, 0.8, (n_post, n_post)), delays(n_post, n_post)) if loop else None
    compare(neuron, z, w, delays(n_pre, n_post), mode, dt, torch.float64, recurrent)


def test_two_projections_add():
    rng = np.random.default_rng(3)
    z_a, z_b = dense_spikes(rng, (2, 30, 4)), dense_spikes(rng, (2, 30, 3))
    w_a, w_b, d_a, d_b = rng.normal(0.6, 1, (4, 5)), rng.normal(0.6, 1, (3, 5)), rng.random((4, 5)), rng.random((3, 5))
    t = torch.from_numpy
    neuron, grid = NEURONS["lif"](), Grid(delays="exact")
    _, apart = run_population(
        neuron, [(fixed(z_a), t(w_a), t(d_a)), (fixed(z_b), t(w_b), t(d_b))], grid, keep_potential=True
    )
    joint = np.concatenate([z_a, z_b], 2), np.concatenate([w_a, w_b]), np.concatenate([d_a, d_b])
    _, together = run_population(neuron, [(fixed(joint[0]), t(joint[1]), t(joint[2]))], grid, keep_potential=True)
    assert torch.allclose(apart, together, atol=1e-12)


@pytest.mark.parametrize("mode", ["round", "exact"])
def test_arrivals_at_or_after_the_window_do_nothing(mode):
    n_steps = 20
    z = np.zeros((1, n_steps, 1))
    z[0, 5, 0] = 1
    delays = torch.tensor([[14.0, 15.0, 15.2, 19.0, 20.0, 21.0, 1e6, 1e12]], dtype=torch.float64)
    w = torch.full_like(delays, 30.0).requires_grad_()
    delays.requires_grad_()
    neuron = LIF(tau_mem=12.0, tau_syn=4.0)
    loop = torch.full((8, 8), 9.0, dtype=torch.float64), torch.full((8, 8), 1e9, dtype=torch.float64)
    grid = Grid(delays=mode, surrogate="superspike")
    spikes, v = run_population(neuron, [(fixed(z), w, delays)], grid, loop, keep_potential=True)
    late = v[0, :, 1:].detach()
    assert torch.equal(late, torch.zeros_like(late))
    (v.sum() + spikes.dense.sum()).backward()
    assert torch.equal(w.grad[0, 1:], torch.zeros(7, dtype=torch.float64))
    assert torch.equal(delays.grad[0, 1:], torch.zeros(7, dtype=torch.float64))


def test_same_bits_twice_and_for_any_split_of_the_batch():
    rng = np.random.default_rng(5)
    z = dense_spikes(rng, (7, 60, 30), 0.1)
    w = torch.tensor(rng.normal(0.3, 0.5, (30, 19)), dtype=torch.float32, requires_grad=True)
    d = torch.tensor(rng.uniform(0, 20, (30, 19)), dtype=torch.float32, requires_grad=True)
    loop = tuple(
        torch.tensor(x, dtype=torch.float32) for x in (rng.normal(0, 0.3, (19, 19)), rng.uniform(0, 9, (19, 19)))
    )
    neuron = NEURONS["adlif"](refractory=2.0)

    def once(rows):
        spikes, v = run_population(neuron, [(fixed(z[rows]), w, d)], Grid(delays="exact"), loop, keep_potential=True)
        grads = torch.autograd.grad(spikes.dense.sum() + v.clamp(min=-5).pow(2).sum(), (w, d))
        return [spikes.dense.detach(), v.detach(), *grads]

    first, second = once(slice(None)), once(slice(None))
    assert first[0].sum() > 20
    assert all(torch.equal(x, y) for x, y in zip(first, second, strict=True))
    for rows in (slice(0, 1), slice(1, 4), slice(4, 7), [6, 2]):
        part = once(rows)
        assert torch.equal(part[0], first[0][rows]) and torch.equal(part[1], first[1][rows])


def test_spikes_do_not_depend_on_the_estimator():
    rng = np.random.default_rng(5)
    z = fixed(dense_spikes(rng, (2, 60, 10)))
    w, d = (torch.tensor(x) for x in (rng.normal(0.5, 0.7, (10, 6)), rng.uniform(0, 9, (10, 6))))
    runs = [run_population(LIF(), [(z, w, d)], Grid(estimator=e))[0].dense for e in ("surrogate", "eventprop")]
    assert runs[0].sum() > 10
    assert torch.equal(*runs)


def test_round_and_exact_agree_for_delays_on_the_grid():
    rng = np.random.default_rng(8)
    z = fixed(dense_spikes(rng, (2, 40, 6)))
    w, d = (torch.tensor(x) for x in (rng.normal(0.8, 0.7, (6, 5)), rng.integers(0, 9, (6, 5)) * 0.1))
    runs = [
        run_population(LIF(), [(z, w.to(t), d.to(t))], Grid(dt=0.1, delays=m), keep_potential=True)[1]
        for m, t in itertools.product(("round", "exact"), (torch.float32, torch.float64))
    ]
    assert torch.allclose(runs[0], runs[2], atol=1e-6) and torch.allclose(runs[1], runs[3], atol=1e-12)


def test_nearly_equal_time_constants_in_float32():
    """kappa must not lose its digits to cancellation as tau_mem approaches tau_syn."""
    rng = np.random.default_rng(9)
    z = dense_spikes(rng, (1, 30, 4), 0.3)
    w, d = rng.normal(0.5, 1, (4, 3)), rng.uniform(0, 5, (4, 3))
    for ratio in (1.0, 1 + 1e-8, 1 + 1e-5, 1 + 1e-3, 0.999):
        compare(LeakyIntegrator(tau_mem=5.0 * ratio, tau_syn=5.0), z, w, d, "exact", 1.0, torch.float32)


def test_from_batch_snaps_to_the_nearest_step():
    s = Spikes.from_batch(batch_of([(0.4, 1), (0.6, 0), (2.4, 1), (4.6, 0)], 2, 5.0), 1.0)
    assert s.shape == (1, 5, 2)
    np.testing.assert_array_equal(s.ptr, [[0, 2, 4]])
    np.testing.assert_array_equal(s.steps, [1, 4, 0, 2])
