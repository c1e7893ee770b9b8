"""Data sets, encodings and transforms: spikes as `SpikeBatch`, plain features as `DenseSet`."""

from spsnn.datasets.base import EventSet, batches
from spsnn.datasets.dense import DenseSet
from spsnn.datasets.digits import Digits, stratified_split
from spsnn.datasets.encodings import encode_rate, encode_ttfs
from spsnn.datasets.heidelberg import SHD, SSC
from spsnn.datasets.joint import JointSet
from spsnn.datasets.mnist_spikes import MNISTSpikes
from spsnn.datasets.registry import DATASETS, load
from spsnn.datasets.sequences import HierarchicalPatterns, LongRangePatterns
from spsnn.datasets.tonic_events import from_tonic
from spsnn.datasets.transforms import (
    Blend,
    ChannelShift,
    ChannelStretch,
    Compose,
    DropEvents,
    GroupChannels,
    Jitter,
    LoseChannels,
    TimeBin,
    TimeStretch,
)
from spsnn.datasets.yinyang import YinYang, yin_yang_class, yin_yang_points
from spsnn.kernels.events import SpikeBatch

__all__ = [
    "DATASETS",
    "SHD",
    "SSC",
    "Blend",
    "ChannelShift",
    "ChannelStretch",
    "Compose",
    "DenseSet",
    "Digits",
    "DropEvents",
    "EventSet",
    "GroupChannels",
    "HierarchicalPatterns",
    "Jitter",
    "JointSet",
    "LongRangePatterns",
    "LoseChannels",
    "MNISTSpikes",
    "SpikeBatch",
    "TimeBin",
    "TimeStretch",
    "YinYang",
    "batches",
    "encode_rate",
    "encode_ttfs",
    "from_tonic",
    "load",
    "stratified_split",
    "yin_yang_class",
    "yin_yang_points",
]
