"""Delays of every kind of synapse, their bounds, masks, and use alone in front of another neuron model."""

import numpy as np
import pytest
import torch

from spsnn import (
    AxonalDelaySynapse,
    CapacityError,
    ConfigError,
    Euclidean,
    FreeDelaySynapse,
    NoDelaySynapse,
    Points,
    SpatialSynapse,
)


def place(synapse, pre, post):
    with torch.no_grad():
        synapse.pre.position.copy_(torch.tensor(pre))
        synapse.post.position.copy_(torch.tensor(post))


def test_spatial_delays_are_scaled_distances_plus_the_least():
    s = SpatialSynapse(1, 2, Euclidean(2), alpha=2.0, d_min=0.5)
    place(s, [[0.0, 0.0]], [[3.0, 4.0], [0.0, 1.0]])
    assert s.delays().tolist()[0] == pytest.approx([0.5 + 2 * 5.0, 0.5 + 2 * 1.0], abs=1e-3)


def test_a_recurrent_projection_shares_one_set_of_points():
    points = Points(4, Euclidean(2))
    s = SpatialSynapse(points, points, self_connections=False)
    assert sum(p.numel() for p in s.parameters() if p.requires_grad) == 16 + 8
    assert torch.allclose(s.delays(), s.delays().T)
    assert not s.mask.diagonal().any()


def test_a_delay_beyond_the_maximum_is_an_error_or_a_reported_clip():
    def made(on_exceed):
        s = SpatialSynapse(1, 2, max_delay=5.0, on_exceed=on_exceed)
        place(s, [[0.0, 0.0]], [[9.0, 0.0], [1.0, 0.0]])
        return s

    with pytest.raises(
        CapacityError, match=r"1 of 2 delays exceed max_delay=5.0 ms \(longest 9 ms\).*on_exceed='clip'"
    ):
        made("error").delays()
    clipped = made("clip")
    assert clipped.delays().tolist()[0] == pytest.approx([5.0, 1.0], abs=1e-3)
    assert clipped.clipped == 0.5


def test_a_masked_synapse_cannot_exceed_the_maximum_and_passes_nothing():
    s = SpatialSynapse(1, 2, max_delay=5.0)
    place(s, [[0.0, 0.0]], [[9.0, 0.0], [1.0, 0.0]])
    s.mask[0, 0] = False
    torch.nn.init.ones_(s.weight)
    out = s(torch.tensor([[[1.0], [0.0], [0.0]]]))
    assert out[0, :, 0].abs().sum() == 0
    assert out[0, :, 1].tolist() == [0.0, 1.0, 0.0]


def test_free_and_axonal_delays_stay_at_or_above_the_least():
    free = FreeDelaySynapse(torch.tensor([[0.2, 3.0]]), d_min=1.0)
    assert free.delays().tolist() == [[1.0, 3.0]]
    axonal = AxonalDelaySynapse(torch.tensor([0.2, 4.0]), 3, d_min=1.0)
    assert axonal.delays().tolist() == [[1.0] * 3, [4.0] * 3]
    with torch.no_grad():
        free.delay -= 5
        axonal.delay -= 5
    free.project_()
    axonal.project_()
    assert free.delays().min() == axonal.delays().min() == 1.0


def test_without_delays_there_is_nothing_to_learn_but_weights():
    s = NoDelaySynapse(2, 3)
    assert s.delays().abs().sum() == 0
    assert sum(p.numel() for p in s.parameters()) == 6


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: SpatialSynapse(2, 2, alpha=0.0), "alpha must be positive"),
        (lambda: SpatialSynapse(2, 2, d_min=-1.0), "d_min must not be negative"),
        (lambda: SpatialSynapse(2, 2, d_min=3.0, max_delay=2.0), "max_delay must exceed d_min"),
        (lambda: SpatialSynapse(2, 2, on_exceed="wrap"), "'error' or 'clip'"),
        (lambda: SpatialSynapse(2, 3, self_connections=False), "recurrent projection"),
        (lambda: SpatialSynapse(Points(2, Euclidean(2)), Points(2, Euclidean(3))), "different spaces"),
    ],
)
def test_wrong_settings_are_named(make, words):
    with pytest.raises(ConfigError, match=words):
        make()


def test_alone_it_shifts_and_weighs_spikes_by_definition():
    g = torch.Generator().manual_seed(0)
    z = (torch.rand(2, 12, 3, generator=g) < 0.3).float()
    s = FreeDelaySynapse(4 * torch.rand(3, 5, generator=g))
    s.init_weight(1.0, generator=g)
    want = np.zeros((2, 12, 5))
    lag = np.rint(s.delays().detach().numpy() / 0.5).astype(int)
    for b, t, i in zip(*np.nonzero(z.numpy()), strict=True):
        for j in range(5):
            if t + lag[i, j] < 12:
                want[b, t + lag[i, j], j] += s.weight[i, j].item()
    assert np.allclose(s(z, dt=0.5).detach().numpy(), want, atol=1e-6)


def test_alone_its_gradients_reach_weights_coordinates_and_earlier_layers():
    snntorch = pytest.importorskip("snntorch")
    g = torch.Generator().manual_seed(3)
    z = (torch.rand(4, 40, 6, generator=g) < 0.2).float().requires_grad_()
    s = SpatialSynapse(6, 5, position_scale=3.0, generator=g)
    s.init_weight(2.0, 1.0, generator=g)
    leaky = snntorch.Leaky(beta=0.9)
    current, potential, out = s(z), leaky.init_leaky(), []
    for t in range(40):
        spike, potential = leaky(current[:, t], potential)
        out.append(spike)
    torch.stack(out).sum().backward()
    for grad in (s.weight.grad, s.pre.position.grad, s.post.position.grad, z.grad):
        assert torch.isfinite(grad).all()
        assert grad.abs().sum() > 0


def test_alone_the_weight_and_spike_gradients_are_those_of_dense_torch():
    g = torch.Generator().manual_seed(5)
    z = (torch.rand(2, 20, 4, generator=g, dtype=torch.float64) < 0.3).double().requires_grad_()
    s = FreeDelaySynapse(6 * torch.rand(4, 3, generator=g, dtype=torch.float64)).double()
    s.init_weight(1.0, generator=g)
    cotangent = torch.randn(2, 20, 3, generator=g, dtype=torch.float64)
    ours = torch.autograd.grad(s(z), (s.weight, z), cotangent)
    lag = s.delays().detach().round().long()
    weight = s.weight.detach().clone().requires_grad_()
    out = torch.zeros_like(cotangent)
    for i in range(4):
        for j in range(3):
            k = int(lag[i, j])
            shift = torch.nn.functional.pad(z[:, : 20 - k, i], (k, 0)) * weight[i, j]
            out = out + shift[:, :, None] * torch.eye(3, dtype=torch.float64)[j]
    theirs = torch.autograd.grad(out, (weight, z), cotangent)
    for a, b in zip(ours, theirs, strict=True):
        assert torch.allclose(a, b, atol=1e-12)


def test_spikes_must_be_zeros_and_ones():
    with pytest.raises(ConfigError, match="zeros and ones"):
        NoDelaySynapse(1, 1)(torch.tensor([[[0.5]]]))
