"""The uniform distribution on a box."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from workbench.distributions.base import (
    BoxSupport,
    Density,
    Distribution,
    Factor,
    Factored,
    Moments,
    Piece,
    Reparameterised,
)
from workbench.errors import BadInput
from workbench.math.checks import check_vector
from workbench.math.gaussian import cdf


@dataclass(frozen=True, eq=False)
class Box(Reparameterised, Density, Moments, Factored, BoxSupport, Distribution):
    """Uniform on low <= x <= high; its base noise is x = low + (high - low) Phi(z).

    Args:
        low: `(d,)`.
        high: `(d,)`, above `low` in every coordinate.
    """

    low: Tensor
    high: Tensor
    name: ClassVar[str] = "box"

    def __post_init__(self) -> None:
        check_vector("the low corner of a box", self.low)
        check_vector("the high corner of a box", self.high, self.low.numel())
        if self.low.dtype != self.high.dtype:
            raise BadInput(
                f"the corners of a box must share a dtype, got {self.low.dtype} and "
                f"{self.high.dtype}"
            )
        if not bool((self.high > self.low).all()):
            raise BadInput("the high corner of a box must exceed the low one in every coordinate")

    @property
    def dim(self) -> int:
        return self.low.numel()

    @property
    def noise_dim(self) -> int:
        return self.dim

    @property
    def dtype(self) -> torch.dtype:
        return self.low.dtype

    def push(self, z: Tensor) -> Tensor:
        return self.low + (self.high - self.low) * cdf(z)

    def log_prob(self, x: Tensor) -> Tensor:
        inside = ((x >= self.low) & (x <= self.high)).all(-1)
        return torch.where(inside, -torch.log(self.high - self.low).sum(), -math.inf)

    def pieces(self) -> tuple[Piece, ...]:
        width = self.high - self.low
        return (Piece(width.new_zeros(()), 0.5 * (self.low + self.high), width.square() / 12.0),)

    def bounds(self) -> tuple[Tensor, Tensor]:
        return self.low, self.high

    def factors(self) -> tuple[Factor, ...]:
        return (Factor(self.low.new_zeros(()), self.low, self.high - self.low, normal=False),)
