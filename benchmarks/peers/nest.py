"""NEST: iaf_psc_exp, a static synapse with its own delay per pair, float64."""

import time

import nest
import numpy as np

from peers.workload import TAU_MEM, TAU_SYN, Result

SAMPLES = 3


def forward(w):
    """Simulation time of some samples, the network being built anew for each."""
    runs = [_sample(w, k) for k in range(SAMPLES)]
    spikes, seconds, setup = zip(*runs, strict=True)
    return Result(sum(seconds), np.stack(spikes), setup=sum(setup))


def _sample(w, sample):
    start = time.perf_counter()
    n_steps, n_pre, n_post = *w.spikes.shape[1:], w.weight.shape[1]
    nest.ResetKernel()
    nest.set_verbosity("M_ERROR")
    nest.local_num_threads = w.threads
    nest.resolution = 1.0
    # A spike at 0 and a delay of 0 do not exist: both are moved by one step.
    trains = [{"spike_times": np.flatnonzero(row) + 1.0} for row in w.spikes[sample].T]
    source = nest.Create("spike_generator", n_pre, trains)
    constants = {"tau_m": TAU_MEM, "tau_syn_ex": TAU_SYN, "tau_syn_in": TAU_SYN, "C_m": TAU_MEM}
    constants |= {"E_L": 0.0, "V_m": 0.0, "V_th": 1.0, "V_reset": 0.0, "t_ref": 0.0}
    neurons = nest.Create("iaf_psc_exp", n_post, constants)
    nest.Connect(source, neurons, "all_to_all", {"weight": w.weight.T, "delay": w.lag.T + 1.0})
    recorder = nest.Create("spike_recorder")
    nest.Connect(neurons, recorder)
    nest.Prepare()
    begin = time.perf_counter()
    nest.Run(n_steps + 2.0)
    end = time.perf_counter()
    nest.Cleanup()
    found = recorder.get("events")
    spikes = np.zeros((n_steps, n_post), bool)
    at = np.rint(found["times"]).astype(int) - 2
    spikes[at[at < n_steps], found["senders"][at < n_steps] - neurons[0].global_id] = True
    return spikes, end - begin, begin - start
