"""The margin is presumed Gaussian."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from workbench.math.law import Law
from workbench.tails.base import Tail


@dataclass(frozen=True)
class Gaussian(Tail):
    """log P(s > 0) = log Phi(mean / std): always negative, right in the tail for a Gaussian margin.

    A margin of variance 0 holds surely where its mean is positive and never where it is not.
    """

    name: ClassVar[str] = "gaussian"

    def index(self, law: Law) -> Tensor:
        sd = law.std
        certain = torch.where(law.mean > 0, math.inf, -math.inf).to(sd)
        return torch.where(sd > 0, law.mean / torch.where(sd > 0, sd, 1.0), certain)
