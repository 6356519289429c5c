"""What all laws of spins share: states of -1 and 1, counted one by one or known by an energy."""

from abc import ABC
from typing import ClassVar

import torch
from torch import Tensor

from workbench.distributions.base import BoxSupport, Distribution, Energy, Enumerable

_BITS = 62


class Spins(Energy, BoxSupport, Enumerable, Distribution, ABC):
    """x in {-1, 1}^d by an energy alone; subclasses hold `fields` and say `log_weight`.

    Neither draws nor moments nor probabilities are offered: the normalisation sums 2^d terms. Few
    spins can be counted.
    """

    fields: Tensor
    """One a spin, `(d,)`."""
    normalised: ClassVar[bool] = False

    @property
    def dim(self) -> int:
        return self.fields.numel()

    @property
    def dtype(self) -> torch.dtype:
        return self.fields.dtype

    @property
    def outcomes(self) -> int:
        return 2**self.dim

    def outcome(self, start: int, n: int) -> tuple[Tensor, Tensor]:
        number = torch.arange(start, min(start + n, self.outcomes))
        place = torch.arange(self.dim).clamp(max=_BITS)  # no number of an outcome is longer
        x = 2.0 * ((number[:, None] >> place) & 1).to(self.dtype) - 1.0
        return x, self.log_weight(x).double()

    def bounds(self) -> tuple[Tensor, Tensor]:
        one = torch.ones(self.dim, dtype=self.dtype)
        return -one, one
