"""Data sets by name."""

import difflib
import inspect

from spsnn.datasets.cifar10 import cifar10
from spsnn.datasets.dense import digits_dense, yin_yang_dense
from spsnn.datasets.digits import Digits
from spsnn.datasets.heidelberg import SHD, SSC
from spsnn.datasets.imdb import imdb
from spsnn.datasets.joint import joint
from spsnn.datasets.mnist import mnist, sequential_mnist
from spsnn.datasets.mnist_features import mnist_features
from spsnn.datasets.mnist_spikes import MNISTSpikes
from spsnn.datasets.noise import noise
from spsnn.datasets.sequences import hierarchical, long_range
from spsnn.datasets.yinyang import YinYang
from spsnn.errors import ConfigError

SPIKES = {"yinyang": YinYang, "digits": Digits, "shd": SHD, "ssc": SSC, "mnist_spikes": MNISTSpikes}
DENSE = {
    "yinyang_dense": yin_yang_dense, "digits_dense": digits_dense, "mnist": mnist, "sequential_mnist": sequential_mnist,
    "mnist_features": mnist_features, "cifar10": cifar10, "imdb": imdb, "noise": noise, "joint": joint,
    "hierarchical": hierarchical, "long_range": long_range,
}  # fmt: skip
DATASETS = SPIKES | DENSE


def load(name, split, data_dir=None, **options):
    """Load a data set by name: ``load("shd", "train", "data", n_channels=140)``.

    Args:
        name: a key of `DATASETS`: "yinyang", "digits", "shd", "ssc", "mnist_spikes" as spikes; "yinyang_dense",
            "digits_dense", "mnist", "sequential_mnist", "mnist_features", "cifar10", "imdb", "noise", "joint",
            "hierarchical", "long_range" as features.
        split: "train", "validation" or "test".
        data_dir: directory of the files; sets that read none ignore it.
        **options: keyword options of the data set's class or function.

    Returns:
        The data set (`EventSet` or `DenseSet`).

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


def check_options(name, options):
    """Refuse keys of ``options`` that are no options of a data set but arguments of `load`.

    Raises:
        ConfigError: names the key.
    """
    for key in options:
        if not isinstance(key, str) or key in ("name", "split", "data_dir"):
            raise ConfigError(f"data set {name!r} takes no option {key!r}; leave it out of its options")


def _nearest(word, known):
    close = difflib.get_close_matches(str(word).lower(), known, n=1, cutoff=0.5)
    hint = f"; did you mean {close[0]!r}?" if close else ";"
    return f"{hint} known: {', '.join(known)}"
