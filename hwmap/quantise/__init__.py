"""A network in the integers that a chip stores, and in the fixed-point neurons that run on them."""

from spsnn.hwmap.quantise.integer import IntegerNetwork
from spsnn.hwmap.quantise.quantised import Quantised, delay_error, quantise, round_decays

__all__ = ["IntegerNetwork", "Quantised", "delay_error", "quantise", "round_decays"]
