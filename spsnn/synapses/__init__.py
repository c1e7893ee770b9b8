"""Synapses with learnable delays."""

from spsnn.synapses.base import Synapse
from spsnn.synapses.delays import AxonalDelaySynapse, FreeDelaySynapse, NoDelaySynapse, SpatialSynapse

__all__ = ["AxonalDelaySynapse", "FreeDelaySynapse", "NoDelaySynapse", "SpatialSynapse", "Synapse"]
