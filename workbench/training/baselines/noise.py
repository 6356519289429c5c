"""Training on noised examples."""

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from workbench.training.rule import Batch, Rule


@dataclass(frozen=True)
class Noise(Rule):
    """Cross-entropy of examples plus fresh Gaussian noise.

    Randomised smoothing trains its base classifier so (Cohen, Rosenfeld & Kolter 2019).

    Args:
        times: standard deviation, over that of D0's noise.
    """

    times: float = 1.0
    name: ClassVar[str] = "noise"

    def loss(self, batch: Batch) -> tuple[Tensor, float]:
        return batch.error(self.times), math.nan
