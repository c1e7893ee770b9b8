"""Chips: their limits, formats, energies and times, one TOML file each, every number with its provenance and source."""

from spsnn.hwmap.targets.target import Target, available_targets, load_target

__all__ = ["Target", "available_targets", "load_target"]
