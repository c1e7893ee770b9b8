"""Queueing model of the network on the chip: waiting, latency and step length from loads, without simulation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.special import log_ndtr, ndtr

from spsnn.hwmap.cost.simple import barrier_ns
from spsnn.kernels.cpu.queueing import SPACING, estimate


@cache
def bridge_table(longest=12.0):
    """Mean ``h(d)`` over t in [0, 1] of a reflected Brownian bridge with drift -d, at ``d = 0, SPACING, ..``.

    The workload of a queue that starts empty and gets its messages at random times of a window is, for many messages,
    the reflected process of ``d t + B0(t)``, with B0 a Brownian bridge (Honnappa, Jain & Ward, Queueing Systems 80,
    2015).  With B0(v) = (1 - v) B(v / (1 - v)) the crossing of a line by Brownian motion gives

        P(sup_{v <= t} d v + B0(v) > x) = Phi(-(x + b T) / sqrt(T)) + exp(-2 x b) Phi((b T - x) / sqrt(T))
        b = x - d,   T = t / (1 - t)

    whose integral over x and t is h(|d|) + max(d, 0) / 2.
    """
    node, weight = np.polynomial.legendre.leggauss(48)
    angle = np.pi / 4 * (node + 1)
    t, wt = np.sin(angle) ** 2, np.pi / 4 * weight * np.sin(2 * angle)
    root = (t / (1 - t)) ** 0.5
    top = np.where(t < 0.5, 9 * (t * (1 - t)) ** 0.5, 4.5)
    x = top * (node[:, None] + 1) / 2  # (x, t)
    out = []
    for d in np.arange(0, longest + SPACING / 2, SPACING):
        b = x + d
        p = ndtr(-(x / root + b * root)) + np.exp(-2 * x * b + log_ndtr(b * root - x / root))
        out.append(float((wt * top / 2) @ (weight @ p)))
    return np.array(out)


@dataclass(frozen=True)
class Queues:
    """Estimates for the steps of a trace.

    Attributes:
        step_ns: length of every step, barrier included ``[T]``.
        waited_ns: time that messages wait for every channel, summed over messages ``[C]``.
        served: messages over every channel ``[C]``.
        network_ns: mean time from when a message is due to arrival in the core.
        latency_ns: mean time until the synapses are served.
    """

    step_ns: np.ndarray
    waited_ns: np.ndarray
    served: np.ndarray
    network_ns: float
    latency_ns: float


def estimate_trace(model, messages):
    """Queueing estimate for the messages of a trace.

    Every channel is a queue with deterministic service (the synaptic unit: of known moments) that starts a step empty
    and gets its ``n`` messages at random times of a window of length ``W``.  A message finds the work of the others,
    a reflected process with drift ``(n - 1) E[S] - W`` and variance ``(n - 1) E[S^2]``:

        wait = sigma f(mu / sigma),   mu = (n - 1) E[S] - W,   sigma^2 = (n - 1) E[S^2],   f: `bridge_table`

    With many messages and mu < 0 this is the M/D/1 wait ``rho S / (2 (1 - rho))``; where more comes than can be served
    it is the fluid backlog ``mu / 2``; and a batch at one moment waits ``(n - 1) S / 2`` within 1 / n.  Messages that
    come out of one buffer are already as far apart as its channel made them; what they would wait for each other is
    taken off, which is exact for a tree of equal servers.  Windows have the mean and variance of the arrivals of all
    buffers, and a channel that falls behind makes the window behind it longer.

    Left out: finite buffers, the correlation between channels, and the fluctuation of the latest of many cores.

    Args:
        model: ``NocModel``.
        messages: ``Messages`` of a trace.

    Returns:
        Queues.
    """
    source, ptr, _, step_group = messages.groups
    entry, tree = messages.entry, model.tree
    first = model.entry_first[entry]
    waited, served, length = estimate(
        model.net, model.rank, model.settings.flits, tree, source, ptr, step_group, messages.gap,
        model.entry_root[entry], model.entry_end[entry], first, model.service, messages.floor, bridge_table(),
    )  # fmt: skip
    message = np.repeat(np.arange(len(entry)), model.entry_pairs[entry])
    pair = first[message] + np.arange(len(message)) - messages.delivery[message]
    # A wait on a link counts for every destination behind it.
    wait = np.append(np.where(served > 0, waited / np.maximum(served, 1), 0.0), 0.0)
    wait[model.engine : model.inject] = 0
    upto = np.concatenate([[0.0], np.cumsum(wait[tree[0]] * model.reach)])
    links = (upto[model.entry_end[entry]] - upto[model.entry_root[entry]]).sum()
    total = max(len(pair), 1)
    network = (model.travel[pair].sum() + links) / total
    engines = waited[model.engine : model.inject].sum()
    return Queues(
        step_ns=length + barrier_ns(model.target, len(np.unique(model.core_tile))),
        waited_ns=waited,
        served=served,
        network_ns=float(network),
        latency_ns=float(network + (model.service[pair].sum() + engines) / total),
    )
