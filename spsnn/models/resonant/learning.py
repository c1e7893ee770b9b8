"""Slow learning of resonant networks: affinities, thresholds and structure change outside the gradient."""

from __future__ import annotations

import math

import torch

from spsnn.errors import DataError

AFFINITY_RATE = 0.002
THRESHOLD_RATE = 0.001
TARGET = 0.1
SILENT = 0.01  # mean activation below which a node is moved
JITTER = 0.05
PRUNE_BELOW = 0.01
SPROUT_BELOW, SPROUT_ABOVE = 0.1, 0.9  # affinity, correlation
LEAST_CHANGE = 1e-6  # standard deviation of an activation, as a share of its root mean square


class SlowBase:
    """Reward above its mean, thresholds that follow activity, nodes that move when silent."""

    def start_slow_learning(self):
        """Set the state of slow learning; for constructors, after the parameters."""
        self.register_buffer("reward_mean", torch.zeros(()))
        self.register_buffer("rewards", torch.zeros(()))
        self.register_buffer("seen", torch.zeros(()))
        self.register_buffer("activation_sum", torch.zeros(len(self.theta), dtype=torch.float64))

    def surprise(self, loss):
        """Reward ``-loss`` above its running mean, which then follows.

        Raises:
            DataError: if the loss is not finite.
        """
        reward = -finite_loss(loss)
        if not self.rewards:
            self.reward_mean.fill_(reward)
        self.rewards += 1
        above = reward - self.reward_mean
        self.reward_mean += 0.01 * above
        return above

    def follow(self, mean, n_samples):
        """Move thresholds by the batch mean ``[N]`` of the final activation and count it."""
        self.theta.add_((THRESHOLD_RATE * (mean - TARGET)).to(self.theta)).clamp_(0.01, 0.99)
        self.seen += n_samples
        self.activation_sum += n_samples * mean.double()

    def move_silent(self, generator):
        """Jitter the nodes whose mean activation since the last call is below .01; their number.

        Raises:
            DataError: if there was no `slow_step` since.
        """
        if not self.seen:
            raise DataError("restructure needs the activity of some slow_step calls since the last one")
        silent = self.activation_sum / self.seen < SILENT
        noise = torch.randn(self.position.shape, generator=generator).to(self.position)
        moved = self.space.project(self.position + JITTER * noise)
        self.position.copy_(torch.where(silent[:, None], moved, self.position))
        self.seen.zero_()
        self.activation_sum.zero_()
        return int(silent.sum())


def finite_loss(loss):
    """``loss`` as a float.

    Raises:
        DataError: if it is not finite.
    """
    loss = float(loss)
    if not math.isfinite(loss):
        raise DataError(f"the loss must be finite, got {loss}")
    return loss


