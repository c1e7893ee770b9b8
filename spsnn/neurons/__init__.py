"""Neuron models of the grid engine."""

from spsnn.neurons.linear import LIF, AdaptiveLIF, LeakyIntegrator

__all__ = ["LIF", "AdaptiveLIF", "LeakyIntegrator"]
