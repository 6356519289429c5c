"""Count the catastrophes among independent draws."""

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import torch

from workbench.distributions import Sampleable
from workbench.estimators.base import Estimate, Estimator, Needs, check_positive
from workbench.iteration import State
from workbench.math.cost import Cost
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.types import Grad, Kind


@dataclass(frozen=True, kw_only=True)
class Counts(State):
    """Draws are counted by `forwards`."""

    hits: int = 0


@dataclass(frozen=True)
class MonteCarlo(Estimator):
    """P-hat = hits / n, with the Clopper-Pearson 95% interval.

    Unbiased; right when n P >> 1 and blind when n P << 1: zero hits are answered as log P = -inf
    with log_err = inf and the interval's upper end -log(0.025) / n or so.

    Args:
        batch: draws a step.

    >>> import workbench as wb
    >>> estimate = MonteCarlo()(wb.load("A_d10_1e-3"), budget=20_000)
    >>> low, high = estimate.log10_interval
    >>> low < -3 < high
    True
    """

    batch: int = 2048
    name: ClassVar[str] = "monte_carlo"
    kind: ClassVar[Kind] = Kind.UNBIASED
    grad: ClassVar[Grad] = Grad.NONE
    needs: ClassVar[Needs] = Needs((Sampleable,))

    def __post_init__(self) -> None:
        check_positive(self.name, batch=self.batch)

    def init(self, problem: Problem, rng: Rng) -> Counts:
        return Counts(rng=rng)

    @torch.no_grad()
    def step(self, problem: Problem, state: Counts) -> Counts:
        n = int(min(self.batch, state.left))
        d = problem.distribution
        assert isinstance(d, Sampleable)
        x = d.sample(n, state.rng.child("batch", state.steps).generator())
        hits = int((problem.margin(x) > 0).sum())
        return replace(state, hits=state.hits + hits, forwards=state.forwards + n)

    def read(self, state: Counts) -> Estimate:
        hits, n = state.hits, state.forwards
        log_p = math.log(hits / n) if hits else -math.inf
        log_err = math.sqrt((1.0 - hits / n) / hits) if hits else math.inf
        return Estimate(
            torch.tensor(log_p, dtype=torch.float64),
            log_err,
            self.kind,
            Cost(forwards=n),
            clopper_pearson(hits, n),
            {"hits": hits, "draws": n},
        )


def clopper_pearson(hits: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Exact binomial confidence interval of log P (Clopper & Pearson 1934), in nats."""
    from scipy.special import betaincinv

    if n == 0:
        return -math.inf, 0.0
    tail = 0.5 * (1.0 - level)
    low = math.log(betaincinv(hits, n - hits + 1, tail)) if hits else -math.inf
    high = math.log(betaincinv(hits + 1, n - hits, 1.0 - tail)) if hits < n else 0.0
    return low, high
