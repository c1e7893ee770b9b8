"""One perceptron for several tasks, each with its own spatial prior on the shared layers."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

import torch
from torch import nn

from spsnn.errors import ConfigError
from spsnn.models.rate.base import RateModel
from spsnn.models.rate.spatial_prior import KERNELS, PriorSettings, SpatialPriorLinear, SpatialPriorMLP

ELSEWHERE = -1e4  # logit of the classes of other tasks


@dataclass(frozen=True)
class TaskSettings(PriorSettings):
    """Settings of `SpatialPriorTasks`: those of `PriorSettings` for every task but its kernel.

    Attributes:
        kernels: kernel of each task, in place of ``kernel``.
        inputs, outputs: features and classes of each task; data sets fill them in.
    """

    kernels: list = field(default_factory=lambda: ["exponential", "gaussian"])
    inputs: list = field(default_factory=list)
    outputs: list = field(default_factory=list)
    anneal_to: str | None = "none"

    def __post_init__(self):
        super().__post_init__()
        if self.kernel != PriorSettings.kernel:
            raise ConfigError(f"several tasks have a kernel each; put {self.kernel!r} in kernels in place of kernel")
        unknown = [name for name in self.kernels if name not in KERNELS]
        if unknown or not self.kernels:
            raise ConfigError(f"kernels must name one of {', '.join(KERNELS)} for each task, got {self.kernels}")
        if self.sharpen_to is not None and "exponential" not in (*self.kernels, self.anneal_to):
            raise ConfigError(f"sharpen_to belongs to the exponential kernel, got kernels={self.kernels}; leave it out")
        if self.mode == "decay":
            raise ConfigError("tasks share weights, which cannot decay to several kernels; take another mode")
        if self.image is not None or self.prune:
            raise ConfigError("image and prune belong to spatial_prior; tasks share weights on a line, leave both out")


class SpatialPriorTasks(RateModel):
    """Shared hidden layers W under the kernel K_t of the task; each task has its own first and last layer, without.

        h = relu(x A_t + a_t);   h = relu(h (W o K_t) + b) for each shared layer;   logits = h B_t + c_t

    Kernels fade linearly to 1 by default (``anneal_to="none"``).  A batch mixes the tasks in the proportion of their
    samples, and the loss is its mean, so that each task weighs as much as it has samples; the published loss is the sum
    of the tasks' means.  ``control="shuffle"`` permutes the kernels of all tasks alike, so that what is strong for one
    and weak for another stays so.

    Args:
        sizes: ``[inputs of all tasks, first hidden, ..., last hidden, outputs of all tasks]``; two hidden at least.
        settings: fields of `TaskSettings`.
    """

    kind = "spatial_prior_tasks"
    goes_to_chip = False
    Settings = TaskSettings

    def __init__(self, sizes, **settings):
        super().__init__(sizes, **settings)
        s, generator = self.settings, torch.Generator().manual_seed(self.settings.seed)
        tasks = len(s.kernels)
        if not len(s.inputs) == len(s.outputs) == tasks:
            raise ConfigError(f"{tasks} kernels need as many tasks, got inputs {s.inputs} and outputs {s.outputs}")
        if [sum(s.inputs), sum(s.outputs)] != [self.sizes[0], self.sizes[-1]] or len(self.sizes) < 4:
            raise ConfigError(
                f"sizes must run from {sum(s.inputs)} inputs over two hidden layers at least to {sum(s.outputs)}, "
                f"got {self.sizes}"
            )
        plain = PriorSettings(kernel="none")
        self.into = nn.ModuleList(SpatialPriorLinear(n, self.sizes[1], plain, generator) for n in s.inputs)
        self.out = nn.ModuleList(SpatialPriorLinear(self.sizes[-2], n, plain, generator) for n in s.outputs)
        self.shared = nn.ModuleList()
        for a, b in zip(self.sizes[1:-2], self.sizes[2:-1], strict=True):
            k = len(self.shared)
            layers = [SpatialPriorLinear(a, b, self._prior(t), generator, k) for t in range(tasks)]
            for layer in layers[1:]:
                layer.weight, layer.bias, layer.scale = layers[0].weight, layers[0].bias, layers[0].scale
            self.shared.append(nn.ModuleList(layers))

    def _prior(self, task):
        own = {
            name: value for name, value in asdict(self.settings).items() if name in PriorSettings.__dataclass_fields__
        }
        own["kernel"] = self.settings.kernels[task]
        if "exponential" not in (own["kernel"], own["anneal_to"]):
            own["sharpen_to"] = None
        return PriorSettings(**own)

    @classmethod
    def for_data(cls, data, hidden, settings):
        """Model for the tasks of a `JointSet`."""
        if not hasattr(data, "parts"):
            raise ConfigError("several tasks need a joint data set; set data.name=joint and data.options.tasks")
        cls.refuse_bins(data, settings)
        inputs, outputs = [int(p.shape[1]) for p in data.parts], list(data.n_classes_of)
        chosen = {**asdict(settings), "inputs": inputs, "outputs": outputs}
        return cls([sum(inputs), *hidden, sum(outputs)], **chosen)

    def start_epoch(self, epoch, epochs):
        """Move the kernels of all tasks to ``a = epoch / (epochs - 1)``."""
        for layers in self.shared:
            for layer in layers:
                layer.set_progress(epoch / max(epochs - 1, 1))

    def features(self, batch):
        """Features of each task on the model's device, ``[B_t, F_t]``."""
        parts = getattr(batch, "parts", None)
        if parts is None or [p.shape[1] for p in parts] != list(self.settings.inputs):
            raise ConfigError(f"the model takes a joint set of {self.settings.inputs} features")
        scale = self.settings.input_scale
        return [scale * torch.as_tensor(p, dtype=torch.float32, device=self.device) for p in parts]

    def rates(self, x):
        """Logits ``[B, C]``, samples of the first task first, and the activity of the hidden layers."""
        logits, hidden, first = [], [], 0
        for task, part in enumerate(x):
            path = [torch.relu(self.into[task](part))]
            for layers in self.shared:
                path.append(torch.relu(layers[task](path[-1])))
            hidden.append(path)
            own = self.out[task](path[-1])
            logits.append(nn.functional.pad(own, (first, self.sizes[-1] - first - own.shape[1]), value=ELSEWHERE))
            first += own.shape[1]
        return torch.cat(logits), [torch.cat(layer) for layer in zip(*hidden, strict=True)]

    def task(self, task):
        """`SpatialPriorMLP` without prior that computes what this model does for one task; it maps to a chip."""
        s = self.settings
        sizes = [s.inputs[task], *self.sizes[1:-1], s.outputs[task]]
        shared = {name: getattr(s, name) for name in ("input_scale", "code", "peak", "window", "dt")}
        one = SpatialPriorMLP(sizes, kernel="none", **shared).to(self.device)
        own = [self.into[task], *(layers[task] for layers in self.shared), self.out[task]]
        with torch.no_grad():
            for layer, source in zip(one.layers, own, strict=True):
                layer.weight.copy_(source.weights())
                layer.bias.copy_(source.bias)
        return one

    def storage(self):
        """``numbers``, all parameters."""
        return {"numbers": self.n_parameters()}

    def emit(self, batch):
        """Refused, as `to_graph`."""
        return self.to_graph()

    def to_graph(self, data=None, **options):
        """Refused: the effective weights differ between tasks; use ``model.task(k).to_graph(...)``."""
        raise ConfigError("several tasks have several networks; map one of them: model.task(k).to_graph(data)")
