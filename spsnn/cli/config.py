"""Typed configuration of a run: a YAML file plus ``--set key=value``."""

from __future__ import annotations

import copy
import difflib
import functools
import re
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import yaml

from spsnn.autograd.population import Grid
from spsnn.checks import not_negative, whole
from spsnn.errors import ConfigError
from spsnn.models.spiking.config import ModelConfig
from spsnn.neurons import NEURONS
from spsnn.space import Euclidean
from spsnn.training import SparsityConfig, TrainingConfig

SPIKING = "spsnn"
SHIPPED = Path(__file__).parent / "configurations"


@dataclass(frozen=True)
class DataConfig:
    """Which data set, and how it is loaded.

    Attributes:
        name: a key of `spsnn.datasets.DATASETS`.
        options: keyword arguments of the data set's class or function, for all splits.
        train, validation, test: further arguments for one split; ``validation: null`` trains without a validation set
            to the last epoch.
    """

    name: str = "yinyang"
    options: dict = field(default_factory=dict)
    train: dict = field(default_factory=dict)
    validation: dict | None = field(default_factory=dict)
    test: dict = field(default_factory=dict)


@dataclass(frozen=True)
class AugmentConfig:
    """Random changes to training samples; zero switches one off.

    Attributes:
        channel_shift: all spikes of a sample move by up to this many channels.
        channel_stretch: channels of a sample are stretched about the middle of their range by a factor between
            ``1 / (1 + channel_stretch)`` and ``1 + channel_stretch``.
        jitter: standard deviation of the spike times in ms.
        drop: share of spikes left out.
        stretch: times of a sample are multiplied by a factor between ``1 / (1 + stretch)`` and ``1 + stretch``.
        blend: share of samples that are mixed with another one of their class.
    """

    channel_shift: int = 0
    channel_stretch: float = 0.0
    jitter: float = 0.0
    drop: float = 0.0
    stretch: float = 0.0
    blend: float = 0.0

    def __post_init__(self):
        whole(self, "channel_shift")
        not_negative(self, *(f.name for f in fields(self)))
        for name in ("drop", "blend"):
            if getattr(self, name) > 1:
                raise ConfigError(f"{name} is a share, in [0, 1], got {getattr(self, name)}")


@dataclass(frozen=True)
class RunConfig:
    """All settings of one run; a rate-coded model has no space, neuron, output and grid."""

    data: DataConfig
    hidden: list
    model: object
    space: Euclidean | None
    neuron: object
    output: object | None
    grid: Grid | None
    training: TrainingConfig
    augment: AugmentConfig
    sparsity: SparsityConfig
    kind: str = SPIKING

    def as_dict(self):
        """Plain values, as written to the run's folder and the model file."""
        neuron = lambda n: None if n is None else {"kind": n.kind, **n.parameters()}  # noqa: E731
        sections = (
            "data",
            "model",
            *(["space", "grid"] if self.kind == SPIKING else []),
            "training",
            "augment",
            "sparsity",
        )
        plain = {**{k: asdict(getattr(self, k)) for k in sections}, "hidden": list(self.hidden)}
        if self.kind != SPIKING:
            return {**plain, "model": {"kind": self.kind, **plain["model"]}}
        return {**plain, "neuron": neuron(self.neuron), "output": neuron(self.output)}


SPIKING_SECTIONS = ("space", "grid", "neuron", "output")
SECTIONS = {
    "data": DataConfig, "model": ModelConfig, "space": Euclidean, "grid": Grid, "training": TrainingConfig,
    "augment": AugmentConfig, "sparsity": SparsityConfig, "neuron": None, "output": None, "hidden": None,
}  # fmt: skip


def read_config(path, overrides=()):
    """Configuration from a YAML file, or the name of one that ships with the package, and ``key=value`` overrides.

    Raises:
        ConfigError: on a missing or malformed file, an unknown key (naming the nearest known) or an ill-typed value.
    """
    return build_config(read_values(path, overrides))


def read_values(path, overrides=()):
    """The plain values behind `read_config`, as they are written, without defaults."""
    return change(_load_yaml(find_config(path)), overrides)


def change(values, overrides):
    """A copy of plain values with ``key=value`` overrides."""
    values = copy.deepcopy(values)
    for text in overrides:
        _override(values, text)
    return values


