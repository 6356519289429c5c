"""A Gaussian fit to sampled margins: the floor that the literature compares against."""

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from workbench.distributions import Reparameterised, Sampleable
from workbench.errors import NotConverged
from workbench.estimators.base import Estimate, Estimator, Needs, check_positive
from workbench.estimators.refuted import Bar, ample, refuted
from workbench.iteration import State
from workbench.math.cost import Cost
from workbench.math.gaussian import log_cdf, log_cdf_inverse
from workbench.math.logspace import LN10
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.types import Grad, Kind

_RARE = math.log(1e-6)
_BARS = (3.5, 3.0, 2.5, 2.0, 1.5, 1.0)  # standard deviations from the mean towards C
_FURTHEST = 5.0  # times the digits that draws reach


@dataclass(frozen=True, kw_only=True)
class Fit(State):
    """Running mean and sum of squared deviations of the margin, its extremes, and how many draws
    pass some bars."""

    mean: float = 0.0
    squares: float = 0.0
    least: float = math.inf
    most: float = -math.inf
    stretched: bool = False
    """Whether D has tails that are powers."""
    bars: Tensor
    """`(m,)`: 0, then margins between it and the mean, laid by the first batch."""
    beyond: Tensor
    """`(m,)`: draws further towards C than each."""


@dataclass(frozen=True)
class GLD(Estimator):
    """Gaussian logit difference: log P = log Phi(mean / std) of sampled margins.

    Extrapolates a Gaussian law into the tail (Wu & Hilton, arXiv 2410.13211, section 3.2); never
    answers 0, and can be decades off. It warns where the margins cannot be Gaussian: where more or
    fewer of them pass 0, or bars on the way there, than the fit has it (see `refuted`); where D has
    tails that are powers and C is too rare to be counted; or where a draw lies further out than one
    of so many Gaussian ones would in a million runs.

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
        none = torch.zeros(0, dtype=torch.float64)
        stretched = isinstance(d, Reparameterised) and d.stretched
        return Fit(rng=rng, stretched=stretched, bars=none, beyond=none.long())

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
        if not len(state.bars):
            state = _with_bars(state, float(s.mean()), math.sqrt(squares / max(1, n - 1)))
        return replace(
            state,
            forwards=total,
            mean=state.mean + gap * n / total,
            squares=state.squares + squares + gap * gap * state.forwards * n / total,
            least=min(state.least, float(s.min())),
            most=max(state.most, float(s.max())),
            beyond=state.beyond + (s[:, None] > state.bars).sum(0),
        )

    def read(self, state: Fit) -> Estimate:
        n = state.forwards
        std = math.sqrt(state.squares / (n - 1)) if n > 1 else 0.0
        if std > 0:
            log_p = log_cdf(torch.tensor(state.mean / std, dtype=torch.float64))
        else:
            log_p = torch.tensor(0.0 if state.mean > 0 else -math.inf, dtype=torch.float64)
        info: dict[str, Any] = {"margin_mean": state.mean, "margin_std": std, "draws": n}
        if warning := _doubt(state, std, float(log_p)):
            info["warning"] = warning
        return Estimate(log_p, None, self.kind, Cost(forwards=n), info=info)


def _with_bars(state: Fit, mean: float, std: float) -> Fit:
    """With the bars that the first draws, of this mean and spread, are to be counted at."""
    between = [mean + k * std for k in _BARS if mean + k * std < 0.0]
    bars = torch.tensor([0.0, *between], dtype=torch.float64)
    return replace(state, bars=bars, beyond=torch.zeros(len(bars), dtype=torch.long))


def _doubt(state: Fit, std: float, log_p: float) -> str:
    """Why margins are not Gaussian, in one sentence; else empty."""
    n = state.forwards
    if not std > 0 or not n:
        return ""
    index = (state.mean - state.bars) / std
    bars = [
        Bar(float(p), int(k), f"beyond {-float(i):.1f} standard deviations towards C")
        for i, p, k in zip(index[1:], log_cdf(index[1:]), state.beyond[1:], strict=True)
    ]
    seen = int(state.beyond[0])
    if told := refuted(log_p, n, seen, bars):
        return f"{told}: margins are not Gaussian, and the fit says little of the tail"
    if ample(seen):
        return ""
    if state.stretched:
        return (
            "D has tails that are powers, and so have margins, whose tail this takes for that of "
            "a Gaussian: the answer is far too low"
        )
    far = max(state.most - state.mean, state.mean - state.least) / std
    if far > _furthest(n):
        return (
            f"a margin lies {far:.1f} standard deviations from their mean, and the furthest of "
            f"{n:,} Gaussian ones would not lie beyond {_furthest(n):.1f}: the fit says little "
            "of the tail"
        )
    if log_p < -_FURTHEST * math.log(n):
        return (
            f"{n:,} draws show the first {math.log10(n):.1f} digits of a tail, and the fit is "
            f"taken {-log_p / LN10:.0f} digits far: nothing says that it holds there"
        )
    return ""


def _furthest(n: int) -> float:
    """Standard deviations beyond which one of n Gaussian draws lies once in a million runs."""
    return -float(log_cdf_inverse(torch.tensor(_RARE - math.log(2.0 * n), dtype=torch.float64)))
