"""Yardsticks: published parameter counts, and what each can and cannot see."""

import pytest
import torch

from spsnn.errors import ConfigError, DataError
from spsnn.models.rate.baselines import MLP, Logistic, Recurrent, Transformer, strided_mask


@pytest.mark.parametrize(
    ("model", "shape", "n_parameters"),
    [
        (MLP([64 * 32, 128, 128, 20]), (64, 32), 281_364),
        (Transformer([32, 128, 20]), (64, 32), 403_348),
        (Transformer([32, 128, 20], sparse=True), (64, 32), 403_348),
        (Recurrent([32, 128, 20], n_layers=2, bidirectional=True), (64, 32), 566_292),
        (Recurrent([28, 128, 10]), (28, 28), 82_186),
        (Recurrent([28, 128, 10], cell="gru"), (28, 28), 61_962),
        (Logistic([32, 20]), (64, 32), 660),
        (Logistic([32, 10], view="first"), (128, 32), 2_570),
        (MLP([128 * 32, 10]), (128, 32), 40_970),
    ],
)
def test_parameters_and_shapes(model, shape, n_parameters):
    assert model.n_parameters() == n_parameters and model.storage() == {"numbers": n_parameters}
    logits = model(torch.randn(3, *shape)).logits
    assert logits.shape == (3, 20 if n_parameters in (281_364, 403_348, 566_292, 660) else 10)
    logits.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_order_of_steps():
    x = torch.randn(2, 16, 8)
    back = x.flip(1)
    for model, blind in (
        (Transformer([8, 16, 3]), True),
        (Transformer([8, 16, 3], sparse=True), False),
        (Recurrent([8, 16, 3]), False),
        (Logistic([8, 3]), True),
    ):
        same = torch.allclose(model.eval()(x).logits, model(back).logits, atol=1e-5)
        assert same == blind, model


def test_bidirectional_readout_holds_both_last_states():
    model = Recurrent([4, 5, 3], n_layers=2, bidirectional=True)
    x = torch.randn(2, 6, 4)
    out = model.cell(x)[0]  # (B, T, 2 H), directions at the same step
    torch.testing.assert_close(model(x).logits, model.head(torch.cat([out[:, -1, :5], out[:, 0, 5:]], 1)))


def test_strided_mask():
    mask = strided_mask(10)
    for i in range(10):
        for j in range(10):
            assert mask[i, j].item() == (not (abs(i - j) <= 2 or j in (0, 4, 8)))


def test_views():
    x = torch.randn(2, 20, 3)
    for view, part in (("mean", x.mean(1)), ("first", x[:, :8].flatten(1)), ("last", x[:, 12:].flatten(1))):
        model = Logistic([3, 4], view=view)
        torch.testing.assert_close(model(x).logits, part @ model.head.weight.T + model.head.bias)


def test_a_view_that_is_longer_than_the_sequence_is_refused():
    with pytest.raises(DataError, match="view 'last' takes 8 steps, the sequences have 5; lower length"):
        Logistic([3, 2], view="last")(torch.zeros(1, 5, 3))


def test_errors():
    for make in (
        lambda: MLP([3, 0]),
        lambda: Transformer([3, 30, 2]),
        lambda: Transformer([3, 2]),
        lambda: Recurrent([3, 8, 2], cell="rnn"),
        lambda: Logistic([3, 2], view="middle"),
        lambda: MLP([3, 2]).to_graph(),
    ):
        with pytest.raises(ConfigError):
            make()
