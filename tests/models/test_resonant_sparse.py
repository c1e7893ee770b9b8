"""The sparse resonant network against its equations written as loops, and that its work follows its activity."""

import copy
import math

import numpy as np
import pytest
import torch

from spsnn.datasets import HierarchicalPatterns
from spsnn.errors import ConfigError, DataError, TrainingError
from spsnn.kernels.cpu import active_set, ball
from spsnn.models.resonant.sparse import SparseResonantNetwork
from spsnn.space import PoincareBall

from .scalars import check_gradient, doubles, hyperbolic, layer_norm, project, sigmoid, spark, strength


def small(seed=0, **options):
    options = {
        "width": 6,
        "n_steps": 3,
        "rank": 4,
        "active": 0.3,
        "degree": 6,
        "ignition": 0.4,
    } | options
    model = SparseResonantNetwork([5, 30, 3], seed=seed, **options)
    with torch.no_grad():  # away from the flat start
        g = torch.Generator().manual_seed(seed)
        for name, p in model.named_parameters():
            p += (0.05 if name in ("position", "theta") else 0.4) * torch.randn(p.shape, generator=g)
    return model.train()


def reference(model, x):
    """Logits, final active nodes and active synapses in all steps of one sample ``x [T, F]``, node by node."""
    s = doubles(model)
    n, radius = len(s["theta"]), s["radius"]
    p = [project(q, 0.95) for q in s["position"]]
    windows = [x[t : t + model.span].T.ravel() for t in range(len(x) - model.span + 1)]
    sparks = [spark(s, row) for row in windows]
    a, h = {}, {}
    for i in range(n):
        distances = [hyperbolic(q, p[i]) for q in sparks]
        t = int(np.argmin(distances))
        value = math.exp(-(distances[t] ** 2) / (2 * model.ignition**2))
        if value >= 0.01:
            a[i] = value
            content = np.mean(windows, axis=0) if model.settings.content == "mean" else windows[t]
            h[i] = s["init.weight"] @ content + s["init.bias"]
            if model.settings.content == "both":
                h[i] = h[i] + s["init_mean.weight"] @ x.mean(0)
            if model.code is not None:
                h[i] = h[i] + s["code.weight"] @ s["sender"][i]
            h[i] = value * h[i]

    def strongest(values):
        return sorted(sorted(values, key=lambda i: -values[i])[: model.most])

    a = {i: a[i] for i in strongest(a)}
    n_messages = 0
    for _ in range(model.settings.n_steps):
        m = {i: np.zeros(len(s["message.bias"])) for i in a}
        for j in a:
            for i in range(n):
                if i != j and hyperbolic(p[i], p[j]) <= radius:
                    m.setdefault(i, np.zeros(len(s["message.bias"])))
                    m[i] = m[i] + strength(s, j, i, model.reach) * a[j] * h[j]
                    n_messages += 1
        g = {i: s["message.weight"] @ m[i] + s["message.bias"] for i in m}
        raw = {
            i: sigmoid((a.get(i, 0) + 0.1 * math.sqrt((g[i] ** 2).sum()) - s["theta"][i]) / model.settings.temperature)
            for i in g
        }
        chosen = [i for i in strongest(raw) if raw[i] > 0.01]
        h = {i: layer_norm(g[i] + (h[i] if i in a else 0), s["norm.weight"], s["norm.bias"]) * raw[i] for i in chosen}
        a = {i: raw[i] for i in chosen}
    total = sum((a[i] * h[i] for i in a), np.zeros(len(s["norm.bias"]))) / max(len(a), 1)
    return s["head.weight"] @ total + s["head.bias"], a, n_messages


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"content": "local", "span": 3, "node_code": True, "reach": 0.7},
        {"content": "both", "span": 2},
        {"active": 1.0, "degree": 29, "dim": 2},
        {"active": 0.04, "ignition": 0.05, "dim": 1},
    ],
)
def test_forward_is_the_equations(options):
    model = small(**options)
    x = torch.randn(4, 7, 5, generator=torch.Generator().manual_seed(1))
    logits = model(x).logits
    ptr, node, a, n_messages = model._last
    messages = 0
    for b in range(4):
        expected, active, n = reference(model, x[b].double().numpy())
        messages += n
        rows = slice(ptr[b], ptr[b + 1])
        np.testing.assert_allclose(logits[b].detach(), expected, rtol=2e-3, atol=2e-3)
        assert dict(zip(node[rows].tolist(), a[rows].tolist(), strict=True)) == pytest.approx(
            active, rel=2e-3, abs=1e-4
        )
    assert n_messages == messages
    with torch.no_grad():
        torch.testing.assert_close(model.eval()(x).logits, logits)


