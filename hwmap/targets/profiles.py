"""The packaged target profiles as rows for people: a list of targets, and every figure of one with its source."""

from __future__ import annotations

from spsnn.errors import ConfigError
from spsnn.hwmap.targets.target import _find, _read, available_targets, load_target


def profile_text(name):
    """Text of a packaged profile.

    Raises:
        ConfigError: unknown name.
    """
    if name not in available_targets():
        raise ConfigError(f"unknown packaged target {name!r}; known: {', '.join(available_targets())}")
    return _find(name).read_text(encoding="utf-8")


def summaries():
    """One row for each packaged target: name, title, size, delays and where its energies are from."""
    return [_summary(name) for name in available_targets()]


def _summary(name):
    figures, provenance, missing = _read(name)
    energies = {p["kind"] for key, p in provenance.items() if key.startswith("energy_") and figures[key]}
    kinds = [k for k in ("measured", "published", "inherited", "user") if k in energies]
    low, high = figures["min_delay_steps"], figures["max_delay_steps"]
    return {
        "name": name,
        "title": figures["title"].split(" (")[0],
        "cores": figures["n_cores"],
        "neurons_per_core": figures["neurons_per_core"],
        "delay_steps": f"{low} to {high}" if high else "none",
        "energies": ", ".join(kinds) or "power of the chip",
        "you_must_give": ", ".join(missing) or None,
    }


def describe(target):
    """Every field of a target as rows of ``figure``, ``value``, ``provenance`` and ``source``.

    Args:
        target: ``Target``, name or TOML file; figures that only a user can give are listed without a value.
    """
    if isinstance(target, str):
        figures, provenance, missing = _read(target)
        if not missing:
            return describe(load_target(target))
        rows = _described(figures, provenance)
        return rows + [
            {"figure": key, "value": None, "provenance": "user", "source": f"to be given by you: {source}"}
            for key, source in missing.items()
        ]
    fields = target.model_dump(mode="json")
    return _described(fields, fields["provenance"])


def _described(figures, provenance):
    return [
        {
            "figure": key,
            "value": value,
            "provenance": provenance.get(key, {}).get("kind", ""),
            "source": provenance.get(key, {}).get("source", ""),
        }
        for key, value in figures.items()
        if key != "provenance" and value is not None
    ]
