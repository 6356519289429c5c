"""Every estimator, and the samplers of public packages, against every reference problem."""

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from workbench import catalogue, estimators
from workbench.bench import peers
from workbench.bench.base import Bench, Choice, Column, Report, Row
from workbench.bench.repeats import summary
from workbench.errors import BadInput, NotConverged, Unsupported
from workbench.estimators import Estimator
from workbench.experiments import Attempt
from workbench.iteration import Budget
from workbench.problem import Problem
from workbench.types import Pace


@dataclass(frozen=True)
class Scale:
    """How much is measured: problems (all of them where None), forwards a run, seeds."""

    problems: tuple[str, ...] | None
    budget: Budget
    seeds: int


FULL = Scale(None, Budget(100_000), 20)
QUICK = Scale(
    ("A_d10_1e-12", "B_w32_h2_1e-3", "C_digits_p22_s20", "D_mintree_1e-7"), Budget(10_000), 2
)


def run(quick: bool, report: Report) -> Iterator[Row]:
    """One row a problem and method: its errors against the truth, its claims, its cost."""
    yield from choose(Choice(), quick, report)


def choose(choice: Choice, quick: bool, report: Report) -> Iterator[Row]:
    """The rows of a part. Raises `BadInput` on an unknown name."""
    scale = QUICK if quick else FULL
    names = choice.problems or scale.problems or catalogue.names()
    budget = scale.budget if choice.budget is None else Budget(choice.budget)
    seeds = scale.seeds if choice.seeds is None else choice.seeds
    problems, methods = [catalogue.load(name) for name in names], methods_of(choice.methods)
    for problem, method, rows in repeated(problems, methods, budget, seeds, report, once=True):
        yield {
            "problem": problem.name,
            "truth": None if problem.truth is None else problem.truth.log10_p,
            "estimator": method.name,
            "budget": budget.forwards,
            **summary(rows, problem.truth),
        }


def repeated(
    problems: Sequence[Problem], methods: Sequence[Estimator], budget: Budget, seeds: int,
    report: Report, once: bool = False,
) -> Iterator[tuple[Problem, Estimator, list[Row]]]:  # fmt: skip
    """The attempts of every method on every problem, one a seed.

    Args:
        once: whether what no seed changes is run once.
    """
    for i, problem in enumerate(problems):
        for j, method in enumerate(methods):
            rows = []
            for seed in range(seeds):
                share = (i + (j + seed / seeds) / len(methods)) / len(problems)
                report(share, f"{problem.name}: {method.name}, seed {seed}")
                rows.append(attempt(problem, method, budget, seed))
                if rows[-1].get("hopeless") or (once and method.pace is not Pace.ASKED):
                    break  # no seed would have an answer, or another one
            yield problem, method, rows


def methods_of(names: tuple[str, ...] | None) -> list[Estimator]:
    """The estimators of those names; all of ours and the installed public ones by default."""
    known: dict[str, type[Estimator]] = {c.name: c for c in (*estimators.ALL, *peers.ALL)}
    if names is None:
        return [*(cls() for cls in estimators.ALL), *peers.installed()]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise BadInput(f"no method is called {unknown[0]!r}: use one of {', '.join(known)}")
    there = {peer.name for peer in peers.installed()}
    for name in names:
        if issubclass(known[name], peers.Peer) and name not in there:
            raise Unsupported(f"{name!r}", peers.missing() or "its package is needed")
    return [known[name]() for name in names]


def attempt(problem: Problem, method: Estimator, budget: Budget, seed: int) -> Row:
    """One run, or the `reason` why there is no answer; `hopeless` where no seed would have one."""
    try:
        made = Attempt(problem, method, budget, seed)
        made.run()
        return {**made.row(), "gradients": made.estimate().info.get("gradients")}
    except Unsupported as error:
        return {"reason": f"{error.what}: {error.needs}", "hopeless": True}
    except NotConverged as error:
        return {"reason": str(error)}


def conclude(rows: list[Row]) -> Iterator[str]:
    """One sentence a method: its errors, zeros and refusals; then what the columns are."""
    for name in dict.fromkeys(row["estimator"] for row in rows):
        mine = [row for row in rows if row["estimator"] == name]
        known = [row["median_error"] for row in mine if row.get("median_error") is not None]
        finite = [e for e in known if math.isfinite(e)]
        text = f"{name}: {len(mine)} problems"
        none = sum("log10_p" not in row for row in mine)
        if none:
            text += f", no answer on {none}"
        if len(finite) < len(known):
            text += f", P = 0 on {len(known) - len(finite)}"
        if finite:
            whose = "" if len(finite) == len(mine) else " of the rest"
            middle, worst = _digits(statistics.median(finite)), _digits(max(finite))
            text += f"; median error{whose} {middle} digits, worst {worst}"
        held, stated = (sum(row.get(key, 0) for row in mine) for key in ("covered", "intervals"))
        if stated:
            text += f"; {held} of {stated} intervals hold the truth"
        yield f"{text}."
    reasons = [row["reason"] for row in rows if "verdict" in row and "reason" in row]
    for reason in dict.fromkeys(reasons):
        yield f"No answer on {reasons.count(reason)}, in some or all repeats: {reason}"
    repeats = max((row.get("repeats", 0) for row in rows), default=0)
    if repeats > 1:
        yield (
            "Forwards: the mean of a run, a gradient counted as two. W10: forwards that a 10% "
            "error would cost, the repeats' relative variance expm1(var(log P)) x forwards / 0.01; "
            f"from {repeats} repeats it is known to {math.sqrt(2.0 / (repeats - 1)):.0%} or so. "
            "Instead of it, 'mean 0.2 P' where the mean of all is off by more than 10% beyond "
            "three standard errors: no number of runs mends that."
        )
    left_out = peers.missing()
    if left_out:
        yield left_out


def _digits(error: float) -> str:
    return f"{error:.0e}" if 0 < error < 0.005 else f"{error:.2f}"


TRUTH = Bench(
    name="truth",
    about="all reference problems x all samplers, public ones too: error, claims, coverage, cost",
    columns=(
        Column("problem", "problem"),
        Column("estimator", "estimator"),
        Column("median_error", "|error|", "digits"),
        Column("rmse", "rmse", "digits"),
        Column("claimed", "claimed", "digits"),
        Column("coverage", "held"),
        Column("forwards", "forwards", "count"),
        Column("gradients", "grads", "count"),
        Column("seconds", "seconds", "seconds"),
        Column("verdict", "W10"),
    ),
    run=run,
    conclude=conclude,
    sections=("problem",),
    choose=choose,
)
