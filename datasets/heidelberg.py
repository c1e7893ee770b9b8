"""Spiking Heidelberg Digits and Spiking Speech Commands (Cramer et al. 2022), from files in the public layout."""

import numpy as np

from spsnn.datasets._growing import Growing
from spsnn.datasets._hdf5 import open_spikes, read_class_names, read_events, read_labels, read_speakers
from spsnn.datasets._location import locate
from spsnn.datasets._order import sort_events
from spsnn.datasets.base import EventSet, check_split
from spsnn.datasets.transforms import Compose, GroupChannels, TimeBin
from spsnn.errors import ConfigError, DataError
from spsnn.kernels.events import SpikeBatch

N_CHANNELS = 700
_PIECE = 256  # samples read at a time; bounds the memory that binning and sorting need


class _Heidelberg(EventSet):
    """Loader that SHD and SSC share."""

    n_file_classes = 0

    def _load(self, split, path, *, hold_out=(), classes=None, n_channels, duration, crop, dt, merge, allow_empty):
        reduce = self._reduction(n_channels, duration, dt, merge)
        self.path = path
        self.n_cropped = 0
        times, units, counts = Growing(np.float32), Growing(np.int32), []
        with open_spikes(path) as h:
            labels = read_labels(h, self.n_file_classes, path)
            speakers = read_speakers(h, path)
            names = read_class_names(h, self.n_file_classes, path)
            rows = np.arange(len(labels))
            if len(hold_out):
                rows = _speaker_rows(speakers, hold_out, split == "validation", path)
            if classes is not None:
                labels, names, rows = self._choose(classes, labels, names, rows)
            for start in range(0, len(rows), _PIECE):
                piece = rows[start : start + _PIECE]
                t, u, n = self._crop(*read_events(h, piece, path, N_CHANNELS), piece, duration, crop, allow_empty)
                offsets = np.concatenate([[0], np.cumsum(n)])
                t, u = sort_events(t, u, offsets)
                batch = reduce(SpikeBatch(t, u, offsets, N_CHANNELS, duration))
                times.append(batch.times)
                units.append(batch.units)
                counts.append(np.diff(batch.offsets))
        offsets = np.concatenate([[0], np.cumsum(np.concatenate(counts))])
        events = SpikeBatch(times.take(), units.take(), offsets, n_channels, duration, labels[rows])
        super().__init__(split, events, names, None if speakers is None else speakers[rows])

    def _choose(self, classes, labels, names, rows):
        """Keep the samples of ``classes`` and number them anew, in the order given."""
        numbers = range(self.n_file_classes)
        if not len(classes) or len(set(classes)) < len(classes) or any(c not in numbers for c in classes):
            raise ConfigError(
                f"{self.name}: classes must be different numbers from 0 to {self.n_file_classes - 1}, "
                f"got {list(classes)}"
            )
        place = np.full(self.n_file_classes, -1)
        place[list(classes)] = np.arange(len(classes))
        rows = rows[place[labels[rows]] >= 0]
        if not len(rows):
            raise ConfigError(f"{self.path} has no sample of the classes {list(classes)}; choose others")
        return place[labels], [names[c] for c in classes], rows

    def _reduction(self, n_channels, duration, dt, merge):
        """Check the options; return the transform that each piece goes through."""
        if not (isinstance(n_channels, (int, np.integer)) and n_channels >= 1 and N_CHANNELS % n_channels == 0):
            raise ConfigError(f"{self.name}: n_channels must divide {N_CHANNELS}, got {n_channels!r}")
        if not (isinstance(duration, (int, float)) and 0 < duration < np.inf):
            raise ConfigError(f"{self.name}: duration must be a positive number of ms, got {duration!r}")
        if merge and dt is None:
            raise ConfigError(f"{self.name}: merge=True needs a step: pass dt= (ms)")
        steps = [] if n_channels == N_CHANNELS else [GroupChannels(int(n_channels))]
        return Compose(steps if dt is None else [*steps, TimeBin(dt, merge)])

    def _crop(self, times, units, counts, rows, duration, crop, allow_empty):
        """Apply the window; refuse spikes beyond it unless ``crop``, and silent samples unless ``allow_empty``."""
        sample = np.repeat(np.arange(len(rows)), counts)
        inside = times < np.float32(duration)
        if not inside.all():
            if not crop:
                k = int(np.flatnonzero(~inside)[0])
                raise DataError(
                    f"{self.path}: sample {rows[sample[k]]} has a spike at {times[k]:.6g} ms, outside the window of "
                    f"{duration:g} ms; pass a longer duration, or crop=True to drop such spikes"
                )
            self.n_cropped += int((~inside).sum())
            times, units = times[inside], units[inside]
        kept = np.bincount(sample[inside], minlength=len(rows))
        if not allow_empty and not kept.all():
            k = int(np.flatnonzero(kept == 0)[0])
            why = "is empty" if counts[k] == 0 else f"has no spike in the first {duration:g} ms"
            raise DataError(
                f"{self.path}: sample {rows[k]} {why}; repair the file, or pass allow_empty=True to keep it"
            )
        return times, units, kept


