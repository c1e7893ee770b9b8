"""Latency, throughput, energy and headroom of a mapped network from its spike traces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spsnn.errors import ConfigError, DataError
from spsnn.hwmap.cost.simple import barrier_ns, cost_of_trace
from spsnn.hwmap.noc.model import NocModel, NocSettings
from spsnn.hwmap.noc.queueing import estimate_trace
from spsnn.hwmap.noc.simulation import run_messages
from spsnn.kernels.cpu.noc_messages import busiest

TIMINGS = ("noc", "queue")
ASSUMPTIONS = (
    "XY routes, virtual cut-through, credits at once, round robin; buffer depths and flits are the user's; cores "
    "update neurons in order and serve synapses beside it; input spikes of a step wait at the host's port when it "
    "begins; a barrier ends each step; static power of every chip in use"
)
PERCENTILES = {"p50": 50, "p95": 95, "p99": 99, "max": 100}


@dataclass(frozen=True)
class NocResult:
    """What `simulate_noc` found.

    Attributes:
        timing: ``noc`` or ``queue``.
        model: ``NocModel``.
        step_ns: lengths of all steps of all traces ``[n_traces, T]``.
        floor_ns: the part of each that cores need to update neurons and produce messages ``[n_traces, T]``.
        network_ns, latency_ns: of every delivery, from when its message is due (`NocRun.due_ns`) to
            arrival and until its synapses are served; with ``queue`` their mean for each trace.
        deliveries: number of deliveries of each trace ``[n_traces]``.
        waited_ns, served, busy_ns: of every channel, over all traces ``[C]``; ``busy_ns`` None with ``queue``.
        occupancy: most messages behind every channel ``[C]``, or None.
        counts: events of each trace, ``{count_*: [n_traces]}`` of `cost_of_trace`.
        energy_nj: of each trace ``[n_traces]``, dynamic and static.
        static_nj: the static part.
        headroom: ``(factor, channel)`` of the link and of the synaptic unit that saturate first.
        headroom_of: what the work of a step is compared with.
        realtime: ``(factor, channel)`` of the first of them where a step lasts as long as one of the network's.
        sources: where the figures are from.
    """

    timing: str
    model: NocModel
    step_ns: np.ndarray
    floor_ns: np.ndarray
    network_ns: np.ndarray
    latency_ns: np.ndarray
    deliveries: np.ndarray
    waited_ns: np.ndarray
    served: np.ndarray
    busy_ns: np.ndarray | None
    occupancy: np.ndarray | None
    counts: dict
    energy_nj: np.ndarray
    static_nj: np.ndarray
    headroom: tuple
    headroom_of: str
    realtime: tuple
    sources: dict

    @property
    def inference_us(self):
        """Latency of each inference ``[n_traces]``."""
        return self.step_ns.sum(1) * 1e-3

    def report(self):
        """All figures in one flat dict that JSON can hold; units are in the key names."""
        model, us = self.model, self.inference_us
        links = slice(0, model.eject)
        out = {
            "timing_model": self.timing,
            "traces": len(us),
            "steps_per_inference": self.step_ns.shape[1],
            "latency_us_per_inference": float(us.mean()),
            **_spread("latency_us_per_inference", us),
            "latency_us_without_network": float((self.floor_ns + self._barrier).sum(1).mean() * 1e-3),
            "step_ns_mean": float(self.step_ns.mean()),
            "step_ns_max": float(self.step_ns.max()),
            "step_barrier_ns": self._barrier,
            "throughput_inferences_per_s": float(1e6 / us.mean()) if us.mean() > 0 else None,
            "energy_nj_per_inference": float(self.energy_nj.mean()),
            "energy_static_nj": float(self.static_nj.mean()),
            "energy_dynamic_nj_per_inference": float((self.energy_nj - self.static_nj).mean()),
            "edp_nj_us": float((self.energy_nj * us).mean()),
        }
        weights = None if self.timing == "noc" else self.deliveries
        for name, values in (("message_network_ns", self.network_ns), ("message_latency_ns", self.latency_ns)):
            total = len(values) if weights is None else weights.sum()
            out[f"{name}_mean"] = float(np.average(values, weights=weights)) if total else 0.0
            if self.timing == "noc":
                out |= _spread(name, values)
        out |= {name: float(values.mean()) for name, values in self.counts.items()}
        worst = int(np.argmax(self.waited_ns[links]))
        hops = self.served[links].sum()
        out |= {
            "link_wait_ns_per_hop": float(self.waited_ns[links].sum() / hops) if hops else 0.0,
            "link_wait_most": model.name(worst) if self.waited_ns[worst] > 0 else "none",
            "link_wait_most_ns_per_inference": float(self.waited_ns[worst] / len(us)),
        }
        if self.busy_ns is not None:
            share = self.busy_ns / self.step_ns.sum()
            cores = slice(model.engine, model.inject)
            out |= {
                "link_utilisation_max": float(share[links].max()),
                "link_utilisation_mean": float(share[links][self.served[links] > 0].mean()) if hops else 0.0,
                "core_synapse_utilisation_max": float(share[cores].max()),
                "buffer_occupancy_max_messages": int(self.occupancy[links].max()),
                "receive_occupancy_max_messages": int(self.occupancy[model.eject : model.engine].max()),
                "injection_wait_ns_per_inference": float(self.waited_ns[model.inject :].sum() / len(us)),
            }
        first = min(self.headroom, key=lambda found: found[0])
        out["headroom_factor"], out["headroom_bottleneck"] = self._room(first)
        for kind, found in zip(("link", "core"), self.headroom, strict=True):
            out[f"headroom_{kind}_factor"], out[f"headroom_{kind}"] = self._room(found)
        out["headroom_of"] = self.headroom_of
        out["headroom_realtime_factor"], out["headroom_realtime_bottleneck"] = self._room(self.realtime)
        out |= {f"noc_{name}": value for name, value in model.settings.as_dict().items()}
        out |= {"noc_hop_ew_ns": float(model.hop_ew_ns), "noc_hop_ns_ns": float(model.hop_ns_ns)}
        return out | {"noc_assumptions": ASSUMPTIONS, **self.sources}

    def links(self):
        """Rows of all links that carried messages: name, messages per inference, mean wait, utilisation, occupancy."""
        n, total = len(self.step_ns), self.step_ns.sum()
        return [
            {
                "link": self.model.name(c),
                "messages_per_inference": float(self.served[c] / n),
                "wait_ns_per_message": float(self.waited_ns[c] / self.served[c]),
                "utilisation": None if self.busy_ns is None else float(self.busy_ns[c] / total),
                "occupancy_max_messages": None if self.occupancy is None else int(self.occupancy[c]),
            }
            for c in range(self.model.eject)
            if self.served[c] > 0
        ]

    @property
    def _barrier(self):
        return float(barrier_ns(self.model.target, len(np.unique(self.model.core_tile))))

    def _room(self, found):
        factor, channel = found
        return (factor, self.model.name(channel)) if channel >= 0 else (None, "none")


def simulate_noc(chip, traces, settings=None, *, timing="noc", step_ns=None):
    """Time and energy of recorded spike traces on a mapped network.

    Headroom is the factor by which all messages may grow until the busiest link, or the busiest synaptic unit, works as
    long as its step lasts without the network,

        min over steps of  budget / work of the busiest,

    with the budget ``step_ns`` less the barrier, or, without it, the time in which the slowest core updates its neurons
    and produces its messages.  Below 1 the network or the receiving cores set the length of that step.  The same in
    real time has the network's own step (``dt`` ms) as budget.

    Args:
        chip: ``Chip``.
        traces: list of ``Trace``, one for each inference, of one length.
        settings: ``NocSettings``.
        timing: ``noc`` simulates every message (`kernels.cpu.noc`), ``queue`` estimates (`hwmap.queueing`).
        step_ns: length of a step that the user allows, for the headroom.

    Returns:
        NocResult.

    Raises:
        ConfigError: unknown timing, a step shorter than its barrier.
        DataError: no trace, or traces of different lengths.
    """
    if timing not in TIMINGS:
        raise ConfigError(f"unknown timing {timing!r}; known: {', '.join(TIMINGS)}")
    traces = list(traces)
    if not traces or len({t.n_steps for t in traces}) > 1:
        raise DataError(f"traces must be at least one and of one length, got lengths {[t.n_steps for t in traces][:9]}")
    model = NocModel(chip, settings or NocSettings())
    barrier = barrier_ns(chip.target, len(np.unique(model.core_tile)))
    if step_ns is not None and not barrier < step_ns < np.inf:
        raise ConfigError(f"step_ns must be finite and longer than the barrier of {barrier:g} ns, got {step_ns!r}")
    runs, rooms, costs, realtime = [], [], [], []
    for trace in traces:
        messages = model.messages(trace)
        run = run_messages(model, messages) if timing == "noc" else estimate_trace(model, messages)
        runs.append((run, messages))
        rooms.append(_headroom(model, messages, None if step_ns is None else step_ns - barrier))
        realtime += _headroom(model, messages, 1e6 * chip.flat.network.dt - barrier)
        costs.append(cost_of_trace(chip, trace))
    step = np.stack([run.step_ns for run, _ in runs])
    counts = {n: np.array([c[n] for c in costs]) for n in costs[0] if n.startswith("count_")}
    dynamic = np.array([c["energy_dynamic_nj_per_inference"] for c in costs])
    static_mw = [c["energy_static_nj"] / c["latency_us_per_inference"] if c["energy_static_nj"] else 0.0 for c in costs]
    static = np.array(static_mw) * step.sum(1) * 1e-3
    join = np.concatenate if timing == "noc" else np.array
    return NocResult(
        timing=timing,
        model=model,
        step_ns=step,
        floor_ns=np.stack([messages.floor for _, messages in runs]),
        network_ns=join([run.network_ns for run, _ in runs]),
        latency_ns=join([run.latency_ns for run, _ in runs]),
        deliveries=np.array([messages.n_deliveries for _, messages in runs]),
        waited_ns=sum(run.waited_ns for run, _ in runs),
        served=sum(run.served for run, _ in runs),
        busy_ns=sum(run.busy_ns for run, _ in runs) if timing == "noc" else None,
        occupancy=np.max([run.occupancy for run, _ in runs], axis=0) if timing == "noc" else None,
        counts=counts,
        energy_nj=dynamic + static,
        static_nj=static,
        headroom=tuple(min((r[k] for r in rooms), key=lambda found: found[0]) for k in range(2)),
        headroom_of="generation of the slowest core" if step_ns is None else f"step of {step_ns:g} ns less the barrier",
        realtime=min(realtime, key=lambda found: found[0]),
        sources={n: costs[0][n] for n in costs[0] if n.startswith("energy_") and n.endswith("_source")}
        | {"time_source": costs[0]["time_source"], "activity_source": chip.cost["activity_source"]}
        | {"noc_hop_source": model.hop_source},
    )


def _spread(name, values):
    return {
        f"{name}_{label}": float(np.percentile(values, q)) if len(values) else 0.0 for label, q in PERCENTILES.items()
    }


def _headroom(model, messages, budget):
    """``(factor, channel)`` of the link and of the synaptic unit with the least room in any step."""
    _, ptr, _, step_group = messages.groups
    entry, room = messages.entry, messages.floor if budget is None else np.full(len(messages.floor), budget)
    work, which = busiest(
        model.tree[0], model.tree[3], model.entry_root[entry], model.entry_end[entry], model.entry_first[entry],
        model.service, model.settings.flits * model.net[0], ptr[step_group], model.eject, model.engine,
    )  # fmt: skip
    found = []
    for kind in range(2):
        factor = np.full(len(room), np.inf)
        np.divide(room, work[:, kind], out=factor, where=work[:, kind] > 0)
        t = int(np.argmin(factor))
        found.append((float(factor[t]), int(which[t, kind]) if np.isfinite(factor[t]) else -1))
    return found
