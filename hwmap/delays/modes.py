"""The three ways a chip may realise a delay: stored with the synapse, computed from coordinates, or held by hops."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spsnn.errors import ConfigError
from spsnn.hwmap.quantise.quantised import to_steps
from spsnn.hwmap.targets.target import DELAY_MODES
from spsnn.hwmap.traffic.flat import coordinates as coordinates_of

MAX_FIT_RESIDUAL_STEPS = 0.5


@dataclass(frozen=True)
class DelayBits:
    """Storage that a delay mode adds to a core.

    Attributes:
        per_synapse: bits with every synapse.
        per_neuron: bits with every neuron of the core (its own coordinates).
        per_axon: bits with every incoming axon (the coordinates of the neuron that fires).
    """

    per_synapse: int = 0
    per_neuron: int = 0
    per_axon: int = 0


@dataclass(frozen=True)
class DelayLaw:
    """``delay = min(d_min + alpha |p_i - p_j|, longest)`` of one projection, in ms; residual of its fit in steps."""

    d_min: float
    alpha: float
    residual_rms_steps: float
    longest: float = np.inf

    def delay(self, distance):
        """Delays in ms of distances ``[n]``."""
        return np.minimum(self.d_min + self.alpha * distance, self.longest)


def check_delay_mode(delay_mode):
    """Refuse a delay mode that is not one of ``stored``, ``computed``, ``hop``."""
    if delay_mode not in DELAY_MODES:
        raise ConfigError(f"unknown delay_mode {delay_mode!r}; known: {', '.join(DELAY_MODES)}")


def delay_bits(network, target, delay_mode):
    """Storage of one delay mode on a target, for a network whose delays are not all zero (else none)."""
    if not any(p.n_synapses and p.delay.max() > 0 for p in network.projections):
        return DelayBits()
    if target.family == "crossbar":
        if delay_mode != "stored":
            raise ConfigError(f"{target.name} holds delays at the rows of its crossbars: use delay_mode='stored'")
        return DelayBits(per_axon=target.delay_bits)
    if delay_mode == "stored":
        return DelayBits(per_synapse=target.delay_bits)
    if delay_mode == "hop":
        return DelayBits(per_synapse=target.hop_residual_bits)
    coordinates = target.coordinate_bits * _dimension(network)
    return DelayBits(per_neuron=coordinates, per_axon=coordinates)


def fit_delay_law(network):
    """Find ``d_min`` and ``alpha`` of every projection from its delays and its neurons' coordinates.

    Least squares of ``delay_ij = d_min + alpha |p_i - p_j|`` (Euclidean distance) over the projection's synapses.
    Where several synapses share the longest delay, the model cuts delays there: they are left out, and the law is cut.
    Synapses of a population without coordinates that all have one delay, such as those of bias units, keep it: their
    law has ``alpha`` 0.

    Returns:
        list of DelayLaw, one for each projection.

    Raises:
        ConfigError: no coordinates, or a root-mean-square residual above half a step: such delays do not come from
            these coordinates, so a chip cannot compute them.
    """
    places, laws = _places(network), []
    for p in network.projections:
        if not p.n_synapses:
            laws.append(DelayLaw(0.0, 0.0, 0.0))
            continue
        distance = _distance(places, p)
        law = _fit(distance, p.delay)
        residual = float(np.sqrt(np.mean((law.delay(distance) - p.delay) ** 2)) / network.dt)
        if residual > MAX_FIT_RESIDUAL_STEPS:
            raise ConfigError(
                f"delay_mode 'computed' needs delays of the form d_min + alpha * distance; {p.pre} -> {p.post} misses "
                f"it by {residual:.3g} steps RMS (allowed {MAX_FIT_RESIDUAL_STEPS}): this network's delays do not come "
                "from Euclidean distances of its coordinates; use delay_mode='stored'"
            )
        laws.append(replace(law, residual_rms_steps=residual))
    return laws


def _fit(distance, delay):
    cut = delay >= delay.max() * (1 - 1e-6)
    several = 1 < cut.sum() < len(delay) - 1
    free = ~cut if several else np.ones(len(delay), bool)
    design = np.stack([np.ones_like(distance), distance], 1)[free]
    (d_min, alpha), *_ = np.linalg.lstsq(design, delay[free], rcond=None)
    return DelayLaw(float(d_min), float(alpha), 0.0, float(delay.max()) if several else np.inf)


def computed_delays(network, target, laws):
    """Delays that a receiver derives from quantised coordinates.

    Coordinates of all populations share one grid of ``2^coordinate_bits`` points over their largest extent.  Synapses
    of populations without coordinates have the delay of their law.

    Returns:
        ``(delays, clipped, coordinates, grid)``: steps and cut flags for each projection, integer coordinates
        ``[N, D]`` by population, and the grid as ``{"origin": [D], "step": float}``.
    """
    places = _places(network)
    cloud = np.concatenate(list(places.values()))
    origin = cloud.min(0)
    step = float((cloud.max(0) - origin).max() / (2**target.coordinate_bits - 1)) or 1.0
    coordinates = {name: np.rint((x - origin) / step).astype(np.int64) for name, x in places.items()}
    delays, clipped = [], []
    for p, law in zip(network.projections, laws, strict=True):
        distance = step * _distance(coordinates, p)
        delay = law.delay(distance)
        steps, cut = to_steps(delay, network.dt, target.max_delay_steps, target.min_delay_steps)
        delays.append(steps)
        clipped.append(cut)
    return delays, clipped, coordinates, {"origin": [float(x) for x in origin], "step": step}


def hop_delays(network, target, hops):
    """Delays made by the mesh: every hop holds a spike ``hop_ticks`` steps, residual bits of the synapse add the rest.

        steps = hops * hop_ticks + clip(round(delay / dt) - hops * hop_ticks, 0, 2^hop_residual_bits - 1)

    Args:
        network: the network before quantisation.
        target: ``Target``.
        hops: tiles crossed by each synapse, one array ``[n_synapses]`` for each projection.

    Returns:
        ``(delays, clipped, residuals)``; a synapse is clipped if its residual does not fit.
    """
    delays, clipped, residuals = [], [], []
    has_delays = any(p.n_synapses and p.delay.max() > 0 for p in network.projections)
    top = 2**target.hop_residual_bits - 1 if has_delays else 0
    for p, crossed in zip(network.projections, hops, strict=True):
        held = crossed * target.hop_ticks
        missing = np.rint(p.delay / network.dt).astype(np.int64) - held
        residual = np.clip(missing, 0, top)
        delays.append((held + residual).astype(np.int32))
        clipped.append(missing != residual)
        residuals.append(residual.astype(np.int32))
    return delays, clipped, residuals


def _places(network):
    """Coordinates of the populations at either end of a projection whose delays differ, and of others that have them.

    Raises:
        ConfigError: a population lacks coordinates that it needs, or dimensions differ.
    """
    used = {end for p in network.projections for end in (p.pre, p.post)}
    varied = {end for p in network.projections if p.n_synapses and np.ptp(p.delay) > 0 for end in (p.pre, p.post)}
    missing = [p.name for p in network.populations if p.name in varied and p.positions is None]
    places = {p.name: coordinates_of(p) for p in network.populations if p.name in used and p.positions is not None}
    if missing or not places:
        names = ", ".join(missing) or "none of them"
        raise ConfigError(
            f"delay_mode 'computed' needs coordinates of every connected population; {names} has none: "
            "use delay_mode='stored', or a model with a space"
        )
    sizes = {name: x.shape[1] for name, x in places.items()}
    if len(set(sizes.values())) > 1:
        raise ConfigError(f"delay_mode 'computed' needs one space for all populations; dimensions are {sizes}")
    return places


def _dimension(network):
    return next(iter(_places(network).values())).shape[1]


def _distance(places, projection):
    """Distance of every synapse ``[n_synapses]``; 0 where an end has no place."""
    pre, post = places.get(projection.pre), places.get(projection.post)
    if pre is None or post is None:
        return np.zeros(projection.n_synapses)
    return np.linalg.norm(pre[projection.sources] - post[projection.indices], axis=1)
