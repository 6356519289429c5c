"""Tables on stdout."""

import os
import re
import sys
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from workbench import numbers

if TYPE_CHECKING:
    from workbench.bench import Column

_WIDE = 120
_DECIMAL = re.compile(r"\.\d+$")
_FORMS = {
    "text": lambda value, _: numbers.UNKNOWN if value is None else str(value),
    "power": numbers.power,
    "digits": lambda value, _: numbers.digits(value),
    "error": numbers.signed,
    "count": lambda value, _: numbers.count(value),
    "seconds": lambda value, _: numbers.seconds(value),
    "ms": lambda value, _: numbers.milliseconds(value),
    "small": lambda value, _: numbers.small(value),
    "share": lambda value, _: numbers.UNKNOWN if value is None else f"{value:.4f}",
}


def console() -> Console:
    """The terminal, or 120 columns where stdout is none and COLUMNS does not say."""
    wide = None if sys.stdout.isatty() or "COLUMNS" in os.environ else _WIDE
    return Console(width=wide, highlight=False, soft_wrap=False)


def say(*lines: Any) -> None:
    """Print lines or tables; text is printed as it is, markup included."""
    out = console()
    for line in lines:
        out.print(Text(line) if isinstance(line, str) else line)


def cell(row: dict[str, Any], column: "Column") -> str:
    """What a table shows of one value."""
    error = row.get(column.error) if column.error else None
    return _FORMS[column.form](row.get(column.key), error)


def table(
    columns: Sequence["Column"], rows: Iterable[dict[str, Any]], sections: Sequence[str] = ()
) -> Table:
    """Rows under their titles: text to the left, numbers under each other by their points.

    Where the values of `sections` change a new section starts; within one they are shown once.
    """
    rows = list(rows)
    shown = [[cell(row, c) for row in rows] for c in columns]
    shown = [t if c.form == "text" else align(t) for t, c in zip(shown, columns, strict=True)]
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for column in columns:
        side = "left" if column.form == "text" else "right"
        name = column is columns[0]  # of what the row is about: never broken
        made.add_column(column.title, justify=side, overflow="fold", no_wrap=name)
    last: list[Any] | None = None
    for i, row in enumerate(rows):
        here = [row.get(key) for key in sections]
        again = bool(sections) and here == last
        if sections and last is not None and not again:
            made.add_section()
        last = here
        hide = [again and c.key in sections for c in columns]
        made.add_row(*[Text("" if h else texts[i]) for texts, h in zip(shown, hide, strict=True)])
    return made


def tables(
    columns: Sequence["Column"], rows: Iterable[dict[str, Any]], sections: Sequence[str]
) -> list[Table]:
    """A table for every run of sections that fill the same columns, of these alone."""
    parts: list[tuple[list[Any], list[dict[str, Any]]]] = []
    for _, mine in groupby(rows, key=lambda row: [row.get(key) for key in sections]):
        part = list(mine)
        filled = [c for c in columns if any(row.get(c.key) is not None for row in part)]
        if parts and parts[-1][0] == filled:
            parts[-1][1].extend(part)
        else:
            parts.append((filled, part))
    return [table(filled, part, sections) for filled, part in parts]


def align(texts: Sequence[str]) -> list[str]:
    """Pad decimals on the right so that their points stand under each other; the rest stays flush.

    >>> align(["1.25", "-10.5", "3", "–"])
    ['1.25', '-10.5 ', '3', '–']
    """
    tails = [len(text) - text.find(".") if _DECIMAL.search(text) else 0 for text in texts]
    longest = max(tails, default=0)
    return [
        text + " " * (longest - tail if tail else 0)
        for text, tail in zip(texts, tails, strict=True)
    ]


def grid(rows: Iterable[Sequence[str]], name_width: int = 0) -> Table:
    """Lines of a name and what there is to say of it; what is long wraps beside the name."""
    made = Table.grid(padding=(0, 2))
    lines = list(rows)
    columns = max((len(line) for line in lines), default=0)
    for j in range(columns):
        made.add_column(
            no_wrap=j < columns - 1,
            style="bold" if j == 0 else "",
            min_width=0 if j else name_width,
        )
    for line in lines:
        made.add_row(*[Text(text) for text in line])
    return made
