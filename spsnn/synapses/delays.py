"""Where delays come from: space, one per synapse, one per axon, or none."""

from __future__ import annotations

import math

import torch

from spsnn.autograd.delays import Distances
from spsnn.errors import ConfigError
from spsnn.space import Euclidean, Points
from spsnn.space.euclidean import require_euclidean
from spsnn.synapses.base import Synapse


class SpatialSynapse(Synapse):
    """Delays are distances: ``d_ij = d_min + alpha r(p_i, p_j)`` (SpSNN, arXiv 2512.10011, section 2).

    Args:
        pre, post: `Points` shared with other synapses, or numbers of neurons, which get points of their own.  The
            same `Points` twice makes a recurrent projection.
        space: the space, where ``pre`` or ``post`` is a number.
        alpha: ms of delay per unit of distance.  Its scale and that of the coordinates are degenerate; learn one.
        learn_alpha: train ``log(alpha)``.
        position_scale: spread of new points in ms.
    """

    def __init__(
        self, pre, post, space=None, *, alpha=1.0, learn_alpha=False, position_scale=1.0, generator=None, **bounds
    ):
        if not alpha > 0:
            raise ConfigError(f"alpha must be positive, got {alpha}")
        space = space or next((p.space for p in (pre, post) if isinstance(p, Points)), Euclidean(2))
        require_euclidean(space)
        made = [
            p if isinstance(p, Points) else Points(p, space, position_scale, "normal", generator) for p in (pre, post)
        ]
        if made[0].space != made[1].space:
            raise ConfigError(f"pre and post live in different spaces: {made[0].space} and {made[1].space}")
        super().__init__(len(made[0]), len(made[1]), **bounds)
        self.pre, self.post, self.space = *made, made[0].space
        self.log_alpha = torch.nn.Parameter(torch.tensor(math.log(alpha)), requires_grad=learn_alpha)

    @property
    def alpha(self):
        """Delay per unit of distance in ms, a scalar tensor."""
        return self.log_alpha.exp()

    def raw_delays(self, rows=slice(None)):
        """``d_min + alpha r(p_i, p_j)``."""
        return self.d_min + self.alpha * self.space.distance(self.pre.position[rows], self.post.position)

    def kernel_delays(self):
        """Coordinates, from which the kernels compute delays: no ``[n_pre, n_post]`` matrix is made."""
        if self.stored is not None:
            return super().kernel_delays()
        places = self.pre.position, self.post.position, self.alpha
        rule = {"d_min": self.d_min, "metric": self.space.metric, "eps": self.space.eps}
        if self.max_delay is None:
            return Distances(*places, **rule)
        bounded = Distances(*places, max_delay=self.max_delay, **rule)
        self._check_longest(*bounded.count_beyond(self.max_delay, self.mask))
        return bounded


class FreeDelaySynapse(Synapse):
    """A delay of its own for every synapse: the unconstrained baseline.

    Args:
        initial: delays to start from, ``[n_pre, n_post]`` in ms.
    """

    def __init__(self, initial, **bounds):
        super().__init__(*initial.shape, **bounds)
        self.delay = torch.nn.Parameter(initial.detach().clone())
        self.project_()

    def raw_delays(self, rows=slice(None)):
        """The delays themselves."""
        return self.delay[rows]

    def per_synapse(self):
        """Weights and delays."""
        return [self.weight, self.delay]

    def project_(self):
        """Keep delays at or above ``d_min``, where their gradient still reaches them."""
        with torch.no_grad():
            self.delay.clamp_(min=self.d_min)


class AxonalDelaySynapse(Synapse):
    """One delay per presynaptic neuron, the same for all its targets.

    Args:
        initial: delays to start from, ``[n_pre]`` in ms.
        n_post: number of targets.
    """

    def __init__(self, initial, n_post, **bounds):
        super().__init__(len(initial), n_post, **bounds)
        self.delay = torch.nn.Parameter(initial.detach().clone())
        self.project_()

    def raw_delays(self, rows=slice(None)):
        """The axons' delays, repeated over targets."""
        return self.delay[rows, None].expand(-1, self.n_post)

    def project_(self):
        """Keep delays at or above ``d_min``."""
        with torch.no_grad():
            self.delay.clamp_(min=self.d_min)


class NoDelaySynapse(Synapse):
    """All delays are ``d_min``, zero by default."""

    def raw_delays(self, rows=slice(None)):
        """A constant matrix."""
        return torch.full_like(self.weight[rows], self.d_min, requires_grad=False)
