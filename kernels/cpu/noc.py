"""Discrete-event simulation of spike messages on a mesh with finite buffers.

Every server is a *channel*: the links between routers, the port from a router to each core (``eject``), and each core's
synaptic unit (``engine``).  A channel fills one buffer, from which the channels behind it draw; cores and the host fill
an injection buffer.  The rules:

* Virtual cut-through: a message leaves a buffer when the channel is free and the buffer behind it has room for the
  whole message; its first flit may go on before its last has come.  A credit returns when the last flit has left.
* Where routes part, the copies leave the head of the buffer one by one; the message keeps its place until all are gone.
* A channel takes the waiting buffers in turn (round robin), each buffer its messages in the order of arrival.
* A core that finds its injection buffer full waits with the rest of its updates.

Routes go along x, then along y, and synaptic units never wait for anything, so no cycle of waiting buffers can form:
there is no deadlock.  Each step begins with an empty network, since the barrier waits for every message.
"""

import numpy as np
from numba import njit

# Columns of ``state [channels, 13]``: one row is one or two cache lines.
HEAD, COUNT, RESERVED, PENDING = 0, 1, 2, 3  # buffer: first place, messages, places taken or promised, copies to send
WANT, LAST, BUSY, FROM, MESSAGE, NODE, PHASE = 4, 5, 6, 7, 8, 9, 10  # channel: who waits, whose turn it was, on the way
BLOCKED, MOST = 11, 12  # source held up; most places in use
N_STATE = 13
# Columns of ``totals [channels, 3]``: ns waited, messages, ns busy.
WAITED, SERVED, WORKED = 0, 1, 2


@njit(cache=True, inline="always")
def _before(a, b, time):
    return time[a] < time[b] or (time[a] == time[b] and a < b)


@njit(cache=True)
def _push(heap, size, c, time):
    k = size
    while k:
        up = (k - 1) // 2
        if not _before(c, heap[up], time):
            break
        heap[k] = heap[up]
        k = up
    heap[k] = c
    return size + 1


@njit(cache=True)
def _pop(heap, size, time):
    top, size = heap[0], size - 1
    c, k = heap[size], 0
    while True:
        child = 2 * k + 1
        if child >= size:
            break
        if child + 1 < size and _before(heap[child + 1], heap[child], time):
            child += 1
        if not _before(heap[child], c, time):
            break
        heap[k] = heap[child]
        k = child
    heap[k] = c
    return top, size


