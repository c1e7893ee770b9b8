"""Several dense sets as one, for models that learn several tasks at once."""

from __future__ import annotations

import numpy as np

from spsnn.errors import ConfigError


class JointSet:
    """Dense sets side by side; the classes of the second follow those of the first.

    ``data[index]`` is the `JointSet` of the chosen samples, those of the first set first; a part may be empty there.

    Attributes:
        parts: features of each set, float32 ``[N_t, F_t]``, sequences flattened; lengths add up to ``len(data)``.
        labels: int64 ``[N]``, classes of all sets counted through.
        names, n_classes_of: name of each set and number of its classes.
        class_names, name, split: as of `DenseSet`.

    Args:
        sets: `DenseSet` of the same split, at least one.
    """

    def __init__(self, sets):
        sets = list(sets)
        if not sets:
            raise ConfigError("a joint set needs at least one set; give tasks, e.g. {cifar10: {}, imdb: {}}")
        self.parts = [s.features.reshape(len(s), -1) for s in sets]
        self.names, self.n_classes_of = [s.name for s in sets], [s.n_classes for s in sets]
        first = np.concatenate([[0], np.cumsum(self.n_classes_of)])[:-1]
        self.labels = np.concatenate([s.labels + k for s, k in zip(sets, first, strict=True)])
        self.class_names = tuple(f"{s.name} {c}" for s in sets for c in s.class_names)
        self.name, self.split = "joint", sets[0].split

    @property
    def n_classes(self):
        """Number of classes of all sets together."""
        return len(self.class_names)

    def __len__(self):
        return len(self.labels)

    def accuracies(self, confusion):
        """Accuracy on each set, ``{"NAME_accuracy": share}``, from a confusion matrix over all classes."""
        ends = np.cumsum(self.n_classes_of)
        rows = [slice(end - n, end) for end, n in zip(ends, self.n_classes_of, strict=True)]
        shares = [np.trace(confusion[r, r]) / max(confusion[r].sum(), 1) for r in rows]
        return {f"{name}_accuracy": float(share) for name, share in zip(self.names, shares, strict=True)}

    def __getitem__(self, index):
        rows = np.sort(np.atleast_1d(np.arange(len(self))[index]))
        bounds = np.concatenate([[0], np.cumsum([len(p) for p in self.parts])])
        cut = np.searchsorted(rows, bounds)
        chosen = object.__new__(JointSet)
        chosen.__dict__.update(self.__dict__)
        chosen.parts = [
            part[rows[a:b] - start] for part, start, a, b in zip(self.parts, bounds, cut, cut[1:], strict=False)
        ]
        chosen.labels = self.labels[rows]
        return chosen


def joint(split, *, tasks, data_dir=None):
    """`JointSet` of data sets by name.

    Args:
        split: of all of them.
        tasks: ``{name: options}``, e.g. ``{"cifar10": {}, "imdb": {"n_words": 2000}}``.
        data_dir: directory of the files.
    """
    from spsnn.datasets.registry import DENSE, check_options, load

    if not isinstance(tasks, dict) or not all(isinstance(o, dict | None) for o in tasks.values()):
        raise ConfigError(f"joint: tasks must map names of sets to options, e.g. {{cifar10: {{}}}}; got {tasks!r}")
    unknown = sorted(set(map(str, tasks)) - set(DENSE) | {"joint"} & set(tasks))
    if unknown:
        raise ConfigError(f"joint: tasks must be sets of features, got {', '.join(unknown)}; known: {', '.join(DENSE)}")
    for name, options in tasks.items():
        check_options(name, options or {})
    return JointSet(load(name, split, data_dir, **(options or {})) for name, options in tasks.items())
