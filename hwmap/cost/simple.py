"""The ``simple`` cost model: energy and latency of one inference, by component."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spsnn.hwmap.cost.route import route
from spsnn.hwmap.traffic.events import Events, Wiring

MEAN = (
    "activity spread evenly over the steps, so bursts make real steps longer; each event at a neuron in a step of its "
    "own, so active updates are an upper bound"
)
TRACED = "activity of every step from one recorded inference"
ASSUMPTIONS = "no queueing on links; host side and input/output not counted; static power of every chip in use"
COMPONENTS = ("synaptic_op", "synaptic_op_sparse", "neuron_active", "neuron_inactive", "spike_out", "axon_out",
              "axon_in", "within_tile", "hop_ew", "hop_ns", "chip_link", "merge", "static")  # fmt: skip


def cost(flat, target, partition, routing, bits=None):
    """Energy and latency of one inference from measured spike counts.

    Counted per inference (rates ``r``, steps ``T``):

        synaptic operations   sum over synapses of r_pre
        active updates        sum over neurons of min(T, events that reach it);  inactive updates = T * neurons - active
        messages received     r for each core that a neuron reaches
        messages sent         the same (unicast) or r for each neuron with a destination (multicast)
        hops, chip links      links crossed by messages: east-west, north-south, and between chips (instead of a hop)
        merges                partial sums that another core adds up for a neuron, min(T, events of its synapses there)

    Energy of a component is its count times its energy per event; static energy is power times latency.  Each message
    received costs one within-tile delivery.  A step lasts

        max(max over cores of generation, max over cores of reception) + barrier(tiles in use)
        generation = active and inactive updates, spikes, messages sent
        reception  = messages received, synaptic operations, merges

    as cores generate and receive at once.  Input units cost messages, hops and synaptic operations, but no updates.

    Returns:
        dict: ``energy_<component>_nj`` and ``energy_<component>_source`` (where its energy per event comes from),
        ``energy_nj_per_inference``, ``latency_us_per_inference``, ``count_*``, ``step_*_ns``, ``edp_nj_us``,
        ``throughput_inferences_per_s``, ``hops_*``, ``link_load_*`` and the sources.
    """
    events = Wiring.of(flat, target, partition, bits).mean()
    return _mean_cost(target, events, routing, flat.network.activity_source or "not stated")


def cost_of_cores(target, steps, routing, active, inactive, spikes, synops, received, sent, activity_source):
    """`cost` from the events of every core per inference ``[K]`` each, for networks too large to hold synapses."""
    counts = {"neuron_active": active, "neuron_inactive": inactive, "spike_out": spikes, "synaptic_op": synops,
              "axon_in": received, "axon_out": sent, "synaptic_op_sparse": 0 * synops, "merge": 0 * synops}  # fmt: skip
    events = Events({name: np.asarray(row, float)[None] for name, row in counts.items()}, steps)
    return _mean_cost(target, events, routing, activity_source)


def _mean_cost(target, events, routing, activity_source):
    return figures(target, events, routing) | {
        "cost_assumptions": f"{MEAN}; {ASSUMPTIONS}",
        "activity_source": activity_source,
    }


def cost_of_trace(chip, trace, delays=None):
    """Energy and latency of one recorded inference on a mapped chip, step by step.

    The same components and the same ``simple`` timing as `spsnn.hwmap.cost.cost`, with the events of every step in
    place of means (see `Wiring.traced` for which step an event belongs to):

        latency = sum over steps of max(max over cores of generation, max over cores of reception) + barrier

    Args:
        chip: ``Chip``.
        trace: ``Trace`` in the numbering of ``chip.flat``.
        delays: steps of every synapse ``[n_synapses]``; None takes those of the mapping.

    Returns:
        dict with the keys of `cost`; ``step_ns``, ``step_generation_ns`` and ``step_reception_ns`` are means over
        steps, ``step_max_ns`` is the longest step.
    """
    flat, target, partition = chip.flat, chip.target, chip.partition
    wiring = Wiring.of(flat, target, partition, chip.bits)
    own = np.concatenate([np.zeros(0, np.int64), *chip.integers.delays])
    events = wiring.traced(trace, own if delays is None else np.asarray(delays))
    routing = route(replace(flat, rates=events.rates), target, partition, chip.slots, events.sums)
    return figures(target, events, routing) | {
        "cost_assumptions": f"{TRACED}; {ASSUMPTIONS}",
        "activity_source": "a recorded inference",
    }


def figures(target, events, routing):
    """Energy, latency and counts of one inference from its ``Events`` and its ``Routing``."""
    n, repeat = events.counts, events.steps
    rows = len(n["spike_out"])
    steps = rows * repeat
    hops_ew, hops_ns, links_between = split_hops(target, routing.link_load)
    counts = {name: table.sum() for name, table in n.items()} | {
        "within_tile": n["axon_in"].sum() + n["merge"].sum(),
        "hop_ew": hops_ew,
        "hop_ns": hops_ns,
        "chip_link": links_between,
    }
    times = {name: getattr(target, f"time_{name}_ns") or 0.0 for name in (*n, "within_tile")}
    generation = sum(n[k] * times[k] for k in ("neuron_active", "neuron_inactive", "spike_out", "axon_out")) / repeat
    reception = sum(n[k] * times[k] for k in ("axon_in", "synaptic_op", "synaptic_op_sparse", "merge"))
    reception = (reception + (n["axon_in"] + n["merge"]) * times["within_tile"]) / repeat
    barrier = barrier_ns(target, len(np.unique(routing.core_tile, axis=0)))
    step = np.maximum(generation.max(1), reception.max(1)) + barrier
    latency_us = repeat * step.sum() * 1e-3
    worst = int(np.argmax(step))
    busiest = int(np.argmax(np.maximum(generation[worst], reception[worst])))

    chips = chips_used(target, routing)
    energy = {k: counts[k] * getattr(target, f"energy_{k}_pj") * 1e-3 for k in _priced(target)}
    energy["static"] = target.static_power_mw * chips * latency_us  # mW * us = nJ
    total = sum(energy.values())
    loads = routing.link_load[routing.link_load > 0]
    crossed, received = hops_ew + hops_ns + links_between, counts["within_tile"]
    out = {f"energy_{name}_nj": value for name, value in energy.items()}
    out |= {f"count_{name}": counts[name] for name in energy if name != "static"}
    out |= {
        "energy_nj_per_inference": total,
        "energy_dynamic_nj_per_inference": total - energy["static"],
        "latency_us_per_inference": latency_us,
        "edp_nj_us": total * latency_us,
        "throughput_inferences_per_s": 1e6 / latency_us if latency_us > 0 else float("inf"),
        "steps_per_inference": steps,
        "step_ns": step.mean(),
        "step_max_ns": step.max(),
        "step_generation_ns": generation.max(1).mean(),
        "step_reception_ns": reception.max(1).mean(),
        "step_barrier_ns": barrier,
        "step_busiest_core": busiest,
        "chips_used": chips,
        "hops_per_inference": crossed,
        "hops_per_message": crossed / received if received > 0 else 0.0,
        "link_load_max": loads.max(initial=0.0),
        "link_load_mean": loads.mean() if len(loads) else 0.0,
        "link_load_variance": loads.var() if len(loads) else 0.0,
    }
    out = {name: value if isinstance(value, int) else float(value) for name, value in out.items()}
    return out | {
        "timing_model": "simple",
        "energy_source": target.energy_source,
        **{f"energy_{name}_source": source for name, source in energy_sources(target).items()},
        "time_source": target.time_source,
    }


def energy_sources(target):
    """Source of the energy per event of every component of a target, ``{component: "kind: source"}``."""
    out = {name: target.source_of(f"energy_{name}_pj") for name in _priced(target)}
    return out | {"static": target.source_of("static_power_mw")}


def _priced(target):
    """Components that exist on a target, ``static`` left out."""
    return [k for k in COMPONENTS if k != "static" and getattr(target, f"energy_{k}_pj") is not None]


def split_hops(target, link_load):
    """Link crossings per inference ``(east-west, north-south, between chips)`` of loads ``[height, width, 4]``."""
    height, width = link_load.shape[:2]
    columns, rows = target.chip_tiles
    x, y = np.arange(width), np.arange(height)
    # Out of the last column of a chip eastward, out of the first westward; the same for rows.
    border = np.zeros(link_load.shape, bool)
    border[:, (x + 1) % columns == 0, 0] = border[:, x % columns == 0, 1] = True
    border[(y + 1) % rows == 0, :, 2] = border[y % rows == 0, :, 3] = True
    inner = np.where(border, 0.0, link_load)
    return float(inner[..., :2].sum()), float(inner[..., 2:].sum()), float(link_load[border].sum())


def chips_used(target, routing):
    """Number of chips that hold a core in use or pass a message on."""
    y, x = np.nonzero(routing.link_load.any(2))
    tiles = np.concatenate([routing.core_tile, np.stack([x, y], 1)])
    return len(np.unique(target.chip_of_tile(tiles[:, 0], tiles[:, 1])))


def barrier_ns(target, tiles):
    """Time of the barrier that ends a step, by the number of tiles in use.

    Linear between the points of the target: one tile, ``barrier_between_ns``, and all tiles of one chip.  Beyond one
    chip it grows on at the mean slope; the interpolation and that growth are our model.
    """
    everything = target.mesh_width * target.mesh_height // target.n_chips
    first, last = target.barrier_one_tile_ns, target.barrier_all_tiles_ns
    points = [(1, first), *(p for p in target.barrier_between_ns if p[0] < everything)]
    points += [(everything, last)] if everything > 1 else []
    slope = (last - first) / (everything - 1) if everything > 1 else 0.0
    return float(np.interp(tiles, *zip(*points, strict=True)) + slope * max(tiles - everything, 0))
