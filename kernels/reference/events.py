"""Small networks in continuous time, event by event, float64: what the grid engine converges to as dt -> 0."""

from __future__ import annotations

import cmath
import heapq

import numpy as np
from scipy.optimize import brentq

from spsnn.errors import ConfigError


class _Neuron:
    """State (V, I, A) of one neuron since its last event, and its next threshold crossing."""

    def __init__(self, rates, v_reset, threshold):
        self.rates, self.v_reset, self.threshold = rates, v_reset, threshold
        values, vectors = np.linalg.eig(rates)
        if np.linalg.cond(vectors) > 1e8:
            raise ConfigError("tau_mem, tau_syn and tau_adapt must differ: the oracle diagonalises the equations")
        self.values, self.vectors, self.inverse = values, vectors, np.linalg.inv(vectors)
        self.time = 0.0
        self.state = np.zeros(3)
        self.held_until = -np.inf

    def flow(self, state, h):
        return (self.vectors @ (np.exp(self.values * h) * (self.inverse @ state))).real

    def advance(self, time):
        """Move to ``time``; no spike lies between."""
        if self.time < self.held_until:
            end = min(time, self.held_until)
            self._hold(end - self.time)
            self.time = end
        if time > self.time:
            self.state = self.flow(self.state, time - self.time)
            self.time = time

    def _hold(self, h):
        v, (_, i, w) = self.v_reset, self.state
        a, decay = self.rates[2, 0], -self.rates[2, 2]
        if decay > 0:
            w = a * v / decay + (w - a * v / decay) * np.exp(-decay * h)
        self.state = np.array([v, i * np.exp(self.rates[1, 1] * h), w])

    def next_crossing(self, end):
        """First time in ``(now, end]`` at which V reaches the threshold, or None."""
        start, state = self.time, self.state
        if start < self.held_until:
            if self.held_until >= end:
                return None
            saved = self.time, self.state
            self._hold(self.held_until - start)
            start, state = self.held_until, self.state
            self.time, self.state = saved
        # V - threshold = sum_k c_k exp(rate_k s) - threshold, with no rate above zero
        c = self.vectors[0] * (self.inverse @ state)
        h = _first_root(list(zip(c.tolist(), self.values.tolist(), strict=True)), self.threshold, 0.0, end - start)
        return None if h is None else start + h


def _first_root(terms, threshold, low, high):
    """First ``s`` in ``[low, high]`` at which ``sum_k c_k exp(rate_k s)`` reaches the threshold from below, or None.

    Intervals are split until the sum is provably below the threshold or provably rising: no crossing is skipped.
    """
    here = [(c * cmath.exp(rate * low), rate) for c, rate in terms]
    value = sum(c for c, _ in here).real - threshold
    if value >= 0:
        return low
    h = high - low
    slope = sum(c * rate for c, rate in here).real
    bend = sum(abs(c * rate * rate) for c, rate in here)  # bounds the second derivative: no term grows
    if value + max(slope, 0.0) * h + bend * h * h / 2 < 0:
        return None
    if slope - bend * h > 0 or h < 1e-10:

        def above(s):
            return sum(c * cmath.exp(rate * s) for c, rate in terms).real - threshold

        return brentq(above, low, high, xtol=1e-14, rtol=1e-14) if above(high) >= 0 else None
    middle = (low + high) / 2
    first = _first_root(terms, threshold, low, middle)
    return _first_root(terms, threshold, middle, high) if first is None else first


