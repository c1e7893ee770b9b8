"""Mean waiting in the queues of one step from loads alone, channel by channel in the order of XY routes."""

import math

import numpy as np
from numba import njit

SPACING = 0.05  # of the table of `hwmap.noc.queueing.bridge_table`


@njit(cache=True)
def bridge_wait(drift, spread, table):
    """Mean over the window of a reflected Brownian bridge with this drift and spread; see `hwmap.noc.queueing`."""
    if spread <= 0:
        return max(drift, 0.0) / 2
    d = drift / spread
    at = abs(d) / SPACING
    k = int(at)
    if k + 1 >= len(table):
        return spread * ((1 - 1.5 / (d * d)) / (2 * abs(d)) + max(d, 0.0) / 2)
    return spread * (table[k] + (at - k) * (table[k + 1] - table[k]) + max(d, 0.0) / 2)


@njit(cache=True)
def bridge_end(drift, spread):
    """Mean of the same process at the end of the window: the work left when the last message has come."""
    if spread <= 0:
        return max(drift, 0.0)
    d = abs(drift / spread)
    if d < 20:
        rest = math.exp(d * d / 2) * math.sqrt(math.pi / 8) * math.erfc(d / math.sqrt(2))
    else:
        rest = (1 - 1 / (d * d)) / (2 * d)
    return spread * rest + max(drift, 0.0)


@njit(cache=True)
def _wait(n, first, second, clump, window, table):
    """``(mean wait, work left at the end)`` of ``n`` messages with these moments of service over a window.

    They come in clumps; ``clump`` is the mean size of the clump that a message belongs to.
    """
    others = max(n - clump, 0.0)
    drift, spread = others * first - window, math.sqrt(others * clump * second)
    own = (clump - 1) * first
    return bridge_wait(drift, spread, table) + own / 2, bridge_end(drift, spread) + own


@njit(cache=True)
def estimate(net, rank, flits, tree, group_source, group_ptr, step_group, gap, root, end, pair, service, floor,
             table):  # fmt: skip
    """Mean waiting on every channel and the length of every step.

    Args:
        net: see `kernels.cpu.noc.simulate`.
        rank: int64 ``[C]``, place of every channel in the order of XY routes.
        flits: flits of a message.
        tree: ``channel``, ``first_child``, ``n_children``, ``leaf``, ``parent``.
        group_source, group_ptr, step_group: messages of one source in one step.
        gap: float64 ns between a message and the one before it of the same source, or the step's start ``[M]``.
        root, end: nodes of every message's tree; pair: its first destination ``[M]``.
        service: float64 ns per destination.
        floor: float64 ns ``[T]`` that the step lasts at least.
        table: see `hwmap.noc.queueing.bridge_table`.

    Returns:
        ns that messages wait for each channel, summed over messages ``[C]``; messages ``[C]``; step lengths without
        barrier ``[T]``.
    """
    unit, _, row, ports, port, first_engine, first_inject = net
    channel, first_child, n_children, leaf, parent = tree
    n_channels, n_ports = len(unit), ports.shape[1]
    flow, number = np.zeros((n_channels, n_ports)), np.zeros(n_channels)
    moment1, moment2 = np.zeros(n_channels), np.zeros(n_channels)
    opens, closes, last = np.zeros(n_channels), np.zeros(n_channels), np.zeros(n_channels)
    clumps, in_clump = np.zeros((n_channels, n_ports)), np.zeros(n_channels)
    clump_of, clump_port = np.full(n_channels, -1), np.zeros(n_channels, np.int64)
    pace, behind = np.zeros(n_channels), np.empty(n_channels, np.int64)
    clump = 0
    waited, served, length = np.zeros(n_channels), np.zeros(n_channels), floor.copy()
    for t in range(len(floor)):
        n_touched = 0
        for g in range(step_group[t], step_group[t + 1]):
            u = first_inject + group_source[g]
            amount = work = now = free = total = square = 0.0
            for m in range(group_ptr[g], group_ptr[g + 1]):
                now += gap[m]
                s = 0.0
                for child in range(first_child[root[m]], first_child[root[m]] + n_children[root[m]]):
                    s = max(s, flits * unit[channel[child]])
                # Messages of one source leave its injection buffer one by one: exact for a trace.
                for child in range(first_child[root[m]], first_child[root[m]] + n_children[root[m]]):
                    waited[channel[child]] += max(free - now, 0.0)
                free = max(free, now)
                total += free
                square += free * free
                free += s
                amount += 1
                work += s
                clump += gap[m] >= s
                for node in range(root[m] + 1, end[m]):
                    c = channel[node]
                    p = port[u if parent[node] == root[m] else channel[parent[node]]]
                    if number[c] == 0:
                        behind[n_touched] = c
                        n_touched += 1
                    if clump_of[c] != clump:
                        clumps[c, clump_port[c]] += in_clump[c] ** 2
                        clump_of[c], in_clump[c], clump_port[c] = clump, 0.0, p
                    in_clump[c] += 1
                    number[c] += 1
                    flow[c, p] += 1
                    if c >= first_engine:
                        s = service[pair[m] + leaf[node]]
                        moment1[c] += s
                        moment2[c] += s * s
            pace[u] = work / amount
            middle = total / amount
            half = math.sqrt(3 * max(square / amount - middle * middle, 0.0))
            opens[u], closes[u], last[u] = middle - half, middle + half, free - pace[u]
            clump += 1
        order = np.argsort(rank[behind[:n_touched]])
        for k in range(n_touched):
            c = behind[order[k]]
            n = number[c]
            if c >= first_engine:
                s, s2 = moment1[c] / n, moment2[c] / n
            else:
                s = flits * unit[c]
                s2 = s * s
            clumps[c, clump_port[c]] += in_clump[c] ** 2
            in_clump[c] = 0.0
            mean = square = paid = paid_end = latest = latest_end = size = 0.0
            for p in range(n_ports):
                if flow[c, p] > 0:
                    u, share = ports[row[c], p], flow[c, p] / n
                    middle, window = (opens[u] + closes[u]) / 2, closes[u] - opens[u]
                    mean += share * middle
                    square += share * (middle * middle + window * window / 12)
                    # Messages of one buffer come at its pace: what they would wait for each other they have waited.
                    r = min(1.0, pace[u] / s) if s > 0 else 0.0
                    own, own_end = _wait(flow[c, p], s * r, s2 * r * r, clumps[c, p] / flow[c, p], window, table)
                    size += clumps[c, p] / n
                    paid += share * own
                    paid_end += share * own_end
                    if last[u] >= latest:
                        latest, latest_end = last[u], own_end
            window = math.sqrt(max(12 * (square - mean * mean), 0.0))
            wait, left = _wait(n, s, s2, size, window, table)
            wait = max(wait - paid, 0.0)
            more = max(left - latest_end, 0.0)
            left = max(left - paid_end, (n - 1) * s - window, 0.0)
            waited[c] += n * wait
            served[c] += n
            # A wide port to a busy core counts nothing of its own; the synaptic unit behind it does.
            delay = s if c >= first_engine else unit[c]
            opens[c] = mean - window / 2 + delay
            closes[c] = max(mean + window / 2 + left, mean - window / 2 + (n - 1) * s) + delay
            last[c] = max(latest + more, mean - window / 2 + (n - 1) * s) + delay
            pace[c] = s
            if c >= first_engine:
                length[t] = max(length[t], last[c])
        for k in range(n_touched):
            c = behind[k]
            number[c] = moment1[c] = moment2[c] = 0.0
            for p in range(n_ports):
                flow[c, p] = clumps[c, p] = 0.0
    return waited, served, length
