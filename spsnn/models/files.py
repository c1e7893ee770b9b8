"""Model files: save and load."""

from __future__ import annotations

import numpy as np
import torch

from spsnn._version import __version__
from spsnn.errors import ModelFileError, SpsnnError
from spsnn.graph import hdf5, rows
from spsnn.models.registry import from_config

KINDS = ("spsnn-model", "spsnn-checkpoint")


def state_arrays(model):
    """Parameters and buffers as ``{name: array}``."""
    return {name: tensor.detach().cpu().numpy() for name, tensor in model.state_dict().items()}


def put_state(model, arrays, path):
    """Copy arrays into a model after checking every name, shape, dtype and value.

    Raises:
        ModelFileError: names what is wrong; the model is not touched.
    """
    own = model.state_dict()
    arrays = rows.unpack(arrays, {name: tuple(tensor.shape) for name, tensor in own.items()}, path)
    if set(own) != set(arrays):
        missing, extra = sorted(set(own) - set(arrays)), sorted(set(arrays) - set(own))
        raise ModelFileError(f"{path} does not hold this model: missing {missing}, unknown {extra}")
    tensors = {}
    for name, tensor in own.items():
        array = arrays[name]
        want = tensor.cpu().numpy()
        same_kind = array.dtype.kind == want.dtype.kind == "f"  # a model that was double() or float()
        if array.shape != want.shape or (array.dtype != want.dtype and not same_kind):
            raise ModelFileError(
                f"{path}: {name} should be {want.dtype} {want.shape}, the file has {array.dtype} {array.shape}"
            )
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ModelFileError(f"{path}: {name} holds values that are not finite")
        tensors[name] = torch.from_numpy(np.array(array, want.dtype))
    model.load_state_dict(tensors)


def save(model, path, *, metrics=None, provenance=None):
    """Write a model file (HDF5), whole or not at all.

    Args:
        model: `SpSNN` or a rate-coded model.
        path: file to write or replace.
        metrics: JSON-able figures to keep with the model, e.g. ``{"test_accuracy": 0.98}``.
        provenance: JSON-able notes, e.g. the data set and the training settings.

    Raises:
        ModelFileError: if it cannot be written, a note is not JSON-able, or the model is a copy with weights of a chip
            that its parameters cannot express; a previous file stays as it was.
    """
    if getattr(model, "holds_chip", False):
        raise ModelFileError(
            f"a model file has no place for the weights of a chip that this {model.kind} holds; save the model that "
            "they were put in, or the graph that they came from"
        )
    for name, value in (("metrics", metrics), ("provenance", provenance)):
        if not isinstance(value, dict | None):
            raise ModelFileError(f"{name} must be a dictionary, got {type(value).__name__}")
    notes = {"spsnn": __version__, "torch": torch.__version__, **(provenance or {})}
    texts = {"config": model.config(), "metrics": metrics or {}, "provenance": notes}
    hdf5.write(path, "spsnn-model", texts, {"state": rows.pack(state_arrays(model))})


def load(path):
    """Model from a file written by `save`, or from a checkpoint (its best epoch).

    ``model.metrics`` and ``model.provenance`` hold what was saved beside it.

    Raises:
        ModelFileError: if the file is damaged, of a newer schema, or an entry does not fit.
    """
    texts, groups = hdf5.read(path, KINDS, ("config", "metrics", "provenance"), ("state",))
    try:
        model = from_config(texts["config"])
    except (SpsnnError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise ModelFileError(f"{path}: the configuration is not that of a model: {error}") from error
    put_state(model, groups["state"], path)
    model.eval()
    model.metrics, model.provenance = texts["metrics"], texts["provenance"]
    return model
