"""Data sets by name."""

import difflib
import inspect

from spsnn.datasets.digits import Digits
from spsnn.datasets.heidelberg import SHD, SSC
from spsnn.datasets.yinyang import YinYang
from spsnn.errors import ConfigError

DATASETS = {"yinyang": YinYang, "digits": Digits, "shd": SHD, "ssc": SSC}


def load(name, split, data_dir=None, **options):
    """Load a data set by name: ``load("shd", "train", "data", n_channels=140)``.

    Args:
        name: "yinyang", "digits", "shd" or "ssc".
        split: "train", "validation" or "test".
        data_dir: directory of the files; "yinyang" and "digits" read none and ignore it.
        **options: keyword options of the data set's class.

    Returns:
        The data set (`EventSet`).

    Raises:
        ConfigError: for an unknown name or option; the message names the nearest known one.
        DataError: if the data is missing or damaged.
    """
    if name not in DATASETS:
        raise ConfigError(f"there is no data set {name!r}{_nearest(name, DATASETS)}")
    cls = DATASETS[name]
    parameters = inspect.signature(cls).parameters
    known = [p for p in parameters if p not in ("split", "data_dir")]
    for option in options:
        if option not in known:
            raise ConfigError(f"data set {name!r} has no option {option!r}{_nearest(option, known)}")
    if "data_dir" in parameters:
        options["data_dir"] = data_dir
    return cls(split, **options)


def _nearest(word, known):
    close = difflib.get_close_matches(str(word).lower(), known, n=1, cutoff=0.5)
    hint = f"; did you mean {close[0]!r}?" if close else ";"
    return f"{hint} known: {', '.join(known)}"
