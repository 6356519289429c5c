"""Every estimator on small problems of all kinds, beside Monte Carlo: who errs without a word?"""

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

import torch

from workbench.bench.base import Bench, Choice, Column, Report, Row, Work, carried_out
from workbench.bench.mixed_problems import mixed_problem
from workbench.errors import NotConverged, Unsupported
from workbench.estimators import ALL, Estimator, MonteCarlo
from workbench.iteration import Budget
from workbench.problem import Problem, Truth
from workbench.types import Kind

PROBLEMS, QUICK = 60, 3
BUDGET = 20_000
_DRAWS, _SECONDS = 400_000, 20.0
_TIMES, _ROUNDING, _UNTOLD = 4.5, 0.02, 0.3
"""Standard errors, digits beside them, and digits where no error is told, from which on an answer
without a warning is a miss."""
_VAGUE = 1.0
"""Digits of a stated error from which on an answer says that it knows nothing."""
VAGUE = "vague"


def run(quick: bool, report: Report) -> Iterator[Row]:
    """A row an estimator and problem."""
    return choose(Choice(), quick, report)


def choose(choice: Choice, quick: bool, report: Report) -> Iterator[Row]:
    """The same of some estimators or problems, or of so many problems."""

    @lru_cache(maxsize=1)  # all of one problem follow one another
    def sampled(seed: int) -> Problem:
        problem = problems[seed]
        with torch.no_grad():
            seen = MonteCarlo()(problem, _DRAWS, seed)
        return replace(problem, truth=Truth(seen.log10_p, seen.log10_err or 0.0, "monte_carlo"))

    problems = [mixed_problem(s) for s in range(choice.seeds or (QUICK if quick else PROBLEMS))]
    works = [
        Work(p.name, c.name, s, lambda s=s, c=c: row(sampled(s), c(), choice.budget))
        for s, p in enumerate(problems)
        for c in ALL
        if c is not MonteCarlo
    ]
    made = carried_out(works, choice, quick, report)
    yield from (r for r in made if r["outcome"] != "cannot")


@torch.no_grad()
def row(problem: Problem, estimator: Estimator, budget: int | None) -> Row:
    """What an estimator says of a problem, and what to think of it."""
    truth = problem.truth
    assert truth is not None
    found: Row = {"truth": truth.log10_p, "truth_se": truth.se_log10}
    try:
        estimate = estimator(problem, Budget(budget or BUDGET, _SECONDS))
    except (Unsupported, NotConverged) as error:
        return {**found, "outcome": "cannot", "reason": str(error)}
    off = estimate.log10_p - truth.log10_p
    told = estimate.indicator if estimate.log10_err is None else estimate.log10_err
    found |= {
        "error": off, "told": told, "warning": estimate.warning,
        "forwards": estimate.cost.forwards,
    }  # fmt: skip
    if estimate.warning:
        return {**found, "outcome": "warned"}
    if told is not None and not told < _VAGUE:
        return {**found, "outcome": VAGUE}
    limit = _UNTOLD if told is None else _TIMES * math.hypot(told, truth.se_log10) + _ROUNDING
    past = {Kind.LOWER: max(0.0, off), Kind.UPPER: max(0.0, -off)}.get(estimate.kind, abs(off))
    return {**found, "outcome": "missed" if past > limit else "held"}


def conclude(rows: list[Row]) -> Iterator[str]:
    """How many answers, warnings and misses without a warning each estimator has, and how often
    the error that it states is a digit or more."""
    for name in dict.fromkeys(r["method"] for r in rows):
        mine = [r for r in rows if r["method"] == name]
        missed = [abs(r["error"]) for r in mine if r["outcome"] == "missed"]
        warned, vague = (sum(r["outcome"] == o for r in mine) for o in ("warned", VAGUE))
        said = f"{name}: {len(mine)} answers, {warned} warned"
        said += f", {vague} within a digit or more" if vague else ""
        yield f"{said}; wrong without a warning on {len(missed)}" + (
            f", by {max(missed):.2g} digits at most." if missed else "."
        )


MIXED = Bench(
    name="mixed",
    about="every estimator on small problems of all kinds: who is wrong without a warning",
    columns=(
        Column("problem", "problem"),
        Column("truth", "sampled", "power", "truth_se"),
        Column("method", "method"),
        Column("error", "error", "error"),
        Column("told", "told", "digits"),
        Column("outcome", "outcome"),
        Column("forwards", "forwards", "count"),
    ),
    run=run,
    conclude=conclude,
    sections=("problem",),
    choose=choose,
)
