"""Networks whose synapses are found when needed, against distances, statistics and the explicit network."""

import numpy as np
import pytest

from spsnn import LIF, AdaptiveLIF, CapacityError, ConfigError, DataError, LocalNetwork, SpikeBatch
from spsnn.kernels.reference.grid import simulate_grid
from spsnn.models.spiking import local

N = 100
RADIUS = {1: 0.3, 2: 0.4, 3: 0.6}


def network(dim=2, n=N, **settings):
    """Neurons in the unit cube, a fifth of them inhibitory, with delays up to 9 ms."""
    rng = np.random.default_rng(dim)
    radius = settings.setdefault("radius", RADIUS[dim])
    settings = {"d_min": 0.3, "alpha": 8.7 / radius, "seed": 3} | settings
    return LocalNetwork(rng.random((n, dim)), np.where(rng.random(n) < 0.8, 0.3, -0.5), **settings)


def poisson(n=N, rate=0.06, duration=40.0, seed=3):
    """Drive at ``rate`` spikes per neuron and ms."""
    rng = np.random.default_rng(seed)
    count = rng.poisson(n * rate * duration)
    return SpikeBatch.from_samples([(rng.uniform(0, duration, count), rng.integers(0, n, count))], n, duration)


def explicit(net):
    """Weight and delay matrices ``[N, N]`` from the list of synapses."""
    n = len(net.weight)
    pre, post, weight, delay = net.synapses(np.arange(n))
    w, d = np.zeros((n, n)), np.zeros((n, n))
    w[pre, post], d[pre, post] = weight, delay
    assert len(np.unique(pre * n + post)) == len(pre)
    return w, d


@pytest.mark.parametrize("neuron", [LIF(12.0, 4.0, v_reset=-0.3, refractory=3.0), LIF(reset="subtract")])
@pytest.mark.parametrize("dim", [1, 2, 3])
def test_spikes_of_the_explicit_network(dim, neuron):
    dt = 0.5
    net, drive = network(dim, probability=0.6, neuron=neuron, dt=dt), poisson()
    w, d = explicit(net)
    events = [list(zip(drive.steps(dt).tolist(), drive.units.tolist(), strict=True))]
    keys = {name: getattr(neuron, name) for name in neuron.parameters()}
    want = simulate_grid(
        [(events, 4.0 * np.eye(N), np.zeros((N, N)))], (w, d),
        n_samples=1, n_steps=drive.n_steps(dt), n_post=N, dt=dt, delays="round", **keys,
    )  # fmt: skip
    assert np.nanmin(np.abs(want.potential - neuron.threshold)) > 1e-5  # rounding cannot decide about a spike
    run = net.simulate(drive, 4.0)
    np.testing.assert_array_equal(run.spikes.to_dense(dt), want.spikes)
    counts = want.spikes.sum((0, 1))
    np.testing.assert_array_equal(run.counts, counts)
    assert counts.sum() > N
    assert run.synaptic_events == counts @ (w != 0).sum(1)


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_synapses_and_delays_follow_distances(dim):
    net = network(dim, 400, radius=0.2, dt=0.1)
    w, d = explicit(net)
    r = np.sqrt(np.square(net.position[:, None] - net.position[None]).sum(-1))
    inside = (r <= net.radius) & ~np.eye(len(r), dtype=bool)
    np.testing.assert_array_equal(w != 0, inside)
    np.testing.assert_array_equal(w[inside], np.repeat(net.weight[:, None], len(r), 1)[inside])
    np.testing.assert_allclose(d[inside], (net.d_min + net.alpha * r)[inside], atol=0.5 * net.dt + 1e-5)
    np.testing.assert_allclose(d / net.dt, np.rint(d / net.dt), atol=1e-9)
    assert d[inside].max() > 8


def test_unusual_places():
    """All in one place, far apart, on a line in space, on a lattice with pairs exactly at the radius."""
    for position, fan_out in (
        (np.full((20, 2), 5.0), 19),
        (1e6 * np.arange(20.0)[:, None], 0),
        (np.arange(60.0)[:, None] * [[0, 0, 1]], None),
        (1e3 + np.arange(60.0)[:, None], None),
    ):
        pre, post, _, delay = LocalNetwork(position, np.ones(len(position)), 3.0).synapses(np.arange(len(position)))
        counts = np.bincount(pre, minlength=len(position))
        k = np.arange(len(position))
        np.testing.assert_array_equal(counts, np.minimum(k, 3) + np.minimum(59 - k, 3) if fan_out is None else fan_out)
        assert (delay == np.maximum(np.abs(pre - post), 1) if fan_out is None else delay == 1).all()


