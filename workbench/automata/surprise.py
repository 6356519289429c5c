"""Which islands stand on a board far oftener than a presumption about its cells has it.

For every island, all its symmetric images together: how often it is seen, how often the presumption
expects it, and the decimal logarithm of their ratio with its standard error. The expectation is
that of a framed rectangle under a block measure counted on the same board: of single cells, of
pairs of neighbours, or of 2 x 2 blocks (`blocks.CLOSURES`), extended as in `blocks`. Chance is held
against every island that there could have been: an island counts as found where its count has a
probability below `LEVEL` / (number of possible islands) under a Poisson law of the expected mean,
which is what counts of rare framed rectangles of independent cells follow (Chen-Stein; Arratia,
Goldstein & Gordon, Statist. Sci. 5 (1990) 403).
"""

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from scipy.ndimage import find_objects, label
from scipy.special import pdtrc

from workbench.automata.blocks import Blocks, Closure, forget
from workbench.automata.census import Census
from workbench.automata.fate import Fate, fates, name_of
from workbench.automata.rule import Cells, LifeLike
from workbench.automata.windows import LARGEST, read, turned
from workbench.errors import BadInput

LEVEL = 1e-3
"""The chance that anything at all is found on a board where the presumption holds."""
LEAST, MOST = 3, 200
"""Islands seen less often are passed over, and so many are given at most."""


@dataclass(frozen=True)
class Found:
    """An over-represented island.

    Args:
        pattern: as text, one of its symmetric images.
        name: what it is called, or "".
        count: how often it stands on the board, turned and mirrored ones too.
        expected: how often the presumption has it.
        log10_ratio: log10 of count / expected.
        log10_err: its standard error, from the counts of 16 tiles, at least Poisson's.
        evidence: nats, count * ln(count / expected) - count + expected, by which they are ordered.
        fate: what becomes of it alone.
    """

    pattern: str
    name: str
    count: int
    expected: float
    log10_ratio: float
    log10_err: float
    evidence: float
    fate: Fate


def log_p(blocks: Blocks, windows: Cells) -> np.ndarray:
    """`(n,)`: natural log of the chance of rectangles `(n, h, w)`, at least 2 x 2, under a 2 x 2
    measure extended down strips of two columns and across them."""
    with np.errstate(divide="ignore"):
        four = np.log(blocks.table)
        row = np.log(blocks.marginal((0, 1)))
    w = windows.astype(np.int8)
    a, b = w[:, :, :-1], w[:, :, 1:]
    squares = four[a[:, :-1], b[:, :-1], a[:, 1:], b[:, 1:]].sum((1, 2))
    strips = squares - row[a[:, 1:-1], b[:, 1:-1]].sum((1, 2))
    shared = [_log_column(blocks, w[:, :, j]) for j in range(1, w.shape[2] - 1)]
    return strips - np.sum(shared, axis=0)


def _log_column(blocks: Blocks, column: np.ndarray) -> np.ndarray:
    """`(n,)`: log of the chance of one column `(n, h)` of a strip of two, the other summed out."""
    four, row = blocks.table, blocks.marginal((0, 1))
    above = row[:, :, None, None]
    onward = np.divide(four, above, out=np.zeros_like(four), where=above > 0)
    chance = row[column[:, 0]]  # (n, 2), by the neighbour
    for r in range(1, column.shape[1]):
        step = onward[column[:, r - 1], :, column[:, r]]  # (n, neighbour above, neighbour)
        chance = np.einsum("na,nab->nb", chance, step)
    with np.errstate(divide="ignore"):
        return np.log(chance.sum(1))


def surprises(
    rule: LifeLike,
    board: Cells,
    presumption: Closure = "pair",
    census: Census | None = None,
    most: int = MOST,
) -> list[Found]:
    """The over-represented islands of a board in one piece, the most surprising first.

    The phases of an oscillator or of a spaceship are counted together.

    Args:
        rule: under which their fates are found.
        board: `(rows, columns)`, with wrap-around edges.
        presumption: of single cells, pairs, or 2 x 2 blocks.
        census: of this board, where it is known already.
        most: how many are given.

    Raises:
        BadInput: for 3 x 3 blocks, which are not extended to rectangles, or a board too small.
    """
    if presumption == "3x3":
        raise BadInput("a presumption of islands is of cells, pairs or 2x2 blocks, not 3x3")
    blocks = forget(presumption)(Blocks.counted(board, 2))
    census = census or Census.of(board)
    sides = range(1, LARGEST + 1)
    level = LEVEL / sum(2.0 ** (h * w) for h in sides for w in sides)
    found = []
    for pattern, places in census.places.items():
        seen, cells = len(places), read(pattern)
        if seen < LEAST or not in_one_piece(cells):
            continue
        logs = [log_p(blocks, np.pad(image, 1)[None])[0] for image in turned(cells)]
        expected = board.size * float(np.exp(logs).sum())
        if seen <= expected or pdtrc(seen - 1, expected) > level:
            continue
        found.append((gain(seen, expected), pattern, expected, census.tiles(pattern)))
    found.sort(key=lambda entry: (-entry[0], entry[1]))
    found = found[:most]
    known = fates(rule, [read(pattern) for _, pattern, _, _ in found])
    alike: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for k, fate in enumerate(known):
        alike[tuple(sorted(fate.phases)) or (found[k][1],)].append(k)
    made = []
    for group in alike.values():
        pattern, fate = found[group[0]][1], known[group[0]]
        expected = sum(found[k][2] for k in group)
        tiles = np.sum([found[k][3] for k in group], axis=0)
        seen = int(tiles.sum())
        made.append(
            Found(
                pattern, name_of(read(pattern)), seen, expected, math.log10(seen / expected),
                relative_error(tiles) / math.log(10), gain(seen, expected), fate,
            )
        )  # fmt: skip
    return sorted(made, key=lambda one: (-one.evidence, one.pattern))


def gain(seen: int, expected: float) -> float:
    """Nats by which a Poisson law of the seen mean beats one of the expected mean."""
    return seen * math.log(seen / expected) - seen + expected


def in_one_piece(cells: Cells) -> bool:
    """Whether no part of a pattern is an island by itself."""
    marks, parts = cast(Any, label(np.pad(cells, 1), np.ones((3, 3))))
    if parts == 1:
        return True
    return all(
        cells[max(0, y.start - 2) : y.stop, max(0, x.start - 2) : x.stop].sum()
        > (marks[y, x] == k + 1).sum()
        for k, (y, x) in enumerate(find_objects(marks))
    )


def relative_error(tiles: np.ndarray) -> float:
    """The relative standard error of a count, from its tiles; at least that of a Poisson count."""
    total = int(tiles.sum())
    spread = float(np.sqrt(len(tiles) * tiles.var(ddof=1)))
    return max(spread, math.sqrt(total)) / total
