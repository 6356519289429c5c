"""Third cumulants in factored form, one generation of factors an activation layer.

    kappa_3 = sum over generations of  Sym sum_r s_r U_r x U_r x E_r + D_r x E_r x E_r,

Sym the mean over the orders of the three places. When a generation is born E is the identity; U
holds what paths i - r - j of two covariances give, D what is missing where two places coincide.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from workbench.graph.rules import LinearMap
from workbench.propagation.blocks import Block, sum_of, total


@dataclass(frozen=True, eq=False)
class Factors:
    """One value's part of a generation: rows U_r, D_r, E_r, each `(*B, R, n)`."""

    u: Tensor
    d: Tensor
    e: Block

    def scaled(self, factor: Tensor) -> "Factors":
        """For the value times `factor` `(*B, n)`, elementwise."""
        f = factor[..., None, :]
        e = Block(self.e.values * factor, True) if self.e.diagonal else Block(self.e.values * f)
        return Factors(self.u * f, self.d * f, e)

    def cubes(self, signs: Tensor) -> Tensor:
        """kappa(x_a, x_a, x_a), `(*B, n)`."""
        if self.e.diagonal:
            u, d = (torch.diagonal(x, dim1=-2, dim2=-1) for x in (self.u, self.d))
            return self.e.values * (signs * u.square() + d * self.e.values)
        e = self.e.values
        # u and d share one factor e.
        return ((signs[..., :, None] * self.u.square()).addcmul(self.d, e) * e).sum(-2)


@dataclass(frozen=True, eq=False)
class Generation:
    """The factors that one activation layer began.

    Args:
        signs: s_r, `(*B, R)`.
        rows: of every value that is still needed.
    """

    signs: Tensor
    rows: dict[int, Factors]

    @property
    def size(self) -> int:
        """R, times the number of pieces."""
        return self.signs.numel()

    def only(self, live: set[int]) -> "Generation":
        """Without the values that are not needed any more."""
        return Generation(self.signs, {j: f for j, f in self.rows.items() if j in live})


def pushed(parts: list[tuple[LinearMap, Factors]]) -> Factors:
    """The factors of a sum of linear maps of values."""
    u = total(a(f.u) for a, f in parts)
    d = total(a(f.d) for a, f in parts)
    e = sum_of(f.e.T.times(a) for a, f in parts)
    return Factors(u, d, e.T)


def slices(parts: list[tuple[Tensor, Factors, Factors]]) -> Tensor:
    """kappa(x_a, x_a, y_b), `(*B, n, m)`, of two values x, y by their factors."""
    found = []
    for signs, x, y in parts:
        ex, ey = x.e.dense, y.e.dense
        su = signs[..., :, None] * x.u
        first = (su * x.u).addcmul(x.d, ex, value=2.0)
        found.append(first.mT @ ey + 2.0 * (su * ex).mT @ y.u + ex.square().mT @ y.d)
    return total(found) / 3.0
