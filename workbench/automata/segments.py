"""Measures of k neighbouring cells of a line, and their exact image under an elementary rule.

A generation on, k cells hang on k + 2. Their chances follow from the measure μ of k cells as a
Markov chain of order k - 1,

    P(x_1 .. x_{k+2}) = μ(x_1 .. x_k) μ(x_{k+1} | x_2 .. x_k) μ(x_{k+2} | x_3 .. x_{k+1}),

the extension of greatest entropy, and the image is the sum over all x that become the segment.
k = 1 is mean field. From a random line the density is exact for t generations where 2 t - 1 <= k.

Source: the local structure theory of Gutowitz, Victor & Knight, Physica D 28 (1987) 18.
"""

from dataclasses import dataclass

import numpy as np

from workbench.automata.rule import Cells, Elementary
from workbench.errors import BadInput, NotConverged

MOST = 16
"""The longest segments: 2^18 chances are summed a generation."""


@dataclass(frozen=True)
class Segments:
    """The chance of every k neighbouring cells, alike everywhere on the line.

    Args:
        table: `(2^k,)`, the first cell is the highest bit.
    """

    table: np.ndarray

    @property
    def order(self) -> int:
        """k."""
        return len(self.table).bit_length() - 1

    @property
    def density(self) -> float:
        """The chance that a cell lives."""
        return float(self.table[len(self.table) // 2 :].sum())

    @staticmethod
    def independent(density: float, order: int) -> "Segments":
        """Of a random line. Raises `BadInput` for a density or an order out of bounds."""
        if not 0.0 <= density <= 1.0:
            raise BadInput(f"a density lies between 0 and 1, got {density}")
        if not 1 <= order <= MOST:
            raise BadInput(f"segments have 1 to {MOST} cells, got {order}")
        table = np.ones(1)
        for _ in range(order):
            table = np.outer(table, [1.0 - density, density]).ravel()
        return Segments(table)

    @staticmethod
    def counted(cells: Cells, order: int) -> "Segments":
        """Of rings `(..., columns)`, as they are seen."""
        code = np.zeros(cells.shape, np.int64)
        for k in range(order):
            code = 2 * code + np.roll(cells, -k, -1)
        return Segments(np.bincount(code.ravel(), minlength=2**order) / cells.size)

    def longer(self, order: int) -> "Segments":
        """Of more cells, by the Markov chain."""
        pairs = self.table.reshape(-1, 2)
        known = pairs.sum(1, keepdims=True)
        onward = np.divide(pairs, known, out=np.zeros_like(pairs), where=known > 0)
        table = self.table
        while len(table) < 2**order:
            table = (table.reshape(-1, len(onward), 1) * onward).ravel()
        return Segments(table)

    def log_p(self, cells: Cells) -> np.ndarray:
        """log of the chance of segments `(..., n)` with n >= k, natural, by the Markov chain."""
        k, weight = self.order, 1 << np.arange(self.order - 1, -1, -1)
        codes = np.lib.stride_tricks.sliding_window_view(cells, k, -1) @ weight
        with np.errstate(divide="ignore", invalid="ignore"):  # of what the measure excludes
            whole, context = np.log(self.table), np.log(self.table.reshape(-1, 2).sum(1))
            found = whole[codes].sum(-1) - context[codes[..., 1:] >> 1].sum(-1)
        return np.where(np.isnan(found), -np.inf, found)

    def image(self, rule: Elementary) -> "Segments":
        """A generation on. Raises `NotConverged` where the chain lost its mass."""
        k = self.order
        long = self.longer(k + 2).table
        codes = np.arange(len(long))
        made = np.zeros_like(codes)
        for j in range(k):
            made = 2 * made + rule.table[codes >> (k - 1 - j) & 7]
        table = np.bincount(made, weights=long, minlength=2**k)
        total = table.sum()
        if not np.isfinite(total) or total < 0.5:
            raise NotConverged(f"the image of segments of {k} cells lost its mass: {total:.3g}")
        return Segments(table / total)
