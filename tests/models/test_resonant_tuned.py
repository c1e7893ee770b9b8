"""The tuned resonant network against its equations written as loops."""

import math

import numpy as np
import pytest
import torch

from spsnn.errors import ConfigError
from spsnn.models.resonant.tuned import TunedResonantNetwork

from .scalars import check_gradient, doubles, gelu, hyperbolic, project, sigmoid, softplus, spark, strength


def small(head_width=None):
    model = TunedResonantNetwork(
        [4, 20, 3], width=5, n_steps=2, rank=3, span=2, active=0.3, degree=5, seed=0, head_width=head_width
    )
    with torch.no_grad():
        g = torch.Generator().manual_seed(0)
        for name, p in model.named_parameters():
            p += (0.05 if name in ("position", "theta") else 0.3) * torch.randn(p.shape, generator=g)
    return model.eval()


def reference(model, x):
    """Logits and active nodes of one sample ``x [T, F]``."""
    s = doubles(model)
    n, k = len(s["theta"]), model.most
    p = [project(q, 0.95) for q in s["position"]]
    windows = [x[t : t + 2].T.ravel() for t in range(len(x) - 1)]
    sparks = [spark(s, w) for w in windows]
    r = [
        max(
            1.5 * s["tuning"][i] @ w - hyperbolic(q, p[i]) ** 2 / (2 * model.ignition**2)
            for w, q in zip(windows, sparks, strict=True)
        )
        for i in range(n)
    ]
    active = sorted(range(n), key=lambda i: -r[i])[:k]
    a = {i: softplus(r[i] - s["theta"][i]) for i in active}
    h = {i: a[i] * (s["code.weight"] @ s["sender"][i] + 3 * s["init_mean.weight"] @ x.mean(0)) for i in active}
    for _ in range(model.settings.n_steps):
        m = {i: np.zeros(5) for i in a}
        for j in a:
            for i in range(n):
                if i != j and hyperbolic(p[i], p[j]) <= s["radius"]:
                    m[i] = m.get(i, np.zeros(5)) + strength(s, j, i, model.reach) * a[j] * h[j]
        g = {i: s["message.weight"] @ m[i] + s["message.bias"] for i in m}
        u = {i: a.get(i, 0) + 0.1 * math.sqrt((g[i] ** 2).sum()) - s["theta"][i] for i in g}
        chosen = [i for i in sorted(u, key=lambda i: -u[i])[:k] if sigmoid(u[i]) > 0.01]
        h = {i: g[i] + (h[i] if i in a else 0) for i in chosen}
        a = {i: sigmoid(u[i]) for i in chosen}
    q = 8 * sum(a[i] * h[i] for i in a) / len(a)
    if "readout.weight" in s:
        q = np.array([gelu(v) for v in s["readout.weight"] @ q + s["readout.bias"]])
    return s["head.weight"] @ q + s["head.bias"], set(a)


@pytest.mark.parametrize("head_width", [None, 7])
def test_forward_is_the_equations(head_width):
    model = small(head_width)
    x = torch.randn(4, 6, 4, generator=torch.Generator().manual_seed(1))
    logits = model(x).logits
    ptr, node, *_ = model._last
    for b in range(4):
        expected, active = reference(model, x[b].double().numpy())
        np.testing.assert_allclose(logits[b].detach(), expected, rtol=2e-3, atol=2e-3)
        assert set(node[ptr[b] : ptr[b + 1]].tolist()) == active
    assert model.statistics()["active_fraction"] <= 0.3


def test_gradients_are_those_of_finite_differences():
    model = small(head_width=7).double().eval()
    x = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    y = torch.tensor([0, 2, 1])
    check_gradient(model, lambda: torch.nn.functional.cross_entropy(model.rates(x)[0], y))


def test_less_than_a_tenth_of_the_transformer():
    assert TunedResonantNetwork().n_parameters() == 38_872 < 403_348 / 10


def test_errors():
    with pytest.raises(ConfigError, match="dropout"):
        TunedResonantNetwork([4, 20, 3], dropout=1.0)
    for width in (0, 2.5):
        with pytest.raises(ConfigError, match="head_width"):
            TunedResonantNetwork([4, 20, 3], head_width=width)
    with pytest.raises(ConfigError, match="active_start must lie"):
        TunedResonantNetwork([4, 20, 3], active_start=0.0)
    with pytest.raises(ConfigError, match="leave both settings out"):
        TunedResonantNetwork([4, 20, 3], content="mean")
