"""Fine-tuning: gradients go straight through, nothing is lost when the result is quantised again."""

import numpy as np
import pytest
import torch

import spsnn
from spsnn.deploy import finetune, staged
from spsnn.deploy.copies import as_stored, plain_copy
from spsnn.errors import ConfigError
from spsnn.hwmap import compile, load_target
from spsnn.synapses.stored import Stored

SETTINGS = spsnn.TrainingConfig(epochs=4, batch_size=32, lr=0.005, rescue=1e-3)


def test_stored_values_and_derivatives_by_hand():
    stored = Stored(0.5, 3, dt=2.0, low=1, high=torch.tensor([4.0, 4.0, 9.0]))
    w = torch.tensor([0.7, -9.0, 0.2], requires_grad=True)
    d = torch.tensor([0.0, 9.1, 9.1], requires_grad=True)
    held = stored.weight(w), stored.delay(d)
    assert held[0].tolist() == [0.5, -1.5, 0.0] and held[1].tolist() == [2.0, 8.0, 10.0]
    (held[0] @ torch.tensor([1.0, 2.0, 3.0]) + held[1] @ torch.tensor([4.0, 5.0, 6.0])).backward()
    assert w.grad.tolist() == [1, 2, 3] and d.grad.tolist() == [4, 5, 6]


def test_the_gradient_is_that_of_the_rounded_network(digits):
    """Weights on the integers: rounding changes nothing, so both networks have the same loss and gradient."""
    model, sets = digits
    events = sets["train"].events[:32]
    target = load_target("loihi2", weight_bits=4)
    chip = compile(spsnn.to_graph(model, events), target, scale="mse")
    rounded = spsnn.from_graph(model, chip.quantised)
    copy = plain_copy(model)
    with as_stored(copy, chip):
        a, b = copy(events).logits, rounded(events).logits
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)
        labels = torch.from_numpy(events.labels)
        for net, logits in ((copy, a), (rounded, b)):
            net.zero_grad()
            torch.nn.functional.cross_entropy(logits, labels).backward()
        for p, q in zip(copy.feedforward, rounded.feedforward, strict=True):
            torch.testing.assert_close(p.weight.grad, q.weight.grad, rtol=1e-4, atol=1e-6)


def test_three_bits_are_won_back_and_kept(digits):
    model, sets = digits
    target = load_target("loihi2", weight_bits=3)
    before = {name: t.clone() for name, t in model.state_dict().items()}
    result = finetune(model, sets["train"].events[:640], sets["validation"], SETTINGS, target, move=False)
    assert all(torch.equal(before[name], t) for name, t in model.state_dict().items())
    assert result.trained and result.improved and result.loss_points > 0.5
    assert result.after > result.before + 0.01
    rows, chip = staged(result.model, sets["validation"].events, target)
    assert rows[0]["accuracy"] == result.after
    assert rows[2]["spike_distance"] == rows[2]["loss_points"] == 0  # the integers are found again, whatever the scale
    for w, synapse in zip(chip.integers.weights, result.model.feedforward, strict=True):
        assert np.abs(w).max() <= 3
        np.testing.assert_allclose(w * chip.integers.scales[("hidden1", "output")[synapse.n_post == 10]],
                                   synapse.weight.detach().numpy()[synapse.mask.numpy()], rtol=1e-5)  # fmt: skip
    for a, b in zip(model.points, result.model.points, strict=True):
        assert torch.equal(a.position, b.position) and b.position.requires_grad


def test_no_training_within_the_bound(digits):
    model, sets = digits
    result = finetune(model, sets["train"].events[:640], sets["validation"], SETTINGS, bound=20.0)
    assert result.model is model and not result.trained and result.history == []
    with pytest.raises(ConfigError, match="bound is percentage points"):
        finetune(model, sets["train"].events[:640], sets["validation"], bound=-1.0)
    with pytest.raises(ConfigError, match="needs a validation set"):
        finetune(model, sets["train"].events[:640], None)


def test_coordinates_train_only_if_asked(digits):
    model, sets = digits
    one = spsnn.TrainingConfig(epochs=1, batch_size=64, lr=0.01)
    few = sets["train"].events[:256]
    target = load_target("loihi2", weight_bits=2)
    moved = finetune(model, few, sets["validation"], one, target, bound=None, move=True)
    assert moved.improved and not torch.equal(moved.model.points[0].position, model.points[0].position)


@pytest.mark.parametrize("bits", [3, 8])
def test_normalised_recurrent_networks_are_folded(digits, bits):
    _, sets = digits
    model = spsnn.SpSNN([64, 16, 10], recurrent=True, normalise="batch", dropout=0.2, readout="mean_membrane",
                        readout_scale=10.0, position_scale=5.0)  # fmt: skip
    spsnn.fit(model, sets["train"].events[:640], None, spsnn.TrainingConfig(epochs=2, lr=0.02))
    events = sets["validation"].events
    copy = plain_copy(model)
    torch.testing.assert_close(copy(events).logits, model.eval()(events).logits, rtol=1e-4, atol=1e-4)
    target = load_target("loihi2", weight_bits=bits)
    result = finetune(model, sets["train"].events[:640], events, SETTINGS, target, bound=None)
    assert result.improved
    rows, _ = staged(result.model, events, target)
    assert rows[2]["spike_distance"] == 0  # bias units hold integers too


def test_a_model_of_the_event_engine_trains_on_the_steps_of_the_chip(digits):
    _, sets = digits
    model = spsnn.SpSNN([64, 8, 10], engine="event", readout="mean_membrane", readout_scale=20.0, weight_mean=2.0)
    events = sets["validation"].events[:100]
    settings = spsnn.TrainingConfig(epochs=3, batch_size=32, lr=0.03)
    result = finetune(model, sets["train"].events[:640], events, settings, bound=None)
    assert result.improved and result.model.settings.engine == "grid"
    rows, _ = staged(result.model, events)
    assert rows[0]["accuracy"] == result.after and rows[2]["spike_distance"] == 0


def test_coordinates_that_delays_are_computed_from_are_held(digits):
    model, sets = digits
    events = sets["validation"].events
    target = load_target("loihi2", coordinate_bits=2)
    result = finetune(model, sets["train"].events[:640], events, SETTINGS, target, bound=None, delay_mode="computed")
    assert result.improved
    assert all(torch.equal(a.position, b.position) for a, b in zip(model.points, result.model.points, strict=True))
    run = spsnn.from_graph(result.model, result.chip.quantised)
    assert spsnn.evaluate(run, events)["accuracy"] == result.after
