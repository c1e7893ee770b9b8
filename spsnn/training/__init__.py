"""Training and evaluation."""

from spsnn.training.config import TrainingConfig
from spsnn.training.fit import evaluate, fit
from spsnn.training.sparsify import SparsityConfig

__all__ = ["SparsityConfig", "TrainingConfig", "evaluate", "fit"]
