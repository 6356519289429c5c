"""What a bench is: rows of measurements, and how its columns read."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import torch

from workbench.errors import BadInput

Row: TypeAlias = dict[str, Any]
"""One measurement: plain numbers and strings; what was not measured is None or absent."""

Report: TypeAlias = Callable[[float, str], None]
"""Told the share of the work that is done, in [0, 1], and what is under way."""

Form: TypeAlias = Literal[
    "text", "power", "digits", "error", "count", "seconds", "ms", "small", "share"
]
"""How a table prints a column: text; log10 P as 10^-8.97; a standard error in digits; a signed
error in digits; a whole number; seconds; milliseconds; a number to two significant digits; a share
of one, to four decimals."""


@dataclass(frozen=True)
class Column:
    """One column of a bench's table.

    Args:
        key: of the row.
        title: above the column.
        form: how values are printed.
        error: key of the standard error, where the value's digits should follow from it.
    """

    key: str
    title: str
    form: Form = "text"
    error: str | None = None


@dataclass(frozen=True)
class Choice:
    """What of a bench is run; None leaves it as the bench has it.

    Args:
        problems: names of catalogue problems, or paths of cards.
        methods: names of estimators, public ones included.
        budget: forward passes a run.
        seeds: how many.
        done: rows that were measured before, and are not measured again.
    """

    problems: tuple[str, ...] | None = None
    methods: tuple[str, ...] | None = None
    budget: int | None = None
    seeds: int | None = None
    done: tuple[Row, ...] = ()


@dataclass(frozen=True)
class Bench:
    """A measurement that can be run by name.

    Args:
        name: on the command line.
        about: one sentence.
        columns: of the table.
        run: `run(quick, report)` yields rows as they are measured.
        conclude: sentences to read under the table.
        sections: keys whose change starts a new section of the table.
        apart: whether sections that fill other columns are tables of their own.
        choose: `choose(choice, quick, report)` yields the rows of a part, where there are parts.
        resumes: whether `choose` yields what is done already as it stands.
    """

    name: str
    about: str
    columns: tuple[Column, ...]
    run: Callable[[bool, Report], Iterator[Row]]
    conclude: Callable[[list[Row]], Iterable[str]]
    sections: tuple[str, ...] = ()
    choose: Callable[[Choice, bool, Report], Iterator[Row]] | None = None
    resumes: bool = False
    apart: bool = False


@dataclass(frozen=True)
class Work:
    """One row that can be measured by itself.

    Args:
        problem, method, seed: name it, and are keys of its row.
        measure: the other keys and values.
    """

    problem: str
    method: str
    seed: int
    measure: Callable[[], Row]


@contextmanager
def one_thread() -> Iterator[None]:
    """Measure torch on one thread, so that CPU times compare; what it had before comes back."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def carried_out(
    works: Sequence[Work], choice: Choice, quick: bool, report: Report
) -> Iterator[Row]:
    """The rows of the chosen works in their order; those that are done already as they stand.

    A row of a quick measurement does not stand for one in full.

    Raises:
        BadInput: for a problem or method that no work has.
    """
    for what, asked in (("problem", choice.problems), ("method", choice.methods)):
        there = dict.fromkeys(getattr(work, what) for work in works)
        for name in asked or ():
            if name not in there:
                raise BadInput(f"no {what} here is called {name!r}: use some of {'; '.join(there)}")
    chosen = [
        w for w in works
        if w.problem in (choice.problems or (w.problem,))
        and w.method in (choice.methods or (w.method,))
    ]  # fmt: skip
    done = {_key(row): row for row in choice.done}
    for i, work in enumerate(chosen):
        head = {"problem": work.problem, "method": work.method, "seed": work.seed, "quick": quick}
        if _key(head) in done:
            yield done[_key(head)]
            continue
        report(i / len(chosen), f"{work.problem}, seed {work.seed}: {work.method}")
        yield {**head, **work.measure()}


def _key(row: Row) -> tuple[Any, ...]:
    return tuple(row.get(k) for k in ("problem", "method", "seed", "quick"))
