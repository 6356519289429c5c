"""Several estimators and seeds on one problem: plain rows as they finish, and their summary."""

import math
import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import torch

from workbench.errors import NotConverged, Unsupported
from workbench.estimators import Estimate, Estimator
from workbench.iteration import Budget, State, steps
from workbench.problem import Problem, Truth
from workbench.rng import Rng

Row: TypeAlias = dict[str, Any]
"""Plain numbers, strings and lists; log10 P may be -inf, what is not known is None."""

Report: TypeAlias = Callable[[float, str], None]
"""Told the share of the work that is done, in [0, 1], and what is under way."""

_REACH = 1.959963984540054  # two-sided 95% of a normal law


class Attempt:
    """One estimate under way, which may be looked at, or cut short, after any step.

    Args:
        problem: the triple (D, M, C).
        estimator: checked against the problem at once.
        budget: when to stop.
        seed: of all its random numbers.

    Raises:
        Unsupported: where the estimator cannot serve the problem.

    >>> import workbench as wb
    >>> attempt = Attempt(wb.load("A_d10_1e-6"), wb.Moments(), wb.Budget(1000), seed=0)
    >>> attempt.started
    False
    >>> attempt.run()
    >>> round(attempt.estimate().log10_p, 6)
    -6.0
    """

    def __init__(self, problem: Problem, estimator: Estimator, budget: Budget, seed: int):
        estimator.check(problem)
        self.problem, self.estimator, self.budget, self.seed = problem, estimator, budget, seed
        self.state: State = estimator.init(problem, Rng(seed))
        self.seconds = 0.0

    @property
    def started(self) -> bool:
        """Whether a step was finished, so that there is an estimate."""
        return self.state.steps > 0

    @torch.no_grad()
    def run(self, progress: Callable[[float], None] | None = None) -> None:
        """Step to the end of the budget; `progress` is told its share after every step.

        No graph is kept: an attempt answers in numbers.

        Whatever interrupts this leaves the attempt as the last finished step left it.
        """
        for state, look in steps(self.estimator, self.problem, self.state, self.budget):
            self.state, self.seconds = state, look.seconds
            if progress is not None:
                progress(look.fraction)

    def estimate(self) -> Estimate:
        """The estimate so far."""
        return self.estimator.report(self.problem, self.state, self.seconds)

    def row(self) -> Row:
        """The estimate so far beside the truth."""
        estimate, truth = self.estimate(), self.problem.truth
        interval = estimate.log10_interval
        return {
            **_head(self.problem, self.estimator, self.seed),
            "log10_p": estimate.log10_p,
            "log10_err": estimate.log10_err,
            "log10_interval": None if interval is None else list(interval),
            "error": None if truth is None else error_in_digits(estimate.log10_p, truth.log10_p),
            "covers": _covers(estimate, truth),
            "forwards": estimate.cost.forwards,
            "flops": estimate.cost.flops,
            "seconds": estimate.cost.seconds,
            "warning": estimate.warning,
        }


def compare(
    problem: Problem,
    estimators: Sequence[Estimator],
    budget: Budget,
    seeds: Sequence[int] = (0,),
    report: Report | None = None,
) -> Iterator[Row]:
    """One row an estimator and seed, in order, each yielded as soon as it is there.

    An estimator that cannot serve the problem has one row, with the `reason`. An interrupt
    (Ctrl-C) yields the row of the estimate under way, marked `interrupted`, and then goes on up.
    """
    for i, estimator in enumerate(estimators):
        for j, seed in enumerate(seeds):
            before = (i + j / len(seeds)) / len(estimators)
            share = 1.0 / (len(estimators) * len(seeds))
            label = estimator.name + (f", seed {seed}" if len(seeds) > 1 else "")
            attempt = None
            try:
                attempt = Attempt(problem, estimator, budget, seed)
                attempt.run(_part_of(report, before, share, label))
                yield attempt.row()
            except (Unsupported, NotConverged) as error:
                yield {**_head(problem, estimator, seed), "reason": str(error)}
                break
            except KeyboardInterrupt:
                if attempt is not None and attempt.started:
                    yield {**attempt.row(), "interrupted": True}
                raise


def summarise(rows: Iterable[Row]) -> list[Row]:
    """One row an estimator: medians over its seeds, the spread, and how often it was right.

    `log10_low` and `log10_high` are the least and greatest estimate; `covered` of `intervals`
    95% intervals hold the truth; `zeros` counts the answers P = 0. An estimator without an answer
    keeps its `reason`.
    """
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["estimator"], repr(row["settings"])), []).append(row)
    return [_summary(group) for group in groups.values()]


def _summary(group: list[Row]) -> Row:
    answers = [row for row in group if "reason" not in row]
    reasons = [row["reason"] for row in group if "reason" in row]
    head = {key: group[0][key] for key in ("problem", "estimator", "settings", "kind")}
    head["seeds"] = len(answers)
    if reasons:
        head["reason"] = reasons[0]
    if not answers:
        return head
    logs = [row["log10_p"] for row in answers]
    covers = [row["covers"] for row in answers if row["covers"] is not None]
    return {
        **head,
        "log10_p": statistics.median(logs),
        "log10_err": _median(answers, "log10_err"),
        "log10_low": min(logs),
        "log10_high": max(logs),
        "error": _median(answers, "error"),
        "covered": sum(covers),
        "intervals": len(covers),
        "zeros": sum(p == -math.inf for p in logs),
        "forwards": _median(answers, "forwards"),
        "flops": _median(answers, "flops"),
        "seconds": _median(answers, "seconds"),
    }


def truth_row(problem: Problem) -> Row | None:
    """The problem's reference value, or None where it has none."""
    truth = problem.truth
    if truth is None:
        return None
    return {"log10_p": truth.log10_p, "se_log10": truth.se_log10, "method": truth.method}


def error_in_digits(log10_p: float, truth: float) -> float:
    """log10 P-hat - log10 P: -1 is ten times too small, -inf an answer of 0.

    >>> error_in_digits(-7.5, -6.5)
    -1.0
    """
    return log10_p - truth


def _head(problem: Problem, estimator: Estimator, seed: int) -> Row:
    return {
        "problem": problem.name,
        "estimator": estimator.name,
        "settings": estimator.settings(),
        "kind": str(estimator.kind),
        "seed": seed,
    }


def _part_of(
    report: Report | None, before: float, share: float, label: str
) -> Callable[[float], None] | None:
    if report is None:
        return None
    report(before, label)
    return lambda fraction: report(before + share * fraction, label)


def _median(rows: list[Row], key: str) -> float | None:
    values = [row[key] for row in rows if row[key] is not None]
    return statistics.median(values) if values else None


def _covers(estimate: Estimate, truth: Truth | None) -> bool | None:
    """Whether the 95% interval holds the truth, give or take the truth's own 95%.

    None without a truth, or where the estimate states no error.
    """
    if truth is None:
        return None
    interval = estimate.log10_interval
    if interval is None:
        if estimate.log10_err is None or not math.isfinite(estimate.log10_err):
            return None
        reach = _REACH * estimate.log10_err
        interval = (estimate.log10_p - reach, estimate.log10_p + reach)
    slack = _REACH * truth.se_log10
    return interval[0] - slack <= truth.log10_p <= interval[1] + slack
