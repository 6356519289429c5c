"""The density given what was found: settled ground and its structures, and the restless rest.

Once structures persist, presuming independent cells is hopeless; presuming independence *given*
them is not. The board is taken as a mixture: what lies farther than `REACH` from every cell that
belongs to no found structure is settled, and its density stays what it is; the rest is restless,
and settles in time as the settled part did. With the restless share a(t) and the density on either
part,

    ρ(t) = (1 - a(t)) ρ_settled + a(t) ρ_restless,    a(t) = a(t_0) (t / t_0)^-b  for t > t_0,

where b comes from two looks at the board, at t_0 and before it, as if restlessness had no scale of
its own; in the Game of Life it dies out faster in the end, so that this keeps it too long. A third
look, as many times earlier again, tells by which factor r the fall of log a grows from one such
span to the next: then a is a stretched exponential (Kohlrausch 1854), and with k spans since t_0

    log a(t) = log a(t_0) - f (r + r^2 + ... + r^k),    f the fall over the last span.

At last ρ -> ρ_settled. Nothing later than t_0 is used.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_dilation

from workbench.automata.census import TILES, Census
from workbench.automata.rule import Cells
from workbench.automata.surprise import Found
from workbench.errors import BadInput, NotConverged

REACH = 3
"""Cells: nothing restless touches settled ground within so many generations."""


@dataclass(frozen=True)
class Settled:
    """A board parted by what was found on it.

    Args:
        density: of all of it.
        share: of its cells that are settled.
        ash: density of the settled part; `nan` where there is none.
        ash_err: its standard error, from 16 tiles.
        restless: density of the rest; 0 where there is none.
    """

    density: float
    share: float
    ash: float
    ash_err: float
    restless: float


def persistent(found: Sequence[Found]) -> list[str]:
    """All phases of the found structures that persist."""
    return sorted({phase for one in found if one.fate.persists for phase in one.fate.phases})


def settle(board: Cells, census: Census, structures: Sequence[str]) -> Settled:
    """Part a board `(rows, columns)` into settled and restless ground.

    Args:
        census: of this board.
        structures: patterns that persist, as `persistent` gives them.
    """
    loose = board & ~census.territory(structures)
    edge = 2 * REACH
    wide = np.pad(loose, edge, mode="wrap")
    near = np.asarray(binary_dilation(wide, np.ones((3, 3)), iterations=REACH), bool)
    calm = np.logical_not(near[edge:-edge, edge:-edge])
    ash = board & calm
    rows, columns = board.shape
    size = math.ceil(rows / TILES), math.ceil(columns / TILES)
    places = [
        (slice(i * size[0], (i + 1) * size[0]), slice(j * size[1], (j + 1) * size[1]))
        for i in range(TILES) for j in range(TILES)
    ]  # fmt: skip
    area, live = calm.sum(), ash.sum()
    if not area:
        return Settled(float(board.mean()), 0.0, math.nan, math.inf, float(board.mean()))
    ratio = live / area
    apart = [float(ash[at].sum() - ratio * calm[at].sum()) for at in places]
    spread = math.sqrt(len(apart) * float(np.var(apart, ddof=1))) / area
    rest = board.size - area
    return Settled(
        float(board.mean()), float(area / board.size), float(ratio), spread,
        float((board.sum() - live) / rest) if rest else 0.0,
    )  # fmt: skip


@dataclass(frozen=True)
class Forecast:
    """Densities foretold from two or three looks at a board.

    Args:
        early, late: the board at `before` and at `now`, parted.
        before, now: generations, 0 < before < now.
        first: the board at before² / now, parted; without it restlessness has no scale.
    """

    early: Settled
    late: Settled
    before: int
    now: int
    first: Settled | None = None

    def __post_init__(self) -> None:
        if not 0 < self.before < self.now:
            raise BadInput(
                f"a forecast takes two generations in order, got {self.before} and {self.now}"
            )
        if self.late.share <= 0.0:
            raise NotConverged(
                f"at generation {self.now} no part of the board has settled into structures that "
                "were found: look later, or at another rule"
            )

    @property
    def rate(self) -> float:
        """b: how fast the restless share falls, at least 0."""
        first, last = 1.0 - self.early.share, 1.0 - self.late.share
        if last <= 0.0:
            return 0.0
        return max(0.0, math.log(first / last) / math.log(self.now / self.before))

    @property
    def growth(self) -> float:
        """r, at least 1; 1 where there is no third look, or nothing falls."""
        if self.first is None or self.late.share >= 1.0:
            return 1.0
        first, early, late = (1.0 - s.share for s in (self.first, self.early, self.late))
        if not first > early > late:
            return 1.0
        return max(1.0, math.log(early / late) / math.log(first / early))

    def density(self, generation: int) -> float:
        """ρ at `now` or later."""
        if generation < self.now:
            raise BadInput(f"a forecast from generation {self.now} does not tell of {generation}")
        restless = (1.0 - self.late.share) * (generation / self.now) ** -self.rate
        if self.first is not None and self.growth != 1.0 and self.rate > 0.0:
            fall = math.log((1.0 - self.early.share) / (1.0 - self.late.share))
            spans = math.log(generation / self.now) / math.log(self.now / self.before)
            r = self.growth
            restless = (1.0 - self.late.share) * math.exp(-fall * r * (r**spans - 1.0) / (r - 1.0))
        return (1.0 - restless) * self.late.ash + restless * self.late.restless

    @property
    def limit(self) -> float:
        """ρ in the end."""
        return self.late.ash
