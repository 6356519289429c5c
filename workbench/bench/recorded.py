"""Rows of a bench that were written down, a line of JSON each."""

import json
from pathlib import Path

from workbench.bench.base import Row
from workbench.errors import BadInput
from workbench.plain import numbers
from workbench.problem import atomic


def recorded(path: Path) -> tuple[Row, ...]:
    """The rows of a file, none where there is no such file; a last line that was cut off in being
    written is cut away.

    Raises:
        BadInput: where it holds anything else.
    """
    if not path.exists():
        return ()
    text = path.read_text()
    whole = text[: text.rfind("\n") + 1]
    try:
        rows = [numbers(json.loads(line)) for line in whole.splitlines()]
    except json.JSONDecodeError as error:
        raise BadInput(f"{path} does not hold rows, one JSON object a line ({error})") from error
    if not all(isinstance(row, dict) for row in rows):
        raise BadInput(f"{path} does not hold rows, one JSON object a line")
    if whole != text:
        atomic.write(path, whole.encode())
    return tuple(rows)
