"""The referee: what log P is according to a sampler that the optimiser never sees."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from workbench.adversaries import checking
from workbench.distributions import Distribution, Gaussian
from workbench.errors import BadInput
from workbench.estimators import Estimate, Estimator, Importance
from workbench.estimators.base import check_positive
from workbench.estimators.mixing import around
from workbench.iteration import Budget, run
from workbench.math.gaussian import TWO_SIDED_95
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.training.duty import Duty

_DIFFER = 4.0  # combined standard errors


@dataclass(frozen=True)
class Referee:
    """Independent samplers on fresh draws, beside the estimate that is optimised.

    Args:
        every: steps between two evaluations; there is one more at the end.
        budget: forward passes for each distribution.
        apart: digits that estimate and referee may differ by, where the referee is sure of as much
            (its own 95%).

    Raises:
        BadInput: for settings that are not above 0.
    """

    every: int = 25
    budget: int = 20_000
    apart: float = 1.0

    def __post_init__(self) -> None:
        check_positive("referee", every=self.every, budget=self.budget)
        if not self.apart > 0:
            raise BadInput(f"referee: apart must be digits above 0, got {self.apart!r}")

    def judge(
        self, problem: Problem, log10_p: float, rng: Rng, watched: Tensor | None = None
    ) -> tuple[float, float, bool]:
        """log10 P and its standard error, as sampled; and whether the estimate is exploited.

        A referee that saw no failure gives -inf with an infinite error. That convicts an estimate
        only where the draws would have shown hundreds of failures had it been right.

        Args:
            problem: under the law in question.
            log10_p: what the estimate claims.
            rng: fresh.
            watched: inputs `(k, d)` around which failures are looked for beside where they are
                found: see `Duty`.
        """
        start = log10_p * math.log(10.0) if math.isfinite(log10_p) else -700.0
        found = checking.check(problem, start, rng, self.budget)
        if watched is not None and isinstance(problem.distribution, Gaussian):
            there = informed(problem, watched, self.budget, rng.child("watched"))
            found = _likelier(found, there)
        err = found.log10_err
        if not math.isfinite(found.log10_p) or err is None or not math.isfinite(err):
            seen_by_now = math.isfinite(log10_p) and 10.0**log10_p * self.budget > 200.0
            return found.log10_p, math.inf, seen_by_now
        gap = abs(log10_p - found.log10_p)
        return found.log10_p, err, gap > max(self.apart, TWO_SIDED_95 * err)

    def turn(
        self, duty: Duty, laws: Sequence[Distribution], estimator: Estimator, budget: Budget,
        rung: int, ticks: int, rng: Rng,
    ) -> tuple[Tensor, bool]:  # fmt: skip
        """What the estimate says of the model as it stands beside what is sampled.

        Args:
            duty: with the model.
            laws: D0, then the adversary's D if there is one.
            estimator: that is followed.
            budget: of one estimate.
            rung: how often it has been made stricter.
            ticks: steps so far.
            rng: of the training.

        Returns:
            Verdicts `(laws, 7)`, columns `record.VERDICT`, and whether any parts from its estimate.
        """
        rows = []
        for k, law in enumerate(laws):
            posed = duty.problem.vary(distribution=law)
            with torch.no_grad():
                own = estimator(posed, budget, rng.child("own", k)).log10_p
            fresh = rng.child("referee", ticks, k)
            found, err, parted = self.judge(posed, own, fresh, duty.watched)
            rows.append([ticks, k, own, found, err, float(parted), rung])
        return torch.tensor(rows, dtype=torch.float64), any(row[5] for row in rows)


@torch.no_grad()
def informed(problem: Problem, watched: Tensor, budget: int, rng: Rng) -> Estimate:
    """log P by importance sampling from Gaussians around given points, refitted on the way.

    Unbiased wherever they lie; of small error where failures lie there.

    Args:
        problem: D a Gaussian.
        watched: inputs `(k, d)`.
        budget: forward passes.
    """
    d, sampler = problem.distribution, Importance()
    assert isinstance(d, Gaussian)
    means = d.pull(watched)
    k, n = means.shape
    covs = torch.eye(n, dtype=means.dtype).expand(k, n, n)
    begun = around(sampler.init(problem, rng), means, covs, means.new_full((k,), 1.0 / k))
    state, seconds = run(sampler, problem, begun, Budget(budget))
    return sampler.report(problem, state, seconds)


def _likelier(a: Estimate, b: Estimate) -> Estimate:
    """What saw more, beyond chance: a sampler misses failures, it does not make them up. The
    sharper of two that agree."""
    errs = [checking.error_of(a), checking.error_of(b)]
    if math.isinf(min(errs)):
        return a
    if math.isinf(max(errs)):
        return a if math.isfinite(errs[0]) else b
    if abs(a.log10_p - b.log10_p) > _DIFFER * math.hypot(*errs):
        return max(a, b, key=lambda e: e.log10_p)
    return a if errs[0] <= errs[1] else b
