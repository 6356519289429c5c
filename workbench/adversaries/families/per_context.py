"""A mixture D0 whose parts are contexts: each is moved in its own way."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from workbench import distributions
from workbench.adversaries.families.base import Family, Parameters
from workbench.distributions import Distribution, Gaussian
from workbench.rng import Rng


@dataclass(frozen=True)
class PerContext(Family):
    """D(x) = sum_c w_c D0(x - shift_c | c): a shift conditioned on the class or context c.

    The contexts are the parts of a mixture D0, their weights stay as they are, and a shift is
    theta_c / sqrt(w_c) in units of the spread of its part, so that with c seen the relative entropy
    would be |theta|^2 / 2; of the mixtures it is at most that.
    """

    name: ClassVar[str] = "per_context"

    def serves(self, reference: Distribution) -> bool:
        return isinstance(reference, distributions.Mixture)

    def needed(self) -> str:
        return "a mixture D0"

    def module(self, reference: Distribution, rng: Rng, points: Tensor) -> Parameters:
        assert isinstance(reference, distributions.Mixture)
        return _PerContext(reference)


class _PerContext(Parameters):
    def __init__(self, reference: distributions.Mixture):
        super().__init__()
        self.reference = reference
        shape = len(reference.components), reference.dim
        self.shifts = nn.Parameter(torch.zeros(shape, dtype=reference.dtype))

    def forward(self) -> distributions.Mixture:
        d0 = self.reference
        moved = self.shifts / torch.exp(0.5 * d0.log_weights)[:, None]
        parts = tuple(
            Gaussian(c.push(m), c.scale) for c, m in zip(d0.components, moved, strict=True)
        )
        return distributions.Mixture(d0.weights, parts)
