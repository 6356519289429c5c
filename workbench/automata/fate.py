"""What becomes of a pattern that is alone: stands still, oscillates, flies, dies, or goes on."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

from workbench.automata.rule import Cells, LifeLike
from workbench.automata.windows import draw, read, standard, turned

PATIENCE = 32
"""Generations after which a pattern that has not come back counts as restless."""

Kind = Literal["still life", "oscillator", "spaceship", "dies", "restless"]


@dataclass(frozen=True)
class Fate:
    """What becomes of a pattern.

    Args:
        kind: in a word.
        period: generations until it is itself again; until it is gone where it dies; else 0.
        shift: rows and columns that it has moved by then.
        population: live cells, the mean over a period; 0 where it does not come back.
        phases: what it looks like on the way, each once, symmetric images merged.
    """

    kind: Kind
    period: int
    shift: tuple[int, int] = (0, 0)
    population: float = 0.0
    phases: tuple[str, ...] = ()

    @property
    def persists(self) -> bool:
        """Whether it comes back, here or elsewhere."""
        return self.kind in ("still life", "oscillator", "spaceship")


def fates(rule: LifeLike, patterns: Sequence[Cells], patience: int = PATIENCE) -> list[Fate]:
    """The fate of every pattern, each run alone; all of them at once.

    Args:
        patterns: booleans `(h, w)` each.
        patience: generations to wait; nothing moves faster than a cell a generation, so that the
            board around a pattern is large enough to be the infinite plane.

    Where the empty plane comes alive (B0...) no pattern is ever alone: all are restless.
    """
    if not patterns:
        return []
    if 0 in rule.born:
        return [Fate("restless", 0) for _ in patterns]
    side = max(max(p.shape) for p in patterns) + 2 * patience + 2
    boards = np.zeros((len(patterns), side, side), bool)
    for board, pattern in zip(boards, patterns, strict=True):
        board[patience + 1 :, patience + 1 :][: pattern.shape[0], : pattern.shape[1]] = pattern
    first = [_cut(board) for board in boards]
    seen: list[list[Cells]] = [[cut[0]] for cut in first]
    found: list[Fate | None] = [None] * len(patterns)
    for t in range(1, patience + 1):
        open_ = [k for k, fate in enumerate(found) if fate is None]
        if not open_:
            break
        boards[open_] = rule(boards[open_])
        for k in open_:
            shape, y, x = _cut(boards[k])
            if not shape.size:
                found[k] = Fate("dies", t)
            elif np.array_equal(shape, first[k][0]):
                shift = (y - first[k][1], x - first[k][2])
                kind: Kind = "spaceship" if any(shift) else "oscillator" if t > 1 else "still life"
                population = float(np.mean([s.sum() for s in seen[k]]))
                phases = tuple(dict.fromkeys(draw(standard(s)) for s in seen[k]))
                found[k] = Fate(kind, t, shift, population, phases)
            else:
                seen[k].append(shape)
    return [fate or Fate("restless", 0) for fate in found]


def _cut(board: Cells) -> tuple[Cells, int, int]:
    """The live part of a board, and where its upper left cell stands."""
    rows, columns = np.nonzero(board.any(1))[0], np.nonzero(board.any(0))[0]
    if not len(rows):
        return board[:0, :0], 0, 0
    y, x = int(rows[0]), int(columns[0])
    return board[y : rows[-1] + 1, x : columns[-1] + 1].copy(), y, x


KNOWN = {
    "block": "oo/oo", "blinker": "ooo", "beehive": ".oo./o..o/.oo.", "loaf": ".oo./o..o/.o.o/..o.",
    "boat": "oo./o.o/.o.", "ship": "oo./o.o/.oo", "tub": ".o./o.o/.o.",
    "pond": ".oo./o..o/o..o/.oo.", "glider": ".o./..o/ooo",
    "toad": ".ooo/ooo.", "beacon": "oo../oo../..oo/..oo",
    "lightweight spaceship": ".o..o/o..../o...o/oooo.", "long boat": "oo../o.o./.o.o/..o.",
    "barge": ".o../o.o./.o.o/..o.", "mango": ".oo../o..o./.o..o/..oo.", "snake": "oo.o/o.oo",
    "aircraft carrier": "oo../o..o/..oo", "eater": "oo../o.o./..o./..oo",
    "long barge": ".o.../o.o../.o.o./..o.o/...o.", "long ship": "oo../o.o./.o.o/..oo",
    "hat": "..o../.o.o./.o.o./oo.oo", "integral sign": "...oo/..o.o/..o../o.o../oo...",
    "shillelagh": "oo.../o..oo/.oo.o",
    "moose antlers": "oo.....oo/o.......o/.ooo.ooo./...o.o.../....o....",
}  # fmt: skip
"""{name: one of its phases}, by the names of the community of the Game of Life."""


@cache
def _names() -> dict[str, str]:
    life = LifeLike.parse("B3/S23")
    shapes = [read(text) for text in KNOWN.values()]
    return {
        phase: name
        for name, fate in zip(KNOWN, fates(life, shapes), strict=True)
        for phase in fate.phases
    }


def name_of(cells: Cells) -> str:
    """What a pattern is called in the Game of Life, in any phase, turned any way; "" if unknown."""
    return _names().get(draw(turned(cells)[0]), "")
