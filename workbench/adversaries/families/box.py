"""A smaller box inside a box."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from workbench import distributions
from workbench.adversaries.families.base import Family, Parameters
from workbench.distributions import Distribution
from workbench.rng import Rng

_START, _PACE = 0.00125, 10.0


@dataclass(frozen=True)
class Box(Family):
    """Uniform on a box inside that of D0: a share u of each side is cut off below, v above.

    u = a / (1 + a + b) and v = b / (1 + a + b), with a and b = 0.00125 exp(10 theta), so that
    KL = sum of log(1 + a + b) = sum of log(old side / new side). It starts with sides cut by a
    quarter of a percent: D0 itself would lie at infinity.
    """

    name: ClassVar[str] = "box"
    natural: ClassVar[bool] = False

    def serves(self, reference: Distribution) -> bool:
        return isinstance(reference, distributions.Box)

    def needed(self) -> str:
        return "a box D0"

    def module(self, reference: Distribution, rng: Rng, points: Tensor) -> Parameters:
        assert isinstance(reference, distributions.Box)
        return _Box(reference)


class _Box(Parameters):
    def __init__(self, reference: distributions.Box):
        super().__init__()
        self.reference = reference
        self.cuts = nn.Parameter(torch.zeros(2, reference.dim, dtype=reference.dtype))

    def forward(self) -> distributions.Box:
        low, high = self.reference.low, self.reference.high
        a, b = _START * torch.exp(_PACE * self.cuts)
        kept = (high - low) / (1.0 + a + b)
        return distributions.Box(low + a * kept, high - b * kept)
