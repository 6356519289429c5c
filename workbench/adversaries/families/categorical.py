"""A product of categorical laws with other probabilities."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from workbench.adversaries.families.base import Family, Parameters
from workbench.distributions import Discrete, Distribution, Tokens
from workbench.rng import Rng


@dataclass(frozen=True)
class Categorical(Family):
    """Independent coordinates, or tokens, with the values of D0 and p_i(k) proportional to
    p0_i(k) e^theta_ik.

    KL = sum of p log(p / p0), exactly. What never happens under D0 never will.
    """

    name: ClassVar[str] = "categorical"

    def serves(self, reference: Distribution) -> bool:
        return isinstance(reference, Discrete | Tokens)

    def needed(self) -> str:
        return "a discrete D0, or one of independent tokens,"

    def module(self, reference: Distribution, rng: Rng, points: Tensor) -> Parameters:
        assert isinstance(reference, Discrete | Tokens)
        return _Categorical(reference)


class _Categorical(Parameters):
    def __init__(self, reference: Discrete | Tokens):
        super().__init__()
        self.reference = reference
        self.logits = nn.Parameter(torch.zeros_like(reference.probs))

    def forward(self) -> Discrete | Tokens:
        probs = self.reference.probs / self.reference.probs.sum(1, keepdim=True)
        tilted = probs * torch.exp(self.logits - self.logits.amax(1, keepdim=True))
        return replace(self.reference, probs=tilted / tilted.sum(1, keepdim=True))
