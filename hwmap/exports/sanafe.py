"""A mapped network as input files of SANA-FE: architecture and network in YAML, spikes fed as recorded.

Every neuron becomes two in SANA-FE, whose input neurons play spikes but receive none: a *sender* that plays the
spikes, pays for them and owns the axons, and a *receiver* that owns the synapses and pays for updates.  Weights are 0,
so that a receiver is updated in the step after an event reaches it and never spikes.  Input units are senders on a core
of their own at the port that costs nothing.

Source: SANA-FE 2.2.9 (J. A. Boyle et al., IEEE TCAD 2025); the package never imports it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from spsnn.atomic import replacing
from spsnn.errors import ExportError
from spsnn.graph.hdf5 import make_folder
from spsnn.hwmap.cost.simple import barrier_ns
from spsnn.hwmap.traffic.events import Wiring

ARCHITECTURE, NETWORK = "architecture.yaml", "network.yaml"


def write_sanafe(chip, folder, trace=None):
    """Write ``architecture.yaml`` and ``network.yaml`` into a folder, for ``sanafe.load_arch`` and ``sanafe.load_net``.

    Args:
        chip: ``Chip``.
        folder: made if it does not exist.
        trace: ``Trace`` of the spikes to play; None draws them at the measured mean rates (``poisson`` of SANA-FE).

    Raises:
        ExportError: the mapping has what SANA-FE lacks: multicast, links between chips, partial sums.
    """
    target = chip.target
    if target.multicast:
        raise ExportError(f"SANA-FE is unicast, {target.name} multicast: map with load_target(..., multicast=False)")
    if target.n_chips > 1:
        raise ExportError(f"SANA-FE knows one mesh with one price of a hop; {target.name} has {target.n_chips} chips")
    wiring = Wiring.of(chip.flat, target, chip.partition, chip.bits)
    if len(wiring.sums[1]):
        raise ExportError("SANA-FE has no partial sums: this mapping splits rows of crossbars, or fan-in, over cores")
    make_folder(folder)
    for name, text in ((ARCHITECTURE, _architecture(chip)), (NETWORK, _network(chip, wiring, trace))):
        with replacing(Path(folder) / name, ExportError) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _architecture(chip):
    """Tiles in SANA-FE's order, column by column; the port's tile has one core more, for the host."""
    target, flat = chip.target, chip.flat
    senders = int(np.bincount(chip.partition.core[flat.on_chip]).max())
    port = target.port[0] * target.mesh_height + target.port[1]
    last = target.mesh_width * target.mesh_height - 1
    core = _core("core", target, target.cores_per_tile, senders)
    host = _core("host", target, 1, max(int(flat.is_input.sum()), 1), free=True)
    tiles = [("before", port, core), ("port", 1, core + host), ("after", last - port, core)]
    sync = barrier_ns(target, len(np.unique(chip.routing.core_tile, axis=0)))
    head = [
        f"# {flat.network.name} on {target.name}; energies: {target.energy_source}".replace("\n", " "),
        "architecture:",
        f"  name: {target.name}",
        "  attributes:",
        "    topology: mesh",
        f"    width: {target.mesh_width}",
        f"    height: {target.mesh_height}",
        "    link_buffer_size: 1",
        "    sync_model: fixed",
        f"    latency_sync: {_ns(sync)}",
        "  tile:",
    ]
    hops = _attributes(
        {f"energy_{side}_hop": _pj(target.energy_hop_ns_pj) for side in ("north", "south")}
        | {f"latency_{side}_hop": _ns(target.time_hop_ns_ns) for side in ("north", "south")}
        | {f"energy_{side}_hop": _pj(target.energy_hop_ew_pj) for side in ("east", "west")}
        | {f"latency_{side}_hop": _ns(target.time_hop_ew_ns) for side in ("east", "west")}
    )
    for name, count, cores in tiles:
        if count:
            head += [f"    - name: {name}[0..{count - 1}]", f"      attributes: {hops}", "      core:", *cores]
    return "\n".join(head) + "\n"


def _core(name, target, count, senders, free=False):
    """Lines of a core; one SANA-FE input unit plays one train, so there is one for each sender."""

    def cost(what, energy, time):
        scale = 0.0 if free else 1.0
        return {f"energy_{what}": _pj(scale * energy), f"latency_{what}": _ns(scale * time)}

    t = target
    dense = (t.energy_synaptic_op_pj, t.time_synaptic_op_ns)
    sparse = (
        dense[0] if t.energy_synaptic_op_sparse_pj is None else t.energy_synaptic_op_sparse_pj,
        dense[1] if t.time_synaptic_op_sparse_ns is None else t.time_synaptic_op_sparse_ns,
    )
    access = (t.energy_neuron_inactive_pj, t.time_neuron_inactive_ns)
    update = (t.energy_neuron_active_pj - access[0], t.time_neuron_active_ns - access[1])
    arrival = (t.energy_axon_in_pj + t.energy_within_tile_pj, t.time_axon_in_ns + t.time_within_tile_ns)
    nothing = cost("access_neuron", 0, 0) | cost("update_neuron", 0, 0)
    sender = nothing | cost("spike_out", t.energy_spike_out_pj, t.time_spike_out_ns)
    receiver = cost("access_neuron", *access) | cost("update_neuron", *update) | cost("spike_out", 0, 0)
    units = {
        "axon_in": [("in", cost("message_in", *arrival))],
        "synapse": [
            (
                "dense",
                {"model": "current_based"} | cost("process_spike", t.energy_synaptic_op_pj, t.time_synaptic_op_ns),
            ),
            ("sparse", {"model": "current_based"} | cost("process_spike", *sparse)),
        ],
        "dendrite": [("sum", {"model": "accumulator"} | cost("update", 0, 0))],
        "soma": [
            (f"sender[0..{senders - 1}]", {"model": "input"} | sender),
            ("receiver", {"model": "leaky_integrate_fire"} | receiver),
            ("second", {"model": "leaky_integrate_fire"} | nothing | cost("spike_out", 0, 0)),
        ],
        "axon_out": [("out", cost("message_out", t.energy_axon_out_pj, t.time_axon_out_ns))],
    }
    room = 3 * senders
    lines = [f"        - name: {name}[0..{count - 1}]"]
    attributes = {"buffer_position": "soma", "buffer_inside_unit": "false", "max_neurons_supported": room}
    lines += [f"          attributes: {_attributes(attributes)}"]
    for kind, entries in units.items():
        lines += [f"          {kind}:"]
        for unit, values in entries:
            lines += [f"            - name: {unit}", f"              attributes: {_attributes(values)}"]
    return lines


def _network(chip, wiring, trace):
    """Groups ``send``, ``receive`` and, for synapses of the rarer storage of a neuron, ``second``."""
    flat, n_steps = chip.flat, chip.network.n_steps if trace is None else trace.n_steps
    inside = flat.on_chip
    mapping, unit = _places(chip)
    kind, second, of = _receivers(flat, wiring)
    lines = ["network:", "  name: mapped", "  groups:", "    - name: send", "      attributes: []", "      neurons:"]
    spikes = _trains(flat, trace, n_steps)
    lines += [f'        - {i}: [soma_hw_name: "sender[{unit[i]}]"{spikes[i]}]' for i in range(flat.n)]
    never = "threshold: 1.0e9"
    lines += ["    - name: receive", f"      attributes: [soma_hw_name: receiver, {never}]", "      neurons:"]
    lines += [f"        - {k}: [synapse_hw_name: {kind[i]}]" for k, i in enumerate(inside)]
    if len(second):
        lines += ["    - name: second", f"      attributes: [soma_hw_name: second, {never}]", "      neurons:"]
        other = {"dense": "sparse", "sparse": "dense"}
        lines += [f"        - {k}: [synapse_hw_name: {other[kind[i]]}]" for k, i in enumerate(second)]
    lines += ["  edges:"]
    lines += [f"    - send.{a} -> {b}: [weight: 0.0]" for a, b in zip(flat.pre, of, strict=True)]
    lines += ["mappings:"]
    lines += [f"  - send.{i}: [core: {mapping[i]}]" for i in range(flat.n)]
    lines += [f"  - receive.{k}: [core: {mapping[i]}]" for k, i in enumerate(inside)]
    lines += [f"  - second.{k}: [core: {mapping[i]}]" for k, i in enumerate(second)]
    return "\n".join(lines) + "\n"


def _places(chip):
    """SANA-FE core ``tile.core`` of every neuron, and its number among the senders of that core."""
    target, core = chip.target, chip.partition.core
    tile = chip.routing.core_tile[:, 0] * target.mesh_height + chip.routing.core_tile[:, 1]
    names = [f"{t}.{s % target.cores_per_tile}" for t, s in zip(tile, chip.slots, strict=True)]
    port = f"{target.port[0] * target.mesh_height + target.port[1]}.{target.cores_per_tile}"
    order = np.argsort(core, kind="stable")
    first = np.searchsorted(core[order], core)
    rank = np.empty(len(core), int)
    rank[order] = np.arange(len(core))
    return [port if k < 0 else names[k] for k in core], rank - first


def _receivers(flat, wiring):
    """Storage of every neuron's receiver, neurons that need a second one, and the receiver of every synapse."""
    counts = np.bincount(2 * flat.post + wiring.sparse, minlength=2 * flat.n).reshape(-1, 2)
    kind = np.array(["dense", "sparse"])[(counts[:, 1] > counts[:, 0]).astype(int)]
    second = np.flatnonzero((counts > 0).all(1))
    number, number2 = np.cumsum(~flat.is_input) - 1, np.full(flat.n, -1)
    number2[second] = np.arange(len(second))
    rare = (kind[flat.post] == "sparse") != wiring.sparse
    of = [f"second.{number2[j]}" if r else f"receive.{number[j]}" for j, r in zip(flat.post, rare, strict=True)]
    return kind, second, of


def _trains(flat, trace, n_steps):
    """Attribute of every sender that makes it spike."""
    if trace is None:
        return [f", poisson: {min(rate / n_steps, 1.0):.9g}" if rate else "" for rate in flat.rates]
    played = np.zeros((n_steps, flat.n), np.int8)
    played[trace.step, trace.neuron] = 1
    return [", spikes: [" + ", ".join(map(str, column)) + "]" if column.any() else "" for column in played.T]


def _attributes(values):
    return "{" + ", ".join(f"{name}: {value}" for name, value in values.items()) + "}"


def _pj(value):
    return f"{value:.10g}e-12"


def _ns(value):
    return f"{value:.10g}e-9"
