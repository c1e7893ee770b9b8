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


@njit(cache=True)
def _start(c, now, net, tree, msg, flits, state, queue, queue_time, totals, time, heap, size):
    """Send the next waiting message over channel ``c``, if it is free and there is room behind it."""
    unit, depth, row, ports, port, first_engine, first_inject = net
    s = state[c]
    engine = c >= first_engine
    if s[WANT] == 0 or s[BUSY] or (not engine and s[RESERVED] >= depth[c]):
        return size
    p = s[LAST]
    while True:
        p = p + 1 if p + 1 < ports.shape[1] else 0
        if s[WANT] >> p & 1:
            break
    s[WANT] &= ~(1 << p)
    s[LAST] = p
    u = ports[row[c], p]
    at = state[u, HEAD]
    m, node = queue[u, at, 0], queue[u, at, 1]
    child = tree[1][node]
    while tree[0][child] != c:
        child += 1
    totals[c, WAITED] += now - queue_time[u, at, 0]
    totals[c, SERVED] += 1
    s[BUSY], s[FROM], s[MESSAGE], s[NODE], s[PHASE] = 1, u, m, child, 0
    if engine:
        done = max(now, queue_time[u, at, 1]) + msg[3][msg[2][m] + tree[3][child]]
        totals[c, WORKED] += done - now
        time[c] = done
    else:
        s[RESERVED] += 1
        s[MOST] = max(s[MOST], s[RESERVED])
        time[c] = now + unit[c]
        gone = time[c] if flits == 1 else max(now + flits * unit[c], queue_time[u, at, 1] + unit[c])
        totals[c, WORKED] += gone - now
        # Where the message will stand behind the channel; only this channel writes there.
        queue_time[c, (state[c, HEAD] + s[COUNT]) % queue.shape[1], 1] = gone
    return _push(heap, size, c, time)


@njit(cache=True)
def _request(u, now, net, tree, msg, flits, state, queue, queue_time, totals, time, heap, size):
    """The message at the head of buffer ``u`` asks for the channels that it must take."""
    node = queue[u, state[u, HEAD], 1]
    first, n = tree[1][node], tree[2][node]
    state[u, PENDING] = n
    for child in range(first, first + n):
        c = tree[0][child]
        state[c, WANT] |= 1 << net[4][u]
        size = _start(c, now, net, tree, msg, flits, state, queue, queue_time, totals, time, heap, size)
    return size


@njit(cache=True)
def _enter(u, m, node, now, net, tree, msg, flits, state, queue, queue_time, totals, time, heap, size):
    """A message stands in buffer ``u``, whose place was reserved before."""
    at = (state[u, HEAD] + state[u, COUNT]) % queue.shape[1]
    queue[u, at, 0], queue[u, at, 1], queue_time[u, at, 0] = m, node, now
    state[u, COUNT] += 1
    if state[u, COUNT] == 1:
        size = _request(u, now, net, tree, msg, flits, state, queue, queue_time, totals, time, heap, size)
    return size


@njit(cache=True)
def _produce(u, now, net, tree, msg, flits, state, queue, queue_time, totals, time, heap, size, rest, ready):
    """Source ``u`` puts its message into the injection buffer and goes on to the next."""
    source = u - net[6]
    m = rest[source, 0]
    state[u, BLOCKED] = 0
    state[u, RESERVED] += 1
    state[u, MOST] = max(state[u, MOST], state[u, RESERVED])
    queue_time[u, (state[u, HEAD] + state[u, COUNT]) % queue.shape[1], 1] = now
    size = _enter(u, m, msg[0][m], now, net, tree, msg, flits, state, queue, queue_time, totals, time, heap, size)
    totals[u, WAITED] += now - ready[m]
    totals[u, SERVED] += 1
    rest[source, 0] += 1
    if rest[source, 0] < rest[source, 1]:
        time[u] = now + msg[4][m + 1]
        size = _push(heap, size, u, time)
    return size


@njit(cache=True, nogil=True)
def simulate(net, tree, msg, groups, floor, flits, state, queue, queue_time, totals, ready, arrived, done):
    """Run all steps of a trace.

    Args:
        net: ``unit`` (ns of a flit), ``depth`` (messages that the buffer behind holds), ``row``, ``port`` per channel;
            ``ports [rows, P]``: buffers that the channels of a row draw from; numbers of the first engine and of the
            first injection buffer.  In the order ``unit, depth, row, ports, port, first_engine, first_inject``.
        tree: ``channel``, ``first_child``, ``n_children``, ``leaf`` of every node.
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
    first_engine, first_inject = net[5], net[6]
    group_source, group_ptr, tail, step_group = groups
    length = floor.copy()
    time = np.zeros(len(state))
    heap = np.empty(len(state), np.int64)
    rest = np.zeros((len(state) - first_inject, 2), np.int64)  # next message of every source, end of its group
    tail_of = np.zeros(len(rest))
    events = 0
    for t in range(len(floor)):
        size = 0
        for g in range(step_group[t], step_group[t + 1]):
            source = group_source[g]
            rest[source, 0], rest[source, 1], tail_of[source] = group_ptr[g], group_ptr[g + 1], tail[g]
            time[first_inject + source] = msg[4][group_ptr[g]]
            size = _push(heap, size, first_inject + source, time)
        while size:
            c, size = _pop(heap, size, time)
            now, s = time[c], state[c]
            events += 1
            if c >= first_inject:
                m = rest[c - first_inject, 0]
                ready[m] = now
                if s[RESERVED] < net[1][c]:
                    size = _produce(
                        c, now, net, tree, msg, flits, state, queue, queue_time, totals, time, heap, size, rest, ready
                    )
                    if rest[c - first_inject, 0] == rest[c - first_inject, 1]:
                        length[t] = max(length[t], now + tail_of[c - first_inject])
                else:
                    s[BLOCKED] = 1
                continue
            m, node = s[MESSAGE], s[NODE]
            if c >= first_engine:
                done[msg[1][m] + tree[3][node]] = now
                length[t] = max(length[t], now)
            elif s[PHASE] == 0:
                at = (s[HEAD] + s[COUNT]) % queue.shape[1]
                gone = queue_time[c, at, 1]
                below = tree[1][node]
                if tree[3][below] >= 0:
                    arrived[msg[1][m] + tree[3][below]] = gone
                size = _enter(c, m, node, now, net, tree, msg, flits, state, queue, queue_time, totals, time, heap, size)
                if flits > 1:
                    s[PHASE] = 1
                    time[c] = gone
                    size = _push(heap, size, c, time)
                    continue
            # The last flit has left buffer u.
            u = s[FROM]
            s[BUSY] = 0
            state[u, PENDING] -= 1
            if state[u, PENDING] == 0:
                state[u, HEAD] = (state[u, HEAD] + 1) % queue.shape[1]
                state[u, COUNT] -= 1
                state[u, RESERVED] -= 1
                if state[u, COUNT]:
                    size = _request(u, now, net, tree, msg, flits, state, queue, queue_time, totals, time, heap, size)
                if u < first_inject:
                    size = _start(u, now, net, tree, msg, flits, state, queue, queue_time, totals, time, heap, size)
                elif state[u, BLOCKED]:
                    size = _produce(
                        u, now, net, tree, msg, flits, state, queue, queue_time, totals, time, heap, size, rest, ready
                    )
                    if rest[u - first_inject, 0] == rest[u - first_inject, 1]:
                        length[t] = max(length[t], now + tail_of[u - first_inject])
            size = _start(c, now, net, tree, msg, flits, state, queue, queue_time, totals, time, heap, size)
    return length, events
