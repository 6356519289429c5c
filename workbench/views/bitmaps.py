"""Pictures of many small cells as PNG, inside the page: SVG would be too slow for a board."""

import base64
import struct
import zlib
from collections.abc import Sequence

import numpy as np

Colour = tuple[int, int, int, int]
"""Red, green, blue, opacity; 0 to 255."""


def png(cells: np.ndarray, palette: Sequence[Colour]) -> bytes:
    """A PNG with one pixel a cell.

    Args:
        cells: `(rows, columns)` of whole numbers, indices of `palette`.
        palette: at most 256 colours.

    Source: Portable Network Graphics specification, third edition, W3C (2025).
    """
    rows, columns = cells.shape
    lines = np.zeros((rows, columns + 1), np.uint8)  # every line begins with its filter, none
    lines[:, 1:] = cells
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", columns, rows, 8, 3, 0, 0, 0)),
        (b"PLTE", b"".join(bytes(c[:3]) for c in palette)),
        (b"tRNS", bytes(c[3] for c in palette)),
        (b"IDAT", zlib.compress(lines.tobytes(), 1)),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in parts
    )


def picture(cells: np.ndarray, palette: Sequence[Colour], scale: int, told: str) -> str:
    """An `<img>` with `scale` screen pixels a cell.

    Args:
        told: what a reader who does not see it is told; as text without quotes.
    """
    data = base64.b64encode(png(cells, palette)).decode()
    rows, columns = cells.shape
    return (
        f"<img alt='{told}' src='data:image/png;base64,{data}' width='{scale * columns}' "
        f"height='{scale * rows}' style='image-rendering:pixelated;max-width:100%;"
        f"outline:1px solid rgba(128,128,128,.3)'>"
    )
