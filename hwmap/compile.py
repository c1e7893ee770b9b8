"""From a trained network to a placed, routed and costed chip."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from spsnn.errors import ConfigError
from spsnn.hwmap.cost.route import route, synapse_hops
from spsnn.hwmap.cost.simple import cost
from spsnn.hwmap.delays import modes as delay_modes
from spsnn.hwmap.exports import export
from spsnn.hwmap.exports import layout as layouts
from spsnn.hwmap.exports.sanafe import write_sanafe
from spsnn.hwmap.noc.result import simulate_noc
from spsnn.hwmap.partition.cores import cores_again, resolve
from spsnn.hwmap.partition.cores import partition as assign_cores
from spsnn.hwmap.partition.crossbar import assign_tiles, tiles_again
from spsnn.hwmap.partition.fan_in import check_relays, partition_in_parts
from spsnn.hwmap.place.methods import place
from spsnn.hwmap.place.refine import Objective
from spsnn.hwmap.quantise.quantised import delay_error, quantise, time_constant_error, weight_error
from spsnn.hwmap.targets.support import check_decays, neuron_label
from spsnn.hwmap.targets.target import load_target
from spsnn.hwmap.traffic.events import Wiring
from spsnn.hwmap.traffic.flat import Flat


@dataclass(frozen=True)
class Chip:
    """A network mapped on a target.

    Attributes:
        network: what was mapped.
        target: ``Target``.
        options: ``seed``, ``partition``, ``placement`` and ``delay_mode`` of ``compile``.
        integers: ``Quantised``: integer weights, realised delay steps, scales.
        flat: ``Flat``: the common numbering of neurons.
        partition: ``Partition``: neurons to cores.
        slots: place of every core ``[n_cores]``.
        routing: ``Routing``: routes and link loads.
        cost: energy, latency and counts of one inference.
        bits: ``DelayBits`` that the delay mode adds.
        extra: ``neuron_label``, and what the delay mode stores: ``laws``, ``coordinates`` and ``grid`` (computed) or
            ``residuals`` (hop).
    """

    network: object
    target: object
    options: dict
    integers: object
    flat: Flat
    partition: object
    slots: np.ndarray
    routing: object
    cost: dict
    bits: object
    extra: dict = field(default_factory=dict)

    @property
    def quantised(self):
        """The network with weights and delays as the chip would realise them; run it to measure accuracy."""
        return self.integers.network

    @property
    def delay_mode(self):
        """``stored``, ``computed`` or ``hop``."""
        return self.options["delay_mode"]

    @property
    def hypothetical(self):
        """True if no such chip realises delays this way."""
        return self.target.hypothetical(self.delay_mode)

    def core_of(self, population):
        """Core of every neuron of a population ``[size]``; -1 for input units."""
        return self.partition.core[self.flat.members(population)]

    def tile_of(self, population):
        """Tile ``(x, y)`` of every neuron of a population ``[size, 2]``; the port for input units."""
        core = self.core_of(population)
        return np.where((core < 0)[:, None], np.array(self.target.port), self.routing.core_tile[core])

    def simulate(self, traces, settings=None, *, timing="noc", step_ns=None):
        """Latency, energy and headroom of recorded spike traces; see `simulate_noc`, whose arguments these are."""
        return simulate_noc(self, traces, settings, timing=timing, step_ns=step_ns)

    def report(self):
        """All figures of the mapping in one flat dict that JSON can hold; units are in the key names."""
        network, target, use = self.network, self.target, self.partition.use
        axons_in, neurons = int(use["axons_in"].sum()), int(use["neurons"].sum())
        synapses = sum(p.n_synapses for p in network.projections)
        out = {
            "network": network.name,
            "target": target.name,
            "target_title": target.title,
            "target_note": target.note,
            "neuron_label": self.extra["neuron_label"],
            "delay_mode": self.delay_mode,
            "delay_label": target.delay_label(self.delay_mode),
            "hypothetical": self.hypothetical,
            "partition": self.options["partition"],
            "placement": self.options["placement"],
            "seed": self.options["seed"],
            "routing": "multicast" if target.multicast else "unicast",
            "neurons_on_chip": len(self.flat.on_chip),
            "input_units": int(self.flat.is_input.sum()),
            "synapses": synapses,
            "cores_used": self.partition.n_cores,
            "cores_total": target.n_cores,
            "tiles_used": len(np.unique(self.routing.core_tile, axis=0)),
            "tiles_total": target.mesh_width * target.mesh_height,
            "chips_total": target.n_chips,
            "repair_moves": self.partition.moves,
            "fan_in_max": int(self.flat.fan_in.max(initial=0)),
            "synapse_memory_total_bits": int(use["synapse_memory_bits"].sum()),
            "delay_storage_bits": self.bits.per_synapse * (synapses + neurons - len(self.flat.on_chip))
            + self.bits.per_neuron * neurons
            + self.bits.per_axon * axons_in,
            "delay_bits_per_synapse": self.bits.per_synapse,
            "delay_bits_per_neuron": self.bits.per_neuron,
            "delay_bits_per_axon": self.bits.per_axon,
            "weight_bits": target.weight_bits,
            "weight_scale": self.options["scale"],
        }
        for name, limit in self.partition.limits.items():
            share = use[name] / getattr(target, limit)
            out[f"utilisation_{name}_max"] = float(share.max())
            out[f"utilisation_{name}_mean"] = float(share.mean())
        out |= self.partition.figures or {}
        laws = self.extra.get("laws")
        if laws:
            out["delay_fit_residual_rms_steps"] = max(law.residual_rms_steps for law in laws)
        out |= delay_error(network, self.integers.delays, self.integers.clipped)
        out["delays_clipped"] = int(sum(c.sum() for c in self.integers.clipped))
        out |= weight_error(network, self.integers) | time_constant_error(network, self.integers)
        return out | self.cost

    def layout(self):
        """The mapping as a ``Layout``: neurons, cores, tiles, integers and routes."""
        return layouts.from_chip(self)

    def export(self, path, format=None):
        """Write the layout, or another format of `spsnn.hwmap.exports`; the suffix chooses where none is named.

        Raises:
            ExportError: unknown format or suffix (names the known ones), or the file cannot be written.
        """
        export(self, path, format)

    def export_sanafe(self, folder, trace=None):
        """Write input files of the simulator SANA-FE, see `spsnn.hwmap.exports.sanafe.write_sanafe`."""
        write_sanafe(self, folder, trace)


def compile(
    network,
    target="loihi2",
    *,
    seed=0,
    partition="auto",
    placement="learned",
    delay_mode="stored",
    cores=None,
    objective=None,
    scale="max",
    split_fan_in=False,
):
    """Map a trained network on a chip: quantise, partition, place, route, cost.

    Args:
        network: ``spsnn.graph.Network`` with measured rates.
        target: name of a packaged target, path of a TOML file, or ``Target`` (docs/targets.md).
        seed: of the partitioner and of placement.
        partition: ``mtkahypar``, ``geometric``, or ``auto``: ``mtkahypar`` up to 50,000 neurons or where one has no
            coordinates, ``geometric`` beyond.  The report names the one used.
        placement: ``learned``, ``random``, ``row_major``, ``hilbert``, ``force_directed``, ``spectral`` or ``qap``;
            ``+refine`` after it adds the swap search (``learned+refine``).
        delay_mode: ``stored`` (delay bits with every synapse), ``computed`` (from coordinates, at the receiver) or
            ``hop`` (held by the mesh).  Anything but ``stored`` is hypothetical on Loihi and labelled so.
        cores: number of cores to spread over (crossbars: of tiles that hold neurons); None takes the smallest number
            found to fit.
        objective: ``Objective`` of the swap search; None weighs hops, and in ``hop`` mode delay error as much.
        scale: of the integer weights, ``max``, ``mse`` or ``spikes``: see ``spsnn.hwmap.quantise.scales``.
        split_fan_in: let a neuron with more synapses than a core holds have relays on other cores, where the target has
            graded spikes: see ``spsnn.hwmap.partition.fan_in``.  Not in ``hop`` mode.

    Returns:
        Chip.

    Raises:
        ConfigError: unknown option, one that needs coordinates the network lacks, or neurons the target refuses.
        DataError: the network has no measured rates.
        CapacityError: the network does not fit, or a core cannot hold its time constants.
    """
    if objective is not None and not str(placement).endswith("+refine"):
        raise ConfigError(
            f"objective is that of the swap search, which placement={placement!r} leaves out; take "
            f"placement='{placement}+refine'"
        )
    mapper = _Mapper(network, target, seed, partition, delay_mode, cores, scale, split_fan_in)
    return mapper.chip(placement, objective=objective)


def compare_placements(
    network,
    target="loihi2",
    seeds=range(5),
    *,
    partition="auto",
    delay_mode="stored",
    cores=None,
    placements=("learned", "random", "row_major"),
):
    """Placements against each other, paired: one partition for each seed, placed in every way.

    Returns:
        list of dicts, one for each seed and placement: ``placement``, ``seed``, ``target``, ``delay_label``,
        ``hypothetical``, ``cores_used``, ``hops_per_inference`` (spike-weighted), ``hops_per_message``,
        ``link_load_max``, ``energy_nj_per_inference``, ``energy_dynamic_nj_per_inference``,
        ``latency_us_per_inference``, ``energy_source``, ``time_source``, ``neuron_label``, ``activity_source``.
    """
    seeds = list(seeds)
    if not seeds:
        raise ConfigError("compare_placements needs at least one seed, got none")
    rows = []
    for seed in seeds:
        mapper = _Mapper(network, target, seed, partition, delay_mode, cores)
        for placement in placements:
            report = mapper.chip(placement).report()
            rows.append({name: report[name] for name in _COMPARED})
    return rows


_COMPARED = (
    "placement",
    "seed",
    "target",
    "delay_label",
    "hypothetical",
    "cores_used",
    "hops_per_inference",
    "hops_per_message",
    "link_load_max",
    "energy_nj_per_inference",
    "energy_dynamic_nj_per_inference",
    "latency_us_per_inference",
    "energy_source",
    "time_source",
    "neuron_label",
    "activity_source",
)


class _Mapper:
    """The steps before placement, done once."""

    def __init__(
        self, network, target, seed, partition, delay_mode, cores, scale="max", split_fan_in=False, held=None
    ):  # fmt: skip
        delay_modes.check_delay_mode(delay_mode)
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
            raise ConfigError(f"seed must be a whole number >= 0, got {seed!r}")
        if not (network.dt > 0 and network.n_steps >= 1):
            raise ConfigError(
                f"network needs dt > 0 and at least one step, got dt {network.dt}, duration {network.duration}"
            )
        self.network, self.target = network, load_target(target)
        self.flat = Flat.of(network)
        self.options = {"seed": int(seed), "partition": resolve(partition, self.flat), "delay_mode": delay_mode,
                        "scale": scale, "split_fan_in": split_fan_in}  # fmt: skip
        self.neurons = neuron_label(network, self.target)
        self.bits = delay_modes.delay_bits(network, self.target, delay_mode)
        self.integers, self.extra = quantise(network, self.target, scale), {"neuron_label": self.neurons}
        if delay_mode == "computed":
            laws = delay_modes.fit_delay_law(network)
            delays, clipped, coordinates, grid = delay_modes.computed_delays(network, self.target, laws)
            self.integers = self.integers.with_delays(delays, clipped)
            self.extra |= {"laws": laws, "coordinates": coordinates, "grid": grid}
        how = {"method": self.options["partition"], "cores": cores, "seed": seed}
        delays = np.concatenate([np.zeros(0, np.int64), *self.integers.delays])
        if held is not None and self.target.family == "crossbar":
            self.partition = tiles_again(self.flat, self.target, delays, held)
        elif held is not None and held.part is None:
            self.partition = cores_again(self.flat, self.target, self.bits, held)
        elif held is not None:
            self.partition = held
            check_relays(self.flat, held, delays)
        elif self.target.family == "crossbar":
            self.partition = assign_tiles(self.flat, self.target, delays, **how)
        elif split_fan_in:
            if delay_mode == "hop":
                raise ConfigError("split_fan_in knows no delays made by hops: use delay_mode 'stored' or 'computed'")
            weights = np.concatenate([np.zeros(0, np.int64), *self.integers.weights])
            self.partition = partition_in_parts(self.flat, self.target, self.bits, delays, weights, **how)
        else:
            self.partition = assign_cores(self.flat, self.target, self.bits, **how)
        check_decays(self.flat, self.integers.network, self.target, self.partition)
        self.sums = Wiring.of(self.flat, self.target, self.partition, self.bits).mean().sums

    def chip(self, placement, slots=None, objective=None):
        network, target, flat, parts = self.network, self.target, self.flat, self.partition
        if objective is None and self.options["delay_mode"] == "hop":
            objective = Objective(hops=1.0, delay=1.0)
        if slots is None:
            options = {"seed": self.options["seed"], "objective": objective, "network": network, "sums": self.sums}
            slots = place(flat, target, parts, method=placement, **options)
        routing = route(flat, target, parts, slots, self.sums)
        integers, extra = self.integers, dict(self.extra)
        if self.options["delay_mode"] == "hop":
            hops = synapse_hops(flat, target, parts, routing)
            delays, clipped, residuals = delay_modes.hop_delays(network, target, hops)
            integers = integers.with_delays(delays, clipped)
            extra |= {"residuals": residuals}
        return Chip(
            network=network,
            target=target,
            options=self.options | {"placement": placement},
            integers=integers,
            flat=flat,
            partition=parts,
            slots=slots,
            routing=routing,
            cost=cost(flat, target, parts, routing, self.bits),
            bits=self.bits,
            extra=extra,
        )
