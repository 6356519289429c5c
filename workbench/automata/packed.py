"""Large planes, 64 cells to a word: hundreds to thousands of generations a second.

Neighbours are counted in bit planes by carry-save adders, so that one operation of the processor
works on 64 cells; see Knuth, The Art of Computer Programming 4A, section 7.1.3.
"""

from dataclasses import dataclass

import numpy as np

from workbench.automata.rule import Cells, LifeLike
from workbench.errors import BadInput

_WORD = 64
_ONE, _LAST = np.uint64(1), np.uint64(_WORD - 1)


@dataclass(frozen=True)
class Packed:
    """A plane with wrap-around edges.

    Args:
        words: `(rows, columns / 64)` of uint64; the first column is the lowest bit.
    """

    words: np.ndarray

    @staticmethod
    def of(cells: Cells) -> "Packed":
        """From booleans `(rows, columns)`. Raises `BadInput` unless 64 divides the columns."""
        if cells.ndim != 2 or cells.shape[1] % _WORD:
            raise BadInput(
                f"a packed plane has a multiple of {_WORD} columns, got cells of shape "
                f"{cells.shape}"
            )
        packed = np.packbits(cells, axis=1, bitorder="little")
        return Packed(np.ascontiguousarray(packed).view("<u8").astype(np.uint64))

    @property
    def cells(self) -> Cells:
        """Booleans `(rows, columns)`."""
        as_bytes = self.words.astype("<u8").view(np.uint8)
        return np.unpackbits(as_bytes, axis=1, bitorder="little").astype(bool)

    @property
    def density(self) -> float:
        """The share of live cells."""
        return int(np.bitwise_count(self.words).sum()) / (_WORD * self.words.size)

    def next(self, rule: LifeLike) -> "Packed":
        """The next generation."""
        return Packed(_next(self.words, rule))

    def run(self, rule: LifeLike, generations: int) -> "Packed":
        """Several generations on."""
        words = self.words
        for _ in range(generations):
            words = _next(words, rule)
        return Packed(words)


def _next(c: np.ndarray, rule: LifeLike) -> np.ndarray:
    west = (c << _ONE) | (np.roll(c, 1, 1) >> _LAST)
    east = (c >> _ONE) | (np.roll(c, -1, 1) << _LAST)
    pair = west ^ east
    ones, twos = pair ^ c, (west & east) | (pair & c)  # of three cells in a row, as bits 1 and 2
    # Nine cells: three rows' ones make a bit and a carry, their twos likewise.
    a, b = np.roll(ones, 1, 0), np.roll(ones, -1, 0)
    half = a ^ b
    t0, carry = half ^ ones, (a & b) | (half & ones)
    a, b = np.roll(twos, 1, 0), np.roll(twos, -1, 0)
    half = a ^ b
    low, fours = half ^ twos, (a & b) | (half & twos)
    t1, up = low ^ carry, low & carry
    t2, t3 = fours ^ up, fours & up  # 2 (low + carry) + 4 fours, with t3 worth eight
    return _select(c, (t0, t1, t2, t3), rule)


def _select(c: np.ndarray, bits: tuple[np.ndarray, ...], rule: LifeLike) -> np.ndarray:
    """Where the count of nine, the cell itself included, makes the next cell live."""
    found = np.zeros_like(c)
    for count in range(10):
        born, stays = count in rule.born, count - 1 in rule.survives
        if not born and not stays:
            continue
        term = None if born and stays else (c if stays else ~c)
        for k, bit in enumerate(bits):
            factor = bit if count >> k & 1 else ~bit
            term = factor if term is None else term & factor
        assert term is not None
        found |= term
    return found
