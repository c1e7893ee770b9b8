"""Hardware targets: limits, formats, energies and times of a chip, each with its provenance."""

from __future__ import annotations

import difflib
import sys
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from spsnn.errors import ConfigError
from spsnn.hwmap.targets._check import check, how_to_give

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DELAY_MODES = ("stored", "computed", "hop")
_PROFILES = Path(__file__).parent
_Count = Field(ge=1)
_Cost = Field(ge=0, allow_inf_nan=False)
_OptionalCost = Field(default=None, ge=0, allow_inf_nan=False)


class Provenance(BaseModel):
    """Where a figure comes from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["measured", "published", "inherited", "user"]
    source: str = ""


class Target(BaseModel):
    """One chip or a mesh of chips, as the mapper sees it.

    Cores sit ``cores_per_tile`` to a tile on a mesh of ``mesh_width x mesh_height`` tiles, those of all ``chips``
    (columns, rows) together; a link between two chips has its own cost.  ``energy_*_pj`` and ``time_*_ns`` are per
    event, ``barrier_*_ns`` per time step, ``static_power_mw`` for each chip in use.  ``port`` is the tile ``[x, y]``
    where spikes of the host enter.  ``provenance`` names where each figure is from.  docs/targets.md explains all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    name: str = Field(min_length=1)
    family: Literal["loihi", "mesh", "crossbar"]
    title: str = ""
    note: str = ""
    energy_note: str = ""
    time_note: str = ""
    native_delay_modes: list[Literal["stored", "computed", "hop"]] = ["stored"]
    neuron_kinds: list[str] = ["lif", "li"]
    other_neurons: Literal["label", "refuse"] = "label"
    multicast: bool
    port: tuple[int, int] = (0, 0)
    chips: tuple[int, int] = (1, 1)

    mesh_width: int = _Count
    mesh_height: int = _Count
    cores_per_tile: int = _Count
    n_cores: int = _Count

    neurons_per_core: int = _Count
    synapse_memory_bits_per_core: int = _Count
    axons_in_per_core: int = _Count
    axons_out_per_core: int = _Count
    fan_in_per_neuron: int = _Count
    crossbar_rows: int | None = Field(default=None, ge=1)
    crossbar_columns: int | None = Field(default=None, ge=1)
    graded_spike_bits: int = Field(default=0, ge=0, le=64)
    decay_sets_per_core: int | None = Field(default=None, ge=1)

    weight_bits: int = Field(ge=2, le=32)
    delay_bits: int = Field(ge=0, le=16)
    min_delay_steps: int = Field(default=0, ge=0)
    max_delay_steps: int = Field(ge=0)
    index_bits: int = Field(ge=0, le=32)
    decay_bits: int = Field(default=12, ge=2, le=32)
    coordinate_bits: int = Field(default=8, ge=1, le=32)
    hop_ticks: int = Field(default=1, ge=1)
    hop_residual_bits: int = Field(default=2, ge=0, le=16)

    energy_synaptic_op_pj: float = _Cost
    energy_synaptic_op_sparse_pj: float | None = _OptionalCost
    energy_neuron_active_pj: float = _Cost
    energy_neuron_inactive_pj: float = _Cost
    energy_spike_out_pj: float = _Cost
    energy_axon_out_pj: float = _Cost
    energy_axon_in_pj: float = _Cost
    energy_within_tile_pj: float = _Cost
    energy_hop_ew_pj: float = _Cost
    energy_hop_ns_pj: float = _Cost
    energy_chip_link_pj: float | None = _OptionalCost
    energy_merge_pj: float | None = _OptionalCost

    time_synaptic_op_ns: float = _Cost
    time_synaptic_op_sparse_ns: float | None = _OptionalCost
    time_neuron_active_ns: float = _Cost
    time_neuron_inactive_ns: float = _Cost
    time_spike_out_ns: float = _Cost
    time_axon_out_ns: float = _Cost
    time_axon_in_ns: float = _Cost
    time_within_tile_ns: float = _Cost
    time_hop_ew_ns: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    time_hop_ns_ns: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    time_chip_link_ns: float | None = _OptionalCost
    time_merge_ns: float | None = _OptionalCost

    barrier_one_tile_ns: float = _Cost
    barrier_all_tiles_ns: float = _Cost
    barrier_between_ns: list[tuple[int, float]] = []
    static_power_mw: float = _Cost

    provenance: dict[str, Provenance] = {}

    @model_validator(mode="after")
    def _consistent(self):
        check(self)
        return self

    def hypothetical(self, delay_mode):
        """True if no such chip realises delays this way (anything but ``stored`` on Loihi)."""
        return delay_mode not in self.native_delay_modes

    def delay_label(self, delay_mode):
        """Delay mode as every table, file and picture must name it, e.g. ``hop (hypothetical on loihi2)``."""
        return f"{delay_mode} (hypothetical on {self.name})" if self.hypothetical(delay_mode) else delay_mode

    def source_of(self, figure):
        """Where one figure comes from, e.g. ``inherited: Davies 2018, Loihi 1``."""
        entry = self.provenance.get(figure, Provenance(kind="user"))
        return f"{entry.kind}: {entry.source}" if entry.source else entry.kind

    def _source(self, prefixes, note):
        kinds = {}
        for name, entry in self.provenance.items():
            if name.startswith(prefixes):
                kind = "not counted" if entry.kind == "user" and getattr(self, name) == 0 else entry.kind
                kinds.setdefault(kind, []).append(name)
        noted = ", ".join(kind for kind in ("inherited", "published", "measured") if kind in kinds)
        parts = [f"{noted}: {note}" if note else noted] if noted else []
        parts += [f"{kind}: " + ", ".join(sorted(kinds[kind])) for kind in ("user", "not counted") if kind in kinds]
        return "; ".join(parts) or "user"

    @property
    def energy_source(self):
        """Where the energies come from, weakest kind first; travels with every energy that is reported."""
        return self._source(("energy_", "static_"), self.energy_note)

    @property
    def time_source(self):
        """Where the times come from."""
        return self._source(("time_", "barrier_"), self.time_note)

    @property
    def n_chips(self):
        """Number of chips."""
        return self.chips[0] * self.chips[1]

    @property
    def chip_tiles(self):
        """Tiles of one chip ``(columns, rows)``."""
        return self.mesh_width // self.chips[0], self.mesh_height // self.chips[1]

    def tile_of_slot(self, slot):
        """Tile ``(x, y)`` of a core's place; places are numbered tile by tile, row by row."""
        tile = slot // self.cores_per_tile
        return tile % self.mesh_width, tile // self.mesh_width

    def chip_of_tile(self, x, y):
        """Number of the chip that holds a tile, row by row."""
        width, height = self.chip_tiles
        return y // height * self.chips[0] + x // width

    def has_core(self, slot):
        """Whether there is a core at a place: every chip lacks its last places where cores are fewer than places."""
        (x, y), (width, height) = self.tile_of_slot(slot), self.chip_tiles
        local = (y % height * width + x % width) * self.cores_per_tile + slot % self.cores_per_tile
        return local < self.n_cores // self.n_chips


