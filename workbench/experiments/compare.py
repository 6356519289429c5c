"""Several estimators and seeds on several problems: plain rows as they finish."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from workbench.catalogue import load
from workbench.errors import BadInput, Unsupported, WorkbenchError
from workbench.estimators import Estimator
from workbench.experiments.attempt import Row, head, runs, seeds_of
from workbench.iteration import Budget
from workbench.problem import Problem

Report: TypeAlias = Callable[[float, str], None]
"""Told the share of the work that is done, in [0, 1], and what is under way."""


def compare(
    problems: Problem | str | Path | Sequence[Problem | str | Path],
    estimators: Estimator | Sequence[Estimator],
    budget: Budget | int | None = None,
    seeds: Sequence[int] = (0,),
    report: Report | None = None,
) -> Iterator[Row]:
    """One row a problem, estimator and seed, in order, each yielded as soon as it is there.

    An estimator that does not draw has one row, of the first seed. An estimator that cannot serve a
    problem, or fails there, has one row with the `reason`, and with whether it was `refused`
    (`Unsupported`) rather than failed. An interrupt (Ctrl-C) yields the row of the estimate under
    way, marked `interrupted`, and then goes on up. Problems of one name are told apart by a number
    behind it: see `told_apart`.

    Args:
        problems: one or several; a name or a card's path stands for what `load` makes of it.
        estimators: one or several, your own too.
        budget: of each run: forward passes, or a `Budget`; 100,000 forward passes by default.
        seeds: of the runs.
        report: told how far it is.

    Raises:
        BadInput: for what is no problem, no estimator or no sequence of seeds.
    """
    triples = [load(p) if isinstance(p, str | Path) else p for p in _several(problems)]
    chosen = list(_several(estimators))
    for what, kind, such in (
        (triples, Problem, 'wb.load("digits")'), (chosen, Estimator, "wb.Subset()"),
    ):  # fmt: skip
        for given in what:
            if not isinstance(given, kind):
                raise BadInput(
                    f"compare takes {kind.__name__.lower()}s, such as {such}, got {given!r}"
                )
    drawn = list(seeds) if isinstance(seeds, Iterable) else []
    if not drawn:
        raise BadInput(f"compare takes a sequence of seeds, such as range(3), got {seeds!r}")
    return _rows(told_apart(triples), chosen, Budget.of(budget, Budget()), drawn, report)


def told_apart(problems: Iterable[Problem]) -> list[Problem]:
    """The same problems, those of one name numbered from the second on: "mine", "mine (2)".

    Rows are known by the name of their problem, and repeats are summed up by it.
    """
    seen: Counter[str] = Counter()
    found = []
    for problem in problems:
        seen[problem.name] += 1
        n = seen[problem.name]
        found.append(problem if n == 1 else replace(problem, name=f"{problem.name} ({n})"))
    return found


def _several(given: Any) -> Iterable[Any]:
    """A list as it is, anything else as a list of one."""
    return given if isinstance(given, Iterable) and not isinstance(given, str) else [given]


def _rows(
    triples: list[Problem], estimators: list[Estimator], budget: Budget, seeds: Sequence[int],
    report: Report | None,
) -> Iterator[Row]:  # fmt: skip
    cells = [(problem, estimator) for problem in triples for estimator in estimators]
    for i, (problem, estimator) in enumerate(cells):
        label = estimator.name if len(triples) == 1 else f"{problem.name}: {estimator.name}"
        mine = seeds_of(estimator, seeds)
        told = _part_of(report, i, len(cells), label, len(mine))
        yield from _cell(problem, estimator, budget, mine, told)


def _cell(
    problem: Problem,
    estimator: Estimator,
    budget: Budget,
    seeds: Sequence[int],
    told: Callable[[int, float, int], None],
) -> Iterator[Row]:
    attempt, share, done = None, 0.0, 0
    try:
        for attempt, share in runs(problem, estimator, budget, seeds):
            told(done, share, attempt.seed)
            if share == 1.0:
                done += 1
                yield attempt.row()
    except WorkbenchError as error:
        refused = isinstance(error, Unsupported)
        yield {
            **head(problem, estimator, seeds[done]), "reason": str(error), "refused": refused,
        }  # fmt: skip
    except KeyboardInterrupt:
        if attempt is not None and attempt.started and share < 1.0:
            yield {**attempt.row(), "interrupted": True}
        raise


def _part_of(
    report: Report | None, i: int, cells: int, label: str, seeds: int
) -> Callable[[int, float, int], None]:
    """What tells `report` the share of the whole, given how far cell `i` of `cells` is."""

    def told(done: int, share: float, seed: int) -> None:
        if report is not None:
            named = f"{label}, seed {seed}" if seeds > 1 else label
            report((i + (done + share) / seeds) / cells, named)

    return told
