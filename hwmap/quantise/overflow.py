"""Which neuron left the range of its registers."""

from __future__ import annotations

import numpy as np

from spsnn.errors import CapacityError

LIMIT = 2**23  # a current holds 24 bits, sign included


def check_range(network, spikes):
    """Refuse a run in which a current left 24 bits, where the chip would go on with a wrong value.

        u[t] = sgn * ((|u[t-1]| (4095 - du)) >> 12) + 64 * arrivals[t],   |u| < 2^23

    Args:
        network: ``IntegerNetwork``.
        spikes: ``{population: [B, T, N]}`` of a run with ``IntegerRun.wrapped > 0``.

    Raises:
        CapacityError: names the first such neuron, its sample, step and value.
    """
    for p in network.populations:
        if p.kind == "input":
            continue
        into = [q for q in network.projections if q.post == p.name]
        for sample in range(len(next(iter(spikes.values())))):
            u = np.zeros(p.size, np.int64)
            arrivals = _arrivals(into, {q.pre: spikes[q.pre][sample] for q in into}, p.size)
            for t, arrived in enumerate(arrivals):
                u = np.sign(u) * ((np.abs(u) * (4095 - p.du)) >> 12) + 64 * arrived
                if np.abs(u).max() >= LIMIT:
                    j = int(np.abs(u).argmax())
                    raise CapacityError(
                        f"the current of neuron {j} of population {p.name!r} reaches {u[j]} in step {t} of sample "
                        f"{sample}; 24 bits hold less than {LIMIT}: take fewer weight_bits, or prune its synapses"
                    )


def _arrivals(projections, trains, size):
    """Integer weight that reaches each neuron in each step ``[T, N]``; a spike at t with delay d acts at t + 1 + d."""
    n_steps = len(next(iter(trains.values()), ()))
    out = np.zeros((n_steps, size), np.int64)
    for p in projections:
        for t, i in zip(*np.nonzero(trains[p.pre]), strict=True):
            row = slice(p.indptr[i], p.indptr[i + 1])
            at = t + 1 + p.delay[row]
            inside = at < n_steps
            np.add.at(out, (at[inside], p.indices[row][inside]), p.weight[row][inside])
    return out
