"""Cells of R^m in which the numbers next to one more of a given rank stand still.

Let t be a number beside w in R^m. Which of the m + 1 has rank r (0 is the largest) depends on w by
its values of ranks r - 1, a, and r, b, alone: it is a where t > a, b where t < b, else t itself.
A cell fixes which entries a and b are and which are above and below; under N(0, I) all cells are
equally likely, and given the cell the entries follow from uniform numbers, as order statistics.
"""

from dataclasses import dataclass
from itertools import combinations
from math import comb

import torch
from scipy import special
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Cells:
    """All cells, and points in them.

    Args:
        m: how many numbers.
        rank: r, from 0 to m.
    """

    m: int
    rank: int

    @property
    def sides(self) -> tuple[int, int]:
        """How many entries are above a, and below b."""
        return max(self.rank - 1, 0), max(self.m - self.rank - 1, 0)

    @property
    def count(self) -> int:
        """How many cells there are."""
        above, _ = self.sides
        has_a, has_b = self.rank > 0, self.rank < self.m
        left = self.m - above
        return comb(self.m, above) * (left if has_a else 1) * (left - has_a if has_b else 1)

    def orders(self) -> Tensor:
        """Entries in every cell, those above first, then a, b and those below, `(count, m)`."""
        above, _ = self.sides
        middle = (self.rank > 0) + (self.rank < self.m)
        found = []
        for high in combinations(range(self.m), above):
            left = [i for i in range(self.m) if i not in high]
            pairs = [(i,) for i in left]
            if middle == 2:
                pairs = [(i, j) for i in left for j in left if i != j]
            found += [[*high, *p, *(i for i in left if i not in p)] for p in pairs]
        return torch.tensor(found)

    def draw(self, u: Tensor) -> Tensor:
        """N(0, I) given any one cell, entries in its order, from uniform numbers, both `(n, m)`.

        Phi(a) is the r-th largest of m uniform numbers, a Beta(m - r + 1, r) variable; given it
        Phi(b) is the largest of m - r numbers below; the others are uniform above a and below b.
        """
        m, r = self.m, self.rank
        above, below = self.sides
        parts, k = [], 0
        top = torch.ones_like(u[:, :1])
        if r > 0:
            top = u[:, :1] ** (1.0 / m)
            if r > 1:
                top = torch.from_numpy(special.betaincinv(m - r + 1, r, u[:, :1].numpy()))
            k = 1 + above
            parts += [top + (1.0 - top) * u[:, 1:k], top]
        if r < m:
            top = top * u[:, k : k + 1] ** (1.0 / (m - r))
            parts += [top, top * u[:, k + 1 : k + 1 + below]]
        return torch.special.ndtri(torch.cat(parts, 1))
