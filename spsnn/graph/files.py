"""Graph files: any network with its activity, as JSON or HDF5, without a model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from spsnn._version import __version__
from spsnn.atomic import replacing
from spsnn.errors import ModelFileError
from spsnn.graph.hdf5 import make_folder
from spsnn.graph.tree import network_of, tree_of

FORMAT, SCHEMA = "spsnn-graph", 1


def save_graph(network, path):
    """Write a network as ``.json``, ``.h5`` or ``.hdf5``, whole or not at all; docs/formats.md has the schema.

    Args:
        network: `Network`.
        path: file to write or replace; its suffix chooses the format.

    Raises:
        ModelFileError: unknown suffix, a value that the format cannot hold, or the file cannot be written; a previous
            file stays as it was.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in WRITERS:
        raise ModelFileError(f"graph file {path} has an unknown suffix {suffix!r}; known: {', '.join(WRITERS)}")
    tree = tree_of(network)
    network_of(tree, path)  # what cannot be read is not written
    tree = {"format": FORMAT, "schema": SCHEMA, "spsnn_version": __version__, **tree}
    make_folder(Path(path).parent)
    try:
        with replacing(path, ModelFileError) as temporary:
            WRITERS[suffix](tree, temporary)
    except TypeError as error:
        raise ModelFileError(f"network {network.name!r} holds a value that a graph file cannot: {error}") from error


def load_graph(path):
    """Read and check a graph file; the suffix says which reader.

    Returns:
        Network.

    Raises:
        ModelFileError: missing, damaged, of another kind or a newer schema, or an entry that is absent, misspelt, of a
            wrong shape or out of range; names the entry.
    """
    path = Path(path)
    read = READERS.get(path.suffix.lower())
    if read is None:
        raise ModelFileError(f"graph file {path} has an unknown suffix {path.suffix!r}; known: {', '.join(READERS)}")
    if not path.is_file():
        raise ModelFileError(f"there is no file {path}")
    return read(path)


def is_graph(path):
    """Whether a file is to be opened by `load_graph`: by its suffix, or by what an HDF5 file says it holds."""
    import h5py

    path = Path(path)
    suffix = path.suffix.lower()
    if suffix in (".h5", ".hdf5"):
        try:
            with h5py.File(path, "r") as file:
                return file.attrs.get("format") == FORMAT
        except OSError:
            return False
    return suffix in READERS


def _read(tree_from):
    def read(path):
        try:
            tree = tree_from(path)
        except (OSError, LookupError, TypeError, AttributeError, ValueError, RuntimeError) as error:
            raise ModelFileError(f"{path} is damaged or not a graph file: {error}") from error
        kind = tree.pop("format", None) if isinstance(tree, dict) else None
        if kind != FORMAT:
            raise ModelFileError(f"{path} holds {kind!r}, expected {FORMAT!r}")
        schema = tree.pop("schema", None)
        if isinstance(schema, bool) or not isinstance(schema, int) or schema < 1:
            raise ModelFileError(f"{path}: schema must be a whole number >= 1, got {schema!r}")
        if schema > SCHEMA:
            raise ModelFileError(
                f"{path} has schema {schema}, this version reads up to {SCHEMA}; upgrade spsnn to open it"
            )
        tree.pop("spsnn_version", None)
        return network_of(tree, path)

    return read


def _write_json(tree, path):
    path.write_text(json.dumps(tree, default=_plain, separators=(",", ":"), allow_nan=False) + "\n", encoding="utf-8")


def _from_json(path):
    return json.loads(path.read_text(encoding="utf-8"))


def _write_hdf5(tree, path):
    """Arrays become data sets at their place in the tree, the rest is the JSON text ``meta``."""
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs["format"], file.attrs["schema"] = tree["format"], tree["schema"]

        def part(value, at):
            if isinstance(value, np.ndarray):
                file[at] = value
                return None
            if isinstance(value, dict):
                made = {key: part(v, f"{at}/{key}") for key, v in value.items()}
                return {key: v for key, v in made.items() if not isinstance(value[key], np.ndarray)}
            if isinstance(value, list):
                return [part(v, f"{at}/{k}") for k, v in enumerate(value)]
            return value

        file["meta"] = json.dumps(part(tree, ""), default=_plain, allow_nan=False)


def _from_hdf5(path):
    import h5py

    with h5py.File(path, "r") as file:
        if file.attrs.get("format") != FORMAT:
            return {"format": file.attrs.get("format")}
        tree = json.loads(file["meta"][()])

        def put(name, item):
            if isinstance(item, h5py.Dataset) and name != "meta":
                *parents, key = name.split("/")
                place = tree
                for parent in parents:
                    place = place[int(parent)] if isinstance(place, list) else place[parent]
                place[key] = item[()]

        file.visititems(put)
    return tree


def _read_nir(path):
    from spsnn.graph.nir import read_nir

    return read_nir(path)


def _plain(value):
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} {value!r}")


WRITERS = {".json": _write_json, ".h5": _write_hdf5, ".hdf5": _write_hdf5}
READERS = {".json": _read(_from_json), ".h5": _read(_from_hdf5), ".hdf5": _read(_from_hdf5), ".nir": _read_nir}
