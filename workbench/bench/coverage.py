"""Whether claimed 95% intervals hold the truth in 95% of repeats, or the estimator says why not."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from workbench import catalogue, estimators
from workbench.bench.base import Bench, Choice, Column, Report, Row
from workbench.bench.truth import methods_of, repeated
from workbench.estimators.monte_carlo import clopper_pearson
from workbench.iteration import Budget
from workbench.types import Kind, Pace

CLAIM, LOW, HIGH = 0.95, 0.90, 0.99
"""What intervals claim, and between which shares of repeats they are honest and not idle."""


@dataclass(frozen=True)
class Scale:
    """How much is measured: problems (A, B, C and the minimum tree where None), forwards, runs."""

    problems: tuple[str, ...] | None
    budget: Budget
    repeats: int


FULL = Scale(None, Budget(100_000), 100)
QUICK = Scale(("A_d10_1e-6", "D_mintree_1e-7"), Budget(10_000), 10)


def run(quick: bool, report: Report) -> Iterator[Row]:
    """One row a problem and sampler."""
    yield from choose(Choice(), quick, report)


def choose(choice: Choice, quick: bool, report: Report) -> Iterator[Row]:
    """The rows of a part. Raises `BadInput` on an unknown name."""
    scale = QUICK if quick else FULL
    usual = [n for n in catalogue.names() if n[:2] in {"A_", "B_", "C_"}] + ["D_mintree_1e-7"]
    problems = [catalogue.load(n) for n in choice.problems or scale.problems or usual]
    budget = scale.budget if choice.budget is None else Budget(choice.budget)
    repeats = choice.seeds or scale.repeats
    methods = methods_of(choice.methods or _samplers())
    for problem, method, rows in repeated(problems, methods, budget, repeats, report):
        yield {
            "problem": problem.name,
            "estimator": method.name,
            "budget": budget.forwards,
            **coverage(rows),
        }


def _samplers() -> tuple[str, ...]:
    """The estimators whose answers are random and whose errors are stated."""
    stated = {Kind.UNBIASED, Kind.CONSISTENT}
    return tuple(
        c.name for c in estimators.ALL if c.kind in stated and c.pace is Pace.ASKED
        if not c.needs.most_dim
    )  # fmt: skip


def coverage(rows: Sequence[Row]) -> Row:
    """What repeats of one method on one problem say of its intervals.

    `held` of `repeats` intervals hold the truth, a share between `low` and `high` with 95%
    confidence (Clopper & Pearson 1934); `flagged` carried a warning; `told` of the `missed` did.
    An interval that holds all of what is below its upper end (no hit was seen) is `open`.
    `verdict`: "held" where the share is at least 0.90; "wide" where it is beyond doubt above 0.95;
    "flagged" where it is less, but not among the runs without a warning; else "missed".
    """
    told = [row for row in rows if row.get("covers") is not None]
    reasons = [row["reason"] for row in rows if "reason" in row]
    if not told:
        why = reasons[0] if reasons else "no error is stated, or no truth known"
        return {"repeats": 0, "verdict": "no claim", "note": why}
    held = sum(row["covers"] for row in told)
    quiet = [row["covers"] for row in told if not row["warning"]]
    low, high = bounds(held, len(told))
    return {
        "repeats": len(told),
        "held": held,
        "share": f"{held}/{len(told)}",
        "low": low,
        "high": high,
        "between": f"{low:.0%} to {high:.0%}",
        "flagged": len(told) - len(quiet),
        "missed": len(told) - held,
        "told": len(told) - held - quiet.count(False),
        "open": sum(row["log10_interval"][0] == float("-inf") for row in told),
        "verdict": verdict(held, len(told), quiet),
        "note": reasons[0] if reasons else None,
    }


def bounds(held: int, repeats: int) -> tuple[float, float]:
    """95% confidence interval of a share.

    >>> low, high = bounds(95, 100)
    >>> round(low, 3), round(high, 3)
    (0.887, 0.984)
    """
    low, high = clopper_pearson(held, repeats)
    return math.exp(low), math.exp(high)


def verdict(held: int, repeats: int, quiet: Sequence[bool]) -> str:
    """See `coverage`; `quiet` are the intervals of the runs without a warning.

    >>> verdict(95, 100, [True] * 95 + [False] * 5), verdict(100, 100, [True] * 100)
    ('held', 'wide')
    >>> verdict(60, 100, [True] * 20), verdict(60, 100, [True] * 60 + [False] * 40)
    ('flagged', 'missed')
    """
    if held > HIGH * repeats and bounds(held, repeats)[0] > CLAIM:
        return "wide"
    if held >= LOW * repeats:
        return "held"
    if not quiet or sum(quiet) >= LOW * len(quiet):
        return "flagged"
    return "missed"


def conclude(rows: list[Row]) -> Iterator[str]:
    """One sentence a method, then what the verdicts are."""
    for name in dict.fromkeys(row["estimator"] for row in rows):
        mine = [row for row in rows if row["estimator"] == name and row["repeats"]]
        count = {v: sum(row["verdict"] == v for row in mine) for v in _VERDICTS}
        parts = ", ".join(f"{v} on {n}" for v, n in count.items() if n) or "no claim"
        worst = [row["problem"] for row in mine if row["verdict"] == "missed"]
        yield f"{name}: {parts} of {len(mine)} problems" + (
            f"; missed: {', '.join(worst)}." if worst else "."
        )
    yield (
        "held: 90 to 99% of the 95% intervals hold the truth, give or take the truth's own error. "
        "wide: more of them. flagged: fewer, but the runs without a warning do. missed: neither."
    )


_VERDICTS = ("held", "wide", "flagged", "missed")

COVERAGE = Bench(
    name="coverage",
    about="every sampler's 95% intervals over repeats: how many hold the truth, how many warn",
    columns=(
        Column("problem", "problem"),
        Column("estimator", "estimator"),
        Column("share", "held"),
        Column("between", "with 95% confidence"),
        Column("flagged", "warned", "count"),
        Column("missed", "missed", "count"),
        Column("told", "of them warned", "count"),
        Column("open", "no lower end", "count"),
        Column("verdict", "verdict"),
    ),
    run=run,
    conclude=conclude,
    sections=("problem",),
    choose=choose,
)
