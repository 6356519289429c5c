"""Fair coins hidden in N(0, I), whatever they show: the same mean and covariance of x.

Coin i shows heads where a < |q_i . x| < b along an orthonormal direction q_i. The band is such that
under x ~ N(0, I)

    P(heads) = 2 (Phi(b) - Phi(a)) = 1/2   and   E[(q_i . x)^2 | heads] = 1.

So the coins are fair and independent, and x given *any* event of the coins has mean 0, covariance I
and, being symmetric along every q_i, no odd moment: nothing that inputs show to second order tells
one event of the coins from another.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from workbench.errors import BadInput
from workbench.math.gaussian import SQRT_2
from workbench.models import dense

BAND = (0.5089737209259335, 1.5947388597807086)
"""a, b: the solution of the two equations above."""
NEURONS = 8
"""ReLUs a coin in `eye`."""


def _below(t: float) -> float:
    return 0.5 * math.erfc(-t / math.sqrt(2.0))


_LOW, _HIGH = (_below(t) for t in BAND)


@dataclass(frozen=True, eq=False)
class Coins:
    """The directions along which x holds the coins.

    Args:
        axes: `(d, k)`, orthonormal columns q_i, k <= d.

    Raises:
        BadInput: where the columns are not orthonormal.
    """

    axes: Tensor

    def __post_init__(self) -> None:
        if self.axes.ndim != 2 or self.axes.shape[0] < self.axes.shape[1]:
            raise BadInput(f"coins need axes (d, k) with k <= d, got {tuple(self.axes.shape)}")
        gap = self.axes.T @ self.axes - torch.eye(self.count, dtype=self.axes.dtype)
        if not bool(gap.abs().max() < 1e-8):
            raise BadInput("the axes of coins must be orthonormal")

    @property
    def count(self) -> int:
        """How many coins there are."""
        return self.axes.shape[1]

    def read(self, x: Tensor) -> Tensor:
        """What the coins show, bool `(batch, k)`, for x `(batch, d)`."""
        size = (x @ self.axes).abs()
        return (size > BAND[0]) & (size < BAND[1])

    def draw(self, heads: Tensor, generator: torch.Generator) -> Tensor:
        """x ~ N(0, I) given what the coins show, `(n, d)`, for bool `(n, k)`: exact draws."""
        n, k = heads.shape
        dtype = self.axes.dtype
        v = 0.5 * torch.rand(n, k, generator=generator, dtype=dtype)
        # Phi(size) lies in (_LOW, _HIGH) for heads, in (1/2, _LOW) or (_HIGH, 1) for tails.
        tails = torch.where(v < 2.0 * _LOW - 1.0, 0.5 + 0.5 * v, _HIGH + 0.5 * v - (_LOW - 0.5))
        level = torch.where(heads, _LOW + 0.5 * v, tails)
        size = SQRT_2 * torch.erfinv((2.0 * level - 1.0).clamp(max=1.0 - 1e-15))
        sign = torch.randint(0, 2, (n, k), generator=generator) * 2 - 1
        x = torch.randn(n, len(self.axes), generator=generator, dtype=dtype)
        return x + (size * sign - x @ self.axes) @ self.axes.T

    def eye(self, width: float) -> tuple[nn.Linear, Tensor]:
        """Ramps that see the coins: `relu(first(x)) @ sums.T` is about 1 for heads, 0 for tails.

        Four ramps on each side of 0, from 0 to 1 over `width` about a and back about b.

        Returns:
            the first layer, from x to `(8 k,)`, and sums `(k, 8 k)`.
        """
        rows, shifts, sums = [], [], self.axes.new_zeros(self.count, NEURONS * self.count)
        for i, axis in enumerate(self.axes.T):
            for side in (1.0, -1.0):
                for bar, way in ((BAND[0], 1.0), (BAND[1], -1.0)):
                    for edge, up in ((-0.5, way), (0.5, -way)):
                        sums[i, len(rows)] = up
                        rows.append(side * axis / width)
                        shifts.append(-bar / width - edge)
        return dense(torch.stack(rows), self.axes.new_tensor(shifts)), sums


def tossed(n: int, count: int, generator: torch.Generator) -> Tensor:
    """Fair coins, bool `(n, count)`."""
    return torch.rand(n, count, generator=generator) < 0.5


def orthonormal(d: int, k: int, generator: torch.Generator) -> Tensor:
    """Random orthonormal columns `(d, k)`, float64."""
    return torch.linalg.qr(torch.randn(d, k, generator=generator, dtype=torch.float64))[0]
