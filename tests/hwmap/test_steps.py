"""Energy and time of every step."""

import numpy as np
import pytest

from spsnn.hwmap import compile
from spsnn.hwmap.cost import cost_of_trace
from spsnn.hwmap.cost.steps import cost_by_step
from spsnn.hwmap.traffic.trace import Trace


@pytest.mark.parametrize("target", ["loihi2", "loihi1_silicon"])
def test_steps_add_up_and_silence_costs_the_least(network, target):
    chip = compile(network, target, cores=3)
    rng = np.random.default_rng(0)
    trains = {p.name: rng.random((20, p.size)) < 0.3 for p in network.populations if p.kind != "li"}
    for train in trains.values():
        train[:5] = False
    trace = Trace.of(chip.flat, trains)
    steps, total = cost_by_step(chip, trace), cost_of_trace(chip, trace)
    assert all(values.shape == (20,) for values in steps.values())
    assert steps["energy_dynamic_nj"].sum() == pytest.approx(total["energy_dynamic_nj_per_inference"], rel=1e-12)
    assert steps["energy_static_nj"].sum() == pytest.approx(total["energy_static_nj"], rel=1e-12)
    assert steps["latency_ns"].sum() == pytest.approx(1e3 * total["latency_us_per_inference"], rel=1e-12)
    # Nothing spikes in the first five steps: all neurons are updated without input, and nothing else happens.
    quiet = chip.partition.use["neurons"].sum() * chip.target.energy_neuron_inactive_pj * 1e-3
    np.testing.assert_allclose(steps["energy_dynamic_nj"][:5], quiet, rtol=1e-12)
    assert (steps["energy_dynamic_nj"][6:] > quiet).all()
