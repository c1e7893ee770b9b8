"""Parameters of a sweep: ``key=lo..hi``, ``key=lo..hi:log``, ``key=a,b,c``."""

from __future__ import annotations

import json
from dataclasses import dataclass

import yaml

from spsnn.errors import ConfigError

RULE = "--param takes key=lo..hi, key=lo..hi:log or key=a,b, e.g. training.lr=1e-3..1e-2:log"


@dataclass(frozen=True)
class Parameter:
    """A key of the configuration and the values that a sweep may give it.

    Attributes:
        key: e.g. ``training.lr``.
        low, high: ends of a range, both inside it; whole numbers where both are written as such.
        log: search the logarithm.
        choices: or a list of values.
    """

    key: str
    low: float | None = None
    high: float | None = None
    log: bool = False
    choices: tuple = ()

    def suggest(self, trial):
        """Override ``key=value`` with the value that an Optuna trial chooses."""
        if self.choices:
            return f"{self.key}={trial.suggest_categorical(self.key, list(self.choices))}"
        suggest = trial.suggest_int if isinstance(self.low, int) else trial.suggest_float
        return f"{self.key}={suggest(self.key, self.low, self.high, log=self.log)!r}"

    def samples(self):
        """Overrides that show whether the key and its values fit the configuration: both ends, or all choices."""
        return [f"{self.key}={value}" for value in (self.choices or (repr(self.low), repr(self.high)))]


def parse_parameter(text):
    """`Parameter` from the text of one ``--param``.

    Raises:
        ConfigError: on a malformed text, an empty range, or a logarithm of what is not positive.
    """
    key, equals, raw = text.partition("=")
    if not (key and equals and raw):
        raise ConfigError(f"{RULE}; got {text!r}")
    if ".." not in raw:
        try:
            values = yaml.safe_load(f"[{raw}]")
        except yaml.YAMLError as error:
            raise ConfigError(f"{RULE}; got {text!r}") from error
        choices = tuple(v if isinstance(v, str) else json.dumps(v) for v in values)
        if len(set(choices)) < 2 or len(set(choices)) < len(choices):
            raise ConfigError(f"--param {text}: a choice needs two different values or more")
        return Parameter(key, choices=choices)
    span, colon, scale = raw.partition(":")
    low, _, high = span.partition("..")
    low, high = _number(low, text), _number(high, text)
    if colon and scale != "log":
        raise ConfigError(f"{RULE}; got {text!r}")
    if not (isinstance(low, int) and isinstance(high, int)):
        low, high = float(low), float(high)
    if not low < high or (colon and low <= 0):
        raise ConfigError(f"--param {text}: must have lo < hi, and 0 < lo with :log; got lo={low}, hi={high}")
    return Parameter(key, low, high, bool(colon))


def _number(text, whole):
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    raise ConfigError(f"{RULE}; got {whole!r}")
