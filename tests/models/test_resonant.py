"""The published resonant network against its equations written as loops, its slow rules, and what it learns."""

import math

import numpy as np
import pytest
import torch

from spsnn.datasets import HierarchicalPatterns
from spsnn.errors import ConfigError, DataError
from spsnn.models.resonant.network import ResonantSparseGeometryNetwork

from .scalars import check_gradient, doubles, hyperbolic, layer_norm, project, sigmoid, spark, straight, strength


def small(seed=0, **options):
    model = ResonantSparseGeometryNetwork([5, 12, 3], width=6, n_steps=3, rank=4, seed=seed, **options)
    with torch.no_grad():  # away from the flat start
        g = torch.Generator().manual_seed(seed)
        for p in model.parameters():
            p += 0.3 * torch.randn(p.shape, generator=g)
    return model


def reference(model, x):
    """Logits and final activations of one sample ``x [T, F]``, one node at a time."""
    s = doubles(model)
    dist = hyperbolic if model.settings.metric == "hyperbolic" else straight
    n = len(s["theta"])
    p = [project(q, 0.95) for q in s["position"]]
    sparks = [spark(s, row) for row in x]
    a = np.array([math.exp(-(min(dist(t, q) for t in sparks) ** 2) / (2 * model.settings.ignition**2)) for q in p])
    start = s["init.weight"] @ x.mean(0) + s["init.bias"]
    h = [a_i * start for a_i in a]
    w = [[0 if i == j else strength(s, i, j, model.settings.reach) for j in range(n)] for i in range(n)]
    near = [[j for j in range(n) if j == i or dist(p[i], p[j]) < model.settings.inhibition] for i in range(n)]
    for _ in range(model.settings.n_steps):
        g, raw = [], []
        for i in range(n):
            m = sum(w[j][i] * a[j] * h[j] for j in range(n) if a[j] > model.settings.cut)
            g.append(s["message.weight"] @ (m + np.zeros(len(start))) + s["message.bias"])
            raw.append(
                sigmoid((a[i] + 0.1 * math.sqrt((g[i] ** 2).sum()) - s["theta"][i]) / model.settings.temperature)
            )
        h = [layer_norm(g[i] + h[i], s["norm.weight"], s["norm.bias"]) * raw[i] for i in range(n)]
        a = np.array([min(max(raw[i] * len(near[i]) / (sum(raw[j] for j in near[i]) + 1e-6), 0), 1) for i in range(n)])
    total = sum(a[i] * h[i] for i in range(n))
    if model.settings.head == "mean":
        total = total / n
    return s["head.weight"] @ total + s["head.bias"], a


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"metric": "euclidean", "head": "mean", "temperature": 0.3},
        {"ignition": 0.15, "inhibition": 0.9, "cut": 0.3, "reach": 0.5},
    ],
)
def test_forward_is_the_equations(options):
    model = small(**options)
    x = torch.randn(4, 7, 5, generator=torch.Generator().manual_seed(1))
    logits = model(x).logits
    for b in range(4):
        expected, a = reference(model, x[b].double().numpy())
        np.testing.assert_allclose(logits[b].detach(), expected, rtol=2e-3, atol=2e-3)
        np.testing.assert_allclose(model.activation[b], a, rtol=2e-3, atol=2e-3)
    torch.testing.assert_close(model(x[:, 0]).logits, model(x[:, :1]).logits)  # [B, F] is a sequence of one step


def test_published_parameter_counts():
    for n_classes, n_steps, expected in ((20, 5, 41_672), (10, 7, 40_382)):
        assert ResonantSparseGeometryNetwork([32, 256, n_classes], n_steps=n_steps).n_parameters() == expected


def test_published_model_is_not_sparse_and_its_loss_starts_high():
    x, y = (torch.from_numpy(v) for v in HierarchicalPatterns(42).draw(64))
    model = ResonantSparseGeometryNetwork([32, 256, 20], seed=42)
    loss = torch.nn.functional.cross_entropy(model(x).logits, y).item()
    assert model.statistics()["active_fraction"] == 1.0
    assert loss > 16  # of a start at ln 20 = 3
    mean = ResonantSparseGeometryNetwork([32, 256, 20], seed=42, head="mean")
    assert abs(torch.nn.functional.cross_entropy(mean(x).logits, y).item() - math.log(20)) < 0.5


def test_gradients_are_those_of_finite_differences():
    model = small(temperature=0.5).double()
    x = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    y = torch.tensor([0, 2, 1])

    def loss():
        return torch.nn.functional.cross_entropy(model.rates(x)[0], y)

    check_gradient(model, loss)


def outer_rule(model, loss, abar):
    """G of the rules without its factors, entry by entry."""
    u, v = (x.detach().double().numpy() for x in (model.sender, model.receiver))
    n = len(u)
    g = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            s = sigmoid(u[i] @ v[j])
            g[i, j] = -loss * abar[i] * abar[j] * s * (1 - s)
    return u, v, g


def test_published_slow_rule():
    model = small()
    model(torch.randn(4, 7, 5))
    abar, theta = model.activation.mean(0).double().numpy(), model.theta.detach().double().numpy()
    u, v, g = outer_rule(model, 1.5, abar)
    model.slow_step(torch.tensor(1.5))
    np.testing.assert_allclose(model.sender.detach(), u + 0.002 * (0.995 * 0.002 * g) @ v, rtol=1e-6)
    np.testing.assert_allclose(model.receiver.detach(), v)
    np.testing.assert_allclose(model.theta.detach(), np.clip(theta + 0.001 * (abar - 0.1), 0.01, 0.99), rtol=1e-5)


