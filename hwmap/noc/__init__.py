"""The network on the chip under recorded spikes: discrete-event simulation, queueing model, and their results."""

from spsnn.hwmap.noc.model import NocModel, NocSettings
from spsnn.hwmap.noc.result import NocResult, simulate_noc
from spsnn.hwmap.noc.simulation import run_messages, run_trace

__all__ = ["NocModel", "NocResult", "NocSettings", "run_messages", "run_trace", "simulate_noc"]
