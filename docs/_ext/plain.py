"""Docstrings are plain text with `code`: what reStructuredText would read into it is escaped."""

import re
from typing import Any

CODE = re.compile(r"``?([^`]+)``?")
MARKS = re.compile(r"([|*]|(?<=\w)_(?=\W|$))")


def plain(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Code stays code, bars, asterisks and final underscores are themselves; doctests are left."""
    doctest = False
    for i, line in enumerate(lines):
        doctest = line.lstrip().startswith(">>>") or (doctest and bool(line.strip()))
        if not doctest:
            lines[i] = _escaped(line)


def _escaped(line: str) -> str:
    parts = CODE.split(line)
    return "".join(
        f"``{part}``" if i % 2 else MARKS.sub(r"\\\1", part) for i, part in enumerate(parts)
    )


def setup(app: Any) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", plain, priority=400)  # napoleon reads them after
    return {"parallel_read_safe": True, "parallel_write_safe": True}
