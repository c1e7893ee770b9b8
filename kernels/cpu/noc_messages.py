"""Messages of a spike trace on a mesh: their XY trees, and when cores produce them within a step."""

import numpy as np
from numba import njit

EAST, WEST, NORTH, SOUTH, HERE = range(5)


@njit(cache=True)
def xy_trees(source, ptr, core, core_tile, width, eject, engine, unit):
    """XY routes of groups of destinations as trees of channels.

    A message that leaves tile ``source[g]`` for the cores ``core[ptr[g]:ptr[g + 1]]`` travels east or west first, then
    north or south, and forks where the routes part; it ends in the channels ``eject + core`` (router to core) and
    ``engine + core`` (the core's synaptic unit).  Children of a node have consecutive numbers.

    Args:
        source: int64 ``[G]`` tile number ``y * width + x``.
        ptr: int64 ``[G + 1]``.
        core: int64 ``[D]`` destination cores.
        core_tile: int64 ``[n_cores]`` tile number of every core.
        width: tiles in a row.
        eject, engine: first channel of their kind; links are ``4 * tile + direction``.
        unit: float64, ns that one flit takes on each channel.

    Returns:
        ``root [G]``, ``channel``, ``first_child``, ``n_children``, ``leaf`` (place in the group's destinations, at
        engines; else -1), each ``[n_nodes]``; and per destination ``[D]`` the sum and the largest of ``unit`` on its
        way to the core.
    """
    bound = len(source)
    for g in range(len(source)):
        for k in range(ptr[g], ptr[g + 1]):
            a, b = source[g], core_tile[core[k]]
            bound += abs(a % width - b % width) + abs(a // width - b // width) + 2
    root = np.empty(len(source), np.int64)
    channel, first, n = np.full(bound, -1), np.zeros(bound, np.int64), np.zeros(bound, np.int64)
    leaf, tile = np.full(bound, -1), np.empty(bound, np.int64)
    low, high = np.empty(bound, np.int64), np.empty(bound, np.int64)
    total, slowest = np.zeros(bound), np.zeros(bound)
    way, worst = np.empty(len(core)), np.empty(len(core))
    order, turn = np.arange(len(core)), np.empty(len(core), np.int64)
    scratch = np.empty(len(core), np.int64)
    used = 0
    for g in range(len(source)):
        root[g] = node = used
        tile[node], low[node], high[node] = source[g], ptr[g], ptr[g + 1]
        used += 1
        while node < used:  # nodes are their own queue
            if channel[node] >= eject:
                node += 1
                continue
            here = tile[node]
            counts = np.zeros(6, np.int64)
            for k in range(low[node], high[node]):
                there = core_tile[core[order[k]]]
                dx, dy = there % width - here % width, there // width - here // width
                way_out = EAST if dx > 0 else WEST if dx < 0 else NORTH if dy > 0 else SOUTH if dy < 0 else HERE
                turn[k] = way_out
                counts[way_out + 1] += 1
            starts = low[node] + np.cumsum(counts)
            at = starts.copy()
            for k in range(low[node], high[node]):
                scratch[at[turn[k]]] = order[k]
                at[turn[k]] += 1
            order[low[node] : high[node]] = scratch[low[node] : high[node]]
            first[node] = used
            for d in range(4):
                if starts[d + 1] > starts[d]:
                    channel[used] = 4 * here + d
                    step = 1 if d == EAST else -1 if d == WEST else width if d == NORTH else -width
                    tile[used], low[used], high[used] = here + step, starts[d], starts[d + 1]
                    total[used] = total[node] + unit[channel[used]]
                    slowest[used] = max(slowest[node], unit[channel[used]])
                    used += 1
            for k in range(starts[4], starts[5]):
                channel[used] = eject + core[order[k]]
                low[used] = order[k]
                total[used] = total[node] + unit[channel[used]]
                slowest[used] = max(slowest[node], unit[channel[used]])
                used += 1
            n[node] = used - first[node]
            # Engines follow their ejects, so that siblings stay together.
            for child in range(first[node], first[node] + n[node]):
                if channel[child] >= eject:
                    k = low[child]
                    way[k], worst[k] = total[child], slowest[child]
                    channel[used], leaf[used] = engine + core[k], k - ptr[g]
                    first[child], n[child] = used, 1
                    used += 1
            node += 1
    return root, channel[:used], first[:used], n[:used], leaf[:used], way, worst


@njit(cache=True)
def mark_active(step, neuron, indptr, post, delay, active):
    """Mark in ``active [T, N]`` every step in which an event reaches a neuron.

    A spike at step ``k`` over a delay of ``d`` steps arrives at ``k + max(d, 1)``: what a core receives in one step it
    uses in the next at the earliest.
    """
    for s in range(len(step)):
        for k in range(indptr[neuron[s]], indptr[neuron[s] + 1]):
            arrival = step[s] + max(delay[k], 1)
            if arrival < len(active):
                active[arrival, post[k]] = 1


@njit(cache=True)
def produce(step_ptr, neuron, active, n, timed, core_ptr, core_neurons, entry_ptr, pairs_of_entry, times, host_gap):
    """Messages of a trace in the order in which the cores produce them.

    A core updates its neurons one after another; a neuron that spikes adds the time of its spike and of each of its
    messages, so message ``m`` is ready ``gap[m]`` ns after the one before it (or the step's start) unless the core is
    held up.  Partial sums that a core sends take it no time, unless relays send them as spikes.  The last source is the
    host, whose input spikes follow each other by ``host_gap`` ns.

    Args:
        step_ptr: spikes ``step_ptr[t]:step_ptr[t + 1]`` of ``neuron`` are those of step ``t``.
        neuron: int64 ``[n_spikes]``.
        active: uint8 ``[T, N + P]``, also of partial sums.
        n: number of neurons ``N``; numbers from there on are partial sums, sent in every step in which they are active.
        timed: numbers below it take the time of a neuron.
        core_ptr, core_neurons: neurons of every core in the order of their update; the input units come last.
        entry_ptr: kinds of message ``entry_ptr[i]:entry_ptr[i + 1]`` that neuron ``i`` sends for each spike.
        pairs_of_entry: destinations of each kind.
        times: float64 ns of an active update, an inactive update, a spike, a message.
        host_gap: ns.

    Returns:
        per message ``entry``, ``gap``, ``delivery`` (first of its deliveries); per group of messages of one source in
        one step ``group_source``, ``group_ptr`` (``[n_groups + 1]``), ``tail`` (ns of updates after its last message);
        ``step_group [T + 1]``; ``floor [T]`` (ns, longest generation of any core, without being held up);
        ``n_deliveries``.
    """
    n_steps, n_sources = len(step_ptr) - 1, len(core_ptr) - 1
    n_messages = 0
    for s in range(len(neuron)):
        n_messages += entry_ptr[neuron[s] + 1] - entry_ptr[neuron[s]]
    n_messages += np.sum(active[:, n:])
    entry, gap = np.empty(n_messages, np.int64), np.empty(n_messages)
    delivery = np.empty(n_messages, np.int64)
    bound = min(n_messages, n_steps * n_sources)
    group_source, tail = np.empty(bound, np.int64), np.empty(bound)
    group_ptr, step_group = np.zeros(bound + 1, np.int64), np.zeros(n_steps + 1, np.int64)
    floor = np.zeros(n_steps)
    spiked = np.zeros(active.shape[1], np.bool_)
    groups = m = deliveries = 0
    for t in range(n_steps):
        for s in range(step_ptr[t], step_ptr[t + 1]):
            spiked[neuron[s]] = True
        for source in range(n_sources):
            host = source == n_sources - 1
            before, since, last = m, 0.0, 0.0
            for k in range(core_ptr[source], core_ptr[source + 1]):
                i = core_neurons[k]
                own = not host and i < timed
                if own:
                    since += times[0] if active[t, i] else times[1]
                if not (spiked[i] or (i >= n and active[t, i])):
                    continue
                if own:
                    since += times[2]
                for e in range(entry_ptr[i], entry_ptr[i + 1]):
                    since += host_gap if host else times[3] if own else 0.0
                    entry[m], gap[m], delivery[m] = e, since - last, deliveries
                    last = since
                    deliveries += pairs_of_entry[e]
                    m += 1
            floor[t] = max(floor[t], since)
            if m > before:
                group_source[groups], tail[groups] = source, since - last
                groups += 1
                group_ptr[groups] = m
        for s in range(step_ptr[t], step_ptr[t + 1]):
            spiked[neuron[s]] = False
        step_group[t + 1] = groups
    group_source, group_ptr, tail = group_source[:groups], group_ptr[: groups + 1], tail[:groups]
    return entry, gap, delivery, group_source, group_ptr, tail, step_group, floor, deliveries


@njit(cache=True)
def busiest(channel, leaf, root, end, pair, service, link_ns, step_message, eject, engine):
    """Longest work of one link, and of one core's synaptic unit, in every step.

    Args:
        channel, leaf: of every node; root, end, pair: of every message (see `kernels.cpu.noc.simulate`).
        service: ns per destination; link_ns: ns that a message holds each link.
        step_message: messages ``step_message[t]:step_message[t + 1]`` are those of step ``t``.

    Returns:
        ``work`` float64 ns ``[T, 2]`` and ``which`` int64 ``[T, 2]`` (channel, -1 if none), links first.
    """
    n_steps = len(step_message) - 1
    work, which = np.zeros((n_steps, 2)), np.full((n_steps, 2), -1)
    load = np.zeros(engine + np.max(channel) + 1)
    for t in range(n_steps):
        for fill in (True, False):
            for m in range(step_message[t], step_message[t + 1]):
                for node in range(root[m] + 1, end[m]):
                    c = channel[node]
                    if eject <= c < engine:
                        continue
                    if fill:
                        load[c] += link_ns[c] if c < eject else service[pair[m] + leaf[node]]
                        kind = int(c >= engine)
                        if load[c] > work[t, kind]:
                            work[t, kind], which[t, kind] = load[c], c
                    else:
                        load[c] = 0.0
    return work, which
