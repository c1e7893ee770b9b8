"""Spatial spiking neural network: coordinates -> delays -> spikes -> logits."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields

import numpy as np
import torch
from torch import nn

from spsnn.autograd.population import Grid, run_population
from spsnn.autograd.spikes import Spikes
from spsnn.errors import ConfigError
from spsnn.models.spiking.config import ModelConfig
from spsnn.models.spiking.continuous import check_event_engine, run_continuous
from spsnn.models.spiking.current import Current, response
from spsnn.models.spiking.readouts import read_out
from spsnn.models.storage import storage_of
from spsnn.models.trainable import Trainable
from spsnn.neurons import LIF, NEURONS, CustomNeuron, LeakyIntegrator
from spsnn.neurons.learned import NeuronParameters, check_own_parameters
from spsnn.space import Euclidean, Points
from spsnn.space.euclidean import require_euclidean
from spsnn.synapses import AxonalDelaySynapse, FreeDelaySynapse, NoDelaySynapse, SpatialSynapse


@dataclass
class Output:
    """Result of one forward pass.

    Attributes:
        logits: ``[B, C]``.
        spikes: `Spikes` (on the event engine `SpikeTimes`) of every spiking population after the input.
        first_spike: ``[B, C]`` in ms with the ``first_spike`` readout, else None.
    """

    logits: torch.Tensor
    spikes: list
    first_spike: torch.Tensor | None = None

    def spikes_per_neuron(self):
        """Mean number of spikes per hidden or output neuron and sample."""
        counts = [s.counts() for s in self.spikes]
        return sum(c.sum() for c in counts) / max(sum(math.prod(c.shape) for c in counts), 1)


class SpSNN(Trainable, nn.Module):
    """Layers of spiking neurons in space, with delays equal to distances, or one of the baselines.

    Args:
        sizes: neurons per population from input to output, e.g. ``[5, 45, 3]``.
        space: where the neurons live; by default the plane.
        neuron: neuron model of the hidden populations.
        output: neuron model of the output; by default a leaky integrator for membrane readouts, else ``neuron``.
        grid: step, delay handling and gradient estimator; with ``engine="event"`` the step is that of chips alone, and
            ``min_slope`` the only other field in use.
        settings: the fields of `ModelConfig`, e.g. ``delay="free"``.

    Raises:
        ConfigError: on settings that are unknown or contradict each other.

    Source: arXiv 2512.10011.
    """

    def __init__(self, sizes, space=None, neuron=None, *, output=None, grid=None, **settings):
        super().__init__()
        sizes = list(sizes)
        if not all(type(n) is int for n in sizes):
            raise ConfigError(f"sizes must be whole numbers of neurons, e.g. [5, 45, 3]; got {sizes}")
        space, neuron, grid = space or Euclidean(2), neuron or LIF(), grid or Grid()
        require_euclidean(space)
        unknown = set(settings) - {f.name for f in fields(ModelConfig)}
        if unknown:
            raise ConfigError(f"unknown settings {sorted(unknown)}; known: {[f.name for f in fields(ModelConfig)]}")
        s = ModelConfig(**settings)
        if len(sizes) < 2 or min(sizes) < 1:
            raise ConfigError(f"sizes need an input and an output population, each of at least one neuron, got {sizes}")
        membrane = s.readout.endswith("membrane")
        if output is None:
            output = LeakyIntegrator(neuron.tau_mem, neuron.tau_syn) if membrane else neuron
        if output.spiking == membrane:
            raise ConfigError(f"readout {s.readout!r} needs a {'leaky integrator' if membrane else 'spiking'} output")
        if s.engine == "event":
            check_event_engine(s, neuron, output)
        elif s.readout == "spike_count" and grid.estimator == "eventprop":
            raise ConfigError("EventProp has no gradient for a number of spikes; use first_spike or a membrane readout")
        if not neuron.spiking:
            raise ConfigError("hidden neurons must spike; use LIF, AdaptiveLIF or AdEx")
        for model in (neuron, output):
            if isinstance(model, CustomNeuron):
                model.check_grid(grid)
        if s.learn_alpha and s.delay != "spatial":
            raise ConfigError(f"learn_alpha scales distances, delay={s.delay!r} has none; set learn_alpha=False")
        if len(sizes) == 2:
            void = ("recurrent", "bias", "dropout", "learn_neuron", "neuron_spread")
            given = [name for name in void if getattr(s, name)] + ["normalise"] * (s.normalise != "none")
            if given:
                raise ConfigError(f"{', '.join(given)} is of hidden neurons, sizes {sizes} have none; leave it out")
        if isinstance(neuron, CustomNeuron) and (s.bias or s.normalise != "none"):
            raise ConfigError(
                f"bias and normalise scale the current of linear neurons, got {neuron.kind!r}; set bias=False and "
                "normalise='none', or take lif or adlif"
            )
        check_own_parameters(neuron, grid, [*s.learn_neuron, *s.neuron_spread])
        check_own_parameters(output, grid, s.learn_output)
        self.sizes, self.space, self.neuron, self.output, self.grid, self.settings = (
            sizes, space, neuron, output, grid, s,
        )  # fmt: skip
        self._build()

    def _build(self):
        s = self.settings
        generator = torch.Generator().manual_seed(s.seed)
        points = [Points(n, self.space, s.position_scale, s.position_init, generator) for n in self.sizes]
        bounds = {"d_min": s.d_min, "max_delay": s.max_delay, "on_exceed": s.on_exceed}
        self.points = nn.ModuleList(points if s.delay == "spatial" else [])
        self.feedforward = nn.ModuleList()
        self.skips = nn.ModuleList()
        self.loops = nn.ModuleList()
        self.currents = nn.ModuleList()
        for k in range(len(self.sizes) - 1):
            post = self.populations()[k + 1][1]
            unit = post.threshold / post.psp_peak()
            synapse = self._synapse(points[k], points[k + 1], generator, **bounds)
            synapse.init_weight(s.weight_gain * unit, s.weight_mean * unit, generator)
            self.feedforward.append(synapse)
            if s.recurrent and k < len(self.sizes) - 2:
                loop = self._synapse(
                    points[k + 1], points[k + 1], generator, self_connections=s.self_connections, **bounds
                )
                loop.init_weight(s.recurrent_gain * unit, 0.0, generator)
                self.loops.append(loop)
        for start, end in self._skip_pairs():
            post = self.populations()[end][1]
            synapse = self._synapse(points[start], points[end], generator, **bounds)
            synapse.init_weight(s.weight_gain * post.threshold / post.psp_peak(), 0.0, generator)
            self.skips.append(synapse)
        if s.bias or s.normalise != "none":
            n = self.neuron
            gain = None if s.bias else s.normal_gain * n.threshold / response(n, self.grid.dt)
            self.currents.extend(Current(size, gain) for size in self.sizes[1:-1])
        self.rng = np.random.default_rng(s.seed)  # of dropout; `fit` puts its own here
        learned = [(s.learn_neuron, s.neuron_spread)] * (len(self.sizes) - 2) + [(s.learn_output, {})]
        self.neurons = nn.ModuleList(
            NeuronParameters(neuron, n, *what, s.neuron_bounds, generator)
            for n, (_, neuron), what in zip(self.sizes[1:], self.populations()[1:], learned, strict=True)
        )

    def _skip_pairs(self):
        pairs, last = self.settings.skip, len(self.sizes) - 1
        ok = all(len(p) == 2 and all(type(k) is int for k in p) and 0 <= p[0] < p[1] - 1 < last for p in pairs)
        if not ok or len({tuple(p) for p in pairs}) < len(pairs):
            raise ConfigError(
                f"skip holds different pairs [from, to] of populations from 0 (input) to {last} (output), at least two "
                f"apart, e.g. [[0, 2]]; got {pairs}"
            )
        return pairs

    def _synapse(self, pre, post, generator, **bounds):
        s = self.settings
        if s.delay == "spatial":
            return SpatialSynapse(pre, post, alpha=s.alpha, learn_alpha=s.learn_alpha, **bounds)
        if s.delay == "none":
            return NoDelaySynapse(len(pre), len(post), **bounds)
        with torch.no_grad():
            matched = s.d_min + s.alpha * self.space.distance(pre.position, post.position)
        if s.delay == "free":
            return FreeDelaySynapse(matched, **bounds)
        column = torch.randint(len(post), (len(pre), 1), generator=generator)
        return AxonalDelaySynapse(matched.gather(1, column)[:, 0], len(post), **bounds)

    @property
    def device(self):
        """Where the parameters live; ``model.to("cuda")`` moves them, and the kernels follow."""
        return self.feedforward[0].weight.device

    def populations(self):
        """``(name, neuron model or None)`` from input to output."""
        hidden = [(f"hidden{k}", self.neuron) for k in range(1, len(self.sizes) - 1)]
        return [("input", None), *hidden, ("output", self.output)]

    def forward(self, batch):
        """Run a `SpikeBatch` (on the grid also `Spikes`) of ``sizes[0]`` units through the network.

        Raises:
            ConfigError: if the batch has another number of units.
        """
        if self.settings.engine == "event":
            return Output(*run_continuous(self, batch))
        spikes = batch if isinstance(batch, Spikes) else Spikes.from_batch(batch, self.grid.dt)
        if spikes.shape[2] != self.sizes[0]:
            raise ConfigError(f"the model takes {self.sizes[0]} input units, the data has {spikes.shape[2]}")
        s, passed, potential, sent = self.settings, [], None, [(spikes, 1.0)]
        for k in range(len(self.feedforward)):
            _, neuron = self.populations()[k + 1]
            loop = self.loops[k] if k < len(self.loops) else None
            current = self.currents[k] if k < len(self.currents) else None
            factor, drive = (None, None) if current is None else current.drive()
            inputs = []
            for start, synapse in self._into(k + 1):
                source, share = sent[start]
                weight = synapse.weights()
                if share < 1:
                    weight = weight / share
                if factor is not None:
                    weight = weight * factor
                inputs.append((source, weight, synapse.kernel_delays(), synapse.kernel_mask()))
            spikes, potential = run_population(
                neuron,
                inputs,
                self.grid,
                None if loop is None else (loop.weights(), loop.kernel_delays(), loop.kernel_mask()),
                parameters=self.neurons[k](),
                drive=drive,
            )
            if drive is not None:
                current.learn(drive)
            if spikes is not None:
                passed.append(spikes)
                sent.append(self._dropped(spikes))
        logits, first = read_out(s.readout, spikes, potential, self.grid.dt, s.readout_scale, self.grid.estimator)
        return Output(logits, passed, first)

    def _into(self, k):
        """``(number of the source population, synapse)`` of what feeds population ``k``."""
        pairs = zip(self.settings.skip, self.skips, strict=True)
        return [(k - 1, self.feedforward[k - 1]), *((start, s) for (start, end), s in pairs if end == k)]

    def _dropped(self, spikes):
        """Spikes for the next populations after dropout, and the share of neurons that is kept on average."""
        p = self.settings.dropout
        if not (p and self.training):
            return spikes, 1.0
        n_samples, _, n = spikes.shape
        return spikes.only(self.rng.random((n_samples, n)) >= p), 1 - p

    @property
    def estimator(self):
        """Gradient estimator; the event engine is always exact."""
        return "eventprop" if self.settings.engine == "event" else self.grid.estimator

    def synapses(self):
        """``(pre name, post name, synapse)`` of all projections, feed-forward first."""
        names = [name for name, _ in self.populations()]
        forward = [(names[k], names[k + 1], s) for k, s in enumerate(self.feedforward)]
        skips = [(names[a], names[b], s) for (a, b), s in zip(self.settings.skip, self.skips, strict=True)]
        return forward + skips + [(names[k + 1], names[k + 1], s) for k, s in enumerate(self.loops)]

    def project_(self):
        """Bring all parameters back into their range after an optimiser step."""
        for _, _, synapse in self.synapses():
            synapse.project_()

    def n_parameters(self):
        """Number of trainable values; those of pruned synapses do not count."""
        total = sum(p.numel() for p in self.parameters() if p.requires_grad)
        pruned = [int((~s.mask).sum()) for _, _, s in self.synapses() for p in s.per_synapse() if p.requires_grad]
        return total - sum(pruned)

    def storage(self):
        """Numbers that the network needs, and what it takes to say which synapses are there: `storage_of`."""
        return storage_of(self)

    def config(self):
        """Settings from which `from_config` builds the same model, JSON-able."""
        return {
            "kind": "SpSNN",
            "sizes": self.sizes,
            "space": self.space.parameters(),
            "neuron": {"kind": self.neuron.kind, **self.neuron.parameters()},
            "output": {"kind": self.output.kind, **self.output.parameters()},
            "grid": asdict(self.grid),
            **asdict(self.settings),
        }

    @classmethod
    def from_config(cls, config):
        """Model with fresh starting values from `config`."""
        c = dict(config)
        if c.pop("kind", "SpSNN") != "SpSNN":
            raise ConfigError(f"expected the configuration of a SpSNN, got {config['kind']!r}")
        return cls(
            c.pop("sizes"),
            Euclidean(**c.pop("space")),
            make_neuron(c.pop("neuron")),
            output=make_neuron(c.pop("output")),
            grid=Grid(**c.pop("grid")),
            **c,
        )


def make_neuron(config):
    """Neuron model from ``{"kind": "lif", ...}``.

    Raises:
        ConfigError: on an unknown kind.
    """
    config = dict(config)
    kind = config.pop("kind", "lif")
    if kind not in NEURONS:
        raise ConfigError(f"neuron kind must be one of {', '.join(NEURONS)}, got {kind!r}")
    return NEURONS[kind](**config)
