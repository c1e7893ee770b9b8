"""Training and evaluation."""

from spsnn.training.config import TrainingConfig
from spsnn.training.fit import evaluate, fit

__all__ = ["TrainingConfig", "evaluate", "fit"]
