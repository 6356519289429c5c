"""A Gaussian fit to sampled margins: the floor that the literature compares against."""

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import torch

from workbench.distributions import Sampleable
from workbench.errors import NotConverged
from workbench.estimators.base import Estimate, Estimator, Needs, check_positive
from workbench.iteration import State
from workbench.math.cost import Cost
from workbench.math.gaussian import log_cdf
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.types import Grad, Kind


@dataclass(frozen=True, kw_only=True)
class Fit(State):
    """Running mean and sum of squared deviations of the margin."""

    mean: float = 0.0
    squares: float = 0.0


@dataclass(frozen=True)
class GLD(Estimator):
    """Gaussian logit difference: log P = log Phi(mean / std) of sampled margins.

    Extrapolates a Gaussian law into the tail (Wu & Hilton, arXiv 2410.13211, section 3.2); never
    answers 0, and can be decades off.

    Args:
        batch: draws a step.
    """

    batch: int = 2048
    name: ClassVar[str] = "gld"
    kind: ClassVar[Kind] = Kind.HEURISTIC
    grad: ClassVar[Grad] = Grad.NONE
    needs: ClassVar[Needs] = Needs((Sampleable,))

    def __post_init__(self) -> None:
        check_positive(self.name, batch=self.batch)

    def init(self, problem: Problem, rng: Rng) -> Fit:
        return Fit(rng=rng)

    @torch.no_grad()
    def step(self, problem: Problem, state: Fit) -> Fit:
        n = int(min(self.batch, state.left))
        d = problem.distribution
        assert isinstance(d, Sampleable)
        s = problem.margin(d.sample(n, state.rng.child("batch", state.steps).generator())).double()
        # Chan's update of mean and squares.
        total = state.forwards + n
        gap = float(s.mean()) - state.mean
        squares = float((s - s.mean()).square().sum())
        if not math.isfinite(squares + gap * gap):
            raise NotConverged("gld: the margins are too large for their variance to be a number")
        return replace(
            state,
            forwards=total,
            mean=state.mean + gap * n / total,
            squares=state.squares + squares + gap * gap * state.forwards * n / total,
        )

    def read(self, state: Fit) -> Estimate:
        n = state.forwards
        std = math.sqrt(state.squares / (n - 1)) if n > 1 else 0.0
        if std > 0:
            log_p = log_cdf(torch.tensor(state.mean / std, dtype=torch.float64))
        else:
            log_p = torch.tensor(0.0 if state.mean > 0 else -math.inf, dtype=torch.float64)
        info = {"margin_mean": state.mean, "margin_std": std, "draws": n}
        return Estimate(log_p, None, self.kind, Cost(forwards=n), info=info)
