"""Islands on a plane: rectangles that are alive inside, touch all four of their sides, and are dead
all around.

Whatever its shape, what stands alone is one island: a block is a live 2 x 2 with a dead frame of
4 x 4. So counting islands counts structures, and each once, where counting all patches would count
every corner of them too.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from workbench.automata.rule import Cells
from workbench.errors import BadInput

LARGEST = 7
"""Cells a side, at most: an island is a whole number of 49 bits."""


@dataclass(frozen=True)
class Islands:
    """All islands of one size on a board.

    Args:
        cells: `(n, h, w)` booleans, without their frames.
        rows, columns: `(n,)`, where their upper left cells stand.
    """

    cells: np.ndarray
    rows: np.ndarray
    columns: np.ndarray


def islands(board: Cells, largest: int = LARGEST) -> Iterator[Islands]:
    """The islands of a plane `(rows, columns)` with wrap-around edges, size by size.

    Args:
        largest: of their sides.

    Raises:
        BadInput: where `largest` is out of bounds, or the board is smaller than a framed island.
    """
    if not 1 <= largest <= LARGEST:
        raise BadInput(f"islands are 1 to {LARGEST} cells a side, got {largest}")
    if board.ndim != 2 or min(board.shape) < largest + 2:
        raise BadInput(
            f"islands of {largest} cells a side need a plane of {largest + 2} at least, got cells "
            f"of shape {board.shape}"
        )
    rows, columns = board.shape
    wide = np.pad(board, ((1, largest + 1), (1, largest + 1)), mode="wrap")
    sums = np.zeros((wide.shape[0] + 1, wide.shape[1] + 1), np.int32)
    np.cumsum(np.cumsum(wide, 0, dtype=np.int32), 1, out=sums[1:, 1:])

    def count(y: int, x: int, h: int, w: int) -> np.ndarray:
        """`(rows, columns)`: live cells of h x w rectangles, shifted by y and x from the frame."""
        a, b = slice(y, y + rows), slice(y + h, y + h + rows)
        c, d = slice(x, x + columns), slice(x + w, x + w + columns)
        return sums[b, d] - sums[a, d] - sums[b, c] + sums[a, c]

    for h in range(1, largest + 1):
        for w in range(1, largest + 1):
            inside = count(1, 1, h, w)
            y, x = np.nonzero((inside > 0) & (inside == count(0, 0, h + 2, w + 2)))
            part = np.lib.stride_tricks.sliding_window_view(wide[1:, 1:], (h, w))[y, x]
            touching = (
                part[:, 0].any(1) & part[:, -1].any(1) & part[:, :, 0].any(1)
                & part[:, :, -1].any(1)
            )  # fmt: skip
            if touching.any():
                yield Islands(part[touching], y[touching], x[touching])


def turned(cells: Cells) -> list[Cells]:
    """A pattern turned and mirrored all ways; each different one once."""
    found = {}
    for start in (cells, cells.T):
        for k in range(4):
            now = np.ascontiguousarray(np.rot90(start, k))
            found[now.shape, now.tobytes()] = now
    return [found[key] for key in sorted(found)]


def standard(cells: Cells) -> Cells:
    """The one of all its symmetric images that stands for them."""
    return turned(cells)[0]


def draw(cells: Cells) -> str:
    """A pattern as text, rows parted by `/`.

    >>> draw(np.array([[True, False], [True, True]]))
    'o./oo'
    """
    return "/".join("".join(".o"[int(c)] for c in row) for row in cells)


def read(text: str) -> Cells:
    """Inverse of `draw`. Raises `BadInput` where rows differ in length or other letters stand."""
    rows = text.split("/")
    if not text or set(text) - set(".o/") or len({len(r) for r in rows}) != 1 or not rows[0]:
        raise BadInput(
            f"a pattern is rows of . and o of one length, parted by /; got {text[:40]!r}"
        )
    return np.array([[c == "o" for c in row] for row in rows])
