"""Pictures of a mapped network: what `spsnn.hwmap.compile` returns, handed to the functions that take arrays."""

from __future__ import annotations

import numpy as np

from spsnn.hwmap.cost import COMPONENTS
from spsnn.pictures._chip import chip_mesh
from spsnn.pictures._delay_error import delay_error_histogram
from spsnn.pictures._energy import energy_bars
from spsnn.pictures._latency import latency_histogram
from spsnn.pictures._links import link_load_histogram
from spsnn.pictures._pareto import pareto_front
from spsnn.pictures._placement import placement
from spsnn.pictures._style import count

_DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1))  # east, west, north, south, as in `spsnn.hwmap.cost.route`

_WORDS = {
    "synaptic_op": "synaptic operations",
    "neuron_active": "active neuron updates",
    "neuron_inactive": "inactive neuron updates",
    "spike_out": "spikes generated",
    "axon_out": "messages sent",
    "axon_in": "messages received",
    "within_tile": "deliveries within a tile",
    "synaptic_op_sparse": "sparse synaptic operations",
    "chip_link": "links between chips",
    "merge": "merges of partial sums",
    "hop_ew": "hops east-west",
    "hop_ns": "hops north-south",
}


def chip_pictures(chip, *, front=(), noc=None):
    """All pictures that a chip allows.

    Args:
        chip: `spsnn.hwmap.Chip`.
        front: rows for `pareto_front`, if there are any.
        noc: latencies of simulated traces, or None: an object with ``timing`` (``noc`` or ``queue``), ``latency_ns`` of
            every message, ``inference_us`` of every trace; what ``chip.simulate`` returns.

    Returns:
        dict from a short name to ``(caption, Figure)``.
    """
    out = {"mesh": ("Cores by number of neurons, links by spikes per inference.", mesh(chip))}
    if _spatial(chip):
        out["placement"] = (
            "Neurons where they live in the learned space, and in the same colours on the cores that hold them.",
            learned_placement(chip),
        )
    out["links"] = ("How evenly spikes load the links.", link_loads(chip))
    if any(p.n_synapses for p in chip.network.projections):
        out["delays"] = ("Realised delays against the learned ones.", delay_errors(chip))
    out["energy"] = ("Energy of one inference.", energy(chip))
    if len(front):
        out["pareto"] = ("Placements by what they cost.", pareto_front(front, **_setting(chip)))
    return out if noc is None else out | _latencies(chip, noc)


def _latencies(chip, noc):
    note = f"timing model {noc.timing}, {count(len(noc.inference_us), 'recorded inference')}"
    out = {}
    if noc.timing == "noc" and len(noc.latency_ns):
        picture = latency_histogram(noc.latency_ns, what="message", note=note, **_setting(chip))
        out["latency"] = ("From when a message is due until its synapses are served.", picture)
    if len(noc.inference_us) > 1:
        picture = latency_histogram(1e3 * noc.inference_us, what="inference", note=note, **_setting(chip))
        out["inferences"] = ("How long each inference takes.", picture)
    return out


def mesh(chip):
    """`chip_mesh` of a chip: neurons on every core, spikes on every link."""
    held = chip.partition.use["neurons"]
    cores = [
        {"name": str(k), "x": int(x), "y": int(y), "load": float(held[k])}
        for k, (x, y) in enumerate(chip.routing.core_tile)
    ]
    links = []
    for y, x, d in zip(*np.nonzero(chip.routing.link_load), strict=True):
        dx, dy = _DIRECTIONS[d]
        load = float(chip.routing.link_load[y, x, d])
        links.append({"x0": int(x), "y0": int(y), "x1": int(x + dx), "y1": int(y + dy), "load": load})
    shape = chip.target.mesh_height, chip.target.mesh_width
    return chip_mesh(shape, cores, links, port=chip.target.port, chips=chip.target.chips, **_setting(chip))


def learned_placement(chip):
    """`placement` of a chip: every neuron with coordinates that sits on a core."""
    populations = _spatial(chip)
    return placement(
        np.concatenate([np.asarray(p.positions, float).reshape(p.size, -1) for p in populations]),
        np.concatenate([chip.core_of(p.name) for p in populations]),
        chip.routing.core_tile,
        population=[p.name for p in populations for _ in range(p.size)],
        unit="ms",
        **_setting(chip),
    )


def link_loads(chip):
    """`link_load_histogram` of a chip."""
    rows, cols = chip.target.mesh_height, chip.target.mesh_width
    links = 2 * (rows * (cols - 1) + cols * (rows - 1))
    return link_load_histogram(chip.routing.link_load, links=links, **_setting(chip))


def delay_errors(chip):
    """`delay_error_histogram` of a chip; spikes are the measured rates of the presynaptic neurons."""
    network, error, spikes = chip.network, [], []
    for p, steps in zip(network.projections, chip.integers.delays, strict=True):
        rates = network[p.pre].rates
        error.append(steps - p.delay / network.dt)
        spikes.append(np.zeros(p.n_synapses) if rates is None else np.asarray(rates, float)[p.sources])
    return delay_error_histogram(
        np.concatenate(error), np.concatenate(spikes), clipped=np.concatenate(chip.integers.clipped), **_setting(chip)
    )


def energy(chip):
    """`energy_bars` of a chip, with the provenance of each constant where they differ."""
    cost = chip.cost
    used = {name: cost[f"energy_{name}_nj"] for name in COMPONENTS if cost.get(f"energy_{name}_nj")}
    kinds = {_word(name): cost[f"energy_{name}_source"].split(":")[0] for name in used}
    return energy_bars(
        {_word(name): value for name, value in used.items() if name != "static"} or {"none": 0.0},
        static=cost["energy_static_nj"],
        sources=kinds if len(set(kinds.values())) > 1 else None,
        note=f"energies {', '.join(sorted(set(kinds.values()))) or 'none'}, timing model {cost['timing_model']}",
        **_setting(chip),
    )


def _word(component):
    return _WORDS.get(component, component.replace("_", " "))


def _setting(chip):
    target = chip.target
    return {
        "target": target.title or target.name,
        "delays": target.delay_label(chip.delay_mode),
        "hypothetical": chip.hypothetical,
    }


def _spatial(chip):
    """Populations on cores that have coordinates; none unless all live in one space."""
    populations = [p for p in chip.network.populations if p.kind != "input" and p.positions is not None]
    dims = {np.asarray(p.positions).reshape(p.size, -1).shape[1] for p in populations}
    return populations if len(dims) == 1 else []
