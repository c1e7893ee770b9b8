"""Networks as NIR, the Neuromorphic Intermediate Representation (Pedersen et al. 2024), and back.

NIR counts in seconds, and its CubaLIF is

    tau_mem dv/dt = -v + r I        tau_syn dI/dt = -I + w_in S        v > v_threshold:  spike, v -> v_reset

A spike is S = 1 for one step of ``dt``, so it moves I by ``w_in dt / tau_syn``.  As other tools do, files have
``w_in = tau_syn / dt`` and ``r = tau_mem / dt``: weights stay as they are, and v, its threshold and its reset are
``tau_mem / dt`` times as large as here.  NIR delays whole channels: a projection with per-synapse delays becomes one
branch ``Delay -> Linear`` for each distinct delay, with the weights of that delay, and branches add up.

Simulators that take forward Euler steps compute another network from true time constants.  With ``euler=True`` the file
holds those constants with which Euler steps of dt give the decays of the grid engine,

    tau -> dt / (1 - exp(-dt / tau))        v_threshold = threshold / C

with C the potential that a unit current leaves after a step.  Such simulators add arrivals to the potential in the same
step, where the grid engine takes the next one: their spikes are one step early for each population on the way.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from spsnn.atomic import replacing
from spsnn.errors import ConfigError, ExportError, ModelFileError
from spsnn.graph.coupling import coupling
from spsnn.graph.network import Network, Population, Projection

KINDS = {"lif": "CubaLIF", "li": "CubaLI"}
MAX_BRANCHES = 1024


def write_nir(network, path, *, euler=False):
    """Write a network, delays rounded to steps of its ``dt``.  Recurrent delays are at least one step, as simulated.

    Coordinates, rates, ``dt`` and duration go into metadata.

    Raises:
        ExportError: neurons that NIR has not, or too many distinct delays; nothing is written.
    """
    import nir

    graph = to_nir(network, euler=euler)
    with replacing(path, ExportError) as temporary:
        nir.write(temporary, graph)


def to_nir(network, *, euler=False):
    """The same as ``nir.NIRGraph``."""
    import nir

    nodes, edges = {}, []
    for p in network.populations:
        if p.kind == "input":
            nodes[p.name] = nir.Input(np.array([p.size]))
        else:
            nodes[p.name] = getattr(nir, _kind(p))(**_constants(p, network.dt, euler))
        nodes[p.name].metadata = {
            name: np.asarray(value, float)
            for name, value in (("positions", p.positions), ("rates", p.rates))
            if value is not None
        }
    for p in network.projections:
        steps = np.maximum(np.rint(p.delay / network.dt), 1 if p.pre == p.post else 0).astype(int)
        distinct = np.unique(steps)
        if len(distinct) > MAX_BRANCHES:
            raise ExportError(
                f"{p.pre} -> {p.post} has {len(distinct)} distinct delays, each a matrix in NIR; quantise it first"
            )
        shape = network[p.post].size, network[p.pre].size
        for n in distinct:
            weight, here = np.zeros(shape), steps == n
            np.add.at(weight, (p.indices[here], p.sources[here]), p.weight[here])
            source, branch = p.pre, f"{p.pre}_to_{p.post}_{n}"
            if branch in nodes:  # of another projection between the two
                nodes[branch].weight += weight
                continue
            if n:
                source = f"{p.pre}_delayed_{n}"
                if source not in nodes:
                    nodes[source] = nir.Delay(np.full(shape[1], n * network.dt / 1000))
                    edges.append((p.pre, source))
            nodes[branch] = nir.Linear(weight)
            edges += [(source, branch), (branch, p.post)]
    last = network.populations[-1]
    end = "output" if "output" not in nodes else "readout"
    nodes[end] = nir.Output(np.array([last.size]))
    edges.append((last.name, end))
    metadata = {"spsnn_dt_ms": network.dt, "spsnn_duration_ms": network.duration, "spsnn_euler": euler}
    return nir.NIRGraph(nodes, edges, metadata=metadata)


def _kind(p):
    if p.kind not in KINDS:
        raise ExportError(f"{p.name} has neurons of kind {p.kind!r}; NIR has {', '.join(KINDS)}")
    for name, wanted in (("reset", "zero"), ("refractory", 0.0)):
        if p.kind == "lif" and p.parameters.get(name, wanted) != wanted:
            raise ExportError(f"{p.name} has {name} {p.parameters[name]!r}; NIR's CubaLIF knows only {wanted!r}")
    missing = {"tau_mem", "tau_syn", *(["threshold"] if p.kind == "lif" else [])} - set(p.parameters)
    if missing:
        raise ExportError(f"{p.name} does not say its {', '.join(sorted(missing))}")
    return KINDS[p.kind]


def _constants(p, dt, euler):
    """Parameters of a node in seconds, arrays ``[N]``."""
    value = {name: np.broadcast_to(np.asarray(p.parameters[name], float), p.size) for name in ("tau_mem", "tau_syn")}
    factor = value["tau_mem"] / dt
    if euler:
        factor = 1 / coupling(dt, value["tau_mem"], value["tau_syn"])
        value = {name: -dt / np.expm1(-dt / tau) for name, tau in value.items()}
    out = {name: tau / 1000 for name, tau in value.items()}
    out |= {"r": value["tau_mem"] / dt, "w_in": value["tau_syn"] / dt, "v_leak": np.zeros(p.size)}
    if p.kind == "lif":
        out |= {"v_threshold": p.parameters["threshold"] * factor, "v_reset": p.parameters.get("v_reset", 0.0) * factor}
    return out


def read_nir(path, *, dt=None, duration=None, euler=None):
    """Read a NIR file.

    Understands Input, Output, CubaLIF, CubaLI without leak potential, and between them Linear, Affine without bias,
    Delay and Scale, in any order with at most one matrix on a path.  A weight of 0 is no synapse.

    Args:
        path: the file.
        dt, duration: step and length of an inference in ms; None takes those that `write_nir` left.
        euler: constants are those of forward Euler steps; likewise, else False.

    Returns:
        `Network`.

    Raises:
        ModelFileError: missing or damaged, or something that spsnn has not; names the node.
        ConfigError: a ``dt`` or ``duration`` that the file does not say.
    """
    import nir

    if not Path(path).is_file():
        raise ModelFileError(f"there is no file {path}")
    try:
        graph = nir.read(path)
    except Exception as error:
        raise ModelFileError(f"{path} is damaged or not a NIR file: {error}") from error
    return from_nir(graph, dt=dt, duration=duration, euler=euler, name=Path(path).stem)


def from_nir(graph, *, dt=None, duration=None, euler=None, name="network"):
    """The same from ``nir.NIRGraph``."""
    known = graph.metadata if isinstance(graph.metadata, dict) else {}
    settings = {"dt": dt, "duration": duration}
    for key, value in settings.items():
        value = known.get(f"spsnn_{key}_ms") if value is None else value
        if value is None or not float(value) > 0:
            raise ConfigError(f"this NIR graph does not say its {key}; give {key}=, in ms")
        settings[key] = float(value)
    dt = settings["dt"]
    euler = bool(known.get("spsnn_euler", False)) if euler is None else euler
    populations, gains = [], {}
    for label, node in graph.nodes.items():
        found = _population(label, node, dt, euler)
        if found:
            population, gains[label] = found
            populations.append(population)
    sizes = {p.name: p.size for p in populations}
    projections = []
    following = {}
    for a, b in graph.edges:
        following.setdefault(a, []).append(b)
    for p in populations:
        parts = {}
        for post, *synapses in _walk(graph, following, p.name, p.size, sizes):
            parts.setdefault(post, []).append(synapses)
        for post, found in parts.items():
            projections.append(_projection(p.name, post, p.size, found, gains[post]))
    order = _order(populations, projections)
    return Network(order, tuple(projections), dt, settings["duration"], name=name)


def _population(label, node, dt, euler):
    """``(Population, factor of incoming weights [N])`` of a node; None for one on the way."""
    kind, metadata = type(node).__name__, node.metadata if isinstance(node.metadata, dict) else {}
    own = {name: np.asarray(metadata[name], float) for name in ("positions", "rates") if name in metadata}
    if kind == "Input":
        return Population(label, int(np.prod(node.input_type["input"])), "input", **own), None
    if kind in ("Output", "Linear", "Affine", "Delay", "Scale"):
        return None
    kinds = {b: a for a, b in KINDS.items()}
    if kind not in kinds:
        raise ModelFileError(f"node {label!r} is a {kind}; spsnn has neurons with synaptic currents: CubaLIF, CubaLI")
    if np.any(node.v_leak):
        raise ModelFileError(f"node {label!r} has a leak potential; spsnn's neurons rest at 0")
    tau_mem, tau_syn, r, w_in = (
        np.ravel(np.asarray(x, float)) for x in (node.tau_mem, node.tau_syn, node.r, node.w_in)
    )
    tau_mem, tau_syn = 1000 * tau_mem, 1000 * tau_syn
    gain, scale = w_in * dt / tau_syn, 1 / r
    if euler:
        step = r * dt / tau_mem
        if not (np.all(tau_mem > dt) and np.all(tau_syn > dt)):
            raise ModelFileError(f"node {label!r} has time constants below the step of {dt:g} ms of Euler's method")
        tau_mem, tau_syn = (-dt / np.log1p(-dt / tau) for tau in (tau_mem, tau_syn))
        scale = coupling(dt, tau_mem, tau_syn) / step
    values = {"tau_mem": tau_mem, "tau_syn": tau_syn}
    if kind == "CubaLIF":
        values |= {"threshold": np.ravel(node.v_threshold) * scale, "v_reset": np.ravel(node.v_reset) * scale}
    parameters = {name: _shared(value) for name, value in values.items()}
    return Population(label, len(tau_mem), kinds[kind], parameters=parameters, **own), gain


def _shared(values):
    """One number where all neurons have it, within rounding."""
    return float(values[0]) if np.allclose(values, values[0], rtol=1e-12, atol=0) else values


def _walk(graph, following, source, size, sizes):
    """All ways from a population to the next ones as ``(post, pre [S], post [S], weight [S], delay [S] in s)``."""
    start = np.arange(size)
    stack = [(after, start, start, np.ones(size), np.zeros(size), False, ()) for after in following.get(source, ())]
    while stack:
        label, pre, at, weight, delay, mixed, seen = stack.pop(0)
        if label not in graph.nodes or label in seen:
            raise ModelFileError(f"the way from {source!r} leads to {label!r}, which is missing or visited twice")
        if label in sizes:
            yield label, pre, at, weight, delay
            continue
        node, kind = graph.nodes[label], type(graph.nodes[label]).__name__
        if kind == "Output":
            continue
        if kind in ("Linear", "Affine"):
            if mixed:
                raise ModelFileError(f"two matrices follow each other on the way from {source!r} through {label!r}")
            if kind == "Affine" and np.any(node.bias):
                raise ModelFileError(f"node {label!r} has a bias; spsnn's synapses have none")
            matrix, mixed = np.asarray(node.weight, float), True
            if matrix.ndim != 2 or matrix.shape[1] != size:
                raise ModelFileError(f"node {label!r} should have a matrix [., {size}], it has {list(matrix.shape)}")
            pre, at = np.nonzero(matrix.T)
            weight, delay = weight[pre] * matrix[at, pre], delay[pre]
        elif kind == "Delay":
            delay = delay + np.ravel(node.delay)[at]
        elif kind == "Scale":
            weight = weight * np.ravel(node.scale)[at]
        stack += [(after, pre, at, weight, delay, mixed, (*seen, label)) for after in following.get(label, ())]


def _projection(pre, post, size, found, gain):
    source, target, weight, delay = (np.concatenate(part) for part in zip(*found, strict=True))
    order = np.lexsort((delay, target, source))
    source, target = source[order], target[order]
    indptr = np.concatenate([[0], np.cumsum(np.bincount(source, minlength=size))]).astype(np.int64)
    return Projection(pre, post, indptr, target.astype(np.int32), weight[order] * gain[target], 1000 * delay[order])


def _order(populations, projections):
    """Populations from input to output: after all that lead to them, as far as there are no loops."""
    left, done = list(populations), []
    while left:
        names = {p.name for p in left}
        blocked = {q.post for q in projections if q.pre in names and q.pre != q.post}
        free = [p for p in left if p.name not in blocked] or left[:1]
        done += free
        left = [p for p in left if p not in free]
    return tuple(done)
