"""What a table consists of: rows, seeds, folds, and the configuration of every run."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path

import yaml

from spsnn.cli.config import read_config, typed
from spsnn.cli.folds import fold_name, fold_overrides
from spsnn.errors import ConfigError

PROTOCOLS = ("retrain", "validation")
SOURCE_SEEDS = 1000  # so that a row which takes coordinates from another does not start from that row's weights too


@dataclass(frozen=True)
class Row:
    """One setting of a table.

    Attributes:
        name: as in the table; with axes, their levels joined by ``/``.
        set: overrides ``key=value`` of the base configuration.
        positions_from: row whose trained coordinates this row starts from, or None. That row draws its weights from
            ``model.seed`` 1000 + n where this one has n, so that nothing but the coordinates is handed on.
        freeze_positions: do not train the coordinates.
        base: configuration in place of the table's, or None.
    """

    name: str
    set: list[str] = field(default_factory=list)
    positions_from: str | None = None
    freeze_positions: bool = False
    base: str | None = None

    @property
    def folder(self):
        """Name that is safe as a folder."""
        return re.sub(r"[^\w.-]+", "_", self.name)


@dataclass(frozen=True)
class Table:
    """A table of results.

    Attributes:
        title, text: heading and what the rows are; ``{data}`` becomes the label of the data set.
        base: configuration that all rows change: a shipped name, or a YAML file beside the table's.
        protocol: ``retrain``: train on all training data and take the last epoch (the number of epochs was chosen
            before, on validation data); ``validation``: the base's own validation set chooses the epoch.
        seeds: number of seeds, from 0.
        set: overrides of all rows.
        rows: `Row` by name; or ``axes``, from whose levels rows are combined.
        compare: pairs of rows (or of levels, the other axes equal) that are tested against each other over seeds.
        match_distance: set ``model.position_scale`` of every row so that two random points are as far apart on average
            as in the base.
        smallest_above: name the row with the fewest parameters whose mean accuracy exceeds this share.
        damage: changes under which trained networks are scored too, see `spsnn.tables.robustness`.
        chip: map every trained network, and show what it costs there: ``target``, and options of
            `spsnn.tables.chip`.
        joined: score the networks of a row side by side too, see `spsnn.tables.joined`.
        channel_shifts: score the networks also with every sample presented once moved by each of these numbers of
            channels, see `spsnn.evaluate` and `spsnn.tables.shifted`.
        similarity: say how alike the weights of two seeds are, see `spsnn.tables.similarity`.
        pictured: tables whose results a picture puts beside ``published`` ones, see `spsnn.tables.efficiency`.
    """

    name: str
    title: str
    text: str = ""
    base: str = ""
    protocol: str = "validation"
    seeds: int = 3
    set: list[str] = field(default_factory=list)
    rows: dict[str, Row] = field(default_factory=dict)
    compare: list[list[str]] = field(default_factory=list)
    match_distance: bool = False
    smallest_above: float | None = None
    damage: dict[str, list[float]] = field(default_factory=dict)
    chip: dict = field(default_factory=dict)
    joined: bool = False
    channel_shifts: list[int] = field(default_factory=list)
    similarity: bool = False
    pictured: list[str] = field(default_factory=list)
    published: list[dict] = field(default_factory=list)
    epochs: int | None = None

    def choose(self, names):
        """Names of the rows that patterns such as ``2-D/*`` choose, with the rows that those start from.

        Raises:
            ConfigError: for a pattern that chooses none.
        """
        chosen = set()
        for name in names or ["*"]:
            found = {row for row in self.rows if fnmatchcase(row, name)}
            if not found:
                raise ConfigError(f"table {self.name!r} has no row {name!r}; rows: {', '.join(self.rows)}")
            chosen |= found | {self.rows[row].positions_from for row in found}
        return [row for row in self.rows if row in chosen]

    def runs(self, folds=()):
        """All runs, by seed, row and fold of held-out speakers; each with its checked configuration."""
        if folds and any("data.train.hold_out" in text for row in self.rows.values() for text in row.set):
            raise ConfigError(f"the rows of table {self.name!r} choose speakers themselves; leave out --folds")
        return [
            Run(row, seed, fold, self.configuration(row, seed, fold), self.damage, self.chip)
            for seed in range(self.seeds)
            for row in self.rows.values()
            for fold in (folds or (None,))
        ]

    def is_source(self, row):
        """Whether other rows start from the coordinates of this one."""
        return any(other.positions_from == row.name for other in self.rows.values())

    def configuration(self, row, seed, fold=None):
        """`RunConfig` of one run."""
        path = row.base or self.base
        base = read_config(path)
        protocol = []
        if fold is not None:
            protocol = fold_overrides(base, fold)
            if self.protocol == "retrain":
                protocol = [*protocol, "training.select=last"]
        elif self.protocol == "retrain":
            protocol = ["data.validation=null", "training.select=last"]
            if "hold_out" in base.data.train:
                protocol.append("data.train.hold_out=[]")
        start = seed + (SOURCE_SEEDS if self.is_source(row) else 0)
        overrides = [*protocol, *self.set, *row.set, f"model.seed={start}", f"training.seed={seed}"]
        if self.epochs is not None:
            overrides.append(f"training.epochs={self.epochs}")
        try:
            config = read_config(path, overrides)
        except ConfigError as error:
            raise ConfigError(f"row {row.name!r}: {error}") from error
        if self.match_distance:
            if base.space is None:
                raise ConfigError(f"match_distance is about delays from space, {config.kind!r} has none; leave it out")
            if config.model.position_init != "normal":
                raise ConfigError(f"match_distance needs model.position_init=normal, got {config.model.position_init}")
            scale = matched_scale(config.model.position_scale, base.space.dim, config.space.dim)
            config = replace(config, model=replace(config.model, position_scale=scale))
        return config


@dataclass(frozen=True)
class Run:
    """One training run of a table: a row, a seed, perhaps a fold of held-out speakers."""

    row: Row
    seed: int
    fold: tuple | None
    config: object
    damage: dict
    chip: dict = field(default_factory=dict)

    @property
    def folder(self):
        """Its folder under that of the table."""
        part = f"seed{self.seed}" + ("" if self.fold is None else f"-{fold_name(self.fold)}")
        return Path(self.row.folder) / part

    @property
    def source(self):
        """Folder of the run whose coordinates it starts from, or None."""
        if self.row.positions_from is None:
            return None
        return replace(self, row=Row(self.row.positions_from)).folder

    def __str__(self):
        return f"{self.row.name}, seed {self.seed}" + ("" if self.fold is None else f", {fold_name(self.fold)}")


def matched_scale(scale, dim, other):
    """Spread in ``other`` dimensions at which two normal points are as far apart on average as at ``scale`` in ``dim``.

    Two points of N(0, s^2 I_d) are ``2 s Gamma((d + 1) / 2) / Gamma(d / 2)`` apart on average.
    """
    mean = lambda d: math.gamma((d + 1) / 2) / math.gamma(d / 2)  # noqa: E731
    return scale * mean(dim) / mean(other) if other != dim else scale


def shipped_tables():
    """Names of the tables in the package."""
    return sorted(p.stem for p in Path(__file__).parent.glob("*.yaml"))


def read_table(name):
    """`Table` from a YAML file, or the name of one in the package.

    Raises:
        ConfigError: on an unknown name or key, an ill-typed value, or a row that another names and that is not there.
    """
    path = Path(name)
    if not path.is_file():
        path = Path(__file__).parent / f"{name}.yaml"
        if name not in shipped_tables():
            raise ConfigError(f"there is no table {str(name)!r}; tables: {', '.join(shipped_tables())}")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    where = f"table {path.stem}"
    if not isinstance(values, dict) or {"name", "epochs"} & set(values):
        raise ConfigError(f"{path} must hold keys such as 'base' and 'rows', without 'name' and 'epochs'")
    axes, rows = values.pop("axes", None) or {}, values.pop("rows", None) or {}
    if axes and rows:
        raise ConfigError(f"{where} has both axes and rows; give one of them")
    _mappings(rows, f"{where}.rows", "rows")
    for axis, levels in _mappings(axes, f"{where}.axes", "axes").items():
        for level, entry in _mappings(levels, f"{where}.axes.{axis}", "levels").items():
            if set(entry or {}) - {"set"} or not isinstance((entry or {}).get("set", []), list):
                raise ConfigError(f"{where}.axes.{axis}.{level} may hold a list 'set' and nothing else, got {entry!r}")
    pairs = values.get("compare") or []
    if not isinstance(pairs, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
        raise ConfigError(f"{where}: compare must be a list of pairs of names, got {pairs!r}")
    if axes:
        rows, values["compare"] = combine(axes, pairs)
    for row, entry in rows.items():
        if "name" in (entry or {}):
            raise ConfigError(f"{where}.rows.{row}: a row is called by its key; leave 'name' out")
    values["rows"] = {
        str(row): typed(Row, {"name": str(row), **(entry or {})}, f"{where}.rows.{row}") for row, entry in rows.items()
    }
    if len(values["rows"]) < len(rows):
        raise ConfigError(f"{where}: two rows are called the same once their keys are texts; rename one")
    values["base"] = beside(path, values.get("base", ""))
    values["rows"] = {name: replace(row, base=beside(path, row.base)) for name, row in values["rows"].items()}
    table = typed(Table, {"name": path.stem, **values}, where)
    check(table, where)
    return table


def _mappings(values, where, what):
    """``values``, if they map names to mappings (or to nothing)."""
    if not isinstance(values, dict) or not all(isinstance(entry, dict | None) for entry in values.values()):
        raise ConfigError(f"{where} must hold the names of {what}, each with keys such as 'set', got {values!r}")
    return values


def beside(path, base):
    """``base`` as a file beside ``path`` where there is one, else as it is."""
    return str(path.parent / base) if isinstance(base, str) and base and (path.parent / base).is_file() else base


def combine(axes, pairs):
    """Rows of all combinations of levels, and pairs of rows from pairs of levels of one axis."""
    rows, compared = {}, []
    for levels in itertools.product(*axes.values()):
        entries = [axes[axis][level] or {} for axis, level in zip(axes, levels, strict=True)]
        name = "/".join(str(level) for level in levels)
        rows[name] = {"set": [text for entry in entries for text in entry.get("set", [])]}
        for first, second in pairs:
            if first in levels:
                compared.append([name, "/".join(str(second if level == first else level) for level in levels)])
    return rows, compared


def check(table, where):
    """Rules across the keys of a table."""
    if table.protocol not in PROTOCOLS:
        raise ConfigError(f"{where}: protocol must be one of {', '.join(PROTOCOLS)}, got {table.protocol!r}")
    if table.seeds < 1:
        raise ConfigError(f"{where}: seeds must be at least 1, got {table.seeds}")
    if bool(table.rows) == bool(table.pictured):
        raise ConfigError(f"{where} needs rows and a base, or pictured tables")
    for row in table.rows.values():
        if not row.folder.strip("."):
            raise ConfigError(f"{where}: row {row.name!r} would have no folder of its own; give it letters or digits")
        if len(row.folder.encode()) > 200:
            raise ConfigError(f"{where}: row {row.name[:40]!r}... is too long for a folder; take 200 letters at most")
    if len({row.folder for row in table.rows.values()}) < len(table.rows):
        raise ConfigError(f"{where}: two rows would share a folder; names must differ in letters and digits")
    if table.smallest_above is not None and not 0 < table.smallest_above < 1:
        raise ConfigError(f"{where}: smallest_above is a share, in (0, 1), got {table.smallest_above}")
    for row in table.rows.values():
        source = row.positions_from
        if source is not None and (source not in table.rows or table.rows[source].positions_from is not None):
            raise ConfigError(f"{where}: row {row.name!r} starts from {source!r}, which is no row that starts afresh")
    for pair in table.compare:
        if len(pair) != 2 or not set(pair) <= set(table.rows):
            raise ConfigError(f"{where}: compare holds pairs of rows, got {pair}; rows: {', '.join(table.rows)}")
