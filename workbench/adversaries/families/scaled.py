"""D0 moved, and stretched or narrowed coordinate by coordinate."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from workbench.adversaries.families.base import AroundGaussian, Parameters
from workbench.distributions import Distribution, Gaussian
from workbench.rng import Rng


@dataclass(frozen=True)
class Scaled(AroundGaussian):
    """x = D0's mean + L (m + exp(r / sqrt 2) z), a shift and a scale for every coordinate of noise.

    KL = sum of (m^2 + e^(sqrt 2 r) - 1) / 2 - r / sqrt 2, about (|m|^2 + |r|^2) / 2 near D0.
    """

    name: ClassVar[str] = "scaled"

    def module(self, reference: Distribution, rng: Rng, points: Tensor) -> Parameters:
        assert isinstance(reference, Gaussian)
        return _Scaled(reference, points)


class _Scaled(Parameters):
    def __init__(self, reference: Gaussian, points: Tensor):
        super().__init__()
        self.reference = reference
        zero = torch.zeros_like(reference.mean)
        self.shift = nn.Parameter(points[0].clone() if len(points) else zero)
        self.stretch = nn.Parameter(zero.clone())

    def forward(self) -> Gaussian:
        scale = self.reference.scale * torch.exp(self.stretch / math.sqrt(2.0))
        return Gaussian(self.reference.push(self.shift), scale)