def test_corrected_slow_rule():
    model = small(rule="corrected", decay=0.99)
    model(torch.randn(4, 7, 5))
    abar = model.activation.mean(0).double().numpy()
    u, v, _ = outer_rule(model, 2.0, abar)
    model.slow_step(2.0)  # the first reward is its own mean: only decay
    np.testing.assert_allclose(model.sender.detach(), 0.99 * u, rtol=1e-5)
    u, v, g = outer_rule(model, -1.0, abar)  # reward -1 above a mean of -2: surprise +1
    model.slow_step(1.0)
    np.testing.assert_allclose(model.sender.detach(), 0.99 * u + 0.002 * g @ v, rtol=1e-5)
    np.testing.assert_allclose(model.receiver.detach(), 0.99 * v + 0.002 * g.T @ u, rtol=1e-5)
    # What is good and was active together is tied more closely.
    assert ((model.sender @ model.receiver.T).detach().numpy() > 0.99**2 * u @ v.T - 1e-9).mean() > 0.5


def test_restructure_moves_prunes_and_sprouts():
    model = small(decay=1.0)
    n = 12
    with torch.no_grad():
        model.sender.zero_()
        model.receiver.zero_()
        model.sender[0, 0], model.receiver[1, 0] = 10.0, -10.0  # affinity of 0 -> 1 is e^-100
        model.sender[2, 1], model.receiver[3, 1] = 3.0, -1.0  # of 2 -> 3 it is .047
    a = torch.rand(50, n, generator=torch.Generator().manual_seed(3))
    a[:, 3] = 0.5 * a[:, 2]
    a[:, 7] = 0.001
    before = model.position.detach().clone()
    model.activation = a
    model.slow_step(1e-12)
    done = model.restructure(torch.Generator().manual_seed(0))
    assert done == {"moved": 1, "pruned": 1, "sprouted": 1}
    moved = (model.position != before).any(1)
    assert moved[7] and moved.sum() == 1
    assert not model.kept[0, 1] and model.weights()[0, 1] == 0 and model.weights()[1, 0] > 0
    assert model.affinity()[2, 3].item() == pytest.approx(0.1) and model.sprouted.sum() == 1
    with pytest.raises(DataError, match="slow_step"):
        model.restructure()
    # Rounding is no change: nodes that stay where they are, or differ by noise below it, correlate with none.
    with torch.no_grad():
        model.sender.fill_(0.1)
        model.receiver.fill_(-10.0)  # affinity .018
    for noise in (0.0, 1e-7):
        generator = torch.Generator().manual_seed(1)
        fixed = torch.rand(n, generator=generator).clamp_min(0.1)
        for _ in range(60):
            model.activation = fixed + noise * torch.randn(64, n, generator=generator)
            model.slow_step(1e-12)
        assert model.restructure(torch.Generator().manual_seed(0))["sprouted"] == 0, noise
    again = ResonantSparseGeometryNetwork([5, 12, 3], width=6, rank=4)
    again.load_state_dict(model.state_dict())
    assert torch.equal(again.weights(), model.weights())


def test_learns_a_little_task():
    patterns = HierarchicalPatterns(0)
    patterns.everywhere *= 20  # a global pattern that an average shows
    x, y = (torch.from_numpy(v) for v in patterns.draw(256))
    y = y % 4
    model = ResonantSparseGeometryNetwork([32, 24, 4], width=16, n_steps=2, rank=8, head="mean", seed=0)
    optimiser = torch.optim.AdamW(model.parameters(), 1e-2)
    losses = []
    for _ in range(25):
        loss = torch.nn.functional.cross_entropy(model(x).logits, y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        model.slow_step(loss)
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]


def test_seed_and_errors():
    torch.manual_seed(5)
    a = ResonantSparseGeometryNetwork([3, 4, 2], width=4, seed=1).state_dict()
    drawn = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(torch.rand(1), drawn)
    b = ResonantSparseGeometryNetwork([3, 4, 2], width=4, seed=1).state_dict()
    assert all(torch.equal(a[k], b[k]) for k in a)
    for options, words in (
        ({"metric": "l1"}, "metric must be one of"),
        ({"rule": "hebb"}, "rule must be one of"),
        ({"width": 0}, "width must be positive"),
        ({"reach": -1.0}, "reach must be positive"),
        ({"decay": 1.5}, "decay must lie"),
    ):
        with pytest.raises(ConfigError, match=words):
            ResonantSparseGeometryNetwork([3, 4, 2], **options)
    with pytest.raises(ConfigError, match=r"sizes \[inputs, nodes, outputs\]"):
        ResonantSparseGeometryNetwork([3, 4, 5, 2])
    model = ResonantSparseGeometryNetwork([3, 4, 2], width=4)
    with pytest.raises(DataError, match="forward"):
        model.slow_step(1.0)
    with pytest.raises(ConfigError, match="takes 3 input features"):
        model(torch.zeros(2, 5, 4))
    model(torch.zeros(2, 5, 3))
    with pytest.raises(DataError, match="finite"):
        model.slow_step(float("nan"))
