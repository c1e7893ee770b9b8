"""Neuron models of the grid engine."""

from spsnn.neurons.adex import AdEx
from spsnn.neurons.custom import CustomNeuron
from spsnn.neurons.linear import LIF, AdaptiveLIF, LeakyIntegrator

# Kinds that model files and configurations know.
NEURONS = {c.kind: c for c in (LIF, AdaptiveLIF, LeakyIntegrator, AdEx)}

__all__ = ["LIF", "NEURONS", "AdEx", "AdaptiveLIF", "CustomNeuron", "LeakyIntegrator"]
