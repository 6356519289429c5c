"""A board under way: a plane in packed words where its rule is life-like, else a line."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from workbench.automata.packed import Packed
from workbench.automata.random_start import random_line, random_plane
from workbench.automata.rule import Cells, Elementary, LifeLike, Rule
from workbench.rng import Rng

TRAIL = 256
"""Generations of a line that are remembered."""


class Board(Protocol):
    """What steps."""

    @property
    def cells(self) -> Cells: ...
    @property
    def density(self) -> float: ...
    def next(self) -> "Board": ...
    def trail(self, before: np.ndarray | None) -> np.ndarray | None: ...


@dataclass(frozen=True)
class Plane:
    """A torus under a life-like rule."""

    rule: LifeLike
    packed: Packed

    @property
    def cells(self) -> Cells:
        """Booleans `(rows, columns)`."""
        return self.packed.cells

    @property
    def density(self) -> float:
        """The share of live cells."""
        return self.packed.density

    def next(self) -> "Plane":
        """The next generation."""
        return Plane(self.rule, self.packed.next(self.rule))

    def trail(self, before: np.ndarray | None) -> None:
        """A plane leaves none."""


@dataclass(frozen=True)
class Line:
    """A ring under an elementary rule."""

    rule: Elementary
    cells: Cells

    @property
    def density(self) -> float:
        """The share of live cells."""
        return float(self.cells.mean())

    def next(self) -> "Line":
        """The next generation."""
        return Line(self.rule, self.rule(self.cells))

    def trail(self, before: np.ndarray | None) -> np.ndarray:
        """The last generations with this one, `(t, columns)`, t at most `TRAIL`."""
        now = self.cells[None]
        return now if before is None else np.concatenate([before, now])[-TRAIL:]


def start(rule: Rule, side: int, density: float, rng: Rng | int = 0) -> Board:
    """A random first generation: `side` x `side` cells of a plane, or 64 `side` of a line.

    Raises:
        BadInput: for a density outside [0, 1], or a plane whose side is no multiple of 64.
    """
    if isinstance(rule, LifeLike):
        return Plane(rule, Packed.of(random_plane(side, side, density, rng)))
    return Line(rule, random_line(64 * side, density, rng))
