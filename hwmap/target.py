"""Hardware targets: limits, formats, energies and times of a chip, each with its provenance."""

from __future__ import annotations

import difflib
import sys
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from spsnn.errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DELAY_MODES = ("stored", "computed", "hop")
_PROFILES = Path(__file__).parent / "targets"
_Count = Field(ge=1)
_Cost = Field(ge=0, allow_inf_nan=False)


class Provenance(BaseModel):
    """Where a figure comes from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["measured", "published", "inherited", "user"]
    source: str = ""


class Target(BaseModel):
    """One chip, as the mapper sees it.

    Cores sit ``cores_per_tile`` to a tile on a mesh of ``mesh_width x mesh_height`` tiles.  ``energy_*_pj`` and
    ``time_*_ns`` are per event, ``barrier_*_ns`` per time step, ``static_power_mw`` for the whole chip.  ``port`` is
    the tile ``[x, y]`` where spikes of the host enter.  ``provenance`` names where each figure is from.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    name: str = Field(min_length=1)
    family: Literal["loihi", "mesh"]
    title: str = ""
    energy_note: str = ""
    time_note: str = ""
    native_delay_modes: list[Literal["stored", "computed", "hop"]] = ["stored"]
    multicast: bool
    port: tuple[int, int] = (0, 0)

    mesh_width: int = _Count
    mesh_height: int = _Count
    cores_per_tile: int = _Count
    n_cores: int = _Count

    neurons_per_core: int = _Count
    synapse_memory_bits_per_core: int = _Count
    axons_in_per_core: int = _Count
    axons_out_per_core: int = _Count
    fan_in_per_neuron: int = _Count

    weight_bits: int = Field(ge=2, le=32)
    delay_bits: int = Field(ge=0, le=16)
    max_delay_steps: int = Field(ge=0)
    index_bits: int = Field(ge=0, le=32)
    decay_bits: int = Field(default=12, ge=2, le=32)
    coordinate_bits: int = Field(default=8, ge=1, le=32)
    hop_ticks: int = Field(default=1, ge=1)
    hop_residual_bits: int = Field(default=2, ge=0, le=16)

    energy_synaptic_op_pj: float = _Cost
    energy_neuron_active_pj: float = _Cost
    energy_neuron_inactive_pj: float = _Cost
    energy_spike_out_pj: float = _Cost
    energy_axon_out_pj: float = _Cost
    energy_axon_in_pj: float = _Cost
    energy_within_tile_pj: float = _Cost
    energy_hop_ew_pj: float = _Cost
    energy_hop_ns_pj: float = _Cost

    time_synaptic_op_ns: float = _Cost
    time_neuron_active_ns: float = _Cost
    time_neuron_inactive_ns: float = _Cost
    time_spike_out_ns: float = _Cost
    time_axon_out_ns: float = _Cost
    time_axon_in_ns: float = _Cost
    time_within_tile_ns: float = _Cost

    barrier_one_tile_ns: float = _Cost
    barrier_all_tiles_ns: float = _Cost
    static_power_mw: float = _Cost

    provenance: dict[str, Provenance] = {}

    @model_validator(mode="after")
    def _consistent(self):
        slots = self.mesh_width * self.mesh_height * self.cores_per_tile
        if self.n_cores > slots:
            raise ValueError(f"n_cores {self.n_cores} exceeds the {slots} places of the mesh")
        if not (0 <= self.port[0] < self.mesh_width and 0 <= self.port[1] < self.mesh_height):
            raise ValueError(f"port {list(self.port)} lies outside the {self.mesh_width} x {self.mesh_height} mesh")
        if self.max_delay_steps >= 2**self.delay_bits:
            raise ValueError(f"max_delay_steps {self.max_delay_steps} needs more than delay_bits {self.delay_bits}")
        if self.family == "loihi" and self.native_delay_modes != ["stored"]:
            raise ValueError("native_delay_modes of a Loihi target must be ['stored']: its steps end at a barrier")
        return self

    def hypothetical(self, delay_mode):
        """True if no such chip realises delays this way (anything but ``stored`` on Loihi)."""
        return delay_mode not in self.native_delay_modes

    def delay_label(self, delay_mode):
        """Delay mode as every table, file and picture must name it, e.g. ``hop (hypothetical on loihi2)``."""
        return f"{delay_mode} (hypothetical on {self.name})" if self.hypothetical(delay_mode) else delay_mode

    def _source(self, prefixes, note):
        kinds = {}
        for name, entry in self.provenance.items():
            if name.startswith(prefixes):
                kinds.setdefault(entry.kind, []).append(name)
        parts = [
            f"{kind}: {note}" if note else kind for kind in ("inherited", "published", "measured") if kind in kinds
        ]
        if "user" in kinds:
            parts.append("user: " + ", ".join(sorted(kinds["user"])))
        return "; ".join(parts) or "user"

    @property
    def energy_source(self):
        """Where the energies come from, weakest kind first; travels with every energy that is reported."""
        return self._source(("energy_", "static_"), self.energy_note)

    @property
    def time_source(self):
        """Where the times come from."""
        return self._source(("time_", "barrier_"), self.time_note)

    def tile_of_slot(self, slot):
        """Tile ``(x, y)`` of a core's place; places are numbered tile by tile, row by row."""
        tile = slot // self.cores_per_tile
        return tile % self.mesh_width, tile // self.mesh_width