def test_mean_fan_out_and_its_spread():
    """Two points of the unit square are within r with probability pi r^2 - 8/3 r^3 + r^4 / 2."""
    n, r, p = 2000, 0.15, 0.3
    w, _ = explicit(network(2, n, radius=r, probability=p))
    inside = np.pi * r**2 - 8 / 3 * r**3 + r**4 / 2
    assert (w != 0).sum() / n == pytest.approx(p * inside * (n - 1), rel=0.02)
    reach, _ = explicit(network(2, n, radius=r))
    reach, chosen = reach != 0, w != 0
    assert not (chosen & ~reach).any()
    for axis in (0, 1):  # fan-in and fan-out of a neuron are binomial, synapses of neighbours independent
        count, chances = chosen.sum(axis), reach.sum(axis)
        assert np.mean(np.square(count - p * chances) / (chances * p * (1 - p))) == pytest.approx(1, abs=0.1)
    both = chosen & chosen.T
    assert both.sum() / reach.sum() == pytest.approx(p**2, rel=0.03)
    other, _ = explicit(network(2, n, radius=r, probability=p, seed=4))
    assert ((other != 0) & chosen).sum() / reach.sum() == pytest.approx(p**2, rel=0.03)


def test_a_synapse_does_not_depend_on_the_order_or_on_others():
    net = network(probability=0.5)
    w, _ = explicit(net)
    few = np.array([7, 3, 7])
    pre, post, weight, _ = net.synapses(few)
    np.testing.assert_array_equal(pre, np.repeat(few, (w != 0).sum(1)[few]))
    np.testing.assert_array_equal(weight, w[pre, post])
    assert all(len(x) == 0 for x in net.synapses(np.zeros(0, int)))


def test_same_bits_for_any_number_of_threads(monkeypatch):
    """A thread's share of the work is a slab of the neurons, so slabs stand for threads."""
    net, drive = network(probability=0.7), poisson()
    runs = []
    for slabs in (1, 2, 3, 7, N):
        monkeypatch.setattr(local, "get_num_threads", lambda slabs=slabs: slabs)
        runs.append(net.simulate(drive, 4.0))
    assert runs[0].spikes.n_events > N
    for run in runs[1:]:
        np.testing.assert_array_equal(run.spikes.times, runs[0].spikes.times)
        np.testing.assert_array_equal(run.spikes.units, runs[0].spikes.units)
        assert run.synaptic_events == runs[0].synaptic_events


def test_more_spikes_than_the_record_starts_with():
    """Without a synapse or a refractory period, neurons driven hard spike at every step after the first."""
    n, n_steps = 5, 40
    drive = SpikeBatch.from_dense(np.ones((1, n_steps, n)), 1.0)
    run = LocalNetwork(np.arange(n)[:, None] * 10.0, np.ones(n), 1.0).simulate(drive, 1e3)
    np.testing.assert_array_equal(run.counts, n_steps - 1)
    assert run.synaptic_events == 0


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"position": np.zeros((3, 4))}, ConfigError, "D from 1 to 3, got shape"),
        ({"position": np.zeros(3)}, ConfigError, "got shape"),
        ({"position": np.array([[0.0], [1.0], [np.nan]])}, ConfigError, "position must be finite.*neuron 2"),
        ({"weight": np.ones(2)}, ConfigError, "one value per neuron"),
        ({"weight": np.array([1, np.inf, 1])}, ConfigError, "weight must be finite, got inf at neuron 1"),
        ({"radius": 0.0}, ConfigError, "radius must be positive"),
        ({"probability": 1.5}, ConfigError, "at most 1, got 1.5"),
        ({"d_min": -1.0}, ConfigError, "d_min must not be negative"),
        ({"seed": -1}, ConfigError, "seed must be a whole number of at least 0, got -1"),
        ({"seed": 0.5}, ConfigError, "seed must be a whole number"),
        ({"neuron": AdaptiveLIF()}, ConfigError, "must be a LIF, got AdaptiveLIF"),
        ({"seed": 2**64}, ConfigError, "seed must be below 2"),
        ({"alpha": 1e9}, CapacityError, "delays up to 1e[+]09 ms at dt=1.0 ms.*lower alpha"),
        ({"alpha": 1e300, "radius": 1e300}, CapacityError, "delays up to inf ms"),
    ],
)
def test_wrong_settings(settings, error, message):
    with pytest.raises(error, match=message):
        LocalNetwork(**{"position": np.zeros((3, 2)), "weight": np.ones(3), "radius": 1.0} | settings)


def test_wrong_calls():
    net = network()
    for units in ([N], [-1], [0.5], 3):
        with pytest.raises(ConfigError, match=r"whole numbers in \[0, 100\)"):
            net.synapses(units)
    with pytest.raises(DataError, match="a unit per neuron"):
        net.simulate(poisson(n=N + 1))
    with pytest.raises(ConfigError, match="drive_weight must be a finite number"):
        net.simulate(poisson(), float("nan"))
