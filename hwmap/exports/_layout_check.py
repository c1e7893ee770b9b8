"""Rules that a layout file must keep before anything uses it."""

from __future__ import annotations

import numpy as np
from pydantic import ValidationError

from spsnn.errors import ModelFileError
from spsnn.hwmap.targets.target import DELAY_MODES, Target

FORMAT = "spsnn-layout"
SCHEMA = 1


def check(meta, arrays, path):
    """Validate a layout's contents against each other.

    Raises:
        ModelFileError: names the first rule that is broken.
    """

    def need(condition, problem):
        if not condition:
            raise ModelFileError(f"layout file {path}: {problem}; write it again with Chip.export")

    try:
        _check(meta, arrays, need)
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise ModelFileError(f"layout file {path} lacks or garbles {error}; write it again with Chip.export") from error


def _check(meta, arrays, need):
    need(meta["format"] == FORMAT, f"format is {meta['format']!r}, expected {FORMAT!r}")
    need(
        isinstance(meta["schema"], int) and 1 <= meta["schema"] <= SCHEMA,
        f"schema {meta['schema']!r} is not known to this version (it knows 1 to {SCHEMA})",
    )
    try:
        target = Target.model_validate(meta["target"])
    except ValidationError as error:
        need(False, f"its target is invalid: {error.errors()[0]['loc']} {error.errors()[0]['msg']}")
    mode = meta["delay_mode"]
    need(mode in DELAY_MODES, f"unknown delay_mode {mode!r}")
    need(
        meta["hypothetical"] is target.hypothetical(mode) and meta["delay_label"] == target.delay_label(mode),
        f"delay_mode {mode!r} on {target.name} must be labelled {target.delay_label(mode)!r}",
    )
    need(np.isfinite(meta["dt_ms"]) and meta["dt_ms"] > 0, f"dt_ms must be > 0, got {meta['dt_ms']}")
    _check_cores(meta, arrays, target, need)
    _check_projections(meta, arrays, target, need)
    _check_routes(arrays, target, need)


def _check_cores(meta, arrays, target, need):
    core, slot = arrays["core"], arrays["core_slot"]
    sizes = [p["size"] for p in meta["populations"]]
    is_input = np.repeat([p["kind"] == "input" for p in meta["populations"]], sizes)
    need(core.dtype.kind == "i" and core.shape == (sum(sizes),), f"core must be integers [{sum(sizes)}]")
    need((core[is_input] == -1).all(), "an input unit sits on a core")
    on_chip = core[~is_input]
    need(((on_chip >= 0) & (on_chip < len(slot))).all(), f"a neuron's core lies outside 0..{len(slot) - 1}")
    tile = arrays.get("synapse_core", on_chip)
    need(((tile >= 0) & (tile < len(slot))).all(), f"a synapse's core lies outside 0..{len(slot) - 1}")
    held = np.bincount(on_chip, minlength=len(slot))
    need(held.max() <= target.neurons_per_core, f"a core holds {held.max()} neurons, limit {target.neurons_per_core}")
    need(slot.dtype.kind == "i" and slot.ndim == 1, "core_slot must be integers [cores]")
    places = target.mesh_width * target.mesh_height * target.cores_per_tile
    need(((slot >= 0) & (slot < places)).all(), f"a core's place lies outside 0..{places - 1}")
    need(target.has_core(slot).all(), f"a core's place is not one of the {target.n_cores} cores of {target.name}")
    need(len(np.unique(slot)) == len(slot), "two cores have the same place")
    tile, wanted = arrays["core_tile"], np.stack(target.tile_of_slot(slot), 1)
    need(tile.shape == wanted.shape and (tile == wanted).all(), "core_tile contradicts core_slot")


def _check_projections(meta, arrays, target, need):
    sizes = {p["name"]: p["size"] for p in meta["populations"]}
    for p in meta["populations"]:
        need(np.isfinite(p["weight_scale"]) and p["weight_scale"] > 0, f"weight_scale of {p['name']} must be > 0")
    top = 2 ** (target.weight_bits - 1) - 1
    for at, p in enumerate(meta["projections"]):
        where = f"projection {p['pre']} -> {p['post']}"
        indptr, indices, weight, delay = (
            arrays[f"projection/{at}/{name}"] for name in ("indptr", "indices", "weight", "delay_steps")
        )
        need(all(a.dtype.kind == "i" for a in (indptr, indices, weight, delay)), f"{where} must hold integers")
        need(
            indptr.shape == (sizes[p["pre"]] + 1,) and indptr[0] == 0 and (np.diff(indptr) >= 0).all(),
            f"{where} has a broken indptr",
        )
        need(
            all(a.shape == (indptr[-1],) for a in (indices, weight, delay)),
            f"{where} must hold {indptr[-1]} of each array",
        )
        need(((indices >= 0) & (indices < sizes[p["post"]])).all(), f"{where} names a neuron that does not exist")
        need((np.abs(weight) <= top).all(), f"{where} holds weights beyond {target.weight_bits} bits")
        need((delay >= 0).all(), f"{where} holds negative delays")
        if meta["delay_mode"] != "hop":
            need((delay <= target.max_delay_steps).all(), f"{where} holds delays above {target.max_delay_steps} steps")
        else:
            residual = arrays[f"projection/{at}/residual_steps"]
            need(
                residual.shape == delay.shape and ((residual >= 0) & (residual < 2**target.hop_residual_bits)).all(),
                f"{where} holds residual delays beyond {target.hop_residual_bits} bits",
            )


def _check_routes(arrays, target, need):
    source, indptr, ends, messages = (
        arrays[f"route/{name}"] for name in ("source", "indptr", "destinations", "messages")
    )
    count = len(source)
    need(
        indptr.shape == (count + 1,) and indptr[0] == 0 and (np.diff(indptr) >= 1).all() and indptr[-1] == len(ends),
        "routes have a broken indptr",
    )
    sides = np.array([target.mesh_width, target.mesh_height])
    for tiles in (source, ends):
        need(tiles.ndim == 2 and tiles.shape[1] == 2, "routes must be tiles (x, y)")
        need(((tiles >= 0) & (tiles < sides)).all(), "a route leaves the mesh")
    need(
        messages.shape == (count,) and np.isfinite(messages).all() and (messages >= 0).all(), "routes carry bad counts"
    )
