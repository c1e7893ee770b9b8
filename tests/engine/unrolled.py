"""The grid engine's discrete network unrolled in torch: every gradient comes from autograd, none from a kernel."""

import math

import numpy as np
import torch

from spsnn.kernels.reference.grid import integrate_flow

PSI = {
    "superspike": lambda u, k: 1 / (1 + k * u.abs()) ** 2,
    "arctan": lambda u, k: 1 / (1 + (math.pi / 2 * k * u) ** 2),
    "triangular": lambda u, k: torch.clamp(1 - k * u.abs(), min=0),
    "box": lambda u, k: (u.abs() < 1 / (2 * k)).to(u),
}


FLOW = ("tau_mem", "tau_syn", "tau_adapt", "a")


class _Step(torch.autograd.Function):
    @staticmethod
    def forward(ctx, u, kind, slope):
        ctx.save_for_backward(u)
        ctx.kind, ctx.slope = kind, slope
        return (u > 0).to(u)

    @staticmethod
    def backward(ctx, grad):
        (u,) = ctx.saved_tensors
        return grad * PSI[ctx.kind](u, ctx.slope), None, None


def surrogate_spike(kind, slope):
    """Heaviside step with a surrogate derivative."""
    return lambda u: _Step.apply(u, kind, slope)


def smooth_spike(slope):
    """Sigmoid in place of the step: the whole network is differentiable."""
    return lambda u: torch.sigmoid(slope * u)


def coefficients(delay, dt, n_steps, mode, tau_mem, tau_syn, least):
    """Lags and what arrives in I and in V for a unit weight, differentiable in the delay.

    In ``round`` mode the value is that of an arrival on the grid and the derivative, by definition, that of the
    ``exact`` expressions at s = 0: 1/tau_syn and -1/tau_mem.
    """
    plain = delay.detach()
    if mode == "round":
        lag = torch.clamp(torch.round(plain / dt), least, n_steps)
        zero = delay - plain
        return lag.long(), 1 + zero / tau_syn, -zero / tau_mem
    lag = torch.clamp(torch.ceil(plain / dt), least, n_steps)
    s = lag * dt - delay
    to_v = tau_syn / (tau_mem - tau_syn) * (torch.exp(-s / tau_mem) - torch.exp(-s / tau_syn))
    return lag.long(), torch.exp(-s / tau_syn), to_v


def taylor_flow(dt, tau_mem, tau_syn, tau_adapt, a):
    """Flow ``[3, 3, J]`` of (V, I, A) over ``dt``, differentiable: a Taylor series over dt / 2^6, squared six times."""
    zero = torch.zeros_like(tau_mem)
    r_m, r_s, r_a = 1 / tau_mem, 1 / tau_syn, 1 / tau_adapt
    rows = [[-r_m, r_m, -r_m], [zero, -r_s, zero], [a * r_a, zero, -r_a]]
    m = torch.stack([torch.stack(row) for row in rows]).movedim(-1, 0) * dt / 64
    f = term = torch.eye(3, dtype=m.dtype).expand_as(m)
    for k in range(1, 20):
        term = term @ m / k
        f = f + term
    for _ in range(6):
        f = f @ f
    return f.movedim(0, -1)


def unroll(neuron, inputs, dt, mode, spike, recurrent=None, detach_reset=True, values=None, drive=None):
    """Run a population.

    Args:
        neuron: `spsnn` neuron whose parameters are read; ``spike=None`` never spikes.
        inputs: list of ``(z [B, T, I], weight [I, J], delay [I, J])``.
        spike: function of ``V - threshold``.
        drive: function of the arrivals ``x_0, x_1 [B, T, J]`` of the inputs.
        values: tensors ``[J]`` in place of the neuron's numbers, by name.

    Returns:
        spikes and potentials before reset ``[B, T, J]``.
    """
    n_samples, n_steps, _ = inputs[0][0].shape
    weight = inputs[0][1]
    n_post = weight.shape[1]
    adapts = neuron.adaptive
    own = {"tau_mem": neuron.tau_mem, "tau_syn": neuron.tau_syn}
    own |= {"tau_adapt": neuron.tau_adapt, "a": neuron.a, "b": neuron.b} if adapts else {"tau_adapt": None, "a": 0.0}
    if values is None:
        f = torch.as_tensor(integrate_flow(dt, *(own[k] for k in FLOW)), dtype=weight.dtype)
    else:
        own |= {"tau_adapt": own["tau_adapt"] or 1e9} | values
        f = taylor_flow(dt, *(torch.as_tensor(own[k], dtype=weight.dtype).expand(n_post) for k in FLOW))
    x_0 = [torch.zeros(n_samples, n_post, dtype=weight.dtype) for _ in range(n_steps)]
    x_1 = [torch.zeros(n_samples, n_post, dtype=weight.dtype) for _ in range(n_steps)]

    def send(z, lag, to_i, to_v, k):
        """Spikes ``z [B, I]`` of step ``k`` reach their targets."""
        for step in torch.unique(lag).tolist():
            if k + step < n_steps:
                here = (lag == step).to(z)
                x_0[k + step] = x_0[k + step] + z @ (here * to_i)
                x_1[k + step] = x_1[k + step] + z @ (here * to_v)

    for z, w, d in inputs:
        lag, c_0, c_1 = coefficients(d, dt, n_steps, mode, own["tau_mem"], own["tau_syn"], 0)
        for k in range(n_steps):
            if z.requires_grad or bool(z[:, k].any()):
                send(z[:, k], lag, w * c_0, w * c_1, k)
    if drive is not None:
        x_0, x_1 = (list(x.unbind(1)) for x in drive(torch.stack(x_0, 1), torch.stack(x_1, 1)))
    if recurrent is not None:
        w_r, d_r = recurrent
        lag_r, c_0, c_1 = coefficients(d_r, dt, n_steps, mode, own["tau_mem"], own["tau_syn"], 1)
        loop_0, loop_1 = w_r * c_0, w_r * c_1
    zeros = torch.zeros(n_samples, n_post, dtype=weight.dtype)
    v, i, a = zeros, zeros, zeros
    held = np.zeros((n_samples, n_post), int)
    hold = round(neuron.refractory / dt)
    spikes, potentials = [], []
    for k in range(n_steps):
        v, a, i = (
            f[0, 0] * v + f[0, 1] * i + f[0, 2] * a + x_1[k],
            f[2, 0] * v + f[2, 1] * i + f[2, 2] * a,
            f[1, 1] * i + x_0[k],
        )
        potentials.append(v)
        if spike is None:
            spikes.append(zeros)
            continue
        free = torch.from_numpy(held == 0)
        z = torch.where(free, spike(v - neuron.threshold), zeros)
        z_reset = z.detach() if detach_reset else z
        after = v - z_reset * neuron.threshold if neuron.reset == "subtract" else v + z_reset * (neuron.v_reset - v)
        v = torch.where(free, after, torch.full_like(v, neuron.v_reset))
        if adapts:
            a = a + own["b"] * z
        held = np.where(held > 0, held - 1, np.where(z.detach().numpy() == 1, hold, 0))
        spikes.append(z)
        if recurrent is not None:
            send(z, lag_r, loop_0, loop_1, k)
    return torch.stack(spikes, 1), torch.stack(potentials, 1)
