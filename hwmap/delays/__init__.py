"""Ways to realise delays on a chip, and what they cost in bits and in accuracy."""

from spsnn.hwmap.delays.modes import DelayBits, computed_delays, delay_bits, fit_delay_law, hop_delays

__all__ = ["DelayBits", "computed_delays", "delay_bits", "fit_delay_law", "hop_delays"]
