"""How well coherence defects, which need no truth, predict true errors."""

import math
import statistics
from collections.abc import Iterator

import torch

from workbench import catalogue, estimators
from workbench.bench.base import Bench, Column, Report, Row
from workbench.coherence import heat_flow, run_all
from workbench.coherence.base import require_deterministic
from workbench.errors import NotConverged, Unsupported
from workbench.estimators import Estimator, Moments
from workbench.iteration import Budget
from workbench.math.logspace import LN10
from workbench.problem import Problem
from workbench.types import Kind, Pace

_BUDGET = Budget(1_000_000)
_PROBES = 8
"""For estimators that are not made in milliseconds."""
QUICK = ("A_d10_1e-6", "B_w32_h2_1e-5", "B_w32_h4_1e-3", "D_mintree_1e-7")


def methods() -> list[Estimator]:
    """Every deterministic presumption, and propagation of means alone."""
    found = [cls() for cls in estimators.ALL if cls.kind is Kind.HEURISTIC]
    found = [m for m in found if m.pace is not Pace.ASKED or _smooth(m)]
    return [*found, Moments(propagator="mean")]


def _smooth(method: Estimator) -> bool:
    """Whether its heat flow can be measured."""
    try:
        require_deterministic(method)
    except Unsupported:
        return False
    return True


def title(method: Estimator) -> str:
    """Its name, with the propagator where that is not the usual one."""
    chosen = method.settings().get("propagator")
    return f"{method.name}, {chosen}" if chosen == "mean" else method.name


def run(quick: bool, report: Report) -> Iterator[Row]:
    """One row a problem and method: what its defects predict, and the error it has."""
    names = QUICK if quick else tuple(catalogue.names())
    chosen = methods()
    for i, name in enumerate(names):
        problem = catalogue.load(name)
        for j, method in enumerate(chosen):
            report((i + j / len(chosen)) / len(names), f"{name}: {title(method)}")
            yield {"problem": name, "estimator": title(method), **_row(problem, method)}


def _row(problem: Problem, method: Estimator) -> Row:
    truth = None if problem.truth is None else problem.truth.log10_p
    if not _smooth(method):
        return _own(problem, method, truth)
    try:
        heat = heat_flow(problem, method, None if method.pace is Pace.LIVE else _PROBES)
    except (Unsupported, NotConverged) as error:
        return {"reason": str(error)}
    others = [d.digits for d in run_all(problem, method) if d.digits is not None]
    return {
        "log10_p": heat.log10_p,
        "error": None if truth is None else heat.log10_p - truth,
        "rate": heat.rate / LN10,
        "digits": heat.digits,
        "corrected": heat.corrected_log10,
        "left": None if truth is None else heat.corrected_log10 - truth,
        "others": max(others, default=None),
        "estimates": heat.estimates,
    }


def _own(problem: Problem, method: Estimator, truth: float | None) -> Row:
    """The indicator that an estimate brings with it."""
    try:
        with torch.no_grad():
            estimate = method(problem, _BUDGET)
    except (Unsupported, NotConverged) as error:
        return {"reason": str(error)}
    if estimate.indicator is None:
        return {"reason": "its answer brings no indicator"}
    return {
        "log10_p": estimate.log10_p,
        "error": None if truth is None else estimate.log10_p - truth,
        "digits": estimate.indicator,
        "estimates": 1,
    }


def conclude(rows: list[Row]) -> Iterator[str]:
    """Rank correlations of the defect with the error, and what the correction does."""
    from scipy.stats import spearmanr

    for name in dict.fromkeys(r["estimator"] for r in rows):
        mine = [r for r in rows if r["estimator"] == name and r.get("error") is not None]
        mine = [r for r in mine if not r["problem"].startswith("A_") and math.isfinite(r["error"])]
        if len(mine) < 3:
            continue
        size, digits = [abs(r["error"]) for r in mine], [r["digits"] for r in mine]
        told = spearmanr(size, digits)[0]
        within = [sum(e < k * i for e, i in zip(size, digits, strict=True)) for k in (1, 2)]
        said = (
            f"{name}, {len(mine)} problems that are not linear: rank correlation of the digits "
            f"foretold with |error| {told:.2f}; |error| median {statistics.median(size):.2g}, "
            f"below what is foretold on {within[0]}, below twice that on {within[1]}"
        )
        if "rate" not in mine[0]:
            yield said + "."
            continue
        left = [abs(r["left"]) for r in mine]
        rank = spearmanr([-r["error"] for r in mine], [r["rate"] for r in mine])[0]
        better = sum(a < b for a, b in zip(left, size, strict=True))
        yield (
            f"{said}; of the signed rate with the error {rank:.2f}; corrected, median |error| "
            f"{statistics.median(left):.2f} (better on {better})."
        )
    yield (
        "Rate: the heat-flow defect. Foretold: the digits that it says are missing, with c = 0.3, "
        "which comes from output means (`bench heat`) and was fitted to no tail; where an answer "
        "jumps with its search, the indicator that it brings with it. Others: the greatest of all "
        "other defects."
    )


COHERENCE = Bench(
    name="coherence",
    about="coherence defects against true errors on all reference problems; the corrected estimate",
    columns=(
        Column("problem", "problem"),
        Column("estimator", "estimator"),
        Column("log10_p", "estimate", "power"),
        Column("error", "error", "error"),
        Column("rate", "rate", "error"),
        Column("digits", "foretold", "digits"),
        Column("corrected", "corrected", "power"),
        Column("left", "its error", "error"),
        Column("others", "others", "digits"),
        Column("estimates", "estimates", "count"),
    ),
    run=run,
    conclude=conclude,
    sections=("problem",),
)
