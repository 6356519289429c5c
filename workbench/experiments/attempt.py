"""One estimate under way, and the runs of one estimator seed after seed."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import torch

from workbench.device import on
from workbench.errors import Unsupported
from workbench.estimators import Estimate, Estimator, proof
from workbench.experiments.course import advance
from workbench.iteration import Budget, State
from workbench.math.gaussian import TWO_SIDED_95
from workbench.problem import Problem, Truth
from workbench.rng import Rng
from workbench.types import Pace

Row: TypeAlias = dict[str, Any]
"""Plain numbers, strings and lists; log10 P may be -inf, what is not known is None."""


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
        with on(problem):
            self.state: State = estimator.init(problem, Rng(seed))
        self.seconds = 0.0
        with on(problem):
            self._proved = proof(problem) is not None

    @property
    def started(self) -> bool:
        """Whether there is an estimate: a step was finished, or none is needed."""
        return self._proved or self.state.steps > 0

    def walk(self) -> Iterator[float]:
        """Step to the end of the budget; the share of it after every step, 1.0 after the last.

        No graph is kept: an attempt answers in numbers.

        Raises:
            Unsupported: found out only on the way; it names what to use instead.
        """
        if self._proved:  # and `report` says so
            yield 1.0
            return
        try:
            yield from advance(self, self.estimator, self.budget, torch.no_grad)
        except Unsupported as error:
            raise self.estimator.refusal(self.problem, error) from None

    def run(self, progress: Callable[[float], None] | None = None) -> None:
        """Step to the end of the budget; `progress` is told its share after every step.

        Whatever interrupts this leaves the attempt as the last finished step left it.
        """
        for share in self.walk():
            if progress is not None:
                progress(share)

    def estimate(self) -> Estimate:
        """The estimate so far."""
        return self.estimator.report(self.problem, self.state, self.seconds)

    def row(self) -> Row:
        """The estimate so far beside the truth."""
        estimate, truth = self.estimate(), self.problem.truth
        interval = estimate.log10_interval
        return {
            **head(self.problem, self.estimator, self.seed),
            "log10_p": estimate.log10_p,
            "log10_err": estimate.log10_err,
            "log10_interval": None if interval is None else list(interval),
            "error": None if truth is None else error_in_digits(estimate.log10_p, truth.log10_p),
            "covers": covers(estimate, truth),
            "forwards": estimate.cost.forwards,
            "flops": estimate.cost.flops,
            "seconds": estimate.cost.seconds,
            "warning": estimate.warning,
        }


def runs(
    problem: Problem, estimator: Estimator, budget: Budget, seeds: Sequence[int]
) -> Iterator[tuple[Attempt, float]]:
    """Every step of an estimator's runs, seed after seed: the run under way and its share done.

    The share is 0.0 before the first step of a run and 1.0 after its last.

    Raises:
        Unsupported, NotConverged: where the estimator has no answer.
    """
    for seed in seeds:
        attempt = Attempt(problem, estimator, budget, seed)
        yield attempt, 0.0
        for share in attempt.walk():
            yield attempt, share


def seeds_of(estimator: Estimator, seeds: Sequence[int]) -> Sequence[int]:
    """The seeds worth running: the first alone where the answer does not depend on it."""
    return seeds if estimator.pace is Pace.ASKED else seeds[:1]


def head(problem: Problem, estimator: Estimator, seed: int) -> Row:
    """What tells a run from all others, its budget apart; and the truth that it is held against."""
    truth = problem.truth
    return {
        "problem": problem.name,
        "estimator": estimator.name,
        "settings": estimator.settings(),
        "kind": str(estimator.kind),
        "seed": seed,
        "truth": None if truth is None else truth.log10_p,
        "truth_se": None if truth is None else truth.se_log10,
    }


def error_in_digits(log10_p: float, truth: float) -> float:
    """log10 P-hat - log10 P: -1 is ten times too small, -inf an answer of 0.

    >>> error_in_digits(-7.5, -6.5)
    -1.0
    """
    return log10_p - truth


def covers(estimate: Estimate, truth: Truth | None) -> bool | None:
    """Whether the 95% interval holds the truth, give or take the truth's own 95%.

    None without a truth, or where the estimate states no error.
    """
    if truth is None:
        return None
    interval = estimate.log10_interval
    if interval is None:
        if estimate.log10_err is None or not math.isfinite(estimate.log10_err):
            return None
        reach = TWO_SIDED_95 * estimate.log10_err
        interval = (estimate.log10_p - reach, estimate.log10_p + reach)
    slack = TWO_SIDED_95 * truth.se_log10
    return interval[0] - slack <= truth.log10_p <= interval[1] + slack
