"""Every estimator against every reference problem."""

import math
import statistics
from collections.abc import Iterator

from workbench import catalogue, estimators
from workbench.bench.base import Bench, Column, Report, Row
from workbench.experiments import compare
from workbench.iteration import Budget

FULL = Budget(100_000)
QUICK = Budget(10_000)
QUICK_PROBLEMS = ("A_d10_1e-12", "B_w32_h2_1e-3", "C_digits_p1_s10", "D_mintree_1e-7")


def run(quick: bool, report: Report) -> Iterator[Row]:
    """One row a problem and estimator: estimate, error in digits, claimed error, cost."""
    names = QUICK_PROBLEMS if quick else catalogue.names()
    methods = [cls() for cls in estimators.ALL]
    for i, name in enumerate(names):
        problem = catalogue.load(name)

        def part(share: float, what: str, i: int = i, name: str = name) -> None:
            report((i + share) / len(names), f"{name}: {what}")

        truth = None if problem.truth is None else problem.truth.log10_p
        for row in compare(problem, methods, QUICK if quick else FULL, report=part):
            yield {**row, "truth": truth}


def conclude(rows: list[Row]) -> Iterator[str]:
    """One sentence an estimator: median and worst error, answers of 0, refusals."""
    for name in dict.fromkeys(row["estimator"] for row in rows):
        mine = [row for row in rows if row["estimator"] == name]
        errors = [abs(row["error"]) for row in mine if row.get("error") is not None]
        finite = [e for e in errors if math.isfinite(e)]
        refused = sum("reason" in row for row in mine)
        text = f"{name}: {len(mine)} problems"
        if refused:
            text += f", {refused} refused"
        if len(finite) < len(errors):
            text += f", {len(errors) - len(finite)} answered P = 0"
        if finite:
            whose = "" if len(finite) == len(mine) else " of the rest"
            middle, worst = _digits(statistics.median(finite)), _digits(max(finite))
            text += f"; median error{whose} {middle} digits, worst {worst}"
        yield f"{text}."


def _digits(error: float) -> str:
    return f"{error:.0e}" if 0 < error < 0.005 else f"{error:.2f}"


TRUTH = Bench(
    name="truth",
    about="all reference problems x all estimators: error in digits, claimed error, cost",
    columns=(
        Column("problem", "problem"),
        Column("truth", "truth", "power"),
        Column("estimator", "estimator"),
        Column("log10_p", "estimate", "power", error="log10_err"),
        Column("error", "error", "error", error="log10_err"),
        Column("log10_err", "claimed", "digits"),
        Column("forwards", "forwards", "count"),
        Column("seconds", "seconds", "seconds"),
    ),
    run=run,
    conclude=conclude,
    sections=("problem", "truth"),
)
