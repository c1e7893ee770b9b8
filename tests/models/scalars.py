"""Plain functions of numbers for references that work node by node, and a check of gradients."""

import math

import numpy as np


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def softplus(x):
    return math.log1p(math.exp(x))


def gelu(x):
    return 0.5 * x * (1 + math.erf(x / math.sqrt(2)))


def layer_norm(x, scale, shift):
    return (x - x.mean()) / math.sqrt(x.var() + 1e-5) * scale + shift


def hyperbolic(x, y):
    u = ((x - y) ** 2).sum()
    return math.acosh(max(1 + 1e-12, 1 + 2 * u / ((1 - (x**2).sum()) * (1 - (y**2).sum()))))


def straight(x, y):
    return math.sqrt(((x - y) ** 2).sum())


def project(p, most):
    norm = math.sqrt((p**2).sum())
    return p * most / norm if norm > most else p


def spark(state, row):
    """Where ``row [F]`` lands: layers written out."""
    hidden = np.array([gelu(v) for v in state["sparks.layers.0.weight"] @ row + state["sparks.layers.0.bias"]])
    out = np.tanh(state["sparks.layers.2.weight"] @ hidden + state["sparks.layers.2.bias"])
    return project(out * state["sparks.scale"], 0.9)


def strength(state, i, j, tau):
    """W_ij of two nodes."""
    p, q = project(state["position"][i], 0.95), project(state["position"][j], 0.95)
    affinity = sigmoid(state["sender"][i] @ state["receiver"][j])
    return affinity * math.exp(-hyperbolic(p, q) / tau) * softplus(state["level"][i] - state["level"][j] + 1)


def doubles(model):
    return {k: v.detach().double().numpy() for k, v in model.state_dict().items()}


def check_gradient(model, loss, per_tensor=3, step=1e-6):
    """Gradients of ``loss()`` against central differences at some entries of every parameter."""
    loss().backward()
    rng = np.random.default_rng(0)
    for name, p in model.named_parameters():
        flat, grad = p.data.view(-1), p.grad.view(-1)
        for k in rng.choice(flat.numel(), min(per_tensor, flat.numel()), replace=False):
            old = flat[k].item()
            flat[k] = old + step
            up = loss().item()
            flat[k] = old - step
            down = loss().item()
            flat[k] = old
            slope = (up - down) / (2 * step)
            assert abs(grad[k].item() - slope) < 1e-7 + 1e-4 * abs(slope), (name, k, grad[k].item(), slope)