def _speaker_rows(speakers, chosen, inside, path):
    """Rows of the ``chosen`` speakers, or of all others unless ``inside``."""
    if speakers is None:
        raise DataError(f"{path}: there is no data set 'extra/speaker', so no speaker can be held out")
    known = np.unique(speakers)
    unknown = [s for s in chosen if s not in known]
    if unknown:
        raise ConfigError(f"hold_out must name speakers of {path}, which are {known.tolist()}; got {unknown}")
    rows = np.flatnonzero(np.isin(speakers, chosen) == inside)
    if not len(rows):
        raise ConfigError(f"hold_out={tuple(chosen)} leaves no sample of {path} to train on")
    return rows


class SHD(_Heidelberg):
    """Spiking Heidelberg Digits: spoken digits in German and English, 20 classes, 700 cochlea channels.

    Read from ``DIR/SHD/shd_train.h5`` and ``DIR/SHD/shd_test.h5``.  The public files have no validation part:
    here it is the training samples of the held-out speakers.  Give the same ``hold_out`` to "train" and
    "validation" to make them disjoint; by default "train" is the whole training file.

    Args:
        split: "train", "validation" or "test".
        data_dir: the directory DIR; default the environment variable SPSNN_DATA.
        n_channels: number of channels after grouping neighbours, a divisor of 700.
        duration: window, ms.  1400 holds every spike; 1000 with ``crop=True`` is a common choice.
        crop: drop spikes beyond the window instead of refusing them.
        dt: snap spikes to steps of ``dt`` ms (`TimeBin`); None keeps the times of the file.
        merge: with ``dt``, keep one of several spikes of a channel in one step.
        hold_out: speakers that "train" leaves out and "validation" consists of; default none for "train",
            ``(0, 11)`` for "validation".  "test" is never filtered (speakers 4 and 5 appear only there).
        classes: keep these classes only, numbered anew in this order; 0 to 9 are the English digits, 10 to 19 the
            German ones.  Default all.
        allow_empty: keep samples without a spike instead of refusing them.
        download: fetch a missing file through tonic; nothing is ever fetched otherwise.

    Attributes:
        n_cropped: number of spikes dropped by ``crop``.
        path: the file read.

    Raises:
        ConfigError: for an unknown split or speaker, or options that contradict each other.
        DataError: if the file is missing, truncated or of another layout, or a sample breaks a rule.

    Source: Cramer et al. 2022, IEEE TNNLS 33(7).
    """

    name = "shd"
    n_file_classes = 20
    default_validation = (0, 11)

    def __init__(
        self,
        split,
        data_dir=None,
        *,
        n_channels=N_CHANNELS,
        duration=1400.0,
        crop=False,
        dt=None,
        merge=False,
        hold_out=None,
        classes=None,
        allow_empty=False,
        download=False,
    ):
        check_split(split, self.name)
        if hold_out is None:
            hold_out = self.default_validation if split == "validation" else ()
        hold_out = tuple(hold_out)
        if split == "validation" and not hold_out:
            raise ConfigError("shd: the validation split needs speakers, e.g. hold_out=(0, 11); got an empty hold_out")
        filename = "shd_test.h5" if split == "test" else "shd_train.h5"
        path = locate(data_dir, "SHD", filename, download, train=split != "test")
        self._load(
            split,
            path,
            hold_out=() if split == "test" else hold_out,
            classes=classes,
            n_channels=n_channels,
            duration=duration,
            crop=crop,
            dt=dt,
            merge=merge,
            allow_empty=allow_empty,
        )


class SSC(_Heidelberg):
    """Spiking Speech Commands: 35 spoken words, 700 cochlea channels, public train / validation / test parts.

    Read from ``DIR/SSC/ssc_train.h5``, ``ssc_valid.h5`` and ``ssc_test.h5``.  The training part has 75,466
    samples; grouping, ``dt`` and ``merge`` are applied while reading, so that only the reduced events are held.

    Args:
        split: "train", "validation" or "test".
        data_dir: the directory DIR; default the environment variable SPSNN_DATA.
        n_channels: as in `SHD`.
        duration: as in `SHD`.
        crop: as in `SHD`.
        dt: as in `SHD`.
        merge: as in `SHD`.
        allow_empty: as in `SHD`.
        download: as in `SHD`.

    Attributes:
        n_cropped: number of spikes dropped by ``crop``.
        path: the file read.

    Raises:
        ConfigError: for an unknown split, or options that contradict each other.
        DataError: if the file is missing, truncated or of another layout, or a sample breaks a rule.

    Source: Cramer et al. 2022, IEEE TNNLS 33(7).
    """

    name = "ssc"
    n_file_classes = 35

    def __init__(
        self,
        split,
        data_dir=None,
        *,
        n_channels=N_CHANNELS,
        duration=1400.0,
        crop=False,
        dt=None,
        merge=False,
        allow_empty=False,
        download=False,
    ):
        check_split(split, self.name)
        part = "valid" if split == "validation" else split
        path = locate(data_dir, "SSC", f"ssc_{part}.h5", download, split=part)
        self._load(
            split,
            path,
            n_channels=n_channels,
            duration=duration,
            crop=crop,
            dt=dt,
            merge=merge,
            allow_empty=allow_empty,
        )