FIGURES = tuple(name for name, field in Target.model_fields.items() if field.annotation in (int, float))
OPTIONAL_FIGURES = tuple(n for n, f in Target.model_fields.items() if f.annotation in (int | None, float | None))


def available_targets():
    """Names of the profiles that come with the package."""
    return sorted(path.stem for path in _PROFILES.glob("*.toml"))


def load_target(name_or_path, **overrides):
    """Load and validate a hardware target.

    Args:
        name_or_path: name of a packaged profile (``loihi2``, ``mesh``), path of a TOML file, or a ``Target``.
        **overrides: figures to replace, e.g. ``n_cores=120``; their provenance becomes ``user``.

    Returns:
        Target.

    Raises:
        ConfigError: unknown target or figure (names the nearest), unreadable file, value out of range.
    """
    if isinstance(name_or_path, Target):
        raw, where = name_or_path.model_dump(), name_or_path.name
    else:
        where = str(name_or_path)
        raw, provenance, missing = _read(name_or_path)
        raw["provenance"] = provenance
        missing = [key for key in missing if key not in overrides]
        if missing:
            raise ConfigError(f"target {where!r} has no public figure for {', '.join(missing)}: {how_to_give(missing)}")
    for key, value in _whole_mesh(raw, overrides).items():
        if key not in Target.model_fields or key == "provenance":
            raise ConfigError(f"target {where!r} has no figure {key!r}; {_nearest(key, Target.model_fields)}")
        raw[key] = value
        if key in FIGURES + OPTIONAL_FIGURES or key in raw["provenance"]:
            raw["provenance"][key] = {"kind": "user", "source": "override"}
    try:
        return Target.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(f"target {where!r}: {_first_problem(error)}") from error


