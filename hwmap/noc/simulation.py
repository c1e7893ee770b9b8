"""Discrete-event simulation of a mapped network's spike traces on its network on the chip."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spsnn.hwmap.cost.simple import barrier_ns
from spsnn.hwmap.noc.model import NocModel
from spsnn.kernels.cpu import noc as kernel


@dataclass(frozen=True)
class NocRun:
    """One trace, simulated.

    Attributes:
        step_ns: length of every step, barrier included ``[T]``.
        messages: ``Messages``.
        pair: destination (row of ``NocModel.pair_core``) of every delivery ``[D]``.
        message: message of every delivery ``[D]``.
        ready_ns: production of every message, from the start of its step ``[M]``.
        due_ns: the same, had the other messages of its spike (of its step, at the host) not held it up ``[M]``.
        arrived_ns: last flit of every delivery in its core, from the start of the step ``[D]``.
        done_ns: its synapses served ``[D]``.
        waited_ns, served, busy_ns: of every channel ``[C]``; at injection buffers, messages held up and not yet in.
        occupancy: most messages in the buffer behind every channel ``[C]``.
        events: events simulated.
    """

    step_ns: np.ndarray
    messages: object
    pair: np.ndarray
    message: np.ndarray
    ready_ns: np.ndarray
    due_ns: np.ndarray
    arrived_ns: np.ndarray
    done_ns: np.ndarray
    waited_ns: np.ndarray
    served: np.ndarray
    busy_ns: np.ndarray
    occupancy: np.ndarray
    events: int

    @property
    def step_end_ns(self):
        """End of every step from the start of the inference ``[T]``."""
        return np.cumsum(self.step_ns)

    @property
    def network_ns(self):
        """From the time that its message is due to arrival in the core, every delivery ``[D]``."""
        return self.arrived_ns - self.due_ns[self.message]

    @property
    def latency_ns(self):
        """From the time that its message is due until the synapses are served, every delivery ``[D]``."""
        return self.done_ns - self.due_ns[self.message]


def run_trace(model, trace):
    """Simulate one trace.

    A step begins when the barrier of the last one ends.  Every core updates its neurons in order and sends messages as
    it comes to neurons that spike; messages travel XY with finite buffers (see `kernels.cpu.noc`), and the core that
    receives them serves their synapses one message at a time, beside its own updates.  The step ends when all cores are
    done and all messages served, and the barrier follows.

    Args:
        model: ``NocModel``.
        trace: ``Trace``.

    Returns:
        NocRun.
    """
    messages = model.messages(trace)
    return run_messages(model, messages)


def run_messages(model, messages):
    """Simulate the messages of a trace, see `run_trace`."""
    m, n = len(messages.entry), model.n_channels
    deepest = max(model.settings.buffer_depth, model.settings.receive_depth)
    state = np.zeros((n, kernel.N_STATE), np.int64)
    state[:, kernel.LAST] = model.net[3].shape[1] - 1  # the first turn is that of the first port
    queue, queue_time, totals = np.zeros((n, deepest, 2), np.int64), np.zeros((n, deepest, 2)), np.zeros((n, 3))
    ready = np.full(m, np.nan)
    arrived, done = np.full(messages.n_deliveries, np.nan), np.full(messages.n_deliveries, np.nan)
    first = model.entry_first[messages.entry]
    length, events = kernel.simulate(
        model.net,
        model.tree,
        (model.entry_root[messages.entry], messages.delivery, first, model.service, messages.gap),
        messages.groups,
        messages.floor,
        model.settings.flits,
        state,
        queue,
        queue_time,
        totals,
        ready,
        arrived,
        done,
    )
    message = np.repeat(np.arange(m), model.entry_pairs[messages.entry])
    return NocRun(
        step_ns=length + barrier_ns(model.target, len(np.unique(model.core_tile))),
        messages=messages,
        pair=first[message] + np.arange(len(message)) - messages.delivery[message],
        message=message,
        ready_ns=ready,
        due_ns=_due(model, messages, ready),
        arrived_ns=arrived,
        done_ns=done,
        waited_ns=totals[:, kernel.WAITED],
        served=totals[:, kernel.SERVED].astype(np.int64),
        busy_ns=totals[:, kernel.WORKED],
        occupancy=state[:, kernel.MOST],
        events=int(events),
    )


def _due(model, messages, ready):
    source, ptr, _, _ = messages.groups
    neuron = model.entry_neuron[messages.entry]
    host = np.repeat(source == model.partition.n_cores, np.diff(ptr))
    new = np.append(True, neuron[1:] != neuron[:-1])[: len(neuron)] & ~host
    new[ptr[:-1]] = True
    first, upto = np.flatnonzero(new), np.cumsum(messages.gap)
    return upto + np.repeat(ready[first] - upto[first], np.diff(np.append(first, len(new))))


__all__ = ["NocModel", "NocRun", "run_messages", "run_trace"]
