"""A network of LIF neurons in continuous time, event by event.

Between events a neuron follows the exact flow of `spsnn.kernels.cpu.lif`.  Two kinds of events exist:

    V_j reaches threshold_j:                     spike, V_j -> v_reset_j
    spike of i at t arrives at j at t + d_ij:    I_j -> I_j + w_ij

They happen in the order of time; at one time spikes come before arrivals, then the lower (postsynaptic) neuron, then
the lower source.  Simulation ends at ``t_end``: a spike at ``t_end`` counts, an arrival there has no effect.

Synapses are rows of a CSR matrix sorted by delay, then post: ``indptr [I + J + 1]``, ``post``, ``weight``, ``delay``
``[S]``.  The first I rows belong to the inputs, row ``I + j`` to neuron ``j``.  ``neurons [4, J]`` holds tau_mem,
tau_syn, threshold (infinite: never spikes), v_reset.  All numbers are float64.

Spikes of a sample are numbered: its E inputs first, then those of the network as they occur.
"""

import math

import numpy as np
from numba import njit, prange

from spsnn.kernels.cpu.lif import earliest_crossing, flow, next_crossing
from spsnn.kernels.cpu.loop import power_of_two

SPIKE = -1  # in the place of a synapse in the log


def sort_synapses(pre, post, delay, n_rows):
    """``(order, indptr)``: the permutation that sorts synapses by (pre, delay, post), and the rows' bounds."""
    order = np.lexsort((post, delay, pre))
    indptr = np.zeros(n_rows + 1, np.int64)
    np.cumsum(np.bincount(pre, minlength=n_rows), out=indptr[1:])
    return order, indptr


@njit(cache=True)
def _before(x, y, time, synapse, post):
    """Whether the next arrival of spike ``x`` comes before that of spike ``y``."""
    if time[x] != time[y]:
        return time[x] < time[y]
    if post[synapse[x]] != post[synapse[y]]:
        return post[synapse[x]] < post[synapse[y]]
    return synapse[x] < synapse[y]


