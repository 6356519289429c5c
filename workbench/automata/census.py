"""Where the islands of a board stand, symmetric images together."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from workbench.automata.rule import Cells
from workbench.automata.windows import LARGEST, draw, islands, standard

TILES = 4
"""A board is cut into 4 x 4 tiles, whose counts tell how sure a count is."""


@dataclass(frozen=True)
class Census:
    """All islands of a board.

    Args:
        shape: rows and columns of the board.
        places: {pattern, as `standard` gives it: `(n, 4)`}, upper row, left column, height and
            width of each.
    """

    shape: tuple[int, int]
    places: dict[str, np.ndarray]

    @staticmethod
    def of(board: Cells, largest: int = LARGEST) -> "Census":
        """Of a plane `(rows, columns)` with wrap-around edges; `largest` side of islands in cells.

        Raises:
            BadInput: for a board too small, or a `largest` out of bounds.
        """
        found: dict[str, list[np.ndarray]] = defaultdict(list)
        for group in islands(board, largest):
            n, h, w = group.cells.shape
            codes = group.cells.reshape(n, h * w) @ (1 << np.arange(h * w, dtype=np.int64))
            _, first, which = np.unique(codes, return_index=True, return_inverse=True)
            place = np.stack([group.rows, group.columns, np.full(n, h), np.full(n, w)], 1)
            for k, one in enumerate(first):
                found[draw(standard(group.cells[one]))].append(place[which == k])
        rows, columns = board.shape
        return Census((rows, columns), {key: np.concatenate(at) for key, at in found.items()})

    def tiles(self, pattern: str) -> np.ndarray:
        """`(16,)`: how often a pattern stands on each tile."""
        at, (rows, columns) = self.places[pattern], self.shape
        tile = TILES * (at[:, 0] * TILES // rows) + at[:, 1] * TILES // columns
        return np.bincount(tile, minlength=TILES**2)

    def territory(self, patterns: Iterable[str]) -> np.ndarray:
        """Booleans `(rows, columns)`: the cells of these islands and of their frames."""
        rows, columns = self.shape
        found = np.zeros(self.shape, bool)
        for pattern in patterns:
            for y, x, h, w in self.places.get(pattern, ()):
                across = np.arange(x - 1, x + w + 1) % columns
                found[np.arange(y - 1, y + h + 1)[:, None] % rows, across] = True
        return found
