"""Cost of the grid engine over spikes (T fixed) and over T (spikes fixed): forward and backward.

python benchmarks/scaling.py
"""

from __future__ import annotations

import argparse

import common
import numpy as np
import torch

import spsnn
from spsnn.autograd.population import run_population
from spsnn.autograd.spikes import Spikes

PRE, POST, SAMPLES, DELAY = 700, 256, 16, 60


def case(n_spikes, n_steps, recurrent, repeats):
    """Times of one size: one row of the table."""
    rng = np.random.default_rng(0)
    trains = [(rng.uniform(0, n_steps, n_spikes), rng.integers(0, PRE, n_spikes)) for _ in range(SAMPLES)]
    spikes = Spikes.from_batch(spsnn.SpikeBatch.from_samples(trains, PRE, n_steps), 1.0)
    g = torch.Generator().manual_seed(0)

    def synapses(n, gain):
        weight = (gain * torch.randn(n, POST, generator=g)).requires_grad_()
        return weight, (DELAY * torch.rand(n, POST, generator=g)).requires_grad_()

    # Weights follow the drive, so that the population's own activity stays comparable over the table.
    feed, loop = (
        synapses(PRE, 8.0 / n_spikes**0.5 * (n_steps / 250) ** 0.5),
        synapses(POST, 0.05) if recurrent else None,
    )
    grid, neuron = spsnn.Grid(dt=1.0, estimator="eventprop"), spsnn.LIF()
    forward = lambda: run_population(neuron, [(spikes, *feed)], grid, loop)[0]  # noqa: E731
    seconds_forward = common.median_seconds(forward, repeats)
    z = forward()
    cotangent = torch.ones_like(z.dense)
    backward = lambda: torch.autograd.backward(z.dense, cotangent, retain_graph=True)  # noqa: E731
    seconds_backward = common.median_seconds(backward, repeats)
    own = len(z.steps) / SAMPLES
    events = SAMPLES * POST * (n_spikes + (own if recurrent else 0))
    return {
        "input spikes": n_spikes,
        "T": n_steps,
        "recurrent": "yes" if recurrent else "no",
        "spikes of the population": round(own),
        "forward ms/sample": 1e3 * seconds_forward / SAMPLES,
        "backward ms/sample": 1e3 * seconds_backward / SAMPLES,
        "forward events/s": events / seconds_forward,
        "backward events/s": events / seconds_backward,
    }


def main():
    """Measure and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    repeats = parser.parse_args().repeats
    spsnn.keep_freed_memory()
    case(2000, 250, True, 3)  # the first calls load the kernels and wake the threads
    tables = {
        "Spikes, T = 250": [case(n, 250, r, repeats) for r in (False, True) for n in (2000, 4000, 8000, 16000)],
        "T, 8,000 spikes": [case(8000, t, r, repeats) for r in (False, True) for t in (125, 250, 500, 1000)],
    }
    text = (
        f"{PRE} -> {POST} LIF, delays uniform up to {DELAY} steps, `round`, EventProp, batch {SAMPLES}, median "
        f"of {repeats}. A synaptic event is one spike at one synapse; the floor is one read-modify-write per event "
        "forward and two reads per event backward (one gradient for the current, one for the potential)."
    )
    common.write("scaling", "Cost against spikes and steps", text, tables)


if __name__ == "__main__":
    main()