class SlowLearning(SlowBase):
    """The second of the two time scales: a `slow_step` after each optimiser step, a `restructure` every 10 epochs.

    `spsnn.fit` calls both, unless the rule is ``none``.

    With ``abar`` the batch mean of the final activation, ``S = sigmoid(U V^T)`` and ``eta`` = .002:

        published   U <- U + eta [(decay eta R abar abar^T) o S (1 - S)] V,   R = -loss,   decay = .995
        corrected   G = eta (R - Rbar) abar abar^T o S (1 - S)
                    U <- decay U + G V,   V <- decay V + G^T U
        both        theta <- clamp(theta + .001 (abar - .1), .01, .99)

    The published rule carries eta twice, so its rate is 4e-6; since R = -loss < 0 it weakens the synapses between nodes
    that are active together; and its .995 scales the step, it decays nothing.  The corrected rule carries eta once,
    measures the reward from its running mean Rbar (momentum .99, starting at the first reward), moves V by the same
    objective and lets both decay.  Then .995 halves U and V in 138 steps, which outruns learning: set ``decay`` nearer
    to 1.

    (R), what the source leaves open: correlations are those of final activations over all samples since the last
    `restructure`; a pruned synapse is 0 until it sprouts; a sprouted one has an affinity of at least .1 until pruned.
    """

    def start_slow_learning(self):
        """Set the state of slow learning; for constructors, after the parameters."""
        super().start_slow_learning()
        n = len(self.theta)
        self.register_buffer("activation_products", torch.zeros(n, n, dtype=torch.float64))

    def affinity(self):
        """``S [N, N] = sigmoid(U_i . V_j)``, of sprouted synapses at least .1."""
        s = torch.sigmoid(self.sender @ self.receiver.T)
        return torch.where(self.sprouted, s.clamp_min(SPROUT_BELOW), s)

    @torch.no_grad()
    def slow_step(self, loss):
        """Change U, V and theta by the last forward pass.

        Args:
            loss: that of the batch; its negative is the reward.

        Raises:
            DataError: before the first forward pass, or if the loss is not finite.
        """
        if not hasattr(self, "activation"):
            raise DataError("slow_step needs the activity of a forward pass; call the model first")
        a = self.activation.double()  # a variance is a small difference of two sums
        mean = a.mean(0)
        self.learn_affinity(loss, mean.to(self.theta))
        self.follow(mean, len(a))
        self.activation_products += a.T @ a

    def learn_affinity(self, loss, mean):
        """One step of U and V by the ``mean [N]`` activation."""
        s = torch.sigmoid(self.sender @ self.receiver.T)
        together = torch.outer(mean, mean) * s * (1 - s)
        if self.settings.rule == "published":
            change = self.settings.decay * AFFINITY_RATE * -finite_loss(loss) * together
            self.sender += AFFINITY_RATE * change @ self.receiver
            return
        change = AFFINITY_RATE * self.surprise(loss) * together
        step = change @ self.receiver, change.T @ self.sender
        self.sender.mul_(self.settings.decay).add_(step[0])
        self.receiver.mul_(self.settings.decay).add_(step[1])

    @torch.no_grad()
    def restructure(self, generator=None):
        """Move silent nodes, prune weak synapses, sprout between nodes that fire alike; every 10 epochs.

        Nodes with mean activation below .01 move by ``.05 N(0, 1)``; synapses of affinity below .01 go; where the
        correlation of two nodes is above .9 and their affinity below .1 a synapse comes.

        Returns:
            Dict with the numbers ``moved``, ``pruned`` and ``sprouted``.

        Raises:
            DataError: before the first `slow_step` since the last call.
        """
        seen, mean = self.seen.item(), self.activation_sum / self.seen
        moved = self.move_silent(generator)
        products = self.activation_products / seen
        covariance = products - torch.outer(mean, mean)
        # A node that changes by no more than rounding correlates with none.
        changes = covariance.diagonal() > LEAST_CHANGE**2 * products.diagonal()
        deviation = torch.where(changes, covariance.diagonal(), math.inf).sqrt()
        correlation = covariance / torch.outer(deviation, deviation)
        s = torch.sigmoid(self.sender @ self.receiver.T)
        weak = self.kept & (s < PRUNE_BELOW)
        new = (correlation > SPROUT_ABOVE) & (s < SPROUT_BELOW)
        new.fill_diagonal_(False)
        pruned, sprouted = int((weak & ~new).sum()), int((new & ~self.sprouted).sum())
        self.kept.copy_(self.kept & ~weak | new)
        self.sprouted.copy_((self.sprouted & ~weak) | new)
        self.activation_products.zero_()
        return {"moved": moved, "pruned": pruned, "sprouted": sprouted}


class SparseSlowLearning(SlowBase):
    """`SlowLearning` with the corrected rule on the synapses there are, for `SparseResonantNetwork`."""

    @torch.no_grad()
    def slow_step(self, loss):
        """The corrected rule of `SlowLearning` on the synapses there are, and the thresholds.

        Args:
            loss: that of the batch; its negative is the reward.

        Raises:
            DataError: before the first forward pass, or if the loss is not finite.
        """
        if not hasattr(self, "_last"):
            raise DataError("slow_step needs the activity of a forward pass; call the model first")
        ptr, node, a, _ = self._last
        mean = torch.zeros_like(self.theta).index_add(0, torch.from_numpy(node), a) / (len(ptr) - 1)
        _, _, pre, post = self.graph()
        i, j = torch.from_numpy(pre), torch.from_numpy(post)
        s = self._affinity(pre, post)
        change = (AFFINITY_RATE * self.surprise(loss) * mean[i] * mean[j] * s * (1 - s))[:, None]
        to_sender, to_receiver = change * self.receiver[j], change * self.sender[i]
        self.sender.mul_(self.settings.decay).index_add_(0, i, to_sender)
        self.receiver.mul_(self.settings.decay).index_add_(0, j, to_receiver)
        self.follow(mean, len(ptr) - 1)

    @torch.no_grad()
    def restructure(self, generator=None):
        """Move nodes that were silent since the last call by ``.05 N(0, 1)`` and find the neighbourhood anew.

        Returns:
            Dict with the numbers ``moved`` (nodes) and ``synapses``.

        Raises:
            DataError: before the first `slow_step` since the last call.
        """
        moved = self.move_silent(generator)
        self.forget()
        return {"moved": moved, "synapses": len(self.graph()[3])}
