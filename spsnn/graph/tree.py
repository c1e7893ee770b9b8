"""The contents of a graph file as one tree of dictionaries, to a `Network` and back, every entry checked."""

from __future__ import annotations

import difflib

import numpy as np

from spsnn.errors import DataError, ModelFileError
from spsnn.graph.network import Network, Population, Projection

KINDS = ("input", "lif", "adlif", "adex", "li", "rate")
_TOP = {"name", "dt_ms", "duration_ms", "activity_source", "populations", "projections"}
_POPULATION = {"name", "size", "kind", "positions", "parameters", "rates"}
_PROJECTION = {"pre", "post", "indptr", "indices", "weight", "delay"}


def tree_of(network):
    """A network as plain values and arrays, the keys of the schema."""
    populations = [
        {"name": p.name, "size": int(p.size), "kind": p.kind, "parameters": dict(p.parameters)}
        | {key: np.asarray(getattr(p, key), np.float64) for key in ("positions", "rates") if _given(p, key)}
        for p in network.populations
    ]
    projections = [
        {
            "pre": p.pre,
            "post": p.post,
            "indptr": np.asarray(p.indptr, np.int64),
            "indices": np.asarray(p.indices, np.int64),
            "weight": np.asarray(p.weight, np.float64),
            "delay": np.asarray(p.delay, np.float64),
        }
        for p in network.projections
    ]
    return {
        "name": network.name,
        "dt_ms": float(network.dt),
        "duration_ms": float(network.duration),
        "activity_source": network.activity_source,
        "populations": populations,
        "projections": projections,
    }


def _given(population, key):
    return getattr(population, key) is not None


def network_of(tree, path):
    """Network from a tree.

    Raises:
        ModelFileError: names the file, the entry, what it should be and what it is.
    """
    _keys(tree, _TOP, _TOP - {"name", "activity_source"}, path)
    try:
        return Network(
            tuple(_population(p, f"{path}: population {k}") for k, p in enumerate(_list(tree, "populations", path))),
            tuple(_projection(p, f"{path}: projection {k}") for k, p in enumerate(_list(tree, "projections", path))),
            _positive(tree, "dt_ms", path),
            _positive(tree, "duration_ms", path),
            _text(tree, "activity_source", path, None),
            _text(tree, "name", path, "network"),
        )
    except DataError as error:
        raise ModelFileError(f"{path}: {error}") from error


def _population(entry, where):
    _keys(entry, _POPULATION, {"name", "size", "kind"}, where)
    name, kind = _text(entry, "name", where), _text(entry, "kind", where)
    where = f"{where} ({name!r})"
    if kind not in KINDS:
        raise ModelFileError(f"{where}: kind must be one of {', '.join(KINDS)}, got {kind!r}")
    size = entry["size"]
    if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 1:
        raise ModelFileError(f"{where}: size must be a whole number of neurons >= 1, got {size!r}")
    positions = _numbers(entry, "positions", where)
    if positions is not None and (positions.ndim != 2 or len(positions) != size or not positions.shape[1]):
        raise ModelFileError(f"{where}: positions must have shape [{size}, D], got {list(positions.shape)}")
    rates = _numbers(entry, "rates", where)
    if rates is not None and (rates.shape != (size,) or rates.min() < 0):
        raise ModelFileError(
            f"{where}: rates must be {size} numbers >= 0, spikes per inference, got shape {list(rates.shape)}"
            + (f", smallest {rates.min()}" if rates.size else "")
        )
    parameters = entry.get("parameters", {})
    if not isinstance(parameters, dict):
        raise ModelFileError(f"{where}: parameters must be a table of names and values, got {parameters!r}")
    made = {}
    for key, value in parameters.items():
        if isinstance(value, (str, bool, int, float)):
            if isinstance(value, float) and not np.isfinite(value):
                raise ModelFileError(f"{where}: parameter {key} must be finite, got {value}")
            made[key] = value
            continue
        made[key] = _numbers(parameters, key, where)
        if made[key] is None or made[key].shape != (size,):
            raise ModelFileError(f"{where}: parameter {key} must be one value, or a list of one for each of {size}")
    return Population(name, int(size), kind, positions, made, rates)


def _projection(entry, where):
    _keys(entry, _PROJECTION, _PROJECTION, where)
    where = f"{where} ({_text(entry, 'pre', where)} -> {_text(entry, 'post', where)})"
    indptr, indices = (_numbers(entry, name, where, whole=True) for name in ("indptr", "indices"))
    weight, delay = (_numbers(entry, name, where) for name in ("weight", "delay"))
    for name, value in (("indptr", indptr), ("indices", indices), ("weight", weight), ("delay", delay)):
        if value is None or value.ndim != 1:
            raise ModelFileError(f"{where}: {name} must be a list of numbers")
    if not len(indptr) or indptr[0] != 0 or np.any(np.diff(indptr) < 0):
        raise ModelFileError(f"{where}: indptr must rise from 0, one entry for each presynaptic neuron and the end")
    return Projection(entry["pre"], entry["post"], indptr, indices.astype(np.int32), weight, delay)


def _keys(entry, known, needed, where):
    if not isinstance(entry, dict):
        raise ModelFileError(f"{where}: expected a table, got {type(entry).__name__}")
    missing, unknown = sorted(needed - set(entry)), sorted(set(entry) - known)
    if missing:
        raise ModelFileError(f"{where} lacks {', '.join(missing)}")
    if unknown:
        close = difflib.get_close_matches(unknown[0], known, 1)
        hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(sorted(known))}"
        raise ModelFileError(f"{where} has an unknown entry {unknown[0]!r}; {hint}")


def _list(tree, key, where):
    if not isinstance(tree[key], list) or (key == "populations" and not tree[key]):
        raise ModelFileError(f"{where}: {key} must be a list" + (" that is not empty" if key == "populations" else ""))
    return tree[key]


def _text(entry, key, where, *default):
    value = entry.get(key)
    if value is None and default:
        return default[0]
    if not isinstance(value, str) or not value:
        raise ModelFileError(f"{where}: {key} must be a text that is not empty, got {value!r}")
    return value


def _positive(tree, key, where):
    value = tree[key]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < np.inf:
        raise ModelFileError(f"{where}: {key} must be a positive number of ms, got {value!r}")
    return float(value)


def _numbers(entry, key, where, whole=False):
    """An entry as finite float64 or whole int64, None if it is absent."""
    if entry.get(key) is None:
        return None
    try:
        value = np.asarray(entry[key])
    except ValueError as error:
        raise ModelFileError(f"{where}: {key} has rows of different lengths") from error
    if value.size and value.dtype.kind not in ("iu" if whole else "iuf"):
        raise ModelFileError(f"{where}: {key} must hold {'whole ' if whole else ''}numbers, got {value.dtype}")
    if not whole and not np.isfinite(value.astype(np.float64)).all():
        raise ModelFileError(f"{where}: {key} holds values that are not finite")
    return value.astype(np.int64 if whole else np.float64)
