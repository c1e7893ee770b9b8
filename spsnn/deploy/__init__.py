"""From a trained model to what a chip runs: accuracy stage by stage, fine-tuning, placement that makes delays.

This room stands above models, training and hwmap, which do not know each other.
"""

from spsnn.deploy.codesign import CoDesigned, codesign
from spsnn.deploy.distance import spike_distance
from spsnn.deploy.finetune import FineTuned, finetune
from spsnn.deploy.stages import staged

__all__ = ["CoDesigned", "FineTuned", "codesign", "finetune", "spike_distance", "staged"]