def test_gradients_are_those_of_finite_differences():
    model = small(content="both", node_code=True).double().train()
    x = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    y = torch.tensor([0, 2, 1])
    check_gradient(model, lambda: torch.nn.functional.cross_entropy(model.rates(x)[0], y))


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_neighbours_and_ignition_are_exact(dim):
    space = PoincareBall(dim)
    g = torch.Generator().manual_seed(dim)
    p = space.initial(200, 0.4, generator=g).double()
    cells = ball.build(p.numpy())
    d = np.array([[hyperbolic(a, b) for b in p.numpy()] for a in p.numpy()])
    for radius in (0.1, 0.8, 9.0):
        ptr, post = ball.neighbours(cells, radius)
        for i in range(200):
            assert post[ptr[i] : ptr[i + 1]].tolist() == [j for j in range(200) if j != i and d[i, j] <= radius]
    sparks = space.initial(12, 0.3, generator=g).double().reshape(3, 4, dim)
    padded = torch.nn.functional.pad(sparks, (0, 3 - dim)).numpy()
    slot = np.full(200, -1, np.int32)
    ptr, node, nearest = ball.ignite(cells, padded, 0.5, 15, slot)
    assert (slot == -1).all()
    for b in range(3):
        away = np.array([[hyperbolic(q, x) for q in sparks[b].numpy()] for x in p.numpy()])
        near = [i for i in np.argsort(away.min(1)) if away[i].min() <= 0.5][:15]
        assert node[ptr[b] : ptr[b + 1]].tolist() == sorted(near)
        assert nearest[ptr[b] : ptr[b + 1]].tolist() == away[sorted(near)].argmin(1).tolist()


def test_winners():
    a = np.array([0.2, 0.9, 0.005, 0.5, 0.001, 0.7, 0.6])
    ptr, rows = active_set.winners(np.array([0, 4, 4, 7]), a, 0.01, 2)
    assert ptr.tolist() == [0, 2, 2, 4] and rows.tolist() == [1, 3, 5, 6]


def test_activity_is_bounded_and_degree_as_asked():
    model = SparseResonantNetwork([32, 512, 20], width=16, active=0.1, degree=20, seed=0).eval()
    x, _ = HierarchicalPatterns(0).draw(8)
    with torch.no_grad():
        model(torch.from_numpy(x))
    s = model.statistics()
    assert 0 < s["active_fraction"] <= 0.1 and (model.active_by_step <= 0.1).all()
    assert model.node_activity().shape == (512,)
    assert model.node_activity().mean() == pytest.approx(s["mean_activation"])
    assert s["degree"] == pytest.approx(20, rel=0.15)
    assert s["messages"] <= 5 * 51 * np.diff(model.graph()[1]).max()


