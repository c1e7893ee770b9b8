"""The delayed projection alone: forward by plain loops, gradients by autograd and by interpolation."""

import numpy as np
import pytest
import torch

from spsnn.autograd.synapse import delayed_current
from spsnn.errors import ConfigError

from .nets import dense_spikes, relative

B, T, N, J, DT = 3, 40, 6, 5, 0.5


def plain(z, w, lag):
    """``x[b, t + lag_ij, j] += w_ij z[b, t, i]`` in torch."""
    x = [[[0.0] * J for _ in range(T)] for _ in range(B)]
    for b, t, i in np.ndindex(B, T, N):
        for j in range(J):
            if t + lag[i, j] < T:
                x[b][t + lag[i, j]][j] = x[b][t + lag[i, j]][j] + w[i, j] * z[b, t, i]
    return torch.stack([torch.stack([torch.stack([torch.as_tensor(v) for v in r]) for r in s]) for s in x])


def case(dtype):
    rng = np.random.default_rng(0)
    make = lambda x: torch.tensor(x, dtype=dtype, requires_grad=True)  # noqa: E731
    z, w, d = dense_spikes(rng, (B, T, N)), rng.normal(size=(N, J)), rng.uniform(0, 12, (N, J))
    d[0] = 19.9  # beyond the window for all but the first spikes
    return make(z), make(w), make(d), torch.tensor(rng.normal(size=(B, T, J)), dtype=dtype)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_forward_weight_and_presynaptic_gradients(dtype, tolerance):
    z, w, d, c = case(dtype)
    got = delayed_current(z, w, d, DT)
    z_2, w_2 = (x.detach().double().requires_grad_() for x in (z, w))
    want = plain(z_2, w_2, np.rint(d.detach().numpy() / DT).astype(int))
    assert relative(got, want) < tolerance
    grads = torch.autograd.grad((got * c).sum(), (z, w))
    expected = torch.autograd.grad((want * c.double()).sum(), (z_2, w_2))
    assert max(relative(g, e) for g, e in zip(grads, expected, strict=True)) < tolerance


def test_delay_gradient_is_the_slope_of_the_cotangent_at_the_arrivals():
    z, w, d, c = case(torch.float64)
    (grad,) = torch.autograd.grad((delayed_current(z, w, d, DT) * c).sum(), d)
    c = np.pad(c.numpy(), ((0, 0), (1, 1), (0, 0)))  # nothing outside the window
    want = np.zeros((N, J))
    for b, t, i in np.argwhere(z.detach().numpy()):
        for j in range(J):
            a = t + int(np.rint(d[i, j].item() / DT))
            if a < T:
                want[i, j] += w[i, j].item() * (c[b, a + 2, j] - c[b, a, j]) / (2 * DT)
    assert np.abs(want).max() > 1 and relative(grad, want) < 1e-12


def test_what_does_not_fit_is_refused():
    z, w, d, _ = case(torch.float64)
    for weight, delay in ((w[:4], d[:4]), (w, d[:, :3]), (w, d - 20), (w * float("nan"), d)):
        with pytest.raises(ConfigError):
            delayed_current(z, weight, delay, DT)
