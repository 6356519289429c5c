"""Numbers out of a file of comma-separated values."""

import csv
import math
from pathlib import Path

import torch
from torch import Tensor

from workbench.errors import BadInput


def read_rows(path: Path, what: str = "input") -> Tensor:
    """`(k, c)` out of a CSV file, a row a line; a first line without a number is a heading.

    Args:
        path: of the file.
        what: a row is, for messages.

    Raises:
        BadInput: where it is empty, or a line has another length or what is no finite number.
    """
    rows: list[list[float]] = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = [line for line in csv.reader(file) if line]
    except (UnicodeDecodeError, csv.Error):
        raise BadInput(f"{str(path)!r} is not a file of comma-separated numbers") from None
    if lines and not any(_finite(text) for text in lines[0]):
        del lines[0]
    if not lines:
        raise BadInput(f"{str(path)!r} holds no {what}s")
    for i, line in enumerate(lines, 1):
        if len(line) != len(lines[0]) or not all(_finite(text) for text in line):
            raise BadInput(
                f"every {what} in {str(path)!r} must be {len(lines[0])} finite numbers; "
                f"{what} {i} is not"
            )
        rows.append([float(text) for text in line])
    return torch.tensor(rows, dtype=torch.float64)


def _finite(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
