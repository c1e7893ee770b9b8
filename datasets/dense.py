"""Samples as plain features, for models that take values instead of spikes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from spsnn.errors import ConfigError, DataError


@dataclass(frozen=True, eq=False, repr=False)
class DenseSet:
    """A labelled set of feature vectors or sequences; `spsnn.fit`, `evaluate` and `batches` take it like spikes.

    ``len(data)`` counts samples; ``data[index]`` (integer, slice or array) is the `DenseSet` of those.

    Attributes:
        features: float32 ``[N, F]``, or ``[N, T, F]`` for sequences.
        labels: int64 ``[N]``.
        class_names: name of every class.
        name: short name of the set.
        split: "train", "validation" or "test".
        provenance: JSON-able notes: where the samples come from and what was done to them.

    Raises:
        DataError: if features are not finite, shapes disagree, there is no sample, or a label has no class.
    """

    features: np.ndarray
    labels: np.ndarray
    class_names: tuple
    name: str = "dense"
    split: str = "train"
    provenance: dict = field(default_factory=dict)

    def __post_init__(self):
        features = np.ascontiguousarray(self.features, np.float32)
        labels, where = np.asarray(self.labels), f"{self.name} {self.split}"
        object.__setattr__(self, "features", features)
        object.__setattr__(self, "class_names", tuple(str(c) for c in self.class_names))
        if features.ndim not in (2, 3) or 0 in features.shape[1:]:
            raise DataError(f"{where}: features must be [N, F] or [N, T, F], got shape {features.shape}")
        if labels.shape != features.shape[:1] or (labels.size and labels.dtype.kind not in "iu"):
            raise DataError(
                f"{where}: {len(features)} samples need as many whole labels, got {labels.dtype} {labels.shape}"
            )
        if not len(labels):
            raise DataError(f"{where}: the set has no sample")
        if labels.min() < 0 or labels.max() >= self.n_classes:
            raise DataError(f"{where}: labels must lie in [0, {self.n_classes}), got {labels.min()} ... {labels.max()}")
        if not np.isfinite(features).all():
            at = tuple(int(k) for k in np.argwhere(~np.isfinite(features))[0])
            raise DataError(f"{where}: features must be finite, got {features[at]} at {at}; clean the data")
        object.__setattr__(self, "labels", labels.astype(np.int64))

    @property
    def n_classes(self):
        """Number of classes."""
        return len(self.class_names)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        if isinstance(index, (int, np.integer)):
            if not -len(self) <= index < len(self):
                raise IndexError(f"sample {index} of a set of {len(self)}")
            index = [index]
        return replace(self, features=self.features[index], labels=self.labels[index])

    def __repr__(self):
        shape = " x ".join(str(n) for n in self.features.shape[1:])
        return f"<{self.name} {self.split}: {len(self)} samples of {shape} features, {self.n_classes} classes>"


def hold_out(labels, split, n_validation, name, seed=0):
    """Rows of a training file that ``split`` uses; ``n_validation`` of them, alike for each class, are held out.

    Args:
        labels: int ``[N]`` of the training file.
        split: "train" or "validation".
        n_validation: number of samples to hold out; with 0 "train" is the whole file.
        name: of the set, for messages.
        seed: of the draw.

    Raises:
        ConfigError: if ``n_validation`` is not within the file, or is 0 for "validation".
    """
    if type(n_validation) is not int or not 0 <= n_validation < len(labels):
        raise ConfigError(f"{name}: n_validation must be a whole number in [0, {len(labels)}), got {n_validation!r}")
    if split == "validation" and n_validation == 0:
        raise ConfigError(f"{name}: n_validation=0 leaves no validation set; raise it, or set data.validation to null")
    rng = np.random.RandomState(seed)
    classes, counts = np.unique(labels, return_counts=True)
    wanted = n_validation * counts / len(labels)
    kept = np.floor(wanted).astype(int)
    kept[np.argsort(kept - wanted, kind="stable")[: n_validation - kept.sum()]] += 1  # the largest remainders
    held = np.zeros(len(labels), bool)
    for c, n in zip(classes, kept, strict=True):
        held[rng.permutation(np.flatnonzero(labels == c))[:n]] = True
    return np.flatnonzero(held if split == "validation" else ~held)


def yin_yang_dense(split, *, n=None, seed=None, centred=False):
    """Yin-Yang as plain features ``(x, y, 1 - x, 1 - y)``, ``[N, 4]``; ``n`` and ``seed`` as in `YinYang`.

    With ``centred`` 1/2 is subtracted, so that the middle of the symbol is at 0.

    Raises:
        ConfigError: unless ``centred`` is true or false.
    """
    from spsnn.datasets.yinyang import YinYang

    if not isinstance(centred, bool):
        raise ConfigError(f"yinyang_dense: centred must be true or false, got {centred!r}")
    source = "Kriener et al. 2022, the published points" + (" - 1/2" if centred else "")
    data = _plain(YinYang(split, n=n, seed=seed, bias=False), "yinyang_dense", source)
    return replace(data, features=data.features - np.float32(0.5)) if centred else data


def digits_dense(split):
    """The digits of scikit-learn as brightness in [0, 1], ``[N, 64]``, split as in `Digits`."""
    from spsnn.datasets.digits import Digits

    return _plain(Digits(split), "digits_dense", "sklearn.datasets.load_digits, brightness / 16")


def _plain(data, name, source):
    return DenseSet(data.samples, data.events.labels, data.class_names, name, data.split, {"source": source})
