"""What the rate-coded models share: features in, logits out, and a graph with measured rates."""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields

import numpy as np
import torch
from torch import nn

from spsnn.checks import positive, seed, whole_number
from spsnn.errors import ConfigError, DataError
from spsnn.graph import Network, Population, Projection
from spsnn.kernels.events import SpikeBatch
from spsnn.models.bias import BIAS, bias_units
from spsnn.models.rate import coding
from spsnn.models.spiking.current import resting
from spsnn.models.trainable import Trainable

MOST_PEAK = 1_000_000


@dataclass(frozen=True)
class RateSettings:
    """Settings that all rate-coded models have.

    Attributes:
        bins: bins into which spike trains are counted.
        tau: of filtered rates in ms, or None: counts; see `spsnn.models.rate.coding.features`.
        input_scale: factor of all features.
        code: in which activity is sent as spikes: ``deterministic`` or ``poisson``.
        peak: spikes per inference (or per bin of a sequence) that an activity of 1 stands for.
        window: length of one inference on a chip in ms.
        dt: step of a chip in ms.
        seed: of the starting values.
    """

    bins: int = 1
    tau: float | None = None
    input_scale: float = 1.0
    code: str = "deterministic"
    peak: float = 10.0
    window: float = 100.0
    dt: float = 1.0
    seed: int = 0

    def __post_init__(self):
        whole_number("bins", self.bins, least=1)
        seed("seed", self.seed)
        positive(self, "input_scale", "peak", "window", "dt", *(["tau"] if self.tau is not None else []))
        if self.window < self.dt:
            raise ConfigError(f"window must hold a step of dt={self.dt:g} ms at least, got {self.window:g} ms")
        if self.window / self.dt >= 2**31:
            raise ConfigError(f"window must hold fewer than 2^31 steps, got {self.window:g} ms of {self.dt:g} ms")
        if self.peak > MOST_PEAK:
            raise ConfigError(f"peak must be at most {MOST_PEAK:,} spikes, got {self.peak:g}")
        if self.code not in coding.CODES:
            raise ConfigError(f"code must be one of {', '.join(coding.CODES)}, got {self.code!r}")


@dataclass
class RateOutput:
    """Result of a forward pass.

    Attributes:
        logits: ``[B, C]``.
        activity: of the populations between input and output, ``[B, N]`` or ``[B, T, N]`` each.
        peak: spikes that an activity of 1 stands for.
        spikes, first_spike: nothing; spiking networks have them.
    """

    logits: torch.Tensor
    activity: list
    peak: float
    spikes: list = field(default_factory=list)
    first_spike: torch.Tensor | None = None

    def spikes_per_neuron(self):
        """Mean number of spikes per neuron and sample that the rate code would send, ``peak |activity|``."""
        n = sum(math.prod(a.shape[::2] if a.ndim == 3 else a.shape) for a in self.activity)
        return self.peak * sum(float(a.detach().abs().sum()) for a in self.activity) / max(n, 1)


