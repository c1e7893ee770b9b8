"""Messages between active nodes and those they reach: time follows the active synapses, not the network.

Rows of all samples are packed: sample b has the rows ``ptr[b] .. ptr[b + 1]``, and ``node`` says whose they are.
"""

import numpy as np
from numba import njit


@njit(cache=True)
def reach(graph_ptr, post, ptr, node, slot):
    """Nodes that are active or get a message.

    Args:
        graph_ptr, post: CSR of the synapses, ``[N + 1]`` and ``[E]``.
        ptr, node: active rows.
        slot: int32 ``[N]`` of -1, left so.

    Returns:
        ``(out_ptr [B + 1], out_node [M], own [M], target [S])``: reached rows, the active row of the same node or -1,
        and the reached row of each active synapse, in the order of active rows and their synapses.
    """
    n_samples = len(ptr) - 1
    n_synapses = 0
    for row in range(len(node)):
        n_synapses += graph_ptr[node[row] + 1] - graph_ptr[node[row]]
    most = len(node) + min(n_synapses, n_samples * len(slot))
    out_ptr = np.zeros(n_samples + 1, np.int64)
    out_node, own, target = np.empty(most, np.int32), np.empty(most, np.int32), np.empty(n_synapses, np.int32)
    m, s = 0, 0
    for b in range(n_samples):
        start = m
        for row in range(ptr[b], ptr[b + 1]):
            slot[node[row]] = m
            out_node[m], own[m] = node[row], row
            m += 1
        for row in range(ptr[b], ptr[b + 1]):
            for e in range(graph_ptr[node[row]], graph_ptr[node[row] + 1]):
                j = post[e]
                if slot[j] < 0:
                    slot[j] = m
                    out_node[m], own[m] = j, -1
                    m += 1
                target[s] = slot[j]
                s += 1
        for k in range(start, m):
            slot[out_node[k]] = -1
        out_ptr[b + 1] = m
    return out_ptr, out_node[:m], own[:m], target


@njit(cache=True, fastmath={"contract", "reassoc", "nsz"})
def spread(graph_ptr, start, weight, node, target, value, out):
    """``out[target] += weight value[row]`` over all active synapses.

    Args:
        graph_ptr: ``[N + 1]``, from which the number of synapses of each node follows.
        start: ``[N]``; the weights of node i begin at ``weight[start[i]]``.
        weight: of the synapses.
        node, target: as in `reach`.
        value: ``[K, H]``, what each active row sends.
        out: ``[M, H]`` of zeros.
    """
    s = 0
    for row in range(len(node)):
        v, i = value[row], node[row]
        for e in range(start[i], start[i] + graph_ptr[i + 1] - graph_ptr[i]):
            w, o = weight[e], out[target[s]]
            for h in range(len(v)):
                o[h] += w * v[h]
            s += 1


@njit(cache=True, fastmath={"contract", "reassoc", "nsz"})
def pull_back(graph_ptr, start, weight, node, target, value, grad_out, grad_weight, grad_value):
    """Gradients of `spread`, added to ``grad_weight`` and ``grad_value [K, H]``."""
    s = 0
    for row in range(len(node)):
        v, g, i = value[row], grad_value[row], node[row]
        for e in range(start[i], start[i] + graph_ptr[i + 1] - graph_ptr[i]):
            w, o = weight[e], grad_out[target[s]]
            dot = weight.dtype.type(0)
            for h in range(len(v)):
                dot += o[h] * v[h]
                g[h] += w * o[h]
            grad_weight[e] += dot
            s += 1


@njit(cache=True)
def winners(ptr, score, cut, most):
    """Rows of each sample with the ``most`` largest scores, all above ``cut``: ``(ptr [B + 1], rows)``."""
    n_samples = len(ptr) - 1
    out_ptr = np.zeros(n_samples + 1, np.int64)
    rows = np.empty(min(len(score), n_samples * most), np.int64)
    n = 0
    for b in range(n_samples):
        lo = ptr[b]
        order = np.argsort(-score[lo : ptr[b + 1]], kind="mergesort")[:most]
        for k in np.sort(order):
            if score[lo + k] > cut:
                rows[n] = lo + k
                n += 1
        out_ptr[b + 1] = n
    return out_ptr, rows[:n]
