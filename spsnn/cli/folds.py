"""Folds of speakers: settings are validated on several pairs of training speakers that training leaves out."""

from __future__ import annotations

from spsnn.errors import ConfigError


def parse_folds(text):
    """``"0,11;1,2"`` as ``[(0, 11), (1, 2)]``: one fold between semicolons, its held-out speakers between commas.

    Raises:
        ConfigError: on anything but whole numbers, on an empty fold, and on a speaker held out twice.
    """
    try:
        folds = [tuple(int(speaker) for speaker in part.split(",")) for part in text.split(";")]
    except ValueError:
        folds = []
    speakers = [speaker for fold in folds for speaker in fold]
    if not folds or len(set(speakers)) < len(speakers):
        raise ConfigError(f"--folds takes held-out speakers, each in one fold, e.g. '0,11;1,2'; got {text!r}")
    return folds


def fold_overrides(config, fold):
    """``key=value`` overrides by which ``config`` trains without the speakers of ``fold`` and validates on them.

    Raises:
        ConfigError: if the data set has no speakers to hold out, or the configuration has no validation set.
    """
    if config.data.name != "shd":
        raise ConfigError(f"folds hold out speakers of 'shd'; the data set is {config.data.name!r}, leave out --folds")
    if config.data.validation is None:
        raise ConfigError("folds need a validation set, but data.validation is null; give it keys or leave it out")
    speakers = list(fold)
    return [f"data.train.hold_out={speakers}", f"data.validation.hold_out={speakers}"]


def fold_name(fold):
    """``fold0-11`` for the speakers 0 and 11."""
    return "fold" + "-".join(str(speaker) for speaker in fold)
