"""A model on the integers of a chip: biases, read-outs that spike, inputs that spike twice in a step."""

import numpy as np
import pytest
import torch

import spsnn
from spsnn.errors import ConfigError
from spsnn.hwmap import IntegerNetwork, load_target
from spsnn.hwmap.quantise import quantise
from spsnn.models import IntegerModel


def batch_of(seed, n_samples=20, n_units=8, duration=60.0):
    rng = np.random.default_rng(seed)
    trains = [(rng.uniform(0, duration, 25), rng.integers(0, n_units, 25)) for _ in range(n_samples)]
    return spsnn.SpikeBatch.from_samples(trains, n_units, duration)


@pytest.mark.parametrize("readout", ["first_spike", "spike_count", "max_membrane"])
def test_read_outs_follow_the_quantised_model(readout):
    model = spsnn.SpSNN(
        [8, 20, 3], readout=readout, bias=True, recurrent=True, max_delay=60.0, on_exceed="clip", weight_mean=1.0
    )
    with torch.no_grad():
        model.currents[0].bias.copy_(torch.linspace(-0.02, 0.05, 20))
    integers = quantise(spsnn.to_graph(model), load_target("loihi2"))
    stand, rounded = IntegerModel(model, IntegerNetwork.of(integers)), spsnn.from_graph(model, integers.network)
    batch = batch_of(0)
    dense = batch.to_dense(1.0)
    binary = spsnn.SpikeBatch.from_dense((dense > 0).astype(int), 1.0)
    found, wanted = stand(batch), rounded(binary)
    # Input spikes that share unit and step are one.
    torch.testing.assert_close(found.logits, stand(binary).logits, rtol=0, atol=0)
    spikes = [sum(int(s.counts().sum()) for s in output.spikes) for output in (found, wanted)]
    assert spikes[1] > 100 and abs(spikes[0] - spikes[1]) < 0.03 * spikes[1]
    difference = (found.logits - wanted.logits).abs()
    assert difference.median() <= 0.02 * wanted.logits.abs().max() and len(found.logits) == 20
    # Without the units of the bias it is another network.
    silent = {name: x * (name == "input") for name, x in stand.inputs(batch).items()}
    assert (
        stand.network.run(silent).spikes["hidden1"] != stand.network.run(stand.inputs(batch)).spikes["hidden1"]
    ).any()


def test_refuses_the_network_of_another_model():
    small, large = (spsnn.SpSNN([8, n, 3], readout="max_membrane", max_delay=60.0, on_exceed="clip") for n in (5, 6))
    with pytest.raises(ConfigError, match=r"populations of \[8, 5, 3\] neurons, the model \[8, 6, 3\]"):
        IntegerModel(large, IntegerNetwork.of(spsnn.to_graph(small)))
