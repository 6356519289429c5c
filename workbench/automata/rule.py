"""Rules of cellular automata: life-like ones on the plane, elementary ones on the line.

Both are local maps on arrays of booleans with wrap-around edges; leading axes are a batch.
"""

import re
from dataclasses import dataclass

import numpy as np

from workbench.errors import BadInput

Cells = np.ndarray
"""Booleans; the last two axes are rows and columns of a plane, or the last one is a line."""

_LIFE_LIKE = re.compile(r"B([0-8]*)/S([0-8]*)", re.IGNORECASE)


@dataclass(frozen=True)
class LifeLike:
    """A cell is born, or survives, by how many of its eight neighbours live.

    >>> life = LifeLike.parse("B3/S23")
    >>> blinker = np.zeros((5, 5), bool)
    >>> blinker[2, 1:4] = True
    >>> bool((life(blinker) == blinker.T).all())
    True

    Args:
        born: counts at which a dead cell comes to life.
        survives: counts at which a live one stays.

    Source: Gardner, Scientific American 223 (1970); the notation is Golly's.
    """

    born: frozenset[int]
    survives: frozenset[int]

    @staticmethod
    def parse(text: str) -> "LifeLike":
        """From `B<counts>/S<counts>`. Raises `BadInput` where the text is no such rule."""
        found = _LIFE_LIKE.fullmatch(text.strip())
        if found is None:
            raise BadInput(
                f"a life-like rule reads B<counts>/S<counts> with counts from 0 to 8, such as "
                f"B3/S23; got {text[:40]!r}"
            )
        born, survives = (frozenset(map(int, digits)) for digits in found.groups())
        return LifeLike(born, survives)

    def __str__(self) -> str:
        born, survives = ("".join(map(str, sorted(s))) for s in (self.born, self.survives))
        return f"B{born}/S{survives}"

    @property
    def table(self) -> np.ndarray:
        """`(2, 9)` booleans: the next state by the present one and the number of neighbours."""
        return np.array(
            [[n in self.born for n in range(9)], [n in self.survives for n in range(9)]]
        )

    def __call__(self, cells: Cells) -> Cells:
        """The next generation of planes `(..., rows, columns)`."""
        across = cells.astype(np.int8)
        across = across + np.roll(across, 1, -1) + np.roll(across, -1, -1)
        count = across + np.roll(across, 1, -2) + np.roll(across, -1, -2) - cells
        return self.table[cells.astype(np.int8), count]


@dataclass(frozen=True)
class Elementary:
    """A cell's next state by its left neighbour, itself and its right neighbour.

    >>> Elementary(110)(np.array([0, 0, 1, 0], bool)).astype(int).tolist()
    [0, 1, 1, 0]

    Args:
        number: bit 4 l + 2 c + r of it is the next state of c between l and r.

    Source: Wolfram, Rev. Mod. Phys. 55 (1983) 601.

    Raises:
        BadInput: for a number that is not 0 to 255.
    """

    number: int

    def __post_init__(self) -> None:
        if isinstance(self.number, bool) or not 0 <= self.number < 256:
            raise BadInput(f"an elementary automaton has a number from 0 to 255, got {self.number}")

    def __str__(self) -> str:
        return str(self.number)

    @property
    def table(self) -> np.ndarray:
        """`(8,)` booleans by 4 l + 2 c + r."""
        return np.array([bool(self.number >> k & 1) for k in range(8)])

    def __call__(self, cells: Cells) -> Cells:
        """The next generation of lines `(..., columns)`."""
        c = cells.astype(np.int8)
        return self.table[4 * np.roll(c, 1, -1) + 2 * c + np.roll(c, -1, -1)]


Rule = LifeLike | Elementary


def parse(text: str) -> Rule:
    """A rule from what one writes: `B3/S23`, or the number of an elementary automaton.

    >>> str(parse("b36/s23")), str(parse("110"))
    ('B36/S23', '110')

    Raises:
        BadInput: where it is neither.
    """
    text = text.strip()
    if text.isascii() and text.isdigit():
        return Elementary(int(text))
    if text[:1].upper() == "B":
        return LifeLike.parse(text)
    raise BadInput(
        "a rule reads B<counts>/S<counts>, such as B3/S23, or is the number of an elementary "
        f"automaton, 0 to 255, such as 110; got {text[:40]!r}"
    )
