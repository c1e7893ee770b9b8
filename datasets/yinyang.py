"""The Yin-Yang data set (Kriener, Goeltz and Petrovici 2022)."""

import numpy as np

from spsnn.datasets.base import EventSet, check_split
from spsnn.datasets.encodings import encode_rate, encode_ttfs
from spsnn.errors import ConfigError

# Size and seed of the published arrays.
PUBLISHED = {"train": (5000, 42), "validation": (1000, 41), "test": (1000, 40)}
CLASS_NAMES = ("yin", "yang", "dot")


def yin_yang_class(x, y, r_small=0.1, r_big=0.5):
    """Class of a point of the disc: 0 yin, 1 yang, 2 one of the two dots.

    With ``d_l`` and ``d_r`` the distances to the left dot ``(r_big / 2, r_big)`` and the right dot
    ``(3 r_big / 2, r_big)``: a dot where ``min(d_l, d_r) < r_small``; else class 1 where ``d_r <= r_small``,
    ``d_l <= r_big / 2``, or ``y > r_big`` and ``d_r > r_big / 2``; else class 0.
    """
    d_r = np.sqrt((x - 1.5 * r_big) ** 2 + (y - r_big) ** 2)
    d_l = np.sqrt((x - 0.5 * r_big) ** 2 + (y - r_big) ** 2)
    if d_r < r_small or d_l < r_small:
        return 2
    return int(d_r <= r_small or r_small < d_l <= 0.5 * r_big or (y > r_big and d_r > 0.5 * r_big))


def yin_yang_points(n, seed, r_small=0.1, r_big=0.5):
    """Draw points of the Yin-Yang sign, classes equally likely.

    Each sample first draws its class, then points in the square until one lies in the disc
    ``(x - r_big)^2 + (y - r_big)^2 <= r_big^2`` and has that class.  With the seeds 42, 41 and 40 and the
    sizes 5000, 1000 and 1000 this gives the published arrays bit for bit.

    Args:
        n: number of samples.
        seed: seed of ``numpy.random.RandomState``, whose stream NumPy keeps fixed.
        r_small: radius of the dots.
        r_big: radius of the sign.

    Returns:
        float64 ``[n, 4]`` of ``(x, y, 1 - x, 1 - y)`` and int64 ``[n]`` classes.

    Raises:
        ConfigError: unless ``n >= 1`` and ``0 < r_small < r_big / 2`` and ``r_big <= 1 / 2``.

    Source: Kriener et al., "The Yin-Yang dataset", NICE 2022, section 2.
    """
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
        raise ConfigError(f"Yin-Yang: n must be a positive integer, got {n!r}")
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**32:
        raise ConfigError(f"Yin-Yang: seed must be an integer in [0, 2^32), got {seed!r}")
    if not 0 < r_small < r_big / 2 <= 0.25:
        raise ConfigError(
            f"Yin-Yang: must have 0 < r_small < r_big / 2 <= 0.25, we instead got r_small={r_small}, r_big={r_big}"
        )
    rng = np.random.RandomState(seed)
    points = np.empty((n, 2))
    classes = np.empty(n, np.int64)
    for i in range(n):
        goal = rng.randint(3)
        while True:
            x, y = rng.rand(2) * 2.0 * r_big
            if np.sqrt((x - r_big) ** 2 + (y - r_big) ** 2) > r_big:
                continue
            if yin_yang_class(x, y, r_small, r_big) == goal:
                break
        points[i] = x, y
        classes[i] = goal
    return np.hstack([points, 1.0 - points]), classes


class YinYang(EventSet):
    """Yin-Yang as spikes: 3 classes, 4 features ``(x, y, 1 - x, 1 - y)``, optionally a bias unit.

    Args:
        split: "train" (5000 samples, seed 42), "validation" (1000, 41) or "test" (1000, 40).
        n: number of samples instead of the published one.
        seed: seed instead of the published one.
        encoding: "ttfs" (`encode_ttfs`) or "rate" (`encode_rate`, Poisson, the same seed).
        t_min: ttfs: time of the value 0, ms.
        scale: ttfs: time between the values 0 and 1, ms.
        bias: add a fifth unit: one spike at ``bias_time`` (ttfs), or firing at ``max_rate`` (rate).
        bias_time: ttfs: time of the bias spike, ms.
        max_rate: rate: rate of the value 1, Hz.
        duration: window, ms; default 60 for ttfs, 100 for rate.
        r_small: radius of the dots.
        r_big: radius of the sign.

    Attributes:
        samples: float64 ``[B, 4]``, the points behind the spikes.

    Raises:
        ConfigError: for an unknown split or encoding, or times that do not fit the window.

    Source: Kriener et al. 2022; times as in Wunderlich and Pehle 2021.
    """

    name = "yinyang"

    def __init__(
        self,
        split,
        *,
        n=None,
        seed=None,
        encoding="ttfs",
        t_min=10.0,
        scale=30.0,
        bias=True,
        bias_time=20.0,
        max_rate=200.0,
        duration=None,
        r_small=0.1,
        r_big=0.5,
    ):
        check_split(split, self.name)
        size, published_seed = PUBLISHED[split]
        seed = published_seed if seed is None else seed
        self.samples, labels = yin_yang_points(size if n is None else n, seed, r_small, r_big)
        if encoding == "ttfs":
            events = encode_ttfs(
                self.samples,
                t_min=t_min,
                scale=scale,
                duration=60.0 if duration is None else duration,
                bias_time=bias_time if bias else None,
                labels=labels,
            )
        elif encoding == "rate":
            events = encode_rate(
                self.samples,
                max_rate=max_rate,
                duration=100.0 if duration is None else duration,
                bias=bias,
                seed=seed,
                labels=labels,
            )
        else:
            raise ConfigError(f"yinyang: encoding must be 'ttfs' or 'rate', got {encoding!r}")
        super().__init__(split, events, CLASS_NAMES)
