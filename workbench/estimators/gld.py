"""A Gaussian fit to sampled margins: the floor that the literature compares against."""

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch

from workbench.distributions import Reparameterised, Sampleable
from workbench.errors import NotConverged
from workbench.estimators.base import Estimate, Estimator, Needs, check_positive
from workbench.iteration import State
from workbench.math.cost import Cost
from workbench.math.gaussian import log_cdf, log_cdf_inverse
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.types import Grad, Kind

_RARE = math.log(1e-6)


@dataclass(frozen=True, kw_only=True)
class Fit(State):
    """Running mean and sum of squared deviations of the margin, and its extremes."""

    mean: float = 0.0
    squares: float = 0.0
    least: float = math.inf
    most: float = -math.inf
    stretched: bool = False
    """Whether D has tails that are powers."""


@dataclass(frozen=True)
class GLD(Estimator):
    """Gaussian logit difference: log P = log Phi(mean / std) of sampled margins.

    Extrapolates a Gaussian law into the tail (Wu & Hilton, arXiv 2410.13211, section 3.2); never
    answers 0, and can be decades off. It warns where the margins cannot be Gaussian: where D has
    tails that are powers, or where a draw lies further out than one of so many Gaussian ones would
    in a million runs.

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
        d = problem.distribution
        return Fit(rng=rng, stretched=isinstance(d, Reparameterised) and d.stretched)

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
            least=min(state.least, float(s.min())),
            most=max(state.most, float(s.max())),
        )

    def read(self, state: Fit) -> Estimate:
        n = state.forwards
        std = math.sqrt(state.squares / (n - 1)) if n > 1 else 0.0
        if std > 0:
            log_p = log_cdf(torch.tensor(state.mean / std, dtype=torch.float64))
        else:
            log_p = torch.tensor(0.0 if state.mean > 0 else -math.inf, dtype=torch.float64)
        info: dict[str, Any] = {"margin_mean": state.mean, "margin_std": std, "draws": n}
        if state.stretched:
            info["warning"] = (
                "D has tails that are powers, and so have margins, whose tail this takes for that "
                "of a Gaussian: the answer is far too low"
            )
        elif std > 0 and (far := max(state.most - state.mean, state.mean - state.least) / std) > (
            _furthest(n)
        ):
            info["warning"] = (
                f"a margin lies {far:.1f} standard deviations from their mean, and the furthest of "
                f"{n:,} Gaussian ones would not lie beyond {_furthest(n):.1f}: the fit says little "
                "of the tail"
            )
        return Estimate(log_p, None, self.kind, Cost(forwards=n), info=info)


def _furthest(n: int) -> float:
    """Standard deviations beyond which one of n Gaussian draws lies once in a million runs."""
    return -float(log_cdf_inverse(torch.tensor(_RARE - math.log(2.0 * n), dtype=torch.float64)))
