"""A product of finite laws."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor

from workbench.distributions.base import (
    BoxSupport,
    Distribution,
    Enumerable,
    Moments,
    Piece,
    Reparameterised,
)
from workbench.errors import BadInput
from workbench.math.checks import check_finite
from workbench.math.gaussian import cdf

MOST = 1 << 62
"""Outcomes that can be numbered."""


@dataclass(frozen=True, eq=False)
class Discrete(Reparameterised, Moments, BoxSupport, Enumerable, Distribution):
    """Independent coordinates, each with finitely many values: P(x_i = values[i, k]) = probs[i, k].

    Probabilities are normalised to sum to 1 in every row; a value of probability 0 is left out, so
    that rows of different lengths fit in one tensor. Outcomes are numbered in mixed radix, the last
    coordinate the fastest: neighbours share their first coordinates. Its base noise picks the value
    of coordinate i by Phi(z_i), so that samplers move in it, but no gradient leads anywhere.

    Args:
        values: `(d, s)`.
        probs: `(d, s)`, at least 0, with a positive sum in every row.

    Raises:
        BadInput: on wrong shapes, negative probabilities, or more than 2^62 outcomes.

    >>> import torch
    >>> coins = Discrete(torch.tensor([[0.0, 1.0]] * 3), torch.tensor([[0.5, 0.5]] * 3))
    >>> coins.outcomes
    8
    >>> coins.outcome(5, 1)[0]
    tensor([[1., 0., 1.]])
    """

    values: Tensor
    probs: Tensor
    name: ClassVar[str] = "discrete"

    def __post_init__(self) -> None:
        for what, t in (("values", self.values), ("probabilities", self.probs)):
            if not isinstance(t, Tensor) or not t.is_floating_point():
                got = t.dtype if isinstance(t, Tensor) else type(t).__name__
                raise BadInput(f"the {what} of a discrete law must be floating-point, got {got}")
            if t.ndim != 2 or t.numel() == 0 or t.shape != self.values.shape:
                raise BadInput(
                    "values and probabilities of a discrete law need one shape (d, s), "
                    f"got {tuple(self.values.shape)} and {tuple(self.probs.shape)}"
                )
            check_finite(f"the {what} of a discrete law", t)
        if self.values.dtype != self.probs.dtype:
            raise BadInput("values and probabilities of a discrete law must share a dtype")
        if bool((self.probs < 0).any()) or not bool((self.probs.sum(1) > 0).all()):
            raise BadInput(
                "the probabilities of a discrete law must be at least 0, and positive somewhere "
                "in every row"
            )
        if self.outcomes > MOST:
            raise BadInput(
                f"a discrete law has at most 2^62 outcomes, got 10^{math.log10(self.outcomes):.0f}"
            )

    @property
    def dim(self) -> int:
        return len(self.values)

    @property
    def noise_dim(self) -> int:
        return self.dim

    @property
    def dtype(self) -> torch.dtype:
        return self.values.dtype

    @cached_property
    def _log_probs(self) -> Tensor:
        """Normalised, in float64, -inf for what never happens."""
        p = self.probs.detach().double()
        return torch.log(p / p.sum(1, keepdim=True))

    @cached_property
    def _alive(self) -> tuple[Tensor, ...]:
        """For every coordinate the columns that happen."""
        return tuple(torch.nonzero(row > 0).squeeze(1) for row in self.probs)

    @property
    def outcomes(self) -> int:
        return math.prod(len(columns) for columns in self._alive)

    def outcome(self, start: int, n: int) -> tuple[Tensor, Tensor]:
        number = torch.arange(start, min(start + n, self.outcomes))
        picks = []
        for columns in reversed(self._alive):
            picks.append(columns[number % len(columns)])
            number = torch.div(number, len(columns), rounding_mode="floor")
        pick = torch.stack(picks[::-1], dim=1)
        rows = torch.arange(self.dim)
        return self.values[rows, pick], self._log_probs[rows, pick].sum(1)

    def push(self, z: Tensor) -> Tensor:
        steps = torch.cumsum(torch.exp(self._log_probs), 1)[:, :-1].to(z.dtype)
        pick = (cdf(z)[:, :, None] > steps).sum(-1)
        # Rounding may step on values of probability 0 beyond the last that happens.
        last = torch.stack([columns[-1] for columns in self._alive])
        return self.values[torch.arange(self.dim), torch.minimum(pick, last)]

    def pieces(self) -> tuple[Piece, ...]:
        p = self.probs / self.probs.sum(1, keepdim=True)
        mean = (p * self.values).sum(1)
        var = (p * (self.values - mean[:, None]).square()).sum(1)
        return (Piece(mean.new_zeros(()), mean, var),)

    def bounds(self) -> tuple[Tensor, Tensor]:
        dead = self.probs == 0
        low = torch.where(dead, math.inf, self.values).amin(1)
        return low, torch.where(dead, -math.inf, self.values).amax(1)
