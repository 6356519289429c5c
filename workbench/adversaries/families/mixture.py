"""Several moved copies of D0: one adversary, several ways to fail."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from workbench import distributions
from workbench.adversaries.families.base import AroundGaussian, Parameters
from workbench.distributions import Distribution, Gaussian
from workbench.estimators.base import check_positive
from workbench.rng import Rng


@dataclass(frozen=True)
class Mixture(AroundGaussian):
    """sum_k w_k N(m_k, S0): copies of D0, each moved by its own m_k, with weights of their own.

    The copies start at different nearest failures (different summits, and so different rival
    classes), for as many as there are; weights and shifts are searched together.

    Args:
        parts: copies.
    """

    parts: int = 3
    name: ClassVar[str] = "mixture"
    spreads: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_positive(self.name, parts=self.parts)

    def module(self, reference: Distribution, rng: Rng, points: Tensor) -> Parameters:
        assert isinstance(reference, Gaussian)
        return _Mixture(reference, self.parts, points)


class _Mixture(Parameters):
    def __init__(self, reference: Gaussian, parts: int, points: Tensor):
        super().__init__()
        self.reference = reference
        d, dtype = reference.dim, reference.dtype
        start = torch.zeros(parts, d, dtype=dtype)
        if len(points):
            start = points[torch.arange(parts) % len(points)].clone()
        self.shifts = nn.Parameter(start)
        self.log_weights = nn.Parameter(torch.zeros(parts, dtype=dtype))

    def forward(self) -> distributions.Mixture:
        scale = self.reference.scale
        parts = tuple(Gaussian(self.reference.push(m), scale) for m in self.shifts)
        return distributions.Mixture(torch.softmax(self.log_weights, 0), parts)
