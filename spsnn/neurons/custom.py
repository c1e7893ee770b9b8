"""What a neuron model of one's own gives to the engine; docs/neurons.md has a complete example."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import ClassVar

from spsnn.checks import positive
from spsnn.errors import ConfigError
from spsnn.kernels.neuron import Functions
from spsnn.neurons.linear import LIF


@dataclass(frozen=True)
class CustomNeuron:
    """Base of neuron models that are given as functions, with surrogate gradients and `round` delays.

    A model is a frozen dataclass that names its ``kind`` and its ``functions`` and has the two methods below.

    Attributes:
        tau_mem, tau_syn: time constants in ms; also those of a `LeakyIntegrator` that reads the model out.
        threshold: dimensionless, the potential that starting weights are scaled to.

    Raises:
        ConfigError: on a value outside its range.
    """

    tau_mem: float = 20.0
    tau_syn: float = 5.0
    threshold: float = 1.0

    kind: ClassVar[str]
    functions: ClassVar[Functions]
    spiking: ClassVar[bool] = True

    def __post_init__(self):
        positive(self, "tau_mem", "tau_syn", "threshold")
        if not all(map(callable, self.functions)):
            raise ConfigError(f"functions of a {self.kind!r} neuron must be callable; a field may hide one of its name")

    def check_grid(self, grid):
        """Refuse what is defined for linear neurons only.

        Raises:
            ConfigError: with `exact` delays or EventProp.
        """
        for name, only in (("delays", "round"), ("estimator", "surrogate")):
            if getattr(grid, name) != only:
                raise ConfigError(
                    f"{name} must be {only!r} with a {self.kind!r} neuron, got {getattr(grid, name)!r}; others need a "
                    f"closed form, which LIF and AdaptiveLIF have"
                )

    def initial_state(self):
        """State at the start of the window, a tuple of numbers."""
        raise TypeError(f"{type(self).__name__} must define initial_state")

    def constants(self, dt):
        """The tuple ``p`` that the functions take, for a step of ``dt`` ms."""
        raise TypeError(f"{type(self).__name__} must define constants")

    def psp_peak(self):
        """Largest potential that one spike of weight 1 causes from rest; here that of a `LIF`."""
        return LIF(self.tau_mem, self.tau_syn).psp_peak()

    def parameters(self):
        """All settings as a plain dictionary."""
        return asdict(self)
