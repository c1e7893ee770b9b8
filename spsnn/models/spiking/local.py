"""Large recurrent networks with local connections: memory for the neurons only."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from numbers import Real

import numpy as np
from numba import get_num_threads

from spsnn.checks import not_negative, positive, seed
from spsnn.errors import CapacityError, ConfigError, DataError
from spsnn.kernels.cpu import local as kernel
from spsnn.kernels.events import SpikeBatch
from spsnn.neurons import LIF


@dataclass(frozen=True, eq=False)
class LocalRun:
    """What `LocalNetwork.simulate` returns.

    Attributes:
        spikes: `SpikeBatch` of one sample with the spikes of all N neurons, at grid points.
        synaptic_events: number of spikes that synapses passed on.
    """

    spikes: SpikeBatch
    synaptic_events: int

    @property
    def counts(self):
        """Spikes of each neuron, ``[N]``."""
        return np.bincount(self.spikes.units, minlength=self.spikes.n_units)


@dataclass(frozen=True, eq=False)
class LocalNetwork:
    """N recurrent neurons at fixed places; each reaches its neighbours, and distances are delays.

        i -> j exists, j != i:  with ``probability``, drawn once from (seed, i, j), if r_ij <= radius
        w_ij = weight_i         d_ij = d_min + alpha r_ij, acting at the nearest step, one step later at the earliest

    Synapses are not stored but found when a neuron spikes, so memory is O(N) and the ring of pending arrivals,
    ``N x longest delay / dt`` numbers; 1e6 neurons with 1e3 synapses each take less than 1 GB.  `LIF` dynamics and
    the step are those of the grid engine in docs/engine.md.  The result does not depend on the number of threads.

    Attributes:
        position: ``[N, D]`` coordinates, D from 1 to 3, in the unit of ``radius``; the space has open ends.
        weight: ``[N]``, of all synapses that leave a neuron; negative for an inhibitory one.
        radius: reach of a synapse.
        probability: share of the neurons within reach that a neuron has a synapse on.
        d_min: delay at distance 0 in ms.
        alpha: delay per unit of distance in ms.
        dt: step in ms.
        neuron: `LIF`.
        seed: of the synapses.

    Raises:
        ConfigError: on a value outside its range.
        CapacityError: if N times the longest delay in steps reaches 2^31.
    """

    position: np.ndarray
    weight: np.ndarray
    radius: float
    probability: float = 1.0
    d_min: float = 0.0
    alpha: float = 1.0
    dt: float = 1.0
    neuron: LIF = field(default_factory=LIF)
    seed: int = 0

    def __post_init__(self):
        position, weight = np.asarray(self.position, np.float64), np.asarray(self.weight, np.float32)
        object.__setattr__(self, "position", position)
        object.__setattr__(self, "weight", weight)
        if position.ndim != 2 or not len(position) or position.shape[1] not in (1, 2, 3):
            raise ConfigError(f"position must be [N, D] with D from 1 to 3, got shape {position.shape}")
        if weight.shape != position.shape[:1]:
            raise ConfigError(
                f"weight must hold one value per neuron, that of its synapses: shape {position.shape[:1]}, "
                f"got {weight.shape}"
            )
        for name in ("position", "weight"):
            if not np.isfinite(getattr(self, name)).all():
                k = int(np.argwhere(~np.isfinite(getattr(self, name)))[0, 0])
                raise ConfigError(f"{name} must be finite, got {getattr(self, name)[k]} at neuron {k}")
        positive(self, "radius", "probability", "alpha", "dt")
        not_negative(self, "d_min")
        seed("seed", self.seed)
        if self.probability > 1:
            raise ConfigError(f"probability must be at most 1, got {self.probability}; for more synapses raise radius")
        if type(self.neuron) is not LIF:
            raise ConfigError(f"neuron must be a LIF, got {type(self.neuron).__name__}")
        longest = self.d_min + self.alpha * self.radius
        if (longest / self.dt + 4) * len(position) >= 2**31:  # a ring of twice as much has 32-bit addresses
            raise CapacityError(
                f"{len(position)} neurons with delays up to {longest:.4g} ms at dt={self.dt} ms need 2^31 pending "
                "arrivals or more; lower alpha or radius, or raise dt"
            )

    @cached_property
    def _cells(self):
        return kernel.build(self.position, self.radius, self.probability, self.d_min, self.alpha, self.dt, self.seed)

    @cached_property
    def _index(self):
        """Index ``[N]`` of each neuron in the order of the cells."""
        index = np.empty(len(self.weight), np.int32)
        index[self._unit] = np.arange(len(index), dtype=np.int32)
        return index

    @property
    def _unit(self):
        """Neuron ``[N]`` at each index."""
        return self._cells.unit[: len(self.weight)]

    def synapses(self, units):
        """List all synapses that leave some neurons, e.g. to build the network in another simulator.

        Args:
            units: neurons, whole numbers ``[U]``.

        Returns:
            ``(pre, post, weight, delay)``, each ``[E]``; delays in ms as they act, whole steps of ``dt``.

        Raises:
            ConfigError: if there is no such neuron.
        """
        units = np.asarray(units)
        n = len(self.weight)
        if units.ndim != 1 or not np.issubdtype(units.dtype, np.integer) or ((units < 0) | (units >= n)).any():
            raise ConfigError(f"units must be a vector of whole numbers in [0, {n}), got {units!r}")
        source, post, lag = kernel.list_synapses(self._cells, self._index[units])
        pre = units[source]
        return pre, self._unit[post].astype(np.int64), self.weight[pre], lag * self.dt

    def simulate(self, drive, drive_weight=1.0):
        """Simulate from rest for the duration of ``drive``.

        Args:
            drive: `SpikeBatch` of one sample with N units; spike of unit i: ``I_i -> I_i + drive_weight`` at the
                nearest step.
            drive_weight: dimensionless.

        Returns:
            `LocalRun`.

        Raises:
            DataError: if ``drive`` is not one sample of N units.
        """
        n = len(self.weight)
        if len(drive) != 1 or drive.n_units != n:
            raise DataError(
                f"drive must be one sample with a unit per neuron ({n}), got {len(drive)} samples of {drive.n_units}"
            )
        if not isinstance(drive_weight, Real) or not abs(drive_weight) <= np.finfo(np.float32).max:
            raise ConfigError(f"drive_weight must be a finite number, got {drive_weight!r}")
        n_steps = drive.n_steps(self.dt)
        steps, indices = drive.steps(self.dt), self._index[drive.units]
        order = np.lexsort((indices, steps))
        ptr, spikes, events = kernel.run(
            self._cells, self.weight[self._unit], np.searchsorted(steps[order], np.arange(n_steps + 1)),
            indices[order], np.float32(drive_weight), self.neuron.constants(self.dt, 1, np.float32)[:, 0],
            self.neuron.reset == "subtract", self.neuron.refractory_steps(self.dt), get_num_threads(),
        )  # fmt: skip
        times = np.repeat(np.arange(n_steps) * self.dt, np.diff(ptr))
        batch = SpikeBatch(times, self._unit[spikes].astype(np.int32), [0, len(times)], n, n_steps * self.dt)
        return LocalRun(batch, int(events))