@njit(cache=True)
def _sift_up(heap, k, time, synapse, post):
    while k > 0 and _before(heap[k], heap[(k - 1) // 2], time, synapse, post):
        heap[k], heap[(k - 1) // 2] = heap[(k - 1) // 2], heap[k]
        k = (k - 1) // 2


@njit(cache=True)
def _sift_down(heap, size, time, synapse, post):
    k = 0
    while 2 * k + 1 < size:
        child = 2 * k + 1
        if child + 1 < size and _before(heap[child + 1], heap[child], time, synapse, post):
            child += 1
        if _before(heap[k], heap[child], time, synapse, post):
            return
        heap[k], heap[child] = heap[child], heap[k]
        k = child


@njit(cache=True)
def _put(tree, j, value):
    """Set leaf ``j`` of a tournament tree, whose root ``tree[1]`` is the least leaf."""
    k = len(tree) // 2 + j
    tree[k] = value
    while k > 1:
        k //= 2
        tree[k] = min(tree[2 * k], tree[2 * k + 1])


@njit(cache=True)
def _least(tree):
    """Lowest leaf that equals the root."""
    k = 1
    while 2 * k < len(tree):
        k = 2 * k if tree[2 * k] == tree[k] else 2 * k + 1
    return k - len(tree) // 2


@njit(cache=True)
def _launch(k, now, row, t_end, indptr, post, delay, emitted, synapse, time, heap, size):
    """Send spike ``k`` of ``row`` on its way; returns the new size of the heap."""
    if indptr[row] == indptr[row + 1] or now + delay[indptr[row]] >= t_end:
        return size
    emitted[k], synapse[k] = now, indptr[row]
    time[k] = now + delay[synapse[k]]
    heap[size] = k
    _sift_up(heap, size, time, synapse, post)
    return size + 1


@njit(cache=True, error_model="numpy")
def _simulate_one(
    input_times, input_units, n_inputs, indptr, post, weight, delay, neurons, t_end, capacity,
    spike_times, spike_units, v, i, integral, log_synapse, log_spike, log_v, log_i,
):  # fmt: skip
    """One sample; returns the numbers of events and of spikes, ``(-1, 0)`` if there are more than ``capacity``."""
    tau_mem, tau_syn, threshold, v_reset = neurons[0], neurons[1], neurons[2], neurons[3]
    keep = len(log_v) > 0
    width = power_of_two(len(v))
    crossing, exact = np.full(2 * width, math.inf), np.zeros(len(v), np.bool_)
    at = np.zeros(len(v))  # time of v and i
    v[:] = 0
    i[:] = 0
    integral[:] = 0
    # Spikes in flight: when the spike was, its next synapse, when it arrives there.
    first = len(input_times)
    emitted, time = np.empty(first + capacity), np.empty(first + capacity)
    synapse, heap = np.empty(first + capacity, np.int64), np.empty(first + capacity, np.int64)
    size = n_events = n_spikes = 0
    for k in range(first):
        size = _launch(
            k, input_times[k], input_units[k], t_end, indptr, post, delay, emitted, synapse, time, heap, size
        )
    while True:
        arrival = time[heap[0]] if size else math.inf
        spike = crossing[1]
        if min(spike, arrival) == math.inf:
            break
        if n_events == capacity:
            return -1, 0
        if spike <= arrival:
            now, j, k, s = spike, _least(crossing), first + n_spikes, SPIKE
            if not exact[j]:
                exact[j] = True
                due = at[j] + next_crossing(v[j], i[j], tau_mem[j], tau_syn[j], threshold[j])
                _put(crossing, j, due if due <= t_end else math.inf)
                continue
            i[j] *= math.exp(-(now - at[j]) / tau_syn[j])
            v[j] = v_reset[j]
            integral[j] -= tau_mem[j] * (threshold[j] - v_reset[j])
            spike_times[n_spikes], spike_units[n_spikes] = now, j
            n_spikes += 1
            size = _launch(k, now, n_inputs + j, t_end, indptr, post, delay, emitted, synapse, time, heap, size)
        else:
            now, k = arrival, heap[0]
            s = synapse[k]
            j = post[s]
            a, b, c = flow(now - at[j], tau_mem[j], tau_syn[j])
            v[j] = a * v[j] + b * i[j]
            i[j] = c * i[j] + weight[s]
            integral[j] += tau_syn[j] * weight[s]
            row = input_units[k] if k < first else n_inputs + spike_units[k - first]
            synapse[k] += 1
            time[k] = emitted[k] + delay[synapse[k]] if synapse[k] < indptr[row + 1] else math.inf
            if time[k] >= t_end:
                size -= 1
                heap[0] = heap[size]
            _sift_down(heap, size, time, synapse, post)
        at[j] = now
        if keep:
            log_synapse[n_events], log_spike[n_events], log_v[n_events], log_i[n_events] = s, k, v[j], i[j]
        n_events += 1
        exact[j] = False
        due = now + earliest_crossing(v[j], i[j], tau_mem[j], threshold[j])
        if not due <= t_end:  # also where overflow left no number
            due = math.inf
        if due != crossing[width + j]:
            _put(crossing, j, due)
    for j in range(len(v)):
        a, b, c = flow(t_end - at[j], tau_mem[j], tau_syn[j])
        v[j] = a * v[j] + b * i[j]
        i[j] *= c
        integral[j] -= tau_mem[j] * v[j] + tau_syn[j] * i[j]
    return n_events, n_spikes


@njit(cache=True, parallel=True)
def simulate(
    offsets, input_times, input_units, indptr, post, weight, delay, neurons, t_end,
    n_events, n_spikes, spike_times, spike_units, v, i, integral, log_synapse, log_spike, log_v, log_i,
):  # fmt: skip
    """Simulate all samples; sample ``b`` has the input spikes ``offsets[b]:offsets[b + 1]``, in any order.

    Writes the numbers ``n_events``, ``n_spikes [B]`` (``n_events`` is -1 where the capacity did not suffice);
    ``spike_times``, ``spike_units [B, capacity]`` in the order of events; ``v``, ``i [B, J]`` at ``t_end``;
    ``integral [B, J]``, the potential's integral over the window,

        int V dt = tau_syn (sum of arrived w - I(t_end)) - tau_mem (V(t_end) + spikes (threshold - v_reset))

    and the log ``[B, capacity]`` (``[B, 0]``: none): synapse (or `SPIKE`) and spike of every event, and V and I of its
    neuron afterwards.
    """
    capacity = spike_times.shape[1]
    n_inputs = len(indptr) - 1 - neurons.shape[1]
    for b in prange(len(offsets) - 1):
        mine = slice(offsets[b], offsets[b + 1])
        n_events[b], n_spikes[b] = _simulate_one(
            input_times[mine], input_units[mine], n_inputs, indptr, post, weight, delay, neurons, t_end, capacity,
            spike_times[b], spike_units[b], v[b], i[b], integral[b],
            log_synapse[b], log_spike[b], log_v[b], log_i[b],
        )  # fmt: skip
