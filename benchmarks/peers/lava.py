"""Lava's CPU simulation: DelayDense and LIF in floating point, the first steps of one sample."""

import dataclasses
import multiprocessing
import time

from peers.workload import A, B, C, Result

STEPS = 50

_dataclass, _set_start_method = dataclasses.dataclass, multiprocessing.set_start_method
# Lava 0.10 was written for Python 3.10: later versions refuse its unhashable defaults.
dataclasses.dataclass = lambda cls=None, **options: _dataclass(cls, unsafe_hash=True, **options)
multiprocessing.set_start_method = lambda method, force=True: _set_start_method(method, force=True)

from lava.magma.core.run_conditions import RunSteps  # noqa: E402
from lava.magma.core.run_configs import Loihi2SimCfg  # noqa: E402
from lava.proc.dense.process import DelayDense  # noqa: E402
from lava.proc.io.sink import RingBuffer as Sink  # noqa: E402
from lava.proc.io.source import RingBuffer as Source  # noqa: E402
from lava.proc.lif.process import LIF  # noqa: E402

dataclasses.dataclass, multiprocessing.set_start_method = _dataclass, _set_start_method


def forward(w):
    """Time of the run, without starting and stopping its processes."""
    start = time.perf_counter()
    n_steps, n_post = w.spikes.shape[1], w.weight.shape[1]
    source = Source(data=w.spikes[0, :STEPS].T)
    # A spike at t acts at t + delay + 1, on the potential at once: together the equations of spsnn.
    synapses = DelayDense(weights=C * w.weight.T.astype(float), delays=w.lag.T.astype(int), num_message_bits=0)
    neurons = LIF(shape=(n_post,), du=1 - B, dv=1 - A, vth=1.0)
    sink = Sink(shape=(n_post,), buffer=STEPS)
    source.s_out.connect(synapses.s_in)
    synapses.a_out.connect(neurons.a_in)
    neurons.s_out.connect(sink.a_in)
    settings = Loihi2SimCfg(select_tag="floating_pt")
    try:
        neurons.run(RunSteps(num_steps=1), run_cfg=settings)  # starts the processes
        setup = time.perf_counter() - start
        begin = time.perf_counter()
        neurons.run(RunSteps(num_steps=STEPS - 1), run_cfg=settings)
        seconds = time.perf_counter() - begin
        spikes = sink.data.get().T[None] > 0
    finally:
        neurons.stop()
    return Result(seconds * n_steps / (STEPS - 1), spikes, setup=setup)
