"""The neural field against its equations written as loops, its statistics, and what it learns."""

import math

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from spsnn.errors import ConfigError
from spsnn.models.rate.neural_field import NeuralField

from .scalars import check_gradient, doubles, sigmoid, softplus


def count(model):
    return sum(p.numel() for p in model.parameters())


def small(**options):
    model = NeuralField([4, 4, 10, 16, 3], **options)
    with torch.no_grad():
        g = torch.Generator().manual_seed(1)
        for p in model.parameters():
            p += 0.3 * torch.randn(p.shape, generator=g)
    return model


def reference(model, steps):
    """Logits, states and gains of one sample ``steps [S, F]``, node by node in double precision."""
    s = doubles(model)
    n = len(s["omega"])
    place = []
    for i in range(n):
        z, phi = 1 - (2 * i + 1) / n, i * math.pi * (3 - math.sqrt(5))
        r = math.sqrt(1 - z * z)
        place.append(np.array([r * math.cos(phi), r * math.sin(phi), z]))
    k = np.array(
        [
            [0 if i == j else math.exp(-math.acos(max(-1, min(1, place[i] @ place[j]))) / 0.3) for j in range(n)]
            for i in range(n)
        ]
    )
    k = s["strength"] * k / k.sum(1, keepdims=True)
    regions = [[i for i in range(n) if i * 12 // n == q] for q in range(12)]
    x, gain = np.zeros((n, 2)), np.ones(n)
    for u in steps:
        new = np.zeros((n, 2))
        for i in range(n):
            force = sum(k[i, j] * (x[j] - x[i]) for j in range(n))
            a, b = s["drive.weight"][i] @ u + s["drive.bias"][i] + force[0], force[1]
            lam, om = softplus(s["decay"][i]), s["omega"][i]
            target = np.array([lam * a - om * b, om * a + lam * b]) / (lam**2 + om**2)
            t = sigmoid(gain[i] * lam + s["bias"][i])
            new[i] = x[i] * (1 - t) + target * t
            size = math.hypot(*new[i])
            if size > 10:
                new[i] *= 10 / size
        x = new
        size = np.hypot(x[:, 0], x[:, 1])
        if model.router is not None:
            mean_size = np.array([size[q].mean() for q in regions])
            r = np.concatenate([mean_size, [x[q, 0].mean() for q in regions]])
            query = (s["router.query.weight"] @ r + s["router.query.bias"]).reshape(8, 16)
            keys = (x @ s["router.key.weight"].T + s["router.key.bias"]).reshape(n, 8, 16)
            score = np.array([[query[c] @ keys[i, c] / 4 for c in range(8)] for i in range(n)])
            calm = [np.mean([sigmoid(v) for v in score[:, c]]) for c in range(8)]
            trn = [sum(softplus(s["router.inhibition"][c, d]) * calm[d] for d in range(8) if d != c) for c in range(8)]
            ct = s["router.feedback.weight"] @ mean_size + s["router.feedback.bias"]
            gain = np.array([np.mean([sigmoid(score[i, c] - trn[c] + ct[c]) for c in range(8)]) for i in range(n)])
    return s["head.weight"] @ (size * gain) + s["head.bias"], x, gain


@pytest.mark.parametrize("options", [{}, {"bias": -2.0}, {"repeats": 3}, {"router": False}])
def test_forward_is_the_equations(options):
    model = small(**options)
    x = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(2))
    x[1] *= 60  # far enough for the limit of the magnitude
    logits = model(x).logits
    real, imaginary, magnitude, gain = (s.detach() for s in model.steps(x)[-1])
    assert magnitude.max() == pytest.approx(10)
    for b in range(3):
        steps = np.repeat(x[b].double().numpy(), model.settings.repeats, axis=0)
        expected, state, gains = reference(model, steps)
        np.testing.assert_allclose(logits[b].detach(), expected, rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(torch.stack([real[b], imaginary[b]], 1), state, rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(gain[b], gains, rtol=1e-3, atol=1e-4)


def test_features_are_shown_whole_or_in_chunks():
    model, x = small(), torch.randn(2, 4)
    torch.testing.assert_close(model(x).logits, model(x[:, None]).logits)
    cut = torch.zeros(2, 2, 4)
    cut[:, 0, :2], cut[:, 1, 2:] = x[:, :2], x[:, 2:]
    torch.testing.assert_close(small(chunks=2)(x).logits, model(cut).logits)
    with pytest.raises(ConfigError, match="chunks cut features without time, the data has 3 steps"):
        small(chunks=2)(torch.randn(2, 3, 4))


def test_parameter_counts():
    assert NeuralField([49, 49, 100, 500, 10]).n_parameters() == 44_650
    assert NeuralField([28, 28, 100, 500, 10], bias=-5.0).n_parameters() == 30_139


def test_steady_state():
    # Held long under one input, an uncoupled oscillator satisfies dz/dt = -(lam - i omega) z + A = 0.
    model = small(repeats=200, router=False)
    with torch.no_grad():
        model.strength.zero_()
    x = torch.randn(1, 1, 4)
    real, imaginary, _, _ = (s.detach() for s in model.steps(x)[-1])
    z = (real + 1j * imaginary)[0].numpy()
    lam = torch.nn.functional.softplus(model.decay).detach().numpy()
    drive = model.drive(x)[0, 0].detach().numpy()
    np.testing.assert_allclose((lam - 1j * model.omega.detach().numpy()) * z, drive, rtol=1e-3, atol=1e-3)


def test_gradients_are_those_of_finite_differences():
    model = small().double()
    x = torch.randn(2, 4, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    y = torch.tensor([0, 2])

    def loss():
        return torch.nn.functional.cross_entropy(model.rates(x)[0], y)

    check_gradient(model, loss, 4)


def test_trace_and_statistics():
    model = small(bias=-1.0)
    x = torch.randn(5, 6, 4)
    model(x)
    s, found = model.trace(x), model.statistics()
    states = [reference(model, x[b].double().numpy()) for b in range(5)]
    size = np.array([np.hypot(*state.T) for _, state, _ in states])
    gain = np.array([g for _, _, g in states])
    np.testing.assert_allclose(s["magnitude"], size.mean(0), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(s["gain"], gain.mean(0), rtol=1e-3)
    np.testing.assert_allclose(s["motor"], (size * gain)[:, 4:14], rtol=1e-3, atol=1e-4)  # 10 sectors of one node
    state = states[0][1]
    np.testing.assert_allclose(s["phase"][-1], np.arctan2(state[:, 1], state[:, 0]), atol=2e-3)
    assert s["phase"].shape == (6, 30) and s["regions"].shape == (6, 12)
    np.testing.assert_allclose(
        s["regions"][-1].sum(), sum(size.mean(0)[np.arange(30) * 12 // 30 == q].mean() for q in range(12)), rtol=1e-3
    )
    units = [state / np.hypot(*state.T)[:, None] for _, state, _ in states]
    coherence = np.mean([np.hypot(*u.mean(0)) for u in units])
    np.testing.assert_allclose(s["coherence"][-1], coherence, rtol=1e-3)
    assert found == pytest.approx({"magnitude": size.mean(), "gain": gain.mean(), "coherence": coherence}, rel=1e-3)


def test_what_is_sent_is_the_state_and_the_rate():
    model, x = small(), torch.randn(2, 3, 4)
    logits, (real, imaginary, rate) = model.rates(x)
    for b in range(2):
        _, state, gains = reference(model, x[b].double().numpy())
        np.testing.assert_allclose(torch.stack([real[b, -1], imaginary[b, -1]], 1), state, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(rate[b].detach(), np.hypot(*state.T) * gains, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(logits, model.head(rate))
    assert real.shape == (2, 3, 30)


def test_bias_sets_the_memory():
    # What the first of 28 rows leaves in the state.
    first = torch.zeros(1, 28, 28)
    first[:, 0] = 1
    left = {}
    for bias in (-5.0, 0.0):
        model = NeuralField([28, 28, 100, 500, 10], bias=bias)
        end = lambda x: torch.stack(model.steps(x)[-1][:2]).detach()  # noqa: B023, E731
        left[bias] = (end(first) - end(torch.zeros_like(first))).norm() / end(first[:, :1]).norm()
    assert left[-5.0] > 0.3
    assert left[0.0] < 1e-3


def test_learns_digits_row_by_row():
    images, labels = load_digits(return_X_y=True)
    x, y = torch.from_numpy(images.reshape(-1, 8, 8) / 16).float(), torch.from_numpy(labels)
    model = NeuralField([8, 8, 20, 40, 10], bias=-2.0)
    optimiser = torch.optim.Adam(model.parameters(), 3e-2)
    order = torch.Generator().manual_seed(0)
    for _ in range(80):
        rows = torch.randint(1400, (64,), generator=order)
        loss = torch.nn.functional.cross_entropy(model(x[rows]).logits, y[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        assert (
            model(x[1400:]).logits.argmax(1) == y[1400:]
        ).float().mean() > 0.5  # the last samples come from other writers


@pytest.mark.parametrize(
    ("sizes", "settings", "words"),
    [
        ([4, 4, 5, 10, 3], {}, "motor must have 10 nodes at least"),
        ([4, 20, 3], {}, r"sizes \[inputs, sensory, motor, prefrontal, outputs\]"),
        ([4, 4, 10, 16, 3], {"chunks": 5}, "chunks must be at most the 4 features, got 5"),
        ([4, 4, 10, 16, 3], {"repeats": 0}, "repeats must be a whole number of at least 1, got 0"),
        ([4, 4, 10, 16, 3], {"bias": float("nan")}, "bias must be a finite number"),
    ],
)
def test_errors(sizes, settings, words):
    with pytest.raises(ConfigError, match=words):
        NeuralField(sizes, **settings)
    with pytest.raises(ConfigError, match="takes 4 input features, the data has 5"):
        small()(torch.zeros(2, 5))
