"""How the setting of every rule was chosen that digits are trained by."""

import statistics
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial

from workbench.bench import digits
from workbench.bench.base import Bench, Choice, Column, Report, Row, Work, carried_out
from workbench.bench.digits_rules import METHODS
from workbench.errors import BadInput

FIRST = 100
"""The first of the seeds, none of which `training` uses."""


def measure(quick: bool, report: Report) -> Iterator[Row]:
    """A row a rule, setting and seed; quick, on an eighth of the steps."""
    yield from choose(Choice(), quick, report)


def choose(choice: Choice, quick: bool, report: Report) -> Iterator[Row]:
    """The rows of a part: `problems` are the titles of rules. Raises `BadInput` on an unknown name,
    or for a budget."""
    if choice.budget is not None:
        raise BadInput("the trainings of this bench have their steps: no --budget")
    seeds = choice.seeds or (1 if quick else 2)
    works = [
        Work(m.title, str(rule), seed, partial(digits.zero, seed, replace(m, rule=rule), quick))
        for m in METHODS
        for rule in m.tried or (m.rule,)
        for seed in range(FIRST, FIRST + seeds)
    ]
    yield from carried_out(works, choice, quick, report)


def conclude(rows: list[Row]) -> Iterable[str]:
    """Which setting of each rule reaches the lowest P at no more than a point less accuracy than
    standard training, in the means over the seeds; where none keeps so much, at two points less; or
    else which one reads the most."""
    plain = [r["score"] for r in rows if r["problem"] == "standard"]
    if not plain:
        return
    for method in METHODS:
        found = []
        for rule in map(str, method.tried):
            mine = [r for r in rows if (r["problem"], r["method"]) == (method.title, rule)]
            if mine:
                lost = statistics.mean(plain) - statistics.mean(r["score"] for r in mine)
                found.append((lost, statistics.mean(_log10_p(r) for r in mine), rule))
        if found:
            lost, best = _best(found)
            used = "as in training" if best == str(method.rule) else f"training has {method.rule}"
            yield f"{method.title}: {best}, {100 * lost:.1f} points lost; {used}"


def _best(found: list[tuple[float, float, str]]) -> tuple[float, str]:
    """Of (accuracy lost, log10 P, setting): what is lost, and the setting."""
    for points in (1, 2):
        kept = [(p, lost, rule) for lost, p, rule in found if lost <= points * digits.POINT + 1e-9]
        if kept:
            _, lost, rule = min(kept)
            return lost, rule
    lost, _, rule = min(found)
    return lost, rule


def _log10_p(row: Row) -> float:
    return -300.0 if row["log10_p"] is None else row["log10_p"]


TUNING = Bench(
    "tuning",
    "the settings that the rules of training were chosen from, on seeds of their own",
    (
        Column("problem", "rule"),
        Column("method", "setting"),
        Column("seed", "seed", "count"),
        Column("score", "accuracy", "small"),
        Column("log10_p", "judged", "power", error="err"),
        Column("own", "own D", "power"),
        Column("steps", "steps", "count"),
        Column("seconds", "CPU", "seconds"),
    ),
    measure,
    conclude,
    sections=("problem",),
    choose=choose,
    resumes=True,
)  # fmt: skip