def simulate_events(
    inputs, n_post, duration, recurrent=None, *, tau_mem, tau_syn, threshold=1.0, v_reset=0.0, refractory=0.0,
    tau_adapt=None, a=0.0, b=0.0,
):  # fmt: skip
    """Simulate one population in continuous time.

        tau_mem dV/dt = -V + I - A        tau_syn dI/dt = -I        tau_adapt dA/dt = -A + a V
        V reaches threshold:  spike, V -> v_reset, held there for ``refractory`` ms, A -> A + b
        the spike of i at t arrives at t + d_ij:  I_j -> I_j + w_ij

    Resetting by subtraction is the case ``v_reset = 0``: V equals the threshold at the spike.

    Args:
        inputs: list of ``(spikes, weight [I, J], delay [I, J] ms)`` with ``spikes`` a list of ``(time, unit)``.
        n_post: number of neurons J.
        duration: window in ms.
        recurrent: ``(weight [J, J], delay [J, J] ms)`` with positive delays, or None.
        tau_mem, tau_syn, tau_adapt, refractory: in ms, the time constants distinct; no adaptation where ``tau_adapt``
            is None.
        threshold, v_reset, a, b: dimensionless.

    Returns:
        list of ``(time, unit)``, sorted.

    Raises:
        ConfigError: if two time constants are equal.
    """
    rates = np.array([[-1 / tau_mem, 1 / tau_mem, -1 / tau_mem], [0, -1 / tau_syn, 0], [0, 0, 0]])
    if tau_adapt is not None:
        rates[2] = a / tau_adapt, 0, -1 / tau_adapt
    neurons = [_Neuron(rates, v_reset, threshold) for _ in range(n_post)]
    queue = [(time, j, w) for time, j, w in _arrivals(inputs, n_post) if time < duration]
    heapq.heapify(queue)
    crossing = [None] * n_post
    spikes = []
    while True:
        due = [(t, j) for j, t in enumerate(crossing) if t is not None]
        spike = min(due) if due else (np.inf, -1)
        arrival = queue[0][0] if queue else np.inf
        if min(spike[0], arrival) == np.inf:
            return spikes
        if spike[0] <= arrival:
            time, j = spike
            spikes.append((time, j))
            neurons[j].advance(time)
            neurons[j].state = np.array([v_reset, neurons[j].state[1], neurons[j].state[2] + b])
            neurons[j].held_until = time + refractory
            if recurrent is not None:
                for event in _arrivals([([(time, j)], *recurrent)], n_post):
                    if event[0] < duration:
                        heapq.heappush(queue, event)
        else:
            time, j, w = heapq.heappop(queue)
            neurons[j].advance(time)
            neurons[j].state = neurons[j].state + np.array([0, w, 0])
        crossing[j] = neurons[j].next_crossing(duration)


def leaky_potential(times, inputs, n_post, *, tau_mem, tau_syn):
    """Potential ``[len(times), J]`` of leaky integrators, ``V_j(t) = sum w_ij kappa(t - t_k - d_ij)``.

        kappa(s) = tau_syn / (tau_mem - tau_syn) (exp(-s / tau_mem) - exp(-s / tau_syn))  for s > 0

    Args:
        times: in ms.
        inputs: as for `simulate_events`.
        n_post: number of neurons J.
        tau_mem, tau_syn: in ms, distinct.
    """
    times = np.asarray(times, float)
    v = np.zeros((len(times), n_post))
    for at, j, w in _arrivals(inputs, n_post):
        s = np.maximum(times - at, 0.0)
        v[:, j] += w * tau_syn / (tau_mem - tau_syn) * (np.exp(-s / tau_mem) - np.exp(-s / tau_syn))
    return v


def leaky_integral(duration, inputs, n_post, *, tau_mem, tau_syn):
    """Integral ``[J]`` of the potential of leaky integrators over the window, in ms.

    From ``tau_mem V(T) = -int V + int I``:  ``int V = sum w tau_syn (1 - exp(-(T - t_arrival) / tau_syn)) - tau_mem
    V(T)``.
    """
    total = -tau_mem * leaky_potential([duration], inputs, n_post, tau_mem=tau_mem, tau_syn=tau_syn)[0]
    for at, j, w in _arrivals(inputs, n_post):
        total[j] += w * tau_syn * -np.expm1(-max(duration - at, 0.0) / tau_syn)
    return total


def _arrivals(inputs, n_post):
    """All ``(time, post, weight)``."""
    found = []
    for spikes, weight, delay in inputs:
        for time, unit in spikes:
            found += [(time + float(delay[unit, j]), j, float(weight[unit, j])) for j in range(n_post)]
    return found
