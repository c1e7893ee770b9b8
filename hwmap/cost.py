"""The ``simple`` cost model: energy and latency of one inference, by component."""

from __future__ import annotations

import numpy as np

ASSUMPTIONS = (
    "activity spread evenly over the steps, so bursts make real steps longer; each event at a neuron in a step of its "
    "own, so active updates are an upper bound; no queueing on links; host side and input/output not counted; static "
    "power of the whole chip"
)


def cost(flat, target, partition, routing):
    """Energy and latency of one inference from measured spike counts.

    Counted per inference (rates ``r``, steps ``T``):

        synaptic operations   sum over synapses of r_pre
        active updates        sum over neurons of min(T, events that reach it);  inactive updates = T * neurons - active
        messages received     r for each core that a neuron reaches
        messages sent         the same (unicast) or r for each neuron with a destination (multicast)
        hops                  links crossed by messages, east-west and north-south

    Energy of a component is its count times its energy per event; static energy is power times latency.  Each message
    received costs one within-tile delivery.  A step lasts

        max over cores of (generation + reception) / T  +  barrier(tiles in use)
        generation = active and inactive updates, spikes, messages sent
        reception  = messages received, synaptic operations

    and the barrier grows linearly from one tile to all.  Input units cost messages, hops and synaptic operations, but
    no updates.

    Returns:
        dict: ``energy_<component>_nj``, ``energy_nj_per_inference``, ``latency_us_per_inference``, ``count_*``,
        ``step_*_ns``, ``edp_nj_us``, ``throughput_inferences_per_s``, ``hops_*``, ``link_load_*`` and the sources.
    """
    steps, k = flat.network.n_steps, partition.n_cores
    inside = flat.on_chip
    core = partition.core[inside]

    def per_core(values):
        return np.bincount(core, values[inside], minlength=k)

    per_neuron = np.bincount(flat.post, flat.rates[flat.pre], minlength=flat.n)
    active = per_core(np.minimum(per_neuron, steps))
    inactive = steps * np.bincount(core, minlength=k) - active
    spikes = per_core(flat.rates)
    synops = per_core(per_neuron)
    received = flat.rates @ partition.reached
    copies = partition.reached.any(1) if target.multicast else partition.reached.sum(1)
    sent = per_core(flat.rates * copies)
    source = flat.network.activity_source or "not stated"
    return cost_of_cores(target, steps, routing, active, inactive, spikes, synops, received, sent, source)


def cost_of_cores(target, steps, routing, active, inactive, spikes, synops, received, sent, activity_source):
    """`cost` from the events of every core ``[K]`` each."""
    counts = {
        "synaptic_op": synops.sum(),
        "neuron_active": active.sum(),
        "neuron_inactive": inactive.sum(),
        "spike_out": spikes.sum(),
        "axon_out": sent.sum(),
        "axon_in": received.sum(),
        "within_tile": received.sum(),
        "hop_ew": routing.hops_ew,
        "hop_ns": routing.hops_ns,
    }
    generation = (
        active * target.time_neuron_active_ns
        + inactive * target.time_neuron_inactive_ns
        + spikes * target.time_spike_out_ns
        + sent * target.time_axon_out_ns
    ) / steps
    reception = (
        received * (target.time_axon_in_ns + target.time_within_tile_ns) + synops * target.time_synaptic_op_ns
    ) / steps
    busiest = int(np.argmax(generation + reception))
    barrier = barrier_ns(target, len(np.unique(routing.core_tile, axis=0)))
    step = generation[busiest] + reception[busiest] + barrier
    latency_us = steps * step * 1e-3

    energy = {name: count * getattr(target, f"energy_{name}_pj") * 1e-3 for name, count in counts.items()}
    energy["static"] = target.static_power_mw * latency_us  # mW * us = nJ
    total = sum(energy.values())
    links = routing.link_load[routing.link_load > 0]
    out = {f"energy_{name}_nj": value for name, value in energy.items()}
    out |= {f"count_{name}": value for name, value in counts.items()}
    out |= {
        "energy_nj_per_inference": total,
        "energy_dynamic_nj_per_inference": total - energy["static"],
        "latency_us_per_inference": latency_us,
        "edp_nj_us": total * latency_us,
        "throughput_inferences_per_s": 1e6 / latency_us if latency_us > 0 else float("inf"),
        "steps_per_inference": steps,
        "step_ns": step,
        "step_generation_ns": generation[busiest],
        "step_reception_ns": reception[busiest],
        "step_barrier_ns": barrier,
        "step_busiest_core": busiest,
        "hops_per_inference": counts["hop_ew"] + counts["hop_ns"],
        "hops_per_message": (counts["hop_ew"] + counts["hop_ns"]) / received.sum() if received.sum() > 0 else 0.0,
        "link_load_max": links.max(initial=0.0),
        "link_load_mean": links.mean() if len(links) else 0.0,
        "link_load_variance": links.var() if len(links) else 0.0,
    }
    out = {name: value if isinstance(value, int) else float(value) for name, value in out.items()}
    return out | {
        "timing_model": "simple",
        "cost_assumptions": ASSUMPTIONS,
        "energy_source": target.energy_source,
        "time_source": target.time_source,
        "activity_source": activity_source,
    }


def barrier_ns(target, tiles):
    """Time of the barrier that ends a step, linear from one tile to all tiles of the mesh."""
    everything = target.mesh_width * target.mesh_height
    share = (tiles - 1) / (everything - 1) if everything > 1 else 0.0
    return target.barrier_one_tile_ns + share * (target.barrier_all_tiles_ns - target.barrier_one_tile_ns)