def _whole_mesh(raw, overrides):
    """Overrides made complete: more chips make a larger mesh, and a mesh of other sides is a full one."""
    out, sides = dict(overrides), ("mesh_width", "mesh_height", "cores_per_tile")
    resized = bool(set(sides) & set(out))
    new, old = out.get("chips"), raw.get("chips", (1, 1))
    if isinstance(new, (tuple, list)) and len(new) == 2 and all(isinstance(n, int) and n > 0 for n in new):
        for side, now, before in zip(sides, new, old, strict=False):
            out.setdefault(side, raw.get(side, 0) * now // before)
        if not resized:
            out.setdefault("n_cores", raw.get("n_cores", 0) * new[0] * new[1] // (old[0] * old[1]))
    lengths = [out.get(side, raw.get(side)) for side in sides]
    if resized and all(isinstance(length, int) for length in lengths):
        out.setdefault("n_cores", lengths[0] * lengths[1] * lengths[2])
    return out


def _find(name_or_path):
    text = str(name_or_path)
    if text in available_targets():
        return _PROFILES / f"{text}.toml"
    path = Path(text)
    if path.suffix == ".toml" and path.is_file():
        return path
    if path.suffix == ".toml":
        raise ConfigError(f"target file {text} does not exist; packaged targets: {available_targets()}")
    raise ConfigError(
        f"unknown target {text!r}; {_nearest(text, available_targets())}; or give the path of a .toml file"
    )


def _nearest(name, known):
    close = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f"did you mean {' or '.join(map(repr, close))}?" if close else f"known: {', '.join(sorted(known))}"


def _read(name_or_path):
    """Contents of a profile: values, ``{figure: provenance}``, and ``{figure: why}`` of those left to the user."""
    path = _find(name_or_path)
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"target file {path} cannot be read: {error}") from error
    return _split_provenance(raw)


def _split_provenance(raw):
    values, provenance, missing = {}, {}, {}
    for key, entry in raw.items():
        if isinstance(entry, dict):
            if entry.get("required") is True and set(entry) <= {"required", "source"}:
                missing[key] = entry.get("source", "")
                continue
            unknown = set(entry) - {"value", "provenance", "source"}
            if "value" not in entry or unknown:
                raise ConfigError(f"figure {key!r} of a target needs value, provenance and source; got {sorted(entry)}")
            values[key] = entry["value"]
            provenance[key] = {"kind": entry.get("provenance", "user"), "source": entry.get("source", "")}
        else:
            values[key] = entry
            if key in FIGURES + OPTIONAL_FIGURES:
                provenance[key] = {"kind": "user", "source": ""}
    return values, provenance, missing


def _first_problem(error):
    first = error.errors()[0]
    name = ".".join(map(str, first["loc"]))
    if first["type"] == "missing":
        return f"{name} is missing"
    if first["type"] == "extra_forbidden":
        return f"unknown figure {name!r}; {_nearest(name, Target.model_fields)}"
    got = "" if first["type"] == "value_error" else f", got {first['input']!r}"
    return f"{name}: {first['msg']}{got}" if name else first["msg"].removeprefix("Value error, ")
