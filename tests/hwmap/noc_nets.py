"""Networks on meshes, placed by hand, for the tests of the network on the chip."""

from types import SimpleNamespace

import numpy as np

from spsnn.graph.network import Network, Population, Projection
from spsnn.hwmap import load_target
from spsnn.hwmap.cost.route import route
from spsnn.hwmap.partition import Partition
from spsnn.hwmap.traffic.flat import Flat
from spsnn.hwmap.traffic.trace import Trace

TIMES = {
    "time_synaptic_op_ns": 10,
    "time_neuron_active_ns": 0,
    "time_neuron_inactive_ns": 0,
    "time_spike_out_ns": 0,
    "time_axon_out_ns": 0,
    "time_axon_in_ns": 1,
    "time_within_tile_ns": 2,
    "barrier_one_tile_ns": 100,
    "barrier_all_tiles_ns": 100,
}


def place_by_hand(
    tiles,
    synapses,
    *,
    core=None,
    inputs=0,
    size=(4, 4),
    cores_per_tile=1,
    delay=0,
    rates=None,
    synapse_core=None,
    **figures,
):
    """Neurons on cores on tiles.

    Args:
        tiles: tile ``(x, y)`` of every core, no two cores of one slot.
        synapses: ``(pre, post)`` in the numbering of all neurons, input units first.
        core: core of every neuron that is no input; by default one each.
        inputs: number of input units.
        synapse_core: core of every synapse ``{(pre, post): core}``; by default that of its postsynaptic neuron.
    """
    core = np.arange(len(tiles)) if core is None else np.asarray(core)
    n = len(core)
    target = load_target(
        "mesh", mesh_width=size[0], mesh_height=size[1], cores_per_tile=cores_per_tile, **(TIMES | figures)
    )
    zeros = np.zeros(inputs + n)
    rates = zeros if rates is None else rates
    populations = [Population("in", inputs, "input", rates=rates[:inputs])] if inputs else []
    populations.append(Population("a", n, "lif", rates=rates[inputs:]))
    pre, post = np.array(sorted({(int(i), int(j)) for i, j in synapses})).reshape(-1, 2).T
    projections = []
    for name, first, last in (("in", 0, inputs), ("a", inputs, inputs + n)):
        own = (first <= pre) & (pre < last)
        ptr, values = np.searchsorted(pre[own], np.arange(first, last + 1)), np.full(own.sum(), float(delay))
        if own.any():
            projections.append(
                Projection(name, "a", ptr, (post[own] - inputs).astype(np.int32), 1 + 0 * values, values)
            )
    network = Network(tuple(populations), tuple(projections), 1.0, 100.0)
    flat = Flat.of(network)
    cores = np.concatenate([np.full(inputs, -1), core]).astype(np.int64)
    reached = np.zeros((flat.n, len(tiles)), bool)
    places = (
        None if synapse_core is None else np.array([synapse_core[k] for k in zip(flat.pre, flat.post, strict=True)])
    )
    reached[flat.pre, cores[flat.post] if places is None else places] = True
    partition = Partition(cores, len(tiles), {}, reached, 0, synapse_core=places)
    used = np.zeros((size[1], size[0]), int)
    slots = []
    for x, y in tiles:
        slots.append((y * size[0] + x) * cores_per_tile + used[y, x])
        used[y, x] += 1
    return SimpleNamespace(
        flat=flat,
        target=target,
        partition=partition,
        routing=route(flat, target, partition, slots),
        slots=np.array(slots),
        bits=None,
        integers=SimpleNamespace(delays=[np.rint(p.delay).astype(np.int64) for p in projections]),
    )


def spikes(n_steps, *at):
    """Trace with spikes ``(step, neuron)``."""
    step, neuron = np.array(sorted(at), np.int64).reshape(-1, 2).T
    return Trace(step, neuron, n_steps)
