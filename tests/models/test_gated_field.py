"""The gated field against its equations written as loops, its coupling by distance, and what it learns."""

import math

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from spsnn.errors import ConfigError
from spsnn.models.rate.gated_field import GatedField

from .scalars import check_gradient, doubles, sigmoid


def small(**options):
    model = GatedField([4, 12, 3], **{"degree": 5, **options})
    with torch.no_grad():
        g = torch.Generator().manual_seed(1)
        for p in model.parameters():
            p += 0.3 * torch.randn(p.shape, generator=g)
    return model


def coupling(n, degree, reach, value):
    """C [n, n] (post, pre), from places on the Fibonacci sphere."""
    place = []
    for i in range(n):
        z, phi = 1 - (2 * i + 1) / n, i * math.pi * (3 - math.sqrt(5))
        r = math.sqrt(1 - z * z)
        place.append(np.array([r * math.cos(phi), r * math.sin(phi), z]))
    made = np.zeros((n, n))
    for i in range(n):
        angle = [math.acos(np.clip(place[i] @ place[j], -1, 1)) if j != i else math.inf for j in range(n)]
        near = sorted(range(n), key=angle.__getitem__)[:degree]
        kernel = np.array([math.exp(-angle[j] / reach) for j in near])
        made[i, near] = kernel / np.sqrt((kernel**2).sum()) * value[i]
    return made


def reference(model, steps):
    """Logits and states of one sample ``steps [S, F]`` in complex numbers."""
    s, n = doubles(model), model.sizes[1]
    c = coupling(n, model.settings.degree, model.settings.reach, s["coupling.value"])
    d = coupling(n, model.settings.degree, model.settings.reach, s["hearing.value"])
    z, states = np.zeros(n, complex), []
    for u in steps:
        drive = (s["drive.weight"] @ u + s["drive.bias"]).reshape(3, n)
        heard = c @ z
        aim = np.tanh(drive[0] + heard.real) + 1j * np.tanh(drive[1] + heard.imag)
        t = np.array([sigmoid(v) for v in drive[2] + d @ z.real])
        z = (1 - t) * np.exp(1j * s["omega"]) * z + t * aim
        states.append(z)
    return s["head.weight"] @ np.concatenate([z.real, z.imag]) + s["head.bias"], np.array(states)


@pytest.mark.parametrize("options", [{}, {"reach": 0.2}, {"degree": 11}, {"omega": 0}])
def test_forward_is_the_equations(options):
    model, x = small(**options), torch.randn(3, 6, 4, generator=torch.Generator().manual_seed(2))
    logits, (real, imaginary) = model.rates(x)
    for b in range(3):
        expected, states = reference(model, x[b].double().numpy())
        np.testing.assert_allclose(logits[b].detach(), expected, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(real[b], states.real, atol=1e-4)
        np.testing.assert_allclose(imaginary[b], states.imag, atol=1e-4)


def test_gradients_are_those_of_finite_differences():
    model = small().double()
    x = torch.randn(2, 4, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    y = torch.tensor([0, 2])
    check_gradient(model, lambda: torch.nn.functional.cross_entropy(model.rates(x)[0], y), 4)


def test_a_node_hears_its_nearest_and_the_near_ones_louder():
    model = GatedField([28, 150, 10])
    assert model.n_parameters() == 35_410 <= 36_000
    mask = model.coupling.mask()
    assert (mask.sum(0) == 64).all() and not mask.diagonal().any()
    kernel = model.coupling.kernel
    assert (kernel.diff(dim=1) <= 0).all()
    torch.testing.assert_close(kernel.square().sum(1), torch.ones(150))
    matrix = torch.randn(150, 150) * mask
    with torch.no_grad():
        model.coupling.put_(matrix)
    torch.testing.assert_close(model.coupling(), matrix)


def test_omega_of_zero_stays():
    model = GatedField([4, 12, 3], degree=5, omega=0)
    assert not model.omega.requires_grad and not model.omega.any()
    assert model.n_parameters() == small().n_parameters() - 12


def test_learns_digits_row_by_row():
    images, labels = load_digits(return_X_y=True)
    x, y = torch.from_numpy(images.reshape(-1, 8, 8) / 16).float(), torch.from_numpy(labels)
    model = GatedField([8, 40, 10], degree=16, memory=8.0)
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    order = torch.Generator().manual_seed(0)
    for _ in range(80):
        rows = torch.randint(1400, (64,), generator=order)
        loss = torch.nn.functional.cross_entropy(model(x[rows]).logits, y[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        assert (model(x[1400:]).logits.argmax(1) == y[1400:]).float().mean() > 0.7


@pytest.mark.parametrize(
    ("sizes", "settings", "words"),
    [
        ([4, 12, 12, 3], {}, r"sizes \[inputs, nodes, outputs\]"),
        ([4, 12, 3], {"degree": 12}, "degree must be below the number of nodes, 12, got 12"),
        ([4, 12, 3], {"degree": 2, "dropout": 1.0}, "dropout below 1"),
        ([4, 12, 3], {"degree": 2, "reach": 0.0}, "reach must be positive"),
    ],
)
def test_errors(sizes, settings, words):
    with pytest.raises(ConfigError, match=words):
        GatedField(sizes, **settings)


def test_dropout_draws_from_the_numbers_of_the_run():
    model, x = small(dropout=0.5).train(), torch.randn(8, 3, 4)
    drawn = []
    for seed in (1, 1, 2):
        model.rng = np.random.default_rng(seed)
        drawn.append(model(x).logits)
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])
    assert torch.equal(model.eval()(x).logits, small().eval()(x).logits)
