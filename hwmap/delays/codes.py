"""Delays stored in fewer bits than steps need, or shared by the synapses of an axon or a neuron."""

from __future__ import annotations

import numpy as np

from spsnn.errors import ConfigError
from spsnn.hwmap.quantise.quantised import to_steps

SHARED_BY = ("synapse", "axon", "neuron")


def coded_delays(network, target, bits, per="synapse"):
    """Delays as codes of ``bits`` bits that stand for evenly spaced steps, with one rule for each projection.

        steps = first + unit * code,   code in 0..2^bits - 1,   first and unit whole steps

    ``first`` and ``unit`` have the least spike-weighted squared error of all there are.  A shared code stands for the
    spike-weighted mean of the delays that share it.

    Args:
        network: ``spsnn.graph.Network``, delays in ms.
        target: ``Target``; delays beyond its longest are cut first.
        bits: of a code; with 0 every projection has one delay.
        per: what has a code of its own: a ``synapse``, an ``axon`` (presynaptic neuron) or a ``neuron`` (postsynaptic).

    Returns:
        ``(delays, clipped)``, steps and cut flags for each projection, for ``Quantised.with_delays``.

    Raises:
        ConfigError: unknown ``per``, or bits outside 0..16.
    """
    if per not in SHARED_BY:
        raise ConfigError(f"delay codes are kept per {', '.join(SHARED_BY)}, got {per!r}")
    if isinstance(bits, bool) or not isinstance(bits, (int, np.integer)) or not 0 <= bits <= 16:
        raise ConfigError(f"bits of a delay code must be a whole number in 0..16, got {bits!r}")
    delays, clipped = [], []
    for p in network.projections:
        steps, cut = to_steps(p.delay, network.dt, target.max_delay_steps, target.min_delay_steps)
        rates = network[p.pre].rates
        weight = np.ones(len(steps)) if rates is None else np.asarray(rates, np.float64)[p.sources]
        weight = weight + (1e-9 * weight.max(initial=0.0) or 1.0)  # silent sources count last, not for nothing
        if per != "synapse" and len(steps):
            group = p.sources if per == "axon" else p.indices
            total = np.bincount(group, weight)
            mean = np.bincount(group, weight * steps) / np.where(total > 0, total, 1)
            steps = np.rint(mean).astype(np.int64)[group]
        delays.append(_nearest_level(steps, weight, bits).astype(np.int32))
        clipped.append(cut)
    return delays, clipped


def _nearest_level(steps, weight, bits):
    if not len(steps):
        return steps
    share = np.bincount(steps, weight)
    values = np.flatnonzero(share)
    share, span, top = share[values], int(values[-1] - values[0]), 2**bits - 1
    if span <= top:
        return steps
    best, least = None, np.inf
    for unit in range(1, -(-span // top) + 1) if top else (1,):
        for first in range(int(values[0]), int(values[-1]) + 1):
            levels = first + unit * np.clip(np.rint((values - first) / unit), 0, top)
            error = share @ (values - levels) ** 2
            if error < least:
                best, least = (first, unit), error
    first, unit = best
    return first + unit * np.clip(np.rint((steps - first) / unit), 0, top)
