"""Where linear functions are maximised: a box in some coordinates times a ball in the others."""

from dataclasses import dataclass

import torch
from torch import Tensor

SLACK = 1e-12
"""Rounding is covered by this share of all magnitudes that enter a bound."""


@dataclass(frozen=True, eq=False)
class Region:
    """B sets {low <= w <= high where `ball` is false, |w_ball| <= radius} in R^d.

    Args:
        low, high: `(B, d)`; read only outside the ball. Infinite ends give infinite bounds.
        ball: `(B, d)`, which coordinates lie in the ball.
        radius: `(B,)`.
    """

    low: Tensor
    high: Tensor
    ball: Tensor
    radius: Tensor

    @staticmethod
    def box(low: Tensor, high: Tensor) -> "Region":
        """A box alone, from corners `(B, d)`."""
        return Region(low, high, torch.zeros_like(low, dtype=torch.bool), low.new_zeros(len(low)))

    def most(self, slope: Tensor) -> Tensor:
        """max of slope . w over the region, `(B, r)`, for slopes `(B, r, d)`; rounded upward."""
        corner = torch.where(slope > 0, self.high[:, None], self.low[:, None])
        terms = torch.where((slope == 0) | self.ball[:, None], 0.0, slope * corner)
        norm = torch.where(self.ball[:, None], slope, 0.0).norm(dim=-1)
        reach = torch.where(norm > 0, norm * self.radius[:, None], 0.0)
        size = terms.abs().sum(-1) + reach
        return terms.sum(-1) + reach + torch.where(torch.isinf(size), 0.0, SLACK * size)

    def least(self, slope: Tensor) -> Tensor:
        """min of slope . w over the region, `(B, r)`; rounded downward."""
        return -self.most(-slope)

    def index(self, slope: Tensor, offset: Tensor, ties: bool = False) -> Tensor:
        """The reliability index of {slope . w + offset > 0} under a standard normal law of w_ball.

        The greatest value over the box, over the norm of the slope in the ball, `(B, r)`; inf where
        the function is positive whatever w_ball (or 0, with `ties`), -inf where it is not.
        """
        corner = torch.where(slope > 0, self.high[:, None], self.low[:, None])
        terms = torch.where((slope == 0) | self.ball[:, None], 0.0, slope * corner)
        top = offset + terms.sum(-1)
        square = torch.where(self.ball[:, None], slope, 0.0).square().sum(-1)
        spread = torch.sqrt(torch.where(square > 0, square, 1.0))
        flat = torch.where((top >= 0) if ties else (top > 0), torch.inf, -torch.inf)
        return torch.where(square > 0, top / spread, flat)
