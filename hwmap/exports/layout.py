"""The mapped network as a file: neurons to cores to tiles, integers, routes; JSON or HDF5."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from spsnn._version import __version__
from spsnn.atomic import replacing
from spsnn.errors import ExportError, ModelFileError
from spsnn.hwmap.exports._layout_check import FORMAT, SCHEMA, check


@dataclass(frozen=True)
class Layout:
    """Contents of a layout file.

    Attributes:
        meta: what is not an array: ``format``, ``schema``, ``target`` (every figure with its provenance),
            ``delay_mode``, ``delay_label``, ``hypothetical``, ``populations``, ``projections``, ``report``, provenance.
        arrays: by name.

            * ``core`` ``[n]``: core of every neuron, populations end to end; -1 for input units
            * ``synapse_core`` ``[n_synapses]``: core of every synapse, projections end to end; only where helper cores
              hold synapses of other cores' neurons (crossbars, split fan-in)
            * ``synapse_part`` ``[n_synapses]``: 0 with the neuron, k with its k-th relay (split fan-in)
            * ``core_slot`` ``[K]``, ``core_tile`` ``[K, 2]``: place and tile ``(x, y)`` of every core
            * ``projection/<i>/indptr``, ``indices``, ``weight``, ``delay_steps``: compressed rows; weights in integer
              units of the postsynaptic population's ``weight_scale``
            * ``projection/<i>/residual_steps``: what synapses store (hop mode)
            * ``population/<i>/coordinates``: grid coordinates (computed mode)
            * ``route/source`` ``[R, 2]``, ``route/indptr`` ``[R + 1]``, ``route/destinations`` ``[., 2]``,
              ``route/messages`` ``[R]`` per inference
    """

    meta: dict
    arrays: dict

    def population(self, name):
        """Core of every neuron of a population ``[size]``."""
        start = 0
        for p in self.meta["populations"]:
            if p["name"] == name:
                return self.arrays["core"][start : start + p["size"]]
            start += p["size"]
        raise KeyError(name)


def from_chip(chip):
    """Collect a chip's layout."""
    network, integers = chip.network, chip.integers
    laws = chip.extra.get("laws") or [None] * len(network.projections)
    arrays = {
        "core": chip.partition.core.astype(np.int64),
        "core_slot": np.asarray(chip.slots, np.int64),
        "core_tile": chip.routing.core_tile.astype(np.int64),
    }
    if chip.partition.synapse_core is not None:
        arrays["synapse_core"] = chip.partition.synapse_core.astype(np.int64)
    if chip.partition.part is not None:
        arrays["synapse_part"] = chip.partition.part
    for at, p in enumerate(network.projections):
        arrays[f"projection/{at}/indptr"] = np.asarray(p.indptr, np.int64)
        arrays[f"projection/{at}/indices"] = np.asarray(p.indices, np.int32)
        arrays[f"projection/{at}/weight"] = integers.weights[at]
        arrays[f"projection/{at}/delay_steps"] = integers.delays[at]
        if "residuals" in chip.extra:
            arrays[f"projection/{at}/residual_steps"] = chip.extra["residuals"][at]
    for at, p in enumerate(network.populations):
        if p.name in chip.extra.get("coordinates", {}):
            arrays[f"population/{at}/coordinates"] = chip.extra["coordinates"][p.name]
    routes = chip.routing.routes
    arrays["route/source"] = np.array([r.source for r in routes], np.int64).reshape(-1, 2)
    arrays["route/indptr"] = np.concatenate([[0], np.cumsum([len(r.destinations) for r in routes])]).astype(np.int64)
    arrays["route/destinations"] = np.array([d for r in routes for d in r.destinations], np.int64).reshape(-1, 2)
    arrays["route/messages"] = np.array([r.messages for r in routes], np.float64)
    meta = {
        "format": FORMAT,
        "schema": SCHEMA,
        "spsnn_version": __version__,
        "name": network.name,
        "target": chip.target.model_dump(mode="json"),
        "delay_mode": chip.delay_mode,
        "delay_label": chip.target.delay_label(chip.delay_mode),
        "hypothetical": chip.hypothetical,
        "energy_source": chip.target.energy_source,
        "activity_source": network.activity_source or "not stated",
        "options": chip.options,
        "dt_ms": float(network.dt),
        "duration_ms": float(network.duration),
        "populations": [
            {
                "name": p.name,
                "size": int(p.size),
                "kind": p.kind,
                "weight_scale": integers.scales[p.name],
                "parameters": p.parameters,
            }
            for p in integers.network.populations
        ],
        "projections": [
            {"pre": p.pre, "post": p.post}
            | ({} if law is None else {"delay_min_ms": law.d_min, "delay_per_distance_ms": law.alpha})
            | ({} if law is None or law.longest == np.inf else {"delay_longest_ms": law.longest})
            for p, law in zip(network.projections, laws, strict=True)
        ],
        "coordinate_grid": chip.extra.get("grid"),
        "report": chip.report(),
    }
    try:
        meta = json.loads(json.dumps(meta, default=_plain))
    except TypeError as error:
        raise ExportError(f"network {network.name!r} holds a parameter that a layout file cannot: {error}") from error
    return Layout(meta, arrays)


def write_json(layout, path):
    """Write a layout as JSON, whole or not at all."""
    arrays = {
        name: {"dtype": a.dtype.str, "shape": list(a.shape), "data": a.ravel().tolist()}
        for name, a in layout.arrays.items()
    }
    text = json.dumps({"meta": layout.meta, "arrays": arrays}, separators=(",", ":"))
    with replacing(path, ExportError) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_hdf5(layout, path):
    """Write a layout as HDF5 (``meta`` a JSON string, every array a data set), whole or not at all."""
    with replacing(path, ExportError) as temporary, h5py.File(temporary, "w") as file:
        file["meta"] = json.dumps(layout.meta)
        for name, array in layout.arrays.items():
            file[f"arrays/{name}"] = array


def read_layout(path):
    """Read and validate a layout file.

    Returns:
        Layout.

    Raises:
        ModelFileError: missing, damaged, of a newer schema, or contradicting itself; names what is wrong.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (".json", ".h5", ".hdf5"):
        raise ModelFileError(f"layout file {path} has an unknown suffix; known: .json, .h5, .hdf5")
    try:
        meta, arrays = _read_json(path) if suffix == ".json" else _read_hdf5(path)
    except (OSError, KeyError, TypeError, AttributeError, ValueError, RuntimeError) as error:
        raise ModelFileError(f"layout file {path} cannot be read: {type(error).__name__}: {error}") from error
    check(meta, arrays, path)
    return Layout(meta, arrays)


def _read_json(path):
    raw = json.loads(path.read_text(encoding="utf-8"))
    arrays = {}
    for name, a in raw["arrays"].items():
        dtype = np.dtype(a["dtype"])
        if dtype.kind not in "if":
            raise ValueError(f"array {name!r} has dtype {dtype}")
        arrays[name] = np.array(a["data"], dtype).reshape(a["shape"])
    return raw["meta"], arrays


def _read_hdf5(path):
    arrays = {}
    with h5py.File(path, "r") as file:
        meta = json.loads(file["meta"][()])

        def collect(name, item):
            if isinstance(item, h5py.Dataset):
                if item.dtype.kind not in "if":
                    raise ValueError(f"array {name!r} has dtype {item.dtype}")
                arrays[name] = item[()]

        file["arrays"].visititems(collect)
    return meta, arrays


def _plain(value):
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} {value!r}")