@njit(cache=True, nogil=True)
def simulate(net, tree, msg, groups, floor, flits, state, queue, queue_time, totals, ready, arrived, done):
    """Run all steps of a trace.

    Args:
        net: ``unit`` (ns of a flit), ``depth`` (messages that the buffer behind holds), ``row``, ``port`` per channel;
            ``ports [rows, P]``: buffers that the channels of a row draw from; numbers of the first engine and of the
            first injection buffer.  In the order ``unit, depth, row, ports, port, first_engine, first_inject``.
        tree: ``channel``, ``first_child``, ``n_children``, ``leaf``, ``parent`` of every node.
        msg: per message ``root`` node, ``delivery``, ``pair`` (first of its destinations); ``service`` per
            destination (ns of the synaptic unit); ``gap`` per message.
        groups: ``source``, ``ptr``, ``tail``, ``step_group``: see `noc_messages.produce`.
        floor: ns per step that the step lasts at least.
        flits: flits of a message.
        state, queue, queue_time, totals: zeros ``[C, N_STATE]``, ``[C, depth, 2]`` (int), ``[C, depth, 2]``,
            ``[C, 3]``.
        ready: written per message: ns from the step's start to its production.
        arrived, done: written per delivery: ns until its last flit is in the core, and until its synapses are served.

    Returns:
        float64 ``[T]``, ns that each step lasts without the barrier, and the number of events.
    """
    unit, depth, row, ports, port, first_engine, first_inject = net
    channel, first_child, n_children, leaf, _ = tree
    root, delivery, pair, service, gap = msg
    group_source, group_ptr, tail, step_group = groups
    n_ports, places = ports.shape[1], queue.shape[1]
    length = floor.copy()
    time = np.zeros(len(state))
    heap = np.empty(len(state), np.int64)
    following = np.zeros(len(state) - first_inject, np.int64)  # next message of every source
    end, tail_of = following.copy(), np.zeros(len(following))  # end of its group, time after it
    fresh, todo = np.empty(3, np.int64), np.empty(4 * n_ports, np.int64)
    events = 0
    for t in range(len(floor)):
        size = 0
        for g in range(step_group[t], step_group[t + 1]):
            source = group_source[g]
            following[source], end[source], tail_of[source] = group_ptr[g], group_ptr[g + 1], tail[g]
            time[first_inject + source] = gap[group_ptr[g]]
            size = _push(heap, size, first_inject + source, time)
        while size:
            c, size = _pop(heap, size, time)
            now = time[c]
            events += 1
            n_fresh = n_todo = 0  # buffers with a new head, channels that might start
            producer = -1
            if c >= first_inject:
                ready[following[c - first_inject]] = now
                if state[c, RESERVED] < depth[c]:
                    producer = c
                else:
                    state[c, BLOCKED] = 1
            else:
                m, node = state[c, MESSAGE], state[c, NODE]
                released = True
                if c >= first_engine:
                    done[delivery[m] + leaf[node]] = now
                    length[t] = max(length[t], now)
                elif state[c, PHASE] == 0:
                    at = (state[c, HEAD] + state[c, COUNT]) % places
                    queue[c, at, 0], queue[c, at, 1], queue_time[c, at, 0] = m, node, now
                    state[c, COUNT] += 1
                    if state[c, COUNT] == 1:
                        fresh[n_fresh] = c
                        n_fresh += 1
                    below = leaf[first_child[node]]
                    if below >= 0:
                        arrived[delivery[m] + below] = queue_time[c, at, 1]
                    if flits > 1:  # the first flit is there, the last comes later
                        released = False
                        state[c, PHASE] = 1
                        time[c] = queue_time[c, at, 1]
                        size = _push(heap, size, c, time)
                if released:
                    u = state[c, FROM]
                    state[c, BUSY] = 0
                    state[u, PENDING] -= 1
                    if state[u, PENDING] == 0:
                        state[u, HEAD] = (state[u, HEAD] + 1) % places
                        state[u, COUNT] -= 1
                        state[u, RESERVED] -= 1
                        if state[u, COUNT]:
                            fresh[n_fresh] = u
                            n_fresh += 1
                        if u < first_inject:
                            todo[n_todo] = u
                            n_todo += 1
                        elif state[u, BLOCKED]:
                            producer = u
                    todo[n_todo] = c
                    n_todo += 1
            if producer >= 0:
                u, source = producer, producer - first_inject
                m = following[source]
                state[u, BLOCKED] = 0
                totals[u, WAITED] += now - ready[m]
                totals[u, SERVED] += 1
                at = (state[u, HEAD] + state[u, COUNT]) % places
                queue[u, at, 0], queue[u, at, 1] = m, root[m]
                queue_time[u, at, 0] = queue_time[u, at, 1] = now
                state[u, COUNT] += 1
                state[u, RESERVED] += 1
                state[u, MOST] = max(state[u, MOST], state[u, RESERVED])
                if state[u, COUNT] == 1:
                    fresh[n_fresh] = u
                    n_fresh += 1
                following[source] += 1
                if following[source] < end[source]:
                    time[u] = now + gap[m + 1]
                    size = _push(heap, size, u, time)
                else:
                    length[t] = max(length[t], now + tail_of[source])
            for k in range(n_fresh):  # the head of the buffer asks for the channels that it must take
                u = fresh[k]
                node = queue[u, state[u, HEAD], 1]
                state[u, PENDING] = n_children[node]
                for child in range(first_child[node], first_child[node] + n_children[node]):
                    state[channel[child], WANT] |= 1 << port[u]
                    todo[n_todo] = channel[child]
                    n_todo += 1
            for k in range(n_todo):
                c = todo[k]
                want = state[c, WANT]
                if want == 0 or state[c, BUSY] or (c < first_engine and state[c, RESERVED] >= depth[c]):
                    continue
                p = state[c, LAST] + 1
                if want >> p == 0:
                    p = 0
                while not want >> p & 1:
                    p += 1
                state[c, WANT], state[c, LAST] = want & ~(1 << p), p
                u = ports[row[c], p]
                at = state[u, HEAD]
                m, child = queue[u, at, 0], first_child[queue[u, at, 1]]
                while channel[child] != c:
                    child += 1
                totals[c, WAITED] += now - queue_time[u, at, 0]
                totals[c, SERVED] += 1
                state[c, BUSY], state[c, FROM], state[c, MESSAGE] = 1, u, m
                state[c, NODE], state[c, PHASE] = child, 0
                if c >= first_engine:
                    gone = time[c] = max(now, queue_time[u, at, 1]) + service[pair[m] + leaf[child]]
                else:
                    state[c, RESERVED] += 1
                    state[c, MOST] = max(state[c, MOST], state[c, RESERVED])
                    time[c] = now + unit[c]
                    gone = time[c] if flits == 1 else max(now + flits * unit[c], queue_time[u, at, 1] + unit[c])
                    # Where the message will stand behind the channel; only this channel writes there.
                    queue_time[c, (state[c, HEAD] + state[c, COUNT]) % places, 1] = gone
                totals[c, WORKED] += gone - now
                size = _push(heap, size, c, time)
    return length, events
