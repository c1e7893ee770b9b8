"""Neurons to cores, or to columns and rows of crossbar tiles."""

from spsnn.hwmap.partition.cores import METHODS, Partition, partition

__all__ = ["METHODS", "Partition", "partition"]
