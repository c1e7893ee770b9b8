"""Networks in the HDF5 format of lava-dl's netx: a chain of dense layers with delays in front of Loihi neurons.

Every entry is a data set:

    /layer/0/type "input", shape [I]
    /layer/<k>/type "dense", shape [N], inFeatures, outFeatures, weight [post, pre], delay [post, pre] in steps,
               neuron/{type "LOIHI", iDecay = du + 1, vDecay = dv, vThMant = vth, refDelay 1, gradedSpike false}
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np

from spsnn.atomic import replacing
from spsnn.errors import ExportError, ModelFileError
from spsnn.hwmap.quantise.integer import (
    MAX_DELAY,
    MAX_VTH,
    MAX_WEIGHT,
    NO_THRESHOLD,
    IntegerNetwork,
    IntegerPopulation,
    IntegerProjection,
)

NEURON = ("iDecay", "vDecay", "vThMant", "refDelay", "gradedSpike")


def write_netx(chip, path):
    """Write a mapped network for netx.

    Raises:
        ExportError: recurrence, skip connections, biases, unsupported neurons, weights or delays out of range; nothing
            is written.
    """
    save_netx(IntegerNetwork.of(chip.integers), path)


def save_netx(network, path):
    """Write an `IntegerNetwork` for netx.

    Raises:
        ExportError: as `write_netx`.
    """
    layers = _chain(network)
    with replacing(path, ExportError) as temporary, h5py.File(temporary, "w") as file:
        group = file.create_group("layer/0")
        _text(group, "type", "input")
        group["shape"] = np.array([network.populations[0].size])
        for k, (p, projection) in enumerate(layers, 1):
            group, shape = file.create_group(f"layer/{k}"), (p.size, network[projection.pre].size)
            _text(group, "type", "dense")
            group["shape"] = np.array([p.size])
            group["inFeatures"], group["outFeatures"] = shape[1], shape[0]
            for name in ("weight", "delay"):
                group[name] = dense(projection, shape, name)
            _text(group, "neuron/type", "LOIHI")
            for name, value in zip(NEURON, (p.du + 1, p.dv, p.vth, 1, False), strict=True):
                group[f"neuron/{name}"] = value


def dense(projection, shape, name):
    """``weight`` or ``delay`` of a projection as a matrix ``[post, pre]``."""
    matrix = np.zeros(shape, np.int32)
    matrix[projection.indices, projection.sources] = getattr(projection, name)
    return matrix


def _text(group, name, value):
    group.create_dataset(name, (1,), "S10", np.array([value.encode()], "S10"))


def _chain(network):
    """``(population, projection into it)`` of every layer; refuses what is not a chain."""
    loops = [p for p in network.projections if p.pre == p.post]
    if loops:
        raise ExportError(
            f"{loops[0].pre} -> {loops[0].post} is recurrent with delays of {loops[0].delay.min()} to "
            f"{loops[0].delay.max()} steps; netx has no recurrent delays: export to lava or nir"
        )
    network.check_single("netx")
    names = [p.name for p in network.populations]
    if len(network.inputs) != 1 or network.populations[0].kind != "input":
        extra = [p.name for p in network.inputs]
        raise ExportError(f"netx has one input, this network has {', '.join(extra)}: export to lava or nir")
    found = {(p.pre, p.post): p for p in network.projections}
    if len(found) < len(network.projections):
        pairs = [(p.pre, p.post) for p in network.projections]
        pre, post = next(pair for pair in pairs if pairs.count(pair) > 1)
        raise ExportError(f"{pre} -> {post} is there more than once, netx holds one matrix: export to lava or nir")
    wanted = list(pairwise(names))
    if set(found) != set(wanted):
        odd = sorted(set(found) ^ set(wanted))[0]
        raise ExportError(
            f"netx holds a chain of layers, {' -> '.join(names)}; {odd[0]} -> {odd[1]} is "
            f"{'one too many' if odd in found else 'missing'}: export to lava or nir"
        )
    for p in network.populations:
        if p.bias_mant:
            raise ExportError(f"{p.name} has a bias, which is not written for netx: export to lava or nir")
    for p in network.projections:
        if not p.weight.any():
            raise ExportError(f"{p.pre} -> {p.post} has no weight other than 0; lava-dl cannot scale it")
        _check_range(f"{p.pre} -> {p.post}", p.weight, p.delay, ExportError)
    return [(network[post], found[pre, post]) for pre, post in wanted]


def _check_range(where, weight, delay, error):
    if np.abs(weight).max(initial=0) > MAX_WEIGHT or (weight % 2).any():
        raise error(f"weights of {where} must be even and within {MAX_WEIGHT}, they reach {np.abs(weight).max()}")
    if delay.min(initial=0) < 0 or delay.max(initial=0) > MAX_DELAY:
        raise error(f"delays of {where} must lie in 0..{MAX_DELAY}, they run from {delay.min()} to {delay.max()}")


def read_netx(path, dt=1.0, n_steps=1):
    """Read and validate a file of `write_netx`: dense layers with per-synapse delays.

    Populations are called ``input``, ``layer1`` and so on; a layer whose threshold is the largest is a leaky
    integrator, and a weight of 0 is no synapse.

    Args:
        path: the file.
        dt, n_steps: of the network; the format does not hold them.

    Returns:
        `IntegerNetwork`.

    Raises:
        ModelFileError: missing, damaged, or outside this part of the format.
    """
    path = Path(path)
    try:
        with h5py.File(path, "r") as file:
            layers = [_plain(file["layer"][str(k)]) for k in range(len(file["layer"]))]
    except (OSError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise ModelFileError(f"{path} is damaged or not a netx file: {error}") from error
    populations, projections = [], []
    for k, layer in enumerate(layers):
        name = f"layer{k}" if k else "input"
        try:
            size, kind = int(np.prod(layer["shape"])), layer["type"]
            if kind != ("dense" if k else "input"):
                raise ModelFileError(f"{path}: {name} is of type {kind!r}; only dense layers after an input are read")
            if not k:
                populations.append(IntegerPopulation(name, size, "input"))
                continue
            weight, delay = layer["weight"], layer["delay"]
            i_decay, dv, vth, refractory, graded = (int(layer[f"neuron/{n}"]) for n in NEURON)
            neuron = layer["neuron/type"]
        except (KeyError, TypeError, ValueError) as error:
            raise ModelFileError(f"{path}: {name} lacks or garbles {error}") from error
        before = populations[-1]
        if weight.shape != (size, before.size) or delay.shape != weight.shape:
            raise ModelFileError(
                f"{path}: weight and delay of {name} must be {[size, before.size]}, they are {list(weight.shape)} and "
                f"{list(delay.shape)}"
            )
        ok = neuron in ("LOIHI", "CUBA") and 1 <= i_decay <= 4096 and 0 <= dv <= 4095 and 1 <= vth <= MAX_VTH
        if not ok or refractory != 1 or graded:
            raise ModelFileError(
                f"{path}: neurons of {name} must be LOIHI without refractory period or graded spikes, iDecay in "
                f"1..4096, vDecay in 0..4095, vThMant in 1..{MAX_VTH}"
            )
        _check_range(f"{name} in {path}", weight, delay, ModelFileError)
        kind = "li" if vth == NO_THRESHOLD else "lif"
        populations.append(IntegerPopulation(name, size, kind, i_decay - 1, dv, vth))
        pre, post = np.nonzero(weight.T)
        indptr = np.concatenate([[0], np.cumsum(np.bincount(pre, minlength=before.size))])
        projections.append(
            IntegerProjection(before.name, name, indptr, post, weight[post, pre], delay[post, pre].astype(np.int32))
        )
    return IntegerNetwork(tuple(populations), tuple(projections), dt, n_steps, path.stem)


def _plain(group):
    found = {}

    def collect(name, item):
        if isinstance(item, h5py.Dataset):
            value = item[()]
            found[name] = value[0].decode() if item.dtype.kind == "S" else value

    group.visititems(collect)
    return found
