"""HDF5 files that are written whole or not at all, and read with every entry checked."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from spsnn.atomic import replacing
from spsnn.errors import ModelFileError

SCHEMA = 2  # 2: pruned weights as compressed rows


def make_folder(path):
    """Create a folder and its parents.

    Raises:
        ModelFileError: if it cannot be created.
    """
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ModelFileError(f"could not make the folder {path}: {error.strerror}; choose another one") from error


def write(path, kind, texts, groups):
    """Write JSON-able ``texts`` and ``groups`` of arrays ``{group: {name: array}}`` under a schema version.

    Raises:
        ModelFileError: if it cannot be written; the previous file stays as it was.
    """
    import h5py

    try:
        lines = {}
        for name, value in texts.items():
            lines[name] = json.dumps(value, default=_plain)
    except (TypeError, ValueError) as error:
        raise ModelFileError(
            f"{path} cannot be written, {name}: {error}; give numbers, texts, lists and dictionaries"
        ) from error
    make_folder(Path(path).parent)
    with replacing(path, ModelFileError) as temporary, h5py.File(temporary, "w") as h:
        h.attrs["format"] = kind
        h.attrs["schema"] = SCHEMA
        for name, line in lines.items():
            h[name] = line
        for group, arrays in groups.items():
            g = h.create_group(group)
            for name, array in arrays.items():
                g[name] = np.asarray(array)


def as_stored(value):
    """A JSON-able value as it comes back from a file: tuples are lists, NumPy's numbers plain ones."""
    return json.loads(json.dumps(value, default=_plain))


def _plain(value):
    """NumPy numbers and arrays as JSON holds them."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is not JSON-able")


def read(path, kind, texts, groups, optional=()):
    """Read what `write` wrote: ``(texts, groups)``, arrays whole in memory; an ``optional`` group may be absent.

    Raises:
        ModelFileError: if the file is absent, damaged, of another kind or of a newer schema, or an entry is missing.
    """
    import h5py

    path = Path(path)
    if not path.is_file():
        raise ModelFileError(f"there is no file {path}")
    try:
        with h5py.File(path, "r") as h:
            found = h.attrs.get("format")
            if found not in kind:
                raise ModelFileError(f"{path} holds {found!r}, expected one of {', '.join(kind)}")
            schema = int(h.attrs.get("schema", -1))
            if schema > SCHEMA:
                raise ModelFileError(
                    f"{path} has schema {schema}, this version reads up to {SCHEMA}; upgrade spsnn to open it"
                )
            missing = [n for n in (*texts, *groups) if n not in h]
            if missing:
                raise ModelFileError(f"{path} lacks {', '.join(missing)}; the file is incomplete")
            read_texts = {n: json.loads(h[n][()]) for n in texts}
            return read_texts, {
                g: {n: d[()] for n, d in h[g].items()} for g in (*groups, *(o for o in optional if o in h))
            }
    except ModelFileError:
        raise
    except (OSError, KeyError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        raise ModelFileError(f"{path} is damaged or not an spsnn file: {error}") from error