def differences(found, wanted, where=""):
    """``key: there, here`` of all keys that differ between two nested dictionaries."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        keys = {**found, **wanted}
        return [d for k in keys for d in differences(found.get(k), wanted.get(k), f"{where}.{k}" if where else k)]
    return [] if found == wanted else [f"{where}: {found!r} there, {wanted!r} now"]


def shipped_configs():
    """Names of the configurations in the package."""
    return sorted(p.stem for p in SHIPPED.glob("*.yaml"))


def find_config(path):
    """The file itself, or the shipped configuration of that name."""
    path = Path(path)
    if path.is_file():
        return path
    shipped = SHIPPED / f"{path.name}.yaml"
    if path.parent == Path() and shipped.is_file():
        return shipped
    raise ConfigError(f"there is no configuration file {path}; shipped ones: {', '.join(shipped_configs())}")


def _load_yaml(path):
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path} must hold sections such as 'data:' and 'model:', got {type(values).__name__}")
    return values


def _override(values, text):
    key, equals, raw = text.partition("=")
    if not equals or not key:
        raise ConfigError(f"--set takes key=value, e.g. training.epochs=20; got {text!r}")
    try:
        value = yaml.safe_load(raw)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {text}: the value is not valid YAML: {error}") from error
    *sections, last = key.split(".")
    at = values
    for name in sections:
        at = at.setdefault(name, {})
        if not isinstance(at, dict):
            raise ConfigError(f"--set {text}: {name!r} is a value, not a section")
    at[last] = value


def build_config(values):
    """`RunConfig` from nested plain values, every key and type checked."""
    if not isinstance(values, dict):
        raise ConfigError(f"a configuration must hold sections such as 'data:' and 'model:', got {values!r}")
    _known(values, SECTIONS, "")
    model = values.get("model") or {}
    kind = model.get("kind", SPIKING) if isinstance(model, dict) else SPIKING
    if kind != SPIKING:
        return _rate_config(values, kind)
    model = {k: v for k, v in model.items() if k != "kind"} if isinstance(model, dict) else model
    sections = _sections({**values, "model": model}, {name: cls for name, cls in SECTIONS.items() if cls is not None})
    return RunConfig(
        hidden=_sizes(values.get("hidden", [45])),
        neuron=_neuron(values.get("neuron") or {}, "neuron"),
        output=None if values.get("output") is None else _neuron(values["output"], "output"),
        **sections,
    )


def _rate_config(values, kind):
    """Configuration of a rate-coded model: ``model`` holds its settings."""
    from spsnn.models.registry import rate_model

    settings = rate_model(kind).Settings
    given = [name for name in SPIKING_SECTIONS if values.get(name)]
    if given:
        raise ConfigError(f"a model of kind {kind!r} has no {', '.join(given)}; leave the section out")
    model = {k: v for k, v in values["model"].items() if k != "kind"}
    classes = {"data": DataConfig, "model": settings, "training": TrainingConfig,
               "augment": AugmentConfig, "sparsity": SparsityConfig}  # fmt: skip
    sections = _sections({**values, "model": model}, classes)
    empty = dict.fromkeys(SPIKING_SECTIONS)
    return RunConfig(hidden=_sizes(values.get("hidden", [])), kind=kind, **empty, **sections)


def _sections(values, classes):
    return {name: typed(cls, values.get(name) or {}, name) for name, cls in classes.items()}


@functools.cache
def _adapter(cls):
    """The checks of a dataclass, which take some milliseconds to build."""
    from pydantic import TypeAdapter

    return TypeAdapter(cls)


def typed(cls, values, where):
    """Dataclass ``cls`` from a dictionary, with types converted where nothing is lost."""
    from pydantic import ValidationError

    if not isinstance(values, dict):
        raise ConfigError(f"section {where!r} must hold keys, got {values!r}")
    _known(values, {f.name: None for f in fields(cls)}, where)
    for f in fields(cls):
        if isinstance(values.get(f.name), bool) and not {"bool", "dict", "list"} & set(re.findall(r"\w+", str(f.type))):
            raise ConfigError(f"{where}.{f.name} takes no {str(values[f.name]).lower()}, but {f.type}")
    try:
        return _adapter(cls).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join([where, *(str(p) for p in first["loc"])])
        message = first["msg"].removeprefix("Value error, ")
        got = f", got {first['input']!r}" if first["loc"] else ""
        raise ConfigError(f"{key}: {message}{got}") from error


def _neuron(values, where):
    if not isinstance(values, dict):
        raise ConfigError(f"section {where!r} must hold keys, got {values!r}")
    values = dict(values)
    kind = values.pop("kind", "lif")
    if not isinstance(kind, str) or kind not in NEURONS:
        raise ConfigError(f"{where}.kind must be one of {', '.join(NEURONS)}, got {kind!r}")
    return typed(NEURONS[kind], values, where)


def _sizes(hidden):
    if not isinstance(hidden, list) or not all(type(n) is int and n > 0 for n in hidden):
        raise ConfigError(f"hidden must be a list of positive numbers of neurons, e.g. [45]; got {hidden!r}")
    return hidden


def _known(values, known, where):
    for key in values:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, 1, 0.0)
            full = f"{where}.{key}" if where else key
            raise ConfigError(f"unknown key {full!r}; did you mean {near[0]!r}? known: {', '.join(sorted(known))}")
