"""A router that sets the gain of every node from a summary of all."""

from __future__ import annotations

import math

import torch
from torch import nn

N_REGIONS = 12


class ThalamicRouter(nn.Module):
    """Gain of each node from a summary of the regions.

        r      = 12 regions x (mean |x|, mean xr)
        s_nk   = (W_Q r)_k . (W_K (xr_n, xi_n))_k / sqrt d
        TRN_k  = sum_{l != k} softplus(w_kl) mean_n sigmoid(s_nl)
        CT_k   = (W_C mean|x| + b_C)_k
        gain_n = mean_k sigmoid(s_nk - TRN_k + CT_k)

    (R) the whole form: W_Q, W_K and W_C have biases, w starts at -3 and keeps its idle diagonal, regions are contiguous
    blocks of nodes, which on a Fibonacci sphere are bands of latitude.

    Args:
        n_nuclei: K.
        width: d.
    """

    def __init__(self, n_nuclei=8, width=16):
        super().__init__()
        self.n_nuclei, self.width = n_nuclei, width
        self.query = nn.Linear(2 * N_REGIONS, n_nuclei * width)
        self.key = nn.Linear(2, n_nuclei * width)
        self.inhibition = nn.Parameter(torch.full((n_nuclei, n_nuclei), -3.0))
        self.feedback = nn.Linear(N_REGIONS, n_nuclei)
        self.register_buffer("others", 1 - torch.eye(n_nuclei), persistent=False)

    def forward(self, magnitude, real, imaginary, pool):
        """Gains ``[B, N]``.

        Args:
            magnitude: ``[B, N]``, |x|.
            real, imaginary: ``[B, N]``, xr and xi.
            pool: ``[N, 12]``, mean over each region.
        """
        regions = magnitude @ pool
        q = self.query(torch.cat([regions, real @ pool], 1)).unflatten(1, (self.n_nuclei, self.width))  # (B, K, d)
        # Keys are linear in two numbers, so queries go through the map of the keys instead of N keys being made.
        w = self.key.weight.unflatten(0, (self.n_nuclei, self.width))
        through = torch.einsum("bkd,kdc->bkc", q, w) / math.sqrt(self.width)
        offset = (q * self.key.bias.unflatten(0, (self.n_nuclei, self.width))).sum(2) / math.sqrt(self.width)
        s = torch.baddbmm(offset[:, :, None], through, torch.stack([real, imaginary], 1))  # (B, K, N)
        reticular = torch.sigmoid(s).mean(2) @ (nn.functional.softplus(self.inhibition) * self.others).T
        return torch.sigmoid(s + (self.feedback(regions) - reticular)[:, :, None]).mean(1)


def means(n, parts):
    """``[n, parts]`` that averages ``n`` nodes over ``parts`` contiguous blocks, as equal as can be."""
    block = torch.arange(n) * parts // n
    member = (block[:, None] == torch.arange(parts)).float()
    return member / member.sum(0)
