"""A quantised network in the fixed-point neurons of Loihi: what Lava's bit-accurate models and the chip run.

With the exact step of the grid engine, A = exp(-dt/tau_mem), B = exp(-dt/tau_syn),

    V[k] = A V[k-1] + C I[k-1],   I[k] = B I[k-1] + x[k],   C = tau_syn / (tau_mem - tau_syn) (A - B)

and u[k] = I[k-1] C in units of the potential.  So an arrival in step k of the grid is one in step k + 1 here, where a
spike at t with delay d is in the input of step t + 1 + d: **delays in steps are the same, and spikes fall into the same
steps** without any shift.  In integers,

    du = round(4096 (1 - B)) - 1      dv = round(4096 (1 - A))      vth = round(threshold / (C weight_unit))
    weight = integer * factor         weight_unit = scale / factor  potential = v C weight_unit / 64

``factor`` is the largest power of two that keeps all integers into a population within 254: 2 where they reach 64 to
127, more for weights of fewer bits.  It is even, since mixed-sign weights on the chip are; larger integers must be even
already.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from spsnn.errors import DataError, ExportError
from spsnn.graph.coupling import coupling
from spsnn.hwmap.quantise.quantised import Quantised, quantise
from spsnn.hwmap.targets.target import load_target

MAX_DELAY = 62  # steps
MAX_VTH = 2**17 - 1
MAX_WEIGHT = 254  # even, and within 8 bits for every sign mode
NO_THRESHOLD = MAX_VTH  # of a leaky integrator: reached only by a potential that is cut at 24 bits


@dataclass(frozen=True)
class IntegerPopulation:
    """Constants of a population; an input has none.

    Attributes:
        name, size, kind: as in the graph.
        du, dv, vth: decays of current and potential, threshold.
        bias_mant, bias_exp: ``bias_mant * 2^bias_exp`` is added to v at every step.
        unit: potential of the float network that v = 1 stands for.
        tau_mem, tau_syn, threshold: of the float network, for floating point in Lava; infinite where not given.
    """

    name: str
    size: int
    kind: str
    du: int = 0
    dv: int = 0
    vth: int = 0
    bias_mant: int = 0
    bias_exp: int = 0
    unit: float = 1.0
    tau_mem: float = math.inf
    tau_syn: float = math.inf
    threshold: float = math.inf


@dataclass(frozen=True)
class IntegerProjection:
    """Synapses in compressed rows: weights as the chip holds them, delays in steps; int32."""

    pre: str
    post: str
    indptr: np.ndarray
    indices: np.ndarray
    weight: np.ndarray
    delay: np.ndarray

    @property
    def sources(self):
        """Presynaptic neuron of every synapse ``[n_synapses]``."""
        return np.repeat(np.arange(len(self.indptr) - 1), np.diff(self.indptr))


@dataclass(frozen=True)
class IntegerRun:
    """Record of a run.

    Attributes:
        spikes: ``{population: [B, T, N]}`` uint8, inputs included.
        potential: ``{population: [B, T, N]}`` of leaky integrators, in units of the float network.
        wrapped: how often a current left 24 bits; then results are wrong, as they would be on the chip.  None where
            another simulator ran.
        clipped: how often a potential was cut at 24 bits; likewise.
    """

    spikes: dict
    potential: dict
    wrapped: int | None = None
    clipped: int | None = None


@dataclass(frozen=True)
class IntegerNetwork:
    """A network of fixed-point populations with delayed integer synapses.

    Attributes:
        populations: `IntegerPopulation`, in the order of the graph.
        projections: `IntegerProjection`.
        dt: step in ms.
        n_steps: steps of one inference.
        name: for reports.
    """

    populations: tuple
    projections: tuple
    dt: float
    n_steps: int
    name: str = "network"

    @classmethod
    def of(cls, network, target="loihi2"):
        """From ``Quantised`` (e.g. ``chip.integers``), or from a graph, which is quantised for ``target`` first.

        Raises:
            ExportError: a neuron, time constant, threshold, weight or delay that fixed-point Loihi cannot hold.
        """
        integers = network if isinstance(network, Quantised) else quantise(network, load_target(target))
        graph = integers.network
        factors = {p.name: _factor(p.name, graph, integers.weights) for p in graph.populations}
        populations = tuple(
            _population(p, graph.dt, integers.scales[p.name] / factors[p.name]) for p in graph.populations
        )
        projections = tuple(
            _projection(p, w * factors[p.post], d)
            for p, w, d in zip(graph.projections, integers.weights, integers.delays, strict=True)
        )
        return cls(populations, projections, graph.dt, graph.n_steps, graph.name)

    def check_single(self, form):
        """Refuse several synapses from one neuron to another in one projection, for a form that stores matrices.

        Raises:
            ExportError: names the first of them.
        """
        for p in self.projections:
            place = p.sources.astype(np.int64) * self[p.post].size + p.indices
            found, counts = np.unique(place, return_counts=True)
            if (counts > 1).any():
                pre, post = divmod(int(found[np.argmax(counts > 1)]), self[p.post].size)
                raise ExportError(
                    f"{p.pre} -> {p.post} has {counts.max()} synapses from neuron {pre} to {post}, {form} holds one; "
                    "give them a projection each, or export to nir"
                )

    def __getitem__(self, name):
        for p in self.populations:
            if p.name == name:
                return p
        raise KeyError(name)

    @property
    def inputs(self):
        """Populations that only bring spikes."""
        return tuple(p for p in self.populations if p.kind == "input")

    def run(self, spikes, *, backend="cpu"):
        """Run given input spikes.

        Args:
            spikes: ``{input population: [B, T, N] or [T, N]}`` of zeros and ones.
            backend: ``cpu`` (Numba) or ``reference`` (plain numpy); equal bit for bit.

        Returns:
            `IntegerRun`, with ``B = 1`` where inputs have no samples.

        Raises:
            DataError: inputs that are missing, unknown, not binary or of different lengths.
        """
        given = check_inputs(self, spikes)
        n_samples, n_steps, _ = next(iter(given.values())).shape
        ends = np.cumsum([p.size for p in self.populations])
        start = {p.name: int(end) - p.size for p, end in zip(self.populations, ends, strict=True)}
        flat = np.zeros((n_samples, n_steps, int(ends[-1])), np.uint8)
        for name, value in given.items():
            flat[:, :, start[name] : start[name] + self[name].size] = value
        sizes = [p.size for p in self.populations]
        du, dv, vth, bias = (
            np.repeat(np.array(values, np.int64), sizes)
            for values in zip(*((p.du, p.dv, p.vth, p.bias_mant << p.bias_exp) for p in self.populations), strict=True)
        )
        is_input, recorded = (np.repeat([p.kind == kind for p in self.populations], sizes) for kind in ("input", "li"))
        recorded = np.flatnonzero(recorded)
        if backend == "reference":
            from spsnn.kernels.reference.loihi import run_fixed

            run = run_fixed(flat, _flat_synapses(self, start), du, dv, vth, bias, is_input, recorded)
            flat, potential, wrapped, clipped = run.spikes, run.potential, run.wrapped, run.clipped
        else:
            from spsnn.kernels.cpu.loihi import run_fixed

            slot = np.full(len(is_input), -1, np.int64)
            slot[recorded] = np.arange(len(recorded))
            potential = np.zeros((n_samples, n_steps, len(recorded)), np.int32)
            events = np.zeros((n_samples, 2), np.int64)
            rows = _rows(*_flat_synapses(self, start), len(is_input))
            run_fixed(flat, *rows, du, dv, vth, bias, is_input, slot, potential, events)
            wrapped, clipped = (int(n) for n in events.sum(0))
        potentials, at = {}, 0
        for p in self.populations:
            if p.kind == "li":
                potentials[p.name] = potential[:, :, at : at + p.size] * p.unit
                at += p.size
        trains = {p.name: flat[:, :, start[p.name] : start[p.name] + p.size] for p in self.populations}
        return IntegerRun(trains, potentials, wrapped, clipped)


def check_inputs(network, spikes):
    """Inputs of a run as ``{name: [B, T, N]}``, in the order of the network.

    Raises:
        DataError: see `IntegerNetwork.run`.
    """
    wanted = {p.name: p.size for p in network.inputs}
    if set(spikes) != set(wanted) or not wanted:
        raise DataError(f"spikes are needed for the inputs {sorted(wanted)}, got them for {sorted(spikes)}")
    found, shape = {}, None
    for name, size in wanted.items():
        value = np.asarray(spikes[name])
        value = value[None] if value.ndim == 2 else value
        if value.ndim != 3 or value.shape[2] != size or value.size == 0:
            raise DataError(f"spikes of {name} have shape [samples, steps, {size}], got {np.shape(spikes[name])}")
        if not ((value == 0) | (value == 1)).all():
            raise DataError(f"spikes of {name} must be zeros and ones: a chip's spike carries no number")
        if shape not in (None, value.shape[:2]):
            raise DataError(f"all inputs have equal samples and steps; {name} has {value.shape[:2]}, another {shape}")
        found[name], shape = value.astype(np.uint8), value.shape[:2]
    return found


def _factor(name, graph, weights):
    """What integers into a population are multiplied with, so that they are even."""
    into = [w for p, w in zip(graph.projections, weights, strict=True) if p.post == name]
    largest = max((int(np.abs(w).max(initial=0)) for w in into), default=0)
    if largest and 2 * largest <= MAX_WEIGHT:
        # As large as 8 bits allow: decays of currents round towards zero, which small integers feel.
        return 2 ** int(math.log2(MAX_WEIGHT / largest))
    if largest > MAX_WEIGHT or any((w % 2).any() for w in into):
        raise ExportError(
            f"weights into {name} reach {largest}; Loihi holds integers up to 127, or even ones up to {MAX_WEIGHT}: "
            "quantise for a target with weight_bits of 8 or less"
        )
    return 1


def _population(p, dt, weight_unit):
    if p.kind == "input":
        return IntegerPopulation(p.name, p.size, p.kind)
    check_neuron(p)
    tau_mem, tau_syn = p.parameters["tau_mem"], p.parameters["tau_syn"]
    unit = float(coupling(dt, tau_mem, tau_syn)) * weight_unit
    vth = NO_THRESHOLD
    if p.kind == "lif":
        vth = round(p.parameters["threshold"] / unit)
        if not 1 <= vth <= MAX_VTH:
            raise ExportError(
                f"the threshold of {p.name} is {vth} in units of its weights; 17 bits hold 1 to {MAX_VTH}: "
                f"{'its weights are far too large' if vth < 1 else 'its weights are far too small'} for its threshold"
            )
    return IntegerPopulation(
        p.name, p.size, p.kind, _decay(dt, tau_syn) - 1, _decay(dt, tau_mem), vth, unit=unit / 64,
        tau_mem=tau_mem, tau_syn=tau_syn, threshold=p.parameters["threshold"] if p.kind == "lif" else math.inf,
    )  # fmt: skip


def _decay(dt, tau):
    return min(max(round(-4096 * math.expm1(-dt / tau)), 1), 4095)


def check_neuron(p):
    """Refuse neurons that the fixed-point LIF of Lava cannot be.

    Raises:
        ExportError: names the population and what it has.
    """
    given = p.parameters
    if p.kind not in ("lif", "li"):
        raise ExportError(f"{p.name} has neurons of kind {p.kind!r}; Lava's LIF takes 'lif' and 'li'")
    own = sorted(p.own_parameters())
    if own:
        raise ExportError(
            f"{p.name} has a {own[0]} for each neuron; Lava's LIF shares constants in a population: train without "
            "learn_neuron, learn_output and neuron_spread"
        )
    missing = {"tau_mem", "tau_syn", *(["threshold"] if p.kind == "lif" else [])} - set(given)
    if missing:
        raise ExportError(f"{p.name} does not say its {', '.join(sorted(missing))}")
    if p.kind == "lif":
        for name, wanted in (("v_reset", 0.0), ("reset", "zero"), ("refractory", 0.0)):
            if given.get(name, wanted) != wanted:
                raise ExportError(f"{p.name} has {name} {given[name]!r}; Lava's LIF knows only {wanted!r}")


def _projection(p, weight, delay):
    delay = np.asarray(delay, np.int32)
    if p.pre == p.post:
        delay = np.maximum(delay, 1)  # as in the grid engine, where a recurrent spike acts one step later at least
    if delay.max(initial=0) > MAX_DELAY or delay.min(initial=0) < 0:
        raise ExportError(
            f"{p.pre} -> {p.post} has delays from {delay.min()} to {delay.max()} steps; Loihi holds 0 to {MAX_DELAY}: "
            "train with max_delay (in ms) and on_exceed clip, or quantise for loihi2"
        )
    return IntegerProjection(
        p.pre, p.post, np.asarray(p.indptr, np.int64), np.asarray(p.indices, np.int32), weight.astype(np.int32), delay
    )


def _flat_synapses(network, start):
    parts = [(p.sources + start[p.pre], p.indices + start[p.post], p.weight, p.delay) for p in network.projections] or [
        [np.zeros(0)] * 4
    ]
    return tuple(np.concatenate(part).astype(np.int64) for part in zip(*parts, strict=True))


def _rows(pre, post, weight, delay, n):
    order = np.argsort(pre, kind="stable")
    indptr = np.concatenate([[0], np.cumsum(np.bincount(pre, minlength=n))]).astype(np.int64)
    return indptr, post[order], weight[order], delay[order]