class RateModel(Trainable, nn.Module):
    """Base of models that compute with values.

    A child sets ``kind``, ``Settings`` and, if it takes ``[B, T, F]``, ``sequence = True``, and defines

    * ``rates(x) -> (logits, activity)`` of features ``x``; figures for `statistics` go to ``self.figures``;
    * ``places() -> [(name, size, positions [N, D] or None)]``, populations from input to output;
    * ``wiring() -> ([(pre, post, weight [I, J], mask or None)], {post: bias [J]})``;
    * ``rewire(weights, biases)``, which takes matrices and biases back into a copy, as a chip holds them.

    Args:
        sizes: neurons per population from input to output.
        settings: the fields of ``Settings``.

    Raises:
        ConfigError: on unknown settings, or sizes that are not at least two positive whole numbers.
    """

    kind = ""
    Settings = RateSettings
    sequence = False
    coordinates = ()  # names of parameters that are places, for `TrainingConfig.position_lr`
    spiking, estimator, grid = False, "backprop", None

    def __init__(self, sizes, **settings):
        super().__init__()
        sizes = list(sizes)
        if len(sizes) < 2 or not all(type(n) is int and n > 0 for n in sizes):
            raise ConfigError(f"sizes must be at least two positive numbers of neurons, e.g. [10, 32, 4]; got {sizes}")
        unknown = set(settings) - {f.name for f in fields(self.Settings)}
        if unknown:
            raise ConfigError(
                f"unknown settings {sorted(unknown)} of {self.kind}; known: {[f.name for f in fields(self.Settings)]}"
            )
        self.sizes, self.settings, self.figures = sizes, self.Settings(**settings), {}

    @classmethod
    def for_data(cls, data, hidden, settings):
        """Model whose inputs and outputs are those of a data set.

        Args:
            data: `DenseSet` or `EventSet`.
            hidden: neurons of the populations between.
            settings: of the class ``Settings``.

        Raises:
            ConfigError: for a `JointSet`, or settings of spike trains with data that have none.
        """
        if hasattr(data, "parts"):
            raise ConfigError(f"several tasks at once need a model of kind spatial_prior_tasks, got {cls.kind!r}")
        if hasattr(data, "features"):
            cls.refuse_bins(data, settings)
        shape = data.features.shape[1:] if hasattr(data, "features") else (settings.bins, data.events.n_units)
        n_inputs = int(shape[-1] if cls.sequence else np.prod(shape))
        return cls([n_inputs, *hidden, data.n_classes], **asdict(settings))

    @staticmethod
    def refuse_bins(data, settings):
        """`ConfigError` for settings of spike trains with ``data`` that have none."""
        if (settings.bins, settings.tau) != (1, None):
            raise ConfigError(f"bins and tau make features of spike trains, {data.name} holds features; leave them out")

    @property
    def device(self):
        """Where the parameters live."""
        return next(self.parameters()).device

    def features(self, batch):
        """Features on the model's device: ``[B, F]``, or ``[B, T, F]`` for a model of sequences.

        Args:
            batch: `DenseSet`, `SpikeBatch` (counted or filtered in ``bins``), or an array or tensor of features.

        Raises:
            ConfigError: if the number of features is not that of the model.
            DataError: for a batch without samples.
        """
        if isinstance(batch, SpikeBatch):
            batch = coding.features(batch, self.settings.bins, self.settings.tau)
        x = torch.as_tensor(getattr(batch, "features", batch), dtype=torch.float32, device=self.device)
        x = x.flatten(1) if not self.sequence else x[:, None] if x.ndim == 2 else x
        if not len(x):
            raise DataError("the batch has no sample; leave it out")
        if x.shape[-1] != self.sizes[0]:
            raise ConfigError(f"the model takes {self.sizes[0]} input features, the data has {x.shape[-1]}")
        return x * self.settings.input_scale if self.settings.input_scale != 1 else x

    def forward(self, batch):
        """`RateOutput` of whatever `features` takes."""
        logits, activity = self.rates(self.features(batch))
        return RateOutput(logits, activity, self.settings.peak)

    def statistics(self):
        """Figures of the last forward pass, ``{name: float}``."""
        return {name: float(value) for name, value in self.figures.items()}

    def parameter_groups(self, config):
        """Everything at ``lr``; places at ``position_lr`` where that is set. Weight decay is for all, as in torch."""
        place = lambda name: name.endswith(self.coordinates) if self.coordinates else False  # noqa: E731
        both = {True: [], False: []}
        for name, p in self.named_parameters():
            if p.requires_grad:
                both[place(name)].append(p)
        common = {"weight_decay": config.weight_decay}
        return [
            {"params": both[False], "lr": config.lr, **common},
            {"params": both[True], "lr": config.position_lr or config.lr, **common},
        ]

    def synapses(self):
        """``(pre name, post name, synapse)`` of projections that can be pruned while training."""
        return []

    def project_(self):
        """Bring parameters back into their range after an optimiser step."""

    def n_parameters(self):
        """Number of trainable values; those of pruned synapses do not count."""
        total = sum(p.numel() for p in self.parameters() if p.requires_grad)
        return total - sum(int((~s.mask).sum()) for _, _, s in self.synapses())

    def storage(self):
        """Numbers that the model needs: ``weights`` of its wiring, biases included, and ``numbers``, all parameters."""
        projections, biases = self.wiring()
        kept = sum(w.numel() if m is None else int(m.sum()) for _, _, w, m in projections)
        return {"weights": kept + sum(b.numel() for b in biases.values()), "numbers": self.n_parameters()}

    def config(self):
        """Settings from which `from_config` builds the same model, JSON-able."""
        return {"kind": self.kind, "sizes": self.sizes, **asdict(self.settings)}

    @classmethod
    def from_config(cls, config):
        """Model with fresh starting values from `config`."""
        return cls(config["sizes"], **{k: v for k, v in config.items() if k not in ("kind", "sizes")})

    def times_driven(self, population, steps):
        """How often a bias reaches the units of a population in an inference of ``steps`` steps."""
        return 1

    def measure_rates(self, data, batch_size=256):
        """Spikes per neuron and inference that the rate code sends, one ``[N]`` per population.

        Features are sent as ``peak |x|`` spikes with the sign of x, counted spikes as they come; the output is read
        and sends none.
        """
        whole_number("batch_size", batch_size, 1)
        data, s = getattr(data, "events", data), self.settings
        totals = [np.zeros(n) for _, n, _ in self.places()]
        with _watched(self):
            for start in range(0, len(data), batch_size):
                batch = data[start : start + batch_size]
                x = self.features(batch)
                counted = isinstance(batch, SpikeBatch) and s.tau is None
                sent = [x.abs() / (s.input_scale * s.peak) if counted else x.abs(), *self.rates(x)[1]]
                for k, (total, activity) in enumerate(zip(totals, sent, strict=False)):
                    counts = coding.spike_counts(activity.abs().cpu().numpy(), s.peak, s.code, [s.seed, start, k])
                    total += counts.sum(tuple(range(counts.ndim - 1)))
        return [total / len(data) for total in totals]

    def emit(self, batch):
        """Spikes of all populations that send some, ``[(name, SpikeBatch)]``, for a raster."""
        with _watched(self):
            x = self.features(batch)
            sent = [x, *self.rates(x)[1]]
        s = self.settings
        return [
            (name, coding.emit(a.abs().cpu().numpy(), s.window, peak=s.peak, code=s.code, seed=[s.seed, k]))
            for k, ((name, _, _), a) in enumerate(zip(self.places(), sent, strict=False))
        ]

    def to_graph(self, data=None, *, batch_size=256, source=None, name=None):
        """`spsnn.graph.Network` of ``rate`` populations without delays, with rates measured on ``data``.

        Args:
            data: data set or batch that rates are measured on, or None: no rates.
            source: what the data are, kept with the rates.
            name: of the network; default the kind of model.
        """
        s, measured = self.settings, None if data is None else self.measure_rates(data, batch_size)
        steps = 1 if data is None or not self.sequence else self.features(getattr(data, "events", data)[:1]).shape[1]
        with torch.no_grad():
            places, (projections, biases) = self.places(), self.wiring()
        populations = [
            Population(
                label,
                size,
                "rate" if k else "input",
                None if at is None else np.asarray(at, np.float64),
                {},
                None if measured is None else measured[k],
            )
            for k, (label, size, at) in enumerate(places)
        ]
        made = []
        for pre, post, weight, mask in projections:
            weight = weight.detach().cpu().numpy()
            made.append(
                Projection.from_dense(pre, post, weight, np.zeros_like(weight), None if mask is None else mask.cpu())
            )
        for post, bias in biases.items():
            largest = max(np.abs(p.weight).max(initial=0.0) for p in made if p.post == post)
            units, projection = bias_units(bias.detach().cpu().numpy(), largest, post)
            rate = s.peak * self.times_driven(post, steps)
            populations.insert(-1, Population(BIAS + post, units, "input", rates=np.full(units, rate)))
            made.append(projection)
        return Network(tuple(populations), tuple(made), s.dt, s.window, source, name or self.kind)

    def from_graph(self, network):
        """A copy with the weights and biases of a graph, e.g. after quantisation.

        Raises:
            ConfigError: if populations or projections are not those of the model.
        """
        projections, biases = self.wiring()
        given = {(p.pre, p.post): p for p in network.projections}
        wanted = {(pre, post) for pre, post, _, _ in projections} | {(BIAS + post, post) for post in biases}
        if set(given) != wanted:
            raise ConfigError("the graph's projections are not those of the model; take a graph that to_graph made")
        weights = {}
        for pre, post, weight, _ in projections:
            if (network[pre].size, network[post].size) != tuple(weight.shape):
                raise ConfigError(
                    f"the graph's projection {pre} -> {post} has another shape than {tuple(weight.shape)}"
                )
            weights[pre, post] = torch.from_numpy(given[pre, post].to_dense(tuple(weight.shape))[0]).float()
        kept = {}
        for post, bias in biases.items():
            p = given[BIAS + post, post]
            kept[post] = torch.from_numpy(np.bincount(p.indices, p.weight, len(bias))).float()
        with torch.no_grad():
            return self.rewire(weights, kept).eval()

    def copy(self, **changes):
        """A model of the same class and state with other settings."""
        other = type(self)(self.sizes, **{**asdict(self.settings), **changes})
        other.load_state_dict(self.state_dict())
        return other.to(self.device)


@contextmanager
def _watched(model):
    """The model as it is used, without gradients; the figures of the last forward pass stay."""
    figures = model.figures
    with resting(model), torch.no_grad():
        yield
    model.figures = figures


def require_spikes(model, what):
    """Refuse a rate-coded model.

    Raises:
        ConfigError: names what needs spikes.
    """
    if not model.spiking:
        raise ConfigError(f"{what} needs a spiking network, this is a rate-coded model of kind {model.kind!r}")
