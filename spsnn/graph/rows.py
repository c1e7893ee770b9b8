"""Pruned weights in files: compressed rows in place of a matrix and its mask."""

from __future__ import annotations

import numpy as np

from spsnn.errors import ModelFileError

PARTS = ("indptr", "indices", "values")


def pack(arrays):
    """Replace ``<name>.weight`` and ``<name>.mask [I, J]`` by compressed rows where less than half is kept.

    Synapses of neuron ``i`` are ``k in indptr[i]:indptr[i + 1]``, to ``indices[k]``, with ``values[k]``, stored under
    ``<name>.weight.indptr`` and so on.  A weight that is not zero under its mask keeps both matrices: nothing is lost.
    """
    packed = dict(arrays)
    for name, mask in arrays.items():
        base = name.removesuffix(".mask") + ".weight"
        if not name.endswith(".mask") or base not in arrays or 2 * np.count_nonzero(mask) >= mask.size:
            continue
        weight = arrays[base]
        if np.any(weight[~mask]):
            continue
        del packed[name], packed[base]
        _, indices = np.nonzero(mask)
        indptr = np.concatenate([[0], np.cumsum(mask.sum(1))]).astype(np.int64)
        packed |= {
            f"{base}.indptr": indptr,
            f"{base}.indices": indices.astype(np.int32),
            f"{base}.values": weight[mask],
        }
    return packed


def unpack(arrays, shapes, path):
    """Undo `pack`.

    Args:
        arrays: ``{name: array}`` of the file.
        shapes: ``{name: shape}`` of the matrices.
        path: of the file, for messages.

    Raises:
        ModelFileError: if rows are incomplete, or do not fit their matrix.
    """
    full = dict(arrays)
    for base in sorted({n.rpartition(".")[0] for n in arrays if n.rpartition(".")[2] in PARTS}):
        missing = [part for part in PARTS if f"{base}.{part}" not in arrays]
        if missing or base not in shapes:
            lack = f"lack {', '.join(missing)}" if missing else "belong to no weight of this model"
            raise ModelFileError(f"{path}: the compressed rows of {base} {lack}")
        indptr, indices, values = (full.pop(f"{base}.{part}") for part in PARTS)
        fault = _fault(indptr, indices, values, shapes[base])
        if fault:
            raise ModelFileError(f"{path}: the compressed rows of {base} {tuple(shapes[base])} are damaged: {fault}")
        at = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr)), indices
        full[base] = np.zeros(shapes[base], values.dtype)
        full[base][at] = values
        mask = base.removesuffix(".weight") + ".mask"
        full[mask] = np.zeros(shapes[base], bool)
        full[mask][at] = True
    return full


def _fault(indptr, indices, values, shape):
    """What is wrong with compressed rows, or None."""
    n_pre, n_post = shape
    if any(a.ndim != 1 for a in (indptr, indices, values)):
        return "indptr, indices and values must be vectors"
    if any(a.dtype.kind not in "iu" for a in (indptr, indices)):
        return f"indptr and indices must be whole numbers, got {indptr.dtype} and {indices.dtype}"
    if len(indptr) != n_pre + 1:
        return f"indptr should have {n_pre + 1} entries, it has {len(indptr)}"
    if not len(indices) == len(values) == indptr[-1]:
        return f"indptr ends at {indptr[-1]}, there are {len(indices)} indices and {len(values)} values"
    if indptr[0] != 0 or np.any(np.diff(indptr.astype(np.int64)) < 0):
        return "indptr must rise from 0"
    if len(indices) and not 0 <= indices.min() <= indices.max() < n_post:
        return f"indices must lie in [0, {n_post}), they run from {indices.min()} to {indices.max()}"
    rows = np.repeat(np.arange(n_pre), np.diff(indptr))
    if np.any(np.diff(rows * n_post + indices.astype(np.int64)) <= 0):
        return "indices must rise within a row"
    return None
