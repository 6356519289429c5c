"""All that is found on one board: structures of a plane, or background and gliders of a line."""

from dataclasses import dataclass

import numpy as np

from workbench.automata.background import LATEST, Background, background
from workbench.automata.blocks import Closure
from workbench.automata.board import Board, Plane
from workbench.automata.census import Census
from workbench.automata.gliders import Glider, breaks, defects, gliders
from workbench.automata.rule import Elementary, LifeLike, Rule
from workbench.automata.settled import Forecast, Settled, persistent, settle
from workbench.automata.surprise import Found, surprises
from workbench.errors import NotConverged

_ORDERS: dict[str, int] = {"cell": 1, "pair": 2, "2x2": 4}


@dataclass(frozen=True)
class Look:
    """What stands out on a board against a presumption.

    Args:
        structures: of a plane.
        settled: a plane, parted by those that persist.
        territory: `(rows, columns)` booleans, the ground of those that persist.
        ground: of a line; None where none has formed.
        share: of the line that is background.
        movers: of a line.
    """

    structures: tuple[Found, ...] = ()
    settled: Settled | None = None
    territory: np.ndarray | None = None
    ground: Background | None = None
    share: float = 0.0
    movers: tuple[Glider, ...] = ()


def look(rule: Rule, board: Board, trail: np.ndarray | None, presumption: Closure) -> Look:
    """Find what stands out.

    Args:
        board: the present one.
        trail: of a line, its last generations, this one last.
        presumption: of single cells, pairs or 2 x 2 blocks; on a line segments of 1, 2 or 4 cells.
    """
    if isinstance(rule, LifeLike):
        cells = board.cells
        census = Census.of(cells)
        found = surprises(rule, cells, presumption, census)
        lasting = persistent(found)
        return Look(tuple(found), settle(cells, census, lasting), census.territory(lasting))
    assert isinstance(rule, Elementary)
    if trail is None or len(trail) <= LATEST:
        return Look()
    try:
        ground = background(trail[-LATEST - 1 :])
    except NotConverged:
        return Look()
    found = defects(rule, board.cells, ground, _ORDERS[presumption])
    return Look(
        ground=ground, share=breaks(board.cells, ground)[1], movers=tuple(gliders(found))
    )  # fmt: skip


def looks_ahead(rule: LifeLike, first: Board, now: int) -> Forecast | None:
    """A forecast from `now`, half and a quarter of it; None where nothing has settled.

    Args:
        first: generation 0 of a plane.
        now: at least 4; the structures are those found there against pairs of neighbours.
    """
    assert isinstance(first, Plane)
    first_look = first.packed.run(rule, now // 4)
    early = first_look.run(rule, now // 2 - now // 4)
    late = early.run(rule, now - now // 2).cells
    census = Census.of(late)
    lasting = persistent(surprises(rule, late, "pair", census))
    parted = [settle(b.cells, Census.of(b.cells), lasting) for b in (first_look, early)]
    try:
        return Forecast(parted[1], settle(late, census, lasting), now // 2, now, parted[0])
    except NotConverged:
        return None
