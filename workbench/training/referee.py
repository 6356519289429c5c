"""The referee: what log P is according to a sampler that the optimiser never sees."""

import math
from dataclasses import dataclass

from workbench.adversaries import checking
from workbench.math.gaussian import TWO_SIDED_95
from workbench.problem import Problem
from workbench.rng import Rng


@dataclass(frozen=True)
class Referee:
    """Independent samplers on fresh draws, beside the estimate that is optimised.

    Args:
        every: steps between two evaluations; there is one more at the end.
        budget: forward passes for each distribution.
        apart: digits that estimate and referee may differ by, where the referee is sure of as much
            (its own 95%).
    """

    every: int = 25
    budget: int = 20_000
    apart: float = 1.0

    def judge(self, problem: Problem, log10_p: float, rng: Rng) -> tuple[float, float, bool]:
        """log10 P and its standard error, as sampled; and whether the estimate is exploited.

        A referee that saw no failure gives -inf with an infinite error. That convicts an estimate
        only where the draws would have shown hundreds of failures had it been right.
        """
        start = log10_p * math.log(10.0) if math.isfinite(log10_p) else -700.0
        found = checking.check(problem, start, rng, self.budget)
        err = found.log10_err
        if not math.isfinite(found.log10_p) or err is None or not math.isfinite(err):
            seen_by_now = math.isfinite(log10_p) and 10.0**log10_p * self.budget > 200.0
            return found.log10_p, math.inf, seen_by_now
        gap = abs(log10_p - found.log10_p)
        return found.log10_p, err, gap > max(self.apart, TWO_SIDED_95 * err)
