"""Adjoint of `spsnn.kernels.cpu.events`: EventProp (Wunderlich & Pehle 2021), with delays (Nowotny et al. 2025)."""

import numpy as np
from numba import njit, prange

from spsnn.kernels.cpu.lif import flow, flow_slopes


@njit(cache=True, parallel=True, error_model="numpy")
def simulate_adjoint(
    offsets, input_times, post, weight, delay, neurons, t_end, n_events, n_spikes, spike_times, spike_units, v, i,
    log_synapse, log_spike, log_v, log_i, grad_spikes, grad_integral, min_slope,
    grad_inputs, grad_weight, grad_delay, grad_neurons,
):  # fmt: skip
    """Gradients of a loss L from ``grad_spikes [B, capacity]`` = dL/dt_k and ``grad_integral [B, J]``.

    One sweep back over the log.  Between events dL/dV and dL/dI flow back by the transposed flow.  Going back over

        an arrival at t + d:   dL/dw += dL/dI,   p = w (dL/dI / tau_syn - dL/dV / tau_mem),   dL/dd += p,   dL/dt += p
        a spike at t:          dL/dv_reset += dL/dV+,   dL/dV- = (Vdot+ dL/dV+ - dL/dt) / Vdot-,
                               dL/dthreshold -= dL/dV-

    with ``tau_mem Vdot- = I - threshold`` and ``tau_mem Vdot+ = I - v_reset``.  The former is kept above ``min_slope *
    threshold``: the true gradient diverges where a crossing grazes.  The integral of V is a function of the arrivals,
    the spikes and the final state (see `simulate`): it adds constants to the above.

    Samples are summed in chunks; the caller adds the chunks in order, so that the result does not depend on thread
    timing.  Writes ``grad_inputs [E]``; adds to ``grad_weight``, ``grad_delay [chunks, S]`` and
    ``grad_neurons [chunks, 4, J]``.
    """
    n_samples = len(offsets) - 1
    n_chunks, n = len(grad_weight), neurons.shape[1]
    tau_mem, tau_syn, threshold, v_reset = neurons[0], neurons[1], neurons[2], neurons[3]
    for chunk in prange(n_chunks):
        g_w, g_d = grad_weight[chunk], grad_delay[chunk]
        g_mem, g_syn, g_threshold, g_reset = grad_neurons[chunk]
        at, gv, gi = np.empty(n), np.empty(n), np.empty(n)
        for b in range(chunk * n_samples // n_chunks, (chunk + 1) * n_samples // n_chunks):
            first = offsets[b + 1] - offsets[b]
            gt = np.concatenate((np.zeros(first), grad_spikes[b, : n_spikes[b]]))
            times = np.concatenate((input_times[offsets[b] : offsets[b + 1]], spike_times[b, : n_spikes[b]]))
            for j in range(n):
                at[j] = t_end
                gv[j], gi[j] = -tau_mem[j] * grad_integral[b, j], -tau_syn[j] * grad_integral[b, j]
                g_mem[j] -= grad_integral[b, j] * v[b, j]
                g_syn[j] -= grad_integral[b, j] * i[b, j]
            for e in range(n_events[b] - 1, -1, -1):
                s, k = log_synapse[b, e], log_spike[b, e]
                now, j = times[k], 0
                if s < 0:
                    j = spike_units[b, k - first]
                else:
                    j = post[s]
                    now += delay[s]
                h = at[j] - now
                at[j] = now
                v_0, i_0, gv_1, gi_1, source = log_v[b, e], log_i[b, e], gv[j], gi[j], grad_integral[b, j]
                a, b_, c = flow(h, tau_mem[j], tau_syn[j])
                b_mem, b_syn = flow_slopes(h, tau_mem[j], tau_syn[j], a, b_, c)
                g_mem[j] += gv_1 * (a * h / tau_mem[j] ** 2 * v_0 + b_mem * i_0)
                g_syn[j] += gv_1 * b_syn * i_0 + gi_1 * c * h / tau_syn[j] ** 2 * i_0
                gv[j] = a * gv_1
                gi[j] = b_ * gv_1 + c * gi_1
                if s >= 0:
                    push = weight[s] * (gi[j] / tau_syn[j] - gv[j] / tau_mem[j])
                    g_w[s] += gi[j] + tau_syn[j] * source
                    g_d[s] += push
                    gt[k] += push
                    g_syn[j] += weight[s] * source
                else:
                    slope = max(i_0 - threshold[j], min_slope * threshold[j])
                    before = ((i_0 - v_reset[j]) * gv[j] - tau_mem[j] * gt[k]) / slope
                    g_threshold[j] -= before + tau_mem[j] * source
                    g_reset[j] += gv[j] + tau_mem[j] * source
                    g_mem[j] -= (threshold[j] - v_reset[j]) * source
                    gv[j] = before
            grad_inputs[offsets[b] : offsets[b + 1]] = gt[:first]
