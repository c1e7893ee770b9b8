"""The references themselves, against numerical integration and dense sampling."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from spsnn.errors import ConfigError
from spsnn.kernels.reference.events import _first_root, leaky_integral, leaky_potential, simulate_events
from spsnn.kernels.reference.grid import integrate_flow, simulate_grid, unit_potential

from .continuous import N_HIDDEN, network


@pytest.mark.parametrize("tau_syn", [3.0, 11.999, 12.0])
def test_unit_potential_solves_the_equation(tau_syn):
    run = solve_ivp(
        lambda _, x: [(-x[0] + x[1]) / 12, -x[1] / tau_syn], (0, 7), [0, 1], "DOP853", rtol=1e-12, atol=1e-14
    )
    assert abs(unit_potential(7.0, 12.0, tau_syn) - run.y[0, -1]) < 1e-10
    assert abs(integrate_flow(7.0, 12.0, tau_syn)[0, 1] - run.y[0, -1]) < 1e-10


def test_leaky_potential_and_its_integral():
    spikes, p = network(1)
    inputs = [(spikes, p["w"], np.full(p["w"].shape, 2.3))]
    keys = {"tau_mem": 9.0, "tau_syn": 2.0}
    t = np.linspace(0, 30, 60001)
    v = leaky_potential(t, inputs, N_HIDDEN, **keys)
    assert np.allclose(leaky_integral(30.0, inputs, N_HIDDEN, **keys), np.trapezoid(v, t, axis=0), atol=1e-5)
    assert np.allclose(v[np.searchsorted(t, 20.0)], leaky_potential([20.0], inputs, N_HIDDEN, **keys)[0], atol=1e-4)


coefficient = st.floats(-4, 4)
rate = st.floats(-2.0, -0.01)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(c=st.tuples(coefficient, coefficient, coefficient), r=st.tuples(rate, rate, rate), high=st.floats(0.1, 60))
def test_first_root_is_the_first(c, r, high):
    terms = list(zip(c, r, strict=True))
    value = lambda s: sum(x * np.exp(k * s) for x, k in terms)  # noqa: E731
    root = _first_root(terms, 1.0, 0.0, high)
    before = np.linspace(0, high if root is None else root, 2000)
    if root is None:
        assert (value(before) < 1 + 1e-9).all()
    elif root > 0:
        assert abs(value(root) - 1) < 1e-9 and (value(before[:-1]) < 1 + 1e-9).all()
    else:
        assert sum(c) >= 1


def test_first_root_of_an_oscillation():
    """Adaptation with a large ``a`` oscillates: cosine terms, crossing on the second rise."""
    terms = [(-0.6j, -0.01 + 1j), (0.6j, -0.01 - 1j), (-1.0, -0.4)]  # 1.2 e^{-t/100} sin t - e^{-0.4 t}
    s = np.linspace(0, 40, 400001)
    v = 1.2 * np.exp(-0.01 * s) * np.sin(s) - np.exp(-0.4 * s)
    assert abs(_first_root(terms, 1.0, 0.0, 40.0) - s[np.argmax(v >= 1)]) < 2e-4
    assert s[np.argmax(v >= 1)] > 2 * np.pi


@pytest.mark.parametrize("adapt", [{}, {"tau_adapt": 25.0, "a": 0.6, "b": 0.4}])
def test_oracle_against_the_grid_reference_at_a_tiny_step(adapt):
    """Two plain programs that share no line: forty milliseconds of one neuron with a delayed self-loop."""
    keys = {"tau_mem": 12.0, "tau_syn": 4.0, "v_reset": -0.3, "refractory": 1.0, "threshold": 1.0, **adapt}
    events = [(0.5, 0), (2.0, 0), (9.0, 0), (11.0, 0), (23.0, 0)]
    w, d, loop = np.array([[6.0]]), np.array([[1.37]]), (np.array([[2.0]]), np.array([[3.21]]))
    want = simulate_events([(events, w, d)], 1, 40.0, loop, **keys)
    errors = []
    for dt in (0.02, 0.01, 0.005):
        on_grid = [[(round(t / dt), u) for t, u in events]]
        run = simulate_grid(
            [(on_grid, w, d)], loop, n_samples=1, n_steps=round(40 / dt), n_post=1, dt=dt, delays="exact", **keys
        )
        times = np.flatnonzero(run.spikes[0, :, 0]) * dt
        assert len(times) == len(want) >= 5
        errors.append(np.abs(times - [t for t, _ in want]).mean())
    assert errors[2] < 0.02 and errors[2] < 0.6 * errors[0]


def test_oracle_refuses_equal_time_constants():
    with pytest.raises(ConfigError, match="differ"):
        simulate_events([([], np.zeros((1, 1)), np.zeros((1, 1)))], 1, 10.0, tau_mem=5.0, tau_syn=5.0)
