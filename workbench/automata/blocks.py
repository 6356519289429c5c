"""Measures of 2 x 2 or 3 x 3 blocks, and their exact image under a life-like rule.

A block measure μ gives the chance of every pattern of m x m cells, alike everywhere on the plane. A
generation on, an m x m block hangs on (m + 2) x (m + 2) cells; their chances follow from μ by a
junction tree of its blocks: down a strip of m columns, row by row given the m - 1 rows above, and
across, column by column given the columns before,

    S(c_1 .. c_m)         = μ(r_1 .. r_m) Π_k μ(r_{k+m} | r_{k+1} .. r_{k+m-1}),
    P(c_1 .. c_{m+2})     = S(c_1 .. c_m) Π_j S(c_{j+m} | c_{j+1} .. c_{j+m-1}),

and the sum over all of them is taken exactly, by transfer from column to column. From a random
board everything is exact for one generation, and the density for t of them where 2 t - 1 <= m: one
for 2 x 2 blocks, two for 3 x 3. The order in which the tree is built singles out a direction, so
the image is averaged over the eight symmetries of the square.

Source: local structure theory, Gutowitz, Victor & Knight, Physica D 28 (1987) 18; on the plane
Gutowitz & Victor, Complex Systems 1 (1987) 57; junction trees: Lauritzen, Graphical Models (1996).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np

from workbench.automata.rule import LifeLike
from workbench.errors import BadInput, NotConverged

Closure: TypeAlias = Literal["cell", "pair", "2x2", "3x3"]
"""What is kept of a generation: the density, the chances of two neighbours, or of whole blocks."""

CLOSURES = get_args(Closure)
_FITTING, _SETTLED = 10_000, 1e-15


@dataclass(frozen=True)
class Blocks:
    """A block measure.

    Args:
        table: `(2,) * (m * m)`, the chance of every block, cells row by row.
    """

    table: np.ndarray

    @property
    def side(self) -> int:
        """m."""
        return {4: 2, 9: 3}[self.table.ndim]

    @property
    def density(self) -> float:
        """The chance that a cell lives."""
        return float(self.marginal((0,))[1])

    def marginal(self, kept: tuple[int, ...]) -> np.ndarray:
        """`(2,) * len(kept)`: of these cells of the block, by their numbers row by row."""
        return self.table.sum(tuple(k for k in range(self.table.ndim) if k not in kept))

    @staticmethod
    def independent(density: float, side: int) -> "Blocks":
        """Of a random board. Raises `BadInput` for a density outside [0, 1]."""
        if not 0.0 <= density <= 1.0:
            raise BadInput(f"a density lies between 0 and 1, got {density}")
        table = np.ones(())
        for _ in range(side * side):
            table = np.multiply.outer(table, [1.0 - density, density])
        return Blocks(table)

    @staticmethod
    def counted(cells: np.ndarray, side: int) -> "Blocks":
        """Of a board `(rows, columns)` with wrap-around edges, turned all ways."""
        code = np.zeros(cells.shape, np.int64)
        for k in range(side * side):
            code += np.roll(cells, (-(k // side), -(k % side)), (0, 1)).astype(np.int64) << (
                side * side - 1 - k
            )
        counts = np.bincount(code.ravel(), minlength=2 ** (side * side))
        return symmetric(Blocks((counts / cells.size).reshape((2,) * side**2)))

    def foretold(self, rule: LifeLike) -> float:
        """The density a generation on: of 3 x 3 blocks from the blocks themselves, which hold a
        whole neighbourhood."""
        if self.side == 2:
            return self.image(rule).density
        rows = self.table.reshape(8, 8, 8)
        bits = np.arange(8)[:, None] >> np.array([2, 1, 0]) & 1
        a, b, c = bits.sum(1)[:, None, None], bits.sum(1)[:, None], bits.sum(1)
        own = np.broadcast_to(bits[:, 1][:, None], rows.shape)
        return float((rows * rule.table[own, a + b + c - own]).sum())

    def image(self, rule: LifeLike) -> "Blocks":
        """The block measure a generation on. Raises `NotConverged` where it is no measure."""
        m = self.side
        strip = self._strip()
        before = strip.sum(2, keepdims=True)
        onward = np.divide(strip, before, out=np.zeros_like(strip), where=before > 0)
        made = _columns(rule, m)
        size = strip.shape[0]
        chance = strip.reshape(1, size, size, size)
        for j in range(m):
            if j:
                chance = chance[..., None] * onward
            chance = _sorted(chance, made, 2**m)
        table = chance.sum((1, 2)).reshape((2,) * (m * m))
        table = table.transpose([c * m + r for r in range(m) for c in range(m)])
        total = table.sum()
        if not np.isfinite(total) or total < 0.5:
            raise NotConverged(f"the image of a {m} x {m} block measure lost its mass: {total:.3g}")
        return symmetric(Blocks(table / total))

    def _strip(self) -> np.ndarray:
        """`(2^(m+2),) * 3`: of three neighbouring columns of m + 2 cells each."""
        m = self.side
        rows = self.table.reshape((2**m,) * m)
        above = rows.sum(-1, keepdims=True)
        below = np.divide(rows, above, out=np.zeros_like(rows), where=above > 0)
        tall = rows
        for _ in range(2):
            tall = tall[..., None] * below  # its last m - 1 axes are the rows above the new one
        by_cell = tall.reshape((2,) * (m * (m + 2)))
        by_column = by_cell.transpose([r * m + c for c in range(m) for r in range(m + 2)])
        strip = by_column.reshape((2 ** (m + 2),) * m)
        if m == 3:
            return strip
        first = strip.sum(1, keepdims=True)
        return strip[..., None] * np.divide(strip, first, out=np.zeros_like(strip), where=first > 0)


def _columns(rule: LifeLike, m: int) -> np.ndarray:
    """`(2^(m+2),) * 3` of codes: what m cells three columns of m + 2 become in their middle."""
    size = 2 ** (m + 2)
    bits = (np.arange(size)[:, None] >> np.arange(m + 1, -1, -1)) & 1  # first row first
    a, b, c = (bits.reshape([size if k == j else 1 for k in range(3)] + [m + 2]) for j in range(3))
    three = a + b + c
    count = three[..., :-2] + three[..., 1:-1] + three[..., 2:] - b[..., 1:-1]
    own = np.broadcast_to(b[..., 1:-1], count.shape)
    return (rule.table[own, count] << np.arange(m - 1, -1, -1)).sum(-1)


def _sorted(chance: np.ndarray, made: np.ndarray, codes: int) -> np.ndarray:
    """Sum over the first of the last three columns, apart by what they become.

    `(k, size, size, size)` -> `(k * codes, size, size)`.
    """
    parts = [(chance * (made == code)).sum(-3) for code in range(codes)]
    return np.stack(parts, 1).reshape(-1, *chance.shape[-2:])


def symmetric(blocks: Blocks) -> Blocks:
    """The mean over the eight symmetries of the square."""
    m = blocks.side
    grid = np.arange(m * m).reshape(m, m)
    turned = [np.rot90(g, k) for g in (grid, grid.T) for k in range(4)]
    return Blocks(np.mean([blocks.table.transpose(g.ravel().tolist()) for g in turned], axis=0))


def paired(blocks: Blocks) -> Blocks:
    """The 2 x 2 measure of greatest entropy among those with the same pairs of neighbours.

    By iterative proportional fitting over the four pairs of the square.

    Raises:
        NotConverged: where the fit does not settle.
    """
    pair = blocks.marginal((0, 1))
    table = Blocks.independent(blocks.density, 2).table
    for _ in range(_FITTING):
        old = table
        for kept in ((0, 1), (2, 3), (0, 2), (1, 3)):
            away = tuple(k for k in range(4) if k not in kept)
            now = table.sum(away, keepdims=True)
            want = np.expand_dims(pair, away)
            table = table * np.divide(want, now, out=np.zeros_like(now), where=now > 0)
        if np.abs(table - old).max() < _SETTLED:
            return symmetric(Blocks(table))
    raise NotConverged("the fit of a 2 x 2 measure to its pairs did not settle")


def forget(closure: Closure) -> Callable[[Blocks], Blocks]:
    """What a closure makes of an image before the next generation."""
    if closure == "cell":
        return lambda blocks: Blocks.independent(blocks.density, 2)
    return paired if closure == "pair" else lambda blocks: blocks