def test_neighbourhood_follows_positions_and_state():
    model = small().eval()
    x = torch.randn(2, 4, 5)
    with torch.no_grad():
        before = len(model.graph()[3])
        model.position.mul_(0.5)
        assert len(model.graph()[3]) == before
        model.eval()
        assert len(model.graph()[3]) > before  # nodes came closer
    again = copy.deepcopy(small(seed=3)).eval()
    again.load_state_dict(model.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(again(x).logits, model(x).logits)


def test_slow_step_is_the_rule_synapse_by_synapse():
    model = small(decay=0.9)
    x = torch.randn(4, 7, 5, generator=torch.Generator().manual_seed(1))
    model(x)
    model.slow_step(2.0)
    s = doubles(model)
    _, node, a, *_ = model._last
    mean = np.zeros(30)
    for i, value in zip(node, a.double().numpy(), strict=True):
        mean[i] += value / 4
    _, _, pre, post = model.graph()
    u, v = 0.9 * s["sender"], 0.9 * s["receiver"]
    for i, j in zip(pre, post, strict=True):
        affinity = sigmoid(s["sender"][i] @ s["receiver"][j])
        g = 0.002 * 1.0 * mean[i] * mean[j] * affinity * (1 - affinity)
        u[i] += g * s["receiver"][j]
        v[j] += g * s["sender"][i]
    model.slow_step(1.0)
    np.testing.assert_allclose(model.sender.detach(), u, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(model.receiver.detach(), v, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(model.theta.detach(), np.clip(s["theta"] + 0.001 * (mean - 0.1), 0.01, 0.99), rtol=1e-5)


def test_restructure_moves_the_silent_and_weak_synapses_go():
    model = small()
    model(torch.randn(4, 7, 5))
    model.slow_step(1.0)
    silent = (model.activation_sum < 0.04).numpy()
    assert 0 < silent.sum() < 30
    before = model.position.detach().clone()
    assert model.restructure(torch.Generator().manual_seed(0))["moved"] == silent.sum()
    assert ((model.position != before).any(1).numpy() == silent).all()
    with torch.no_grad():
        model.sender.zero_()
        model.sender[3], model.receiver[:, 0] = torch.tensor([-100.0, 0, 0, 0]), 1.0
    _, ptr, pre, _ = model.train().graph()
    assert ptr[4] == ptr[3] and 3 not in pre
    with pytest.raises(DataError, match="slow_step"):
        model.restructure()


def test_a_sample_that_ignites_nothing_is_answered_by_the_bias():
    model = small(ignition=1e-4)
    torch.testing.assert_close(model(torch.randn(2, 3, 5)).logits, model.head.bias.expand(2, 3))
    assert model.statistics()["active_fraction"] == 0


def test_learns_a_little_task():
    patterns = HierarchicalPatterns(0)
    patterns.everywhere *= 20  # a global pattern that an average shows
    x, y = (torch.from_numpy(v) for v in patterns.draw(256))
    y = y % 4
    model = SparseResonantNetwork([32, 64, 4], width=16, n_steps=2, rank=8, node_code=True, seed=0)
    optimiser = torch.optim.AdamW(model.parameters(), 1e-2)
    losses = []
    for step in range(30):
        if step % 10 == 0:
            model.train()
        loss = torch.nn.functional.cross_entropy(model(x).logits, y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        model.slow_step(loss)
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]
    assert model.statistics()["active_fraction"] <= 0.1


def test_spark_gain_spreads_the_sparks():
    x = torch.from_numpy(HierarchicalPatterns(0).draw(4)[0])
    narrow, wide = (SparseResonantNetwork(spark_gain=gain, seed=0).sparks(x)[1] for gain in (1.0, 4.0))
    assert (wide.std((0, 1)) > 3 * narrow.std((0, 1))).all() and wide.norm(dim=-1).max() <= 0.9 + 1e-6


def test_errors():
    for options, words in (
        ({"active": 0.0}, "active must lie"),
        ({"degree": 256}, "degree must be below the number of nodes, 256"),
        ({"content": "sum"}, "content must be one of"),
        ({"dim": 4}, "dim must be one of"),
        ({"decay": 0.0}, "decay must lie"),
        ({"ignition": -1.0}, "ignition must be positive"),
    ):
        with pytest.raises(ConfigError, match=words):
            SparseResonantNetwork([3, 256, 2], **options)
    model = SparseResonantNetwork([3, 40, 2], width=4, span=3)
    with pytest.raises(DataError, match="forward"):
        model.slow_step(1.0)
    with pytest.raises(DataError, match="span=3"):
        model(torch.zeros(2, 2, 3))
    with pytest.raises(DataError, match="features are not finite"):
        model(torch.full((2, 4, 3), float("nan")))
    with pytest.raises(DataError, match="the batch has no sample"):
        model(torch.zeros(0, 4, 3))
    with torch.no_grad():
        model.sparks.scale.fill_(float("inf"))
    with pytest.raises(TrainingError, match="sparks are not finite: training diverged"):
        model(torch.zeros(2, 4, 3))
    with torch.no_grad():
        model.position[0, 0] = float("nan")
    with pytest.raises(TrainingError, match="positions of nodes are not finite"):
        model.train()(torch.zeros(2, 4, 3))
