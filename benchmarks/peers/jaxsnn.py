"""jaxsnn on the CPU: its discrete LIF under `scan`, compiled, without delays per synapse, float32."""

import time

import common
import jax
import numpy as np
from jax import numpy as jnp
from jaxsnn.discrete.functional.lif import LIFState, lif_step

from peers.workload import SLOPE, A, B, C, Result


@jax.custom_vjp
def spike(u):
    """Heaviside step with the triangular surrogate."""
    return (u > 0).astype(u.dtype)


spike.defvjp(lambda u: (spike(u), u), lambda u, g: (g * jnp.maximum(1 - SLOPE * jnp.abs(u), 0),))


def forward(w):
    """Spikes of a batch, without delays."""
    run, setup = _compiled(w, _spikes)
    return Result(common.median_seconds(run, 9, budget=10), np.asarray(run()) > 0, setup=setup)


def step(w):
    """Forward and backward without delays, gradient of the weights."""

    def loss(weight, z):
        spikes = _spikes(weight, z)
        return (spikes * w.cotangent).sum(), spikes

    run, setup = _compiled(w, jax.grad(loss, has_aux=True))
    gradient, spikes = run()
    return Result(common.median_seconds(run, 9, budget=10), np.asarray(spikes) > 0, np.asarray(gradient), setup)


def _compiled(w, function):
    start = time.perf_counter()
    weight, z = jnp.asarray(w.weight), jnp.asarray(w.spikes)
    call = jax.jit(function).lower(weight, z).compile()
    return lambda: jax.block_until_ready(call(weight, z)), time.perf_counter() - start


def _spikes(weight, z):
    # Its Euler step with these time constants is the exact step of spsnn, the gain being moved into the weights.
    constants = {"v_leak": 0.0, "v_th": 1.0, "v_reset": 0.0, "tau_mem": 1 / (1 - A), "tau_syn": 1 / (1 - B), "dt": 1.0}
    x = (C / (1 - A)) * (z @ weight)
    rest = jnp.zeros_like(x[:, 0])
    advance = lambda state, x_t: lif_step({"input": x_t}, state, None, spike, **constants)  # noqa: E731
    return jax.lax.scan(advance, LIFState(rest, rest), x.transpose(1, 0, 2))[1].transpose(1, 0, 2)
