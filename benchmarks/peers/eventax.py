"""eventax on the CPU: continuous time, diffrax from one arrival to the next, a delay per synapse, float32.

Every synaptic event is one turn of its loop, so only the first steps of one sample are simulated; a whole sample is
taken to handle its arrivals at the same rate.
"""

import time

import diffrax
import equinox as eqx
import jax
import numpy as np
from eventax.evnn import EvNN
from eventax.neuron_models import LIF
from jax import numpy as jnp

from peers.workload import TAU_MEM, TAU_SYN, Result

FORWARD_STEPS, TRAINING_STEPS, MAX_SPIKES = 30, 4, 1000


def forward(w):
    """Spike times of the first steps of one sample."""
    return _measure(w, FORWARD_STEPS, lambda spike_times: lambda *inputs: (None, spike_times(*inputs)))


def step(w):
    """The same with the gradients of the sum of the spike times to weights and delays."""

    def differentiated(spike_times):
        def loss(*inputs):
            times = spike_times(*inputs)
            return jnp.where(jnp.isfinite(times), times, 0).sum(), times

        return jax.grad(loss, has_aux=True)

    return _measure(w, TRAINING_STEPS, differentiated)


def _measure(w, n_steps, wrap):
    start = time.perf_counter()
    n_pre, n_post = w.weight.shape
    rows = lambda x: jnp.zeros((n_post + n_pre, n_post), jnp.float32).at[n_post:].set(x)  # noqa: E731
    network = EvNN(
        LIF, n_post, float(n_steps), n_pre, jax.random.PRNGKey(0), wmask=rows(1.0), init_weights=rows(w.weight),
        init_delays=rows(w.lag), init_bias=0.0, thresh=1.0, tmem=TAU_MEM, tsyn=TAU_SYN, solver=diffrax.Heun(),
        solver_stepsize=0.5, buffer_capacity=64, max_event_steps=w.arrivals(0, n_steps) + 4 * MAX_SPIKES,
    )  # fmt: skip
    trains = [np.flatnonzero(train) for train in w.spikes[0, :n_steps].T]
    times = np.full((n_pre, max(map(len, trains))), np.inf, np.float32)
    for row, train in zip(times, trains, strict=True):
        row[: len(train)] = train
    learned = lambda leaf: leaf is network.neuron_model.weights or leaf is network.delays  # noqa: E731
    parameters, fixed = eqx.partition(network, learned)

    def spike_times(parameters, times):
        return eqx.combine(parameters, fixed).spikes_until_t(times, float(n_steps), MAX_SPIKES)

    call = jax.jit(wrap(spike_times)).lower(parameters, times).compile()
    begin = time.perf_counter()
    _, found = jax.block_until_ready(call(parameters, times))
    seconds = time.perf_counter() - begin
    spikes = np.zeros((1, n_steps, n_post), bool)
    neuron, k = np.nonzero(np.asarray(found) < n_steps - 1)
    spikes[0, np.ceil(np.asarray(found)[neuron, k]).astype(int), neuron] = True
    return Result(seconds * w.arrivals(0) / w.arrivals(0, n_steps), spikes, setup=begin - start)
