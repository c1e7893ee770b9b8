"""Brian2: exact integration, a synapse with its own delay per pair, float64."""

import tempfile
import time

import brian2 as b2
import numpy as np

from peers.workload import TAU_MEM, TAU_SYN, Result

EQUATIONS = """
dv/dt = (current - v) / tau_mem : 1
dcurrent/dt = -current / tau_syn : 1
"""


def standalone(w):
    """C++ standalone, one sample; OpenMP with more than one thread."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        b2.set_device("cpp_standalone", build_on_run=False)
        b2.prefs.devices.cpp_standalone.openmp_threads = w.threads if w.threads > 1 else 0
        network, monitor = _network(w)
        network.run(w.spikes.shape[1] * b2.ms)
        b2.device.build(directory=folder, run=False)
        setup = time.perf_counter() - start
        b2.device.run()
        return Result(b2.device._last_run_time, _spikes(w, monitor), setup=setup)


def cython(w):
    """Cython, one sample, in a second run of the same network."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        b2.prefs.codegen.target = "cython"
        b2.prefs.codegen.runtime.cython.cache_dir = folder
        network, monitor = _network(w)
        duration = w.spikes.shape[1] * b2.ms
        network.store()
        network.run(duration)
        network.restore()
        clock = []  # reports come after the code has been generated
        report = lambda elapsed, *_: clock.append(float(elapsed))  # noqa: E731
        setup = time.perf_counter() - start
        network.run(duration, report=report, report_period=1e6 * b2.second)
        return Result(clock[-1], _spikes(w, monitor), setup=setup)


def _network(w):
    n_pre, n_post = w.weight.shape
    steps, units = w.events(0)
    b2.defaultclock.dt = 1 * b2.ms
    source = b2.SpikeGeneratorGroup(n_pre, units, steps * b2.ms)
    constants = {"tau_mem": TAU_MEM * b2.ms, "tau_syn": TAU_SYN * b2.ms}
    neurons = b2.NeuronGroup(n_post, EQUATIONS, threshold="v > 1", reset="v = 0", method="exact", namespace=constants)
    synapses = b2.Synapses(source, neurons, "weight : 1", on_pre="current_post += weight")
    pre, post = np.indices(w.weight.shape)
    synapses.connect(i=pre.ravel(), j=post.ravel())
    synapses.weight = w.weight.ravel()
    synapses.delay = w.lag.ravel() * b2.ms
    monitor = b2.SpikeMonitor(neurons)
    return b2.Network(source, neurons, synapses, monitor), monitor


def _spikes(w, monitor):
    spikes = np.zeros((1, w.spikes.shape[1], w.weight.shape[1]), bool)
    spikes[0, np.rint(monitor.t / b2.ms).astype(int), monitor.i] = True
    return spikes