FIGURES = tuple(name for name, field in Target.model_fields.items() if field.annotation in (int, float))


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
        path = _find(name_or_path)
        where = str(name_or_path)
        try:
            raw = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigError(f"target file {path} cannot be read: {error}") from error
        raw = _split_provenance(raw)
    for key, value in overrides.items():
        if key not in Target.model_fields or key == "provenance":
            raise ConfigError(f"target {where!r} has no figure {key!r}; {_nearest(key, Target.model_fields)}")
        raw[key] = value
        if key in FIGURES:
            raw["provenance"][key] = {"kind": "user", "source": "override"}
    # A smaller or larger mesh without a core count of its own is a full one.
    if "n_cores" not in overrides and {"mesh_width", "mesh_height", "cores_per_tile"} & set(overrides):
        sides = [raw[k] for k in ("mesh_width", "mesh_height", "cores_per_tile")]
        if all(isinstance(side, int) for side in sides):
            raw["n_cores"] = sides[0] * sides[1] * sides[2]
            raw["provenance"]["n_cores"] = {"kind": "user", "source": "override of the mesh's sides"}
    try:
        return Target.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(f"target {where!r}: {_first_problem(error)}") from error


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


def _split_provenance(raw):
    """Separate ``{value, provenance, source}`` tables into plain values and a provenance table."""
    values, provenance = {}, {}
    for key, entry in raw.items():
        if isinstance(entry, dict):
            unknown = set(entry) - {"value", "provenance", "source"}
            if "value" not in entry or unknown:
                raise ConfigError(f"figure {key!r} of a target needs value, provenance and source; got {sorted(entry)}")
            values[key] = entry["value"]
            provenance[key] = {"kind": entry.get("provenance", "user"), "source": entry.get("source", "")}
        else:
            values[key] = entry
            if key in FIGURES:
                provenance[key] = {"kind": "user", "source": ""}
    values["provenance"] = provenance
    return values


def _first_problem(error):
    first = error.errors()[0]
    name = ".".join(map(str, first["loc"]))
    if first["type"] == "missing":
        return f"{name} is missing"
    if first["type"] == "extra_forbidden":
        return f"unknown figure {name!r}; {_nearest(name, Target.model_fields)}"
    got = "" if first["type"] == "value_error" else f", got {first['input']!r}"
    return f"{name}: {first['msg']}{got}" if name else first["msg"].removeprefix("Value error, ")
