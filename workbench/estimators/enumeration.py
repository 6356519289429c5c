"""Every outcome of a finite D in turn."""

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch

from workbench.distributions import Enumerable
from workbench.estimators.base import Estimate, Estimator, Needs, check_positive
from workbench.iteration import State
from workbench.math.cost import Cost
from workbench.math.logspace import log1mexp, log_plus
from workbench.models import Transformer, logits_sharing_prefixes
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.types import Grad, Kind, Pace

_ROUNDING = 1e-12  # of a log probability that is a sum of logs, and of a log of a sum


@dataclass(frozen=True, kw_only=True)
class Tally(State):
    """Outcomes seen are counted by `forwards`; logs of the mass where C holds and where not."""

    outcomes: int
    normalised: bool = True
    log_hit: float = -math.inf
    log_miss: float = -math.inf
    hits: int = 0


@dataclass(frozen=True)
class Enumeration(Estimator):
    """P = sum of P(x) over the outcomes x of D with margin > 0, one forward pass each: exact.

    A transformer on token sequences computes the prefixes that neighbours share only once.

    P = 0 is answered as log P = -inf, and is then a proof. Where the budget ends before the
    outcomes do, the mass seen to fail is the answer, a lower bound without a standard error, and
    the interval holds P for certain: what is not known to be safe may fail. Where D gives weights
    whose sum is not known (an energy), all outcomes have to be seen.

    Args:
        batch: outcomes a step.

    >>> import torch, workbench as wb
    >>> coins = wb.Discrete(torch.tensor([[0.0, 1.0]] * 9), torch.tensor([[0.9, 0.1]] * 9))
    >>> ones = wb.Halfspace(torch.ones(9), -8.5)
    >>> round(Enumeration()(wb.Problem(coins, torch.nn.Identity(), ones)).log10_p, 5)
    -9.0
    """

    batch: int = 4096
    name: ClassVar[str] = "enumeration"
    kind: ClassVar[Kind] = Kind.UNBIASED
    grad: ClassVar[Grad] = Grad.NONE
    needs: ClassVar[Needs] = Needs((Enumerable,))
    pace: ClassVar[Pace] = Pace.AT_REST

    def __post_init__(self) -> None:
        check_positive(self.name, batch=self.batch)

    def init(self, problem: Problem, rng: Rng) -> Tally:
        d = problem.distribution
        assert isinstance(d, Enumerable)
        return Tally(rng=rng, outcomes=d.outcomes, normalised=d.normalised)

    @torch.no_grad()
    def step(self, problem: Problem, state: Tally) -> Tally:
        d = problem.distribution
        assert isinstance(d, Enumerable)
        x, log_p = d.outcome(state.forwards, int(min(self.batch, state.left)))
        fails = _margin(problem, x) > 0
        return replace(
            state,
            log_hit=log_plus(state.log_hit, log_p[fails]),
            log_miss=log_plus(state.log_miss, log_p[~fails]),
            hits=state.hits + int(fails.sum()),
            forwards=state.forwards + len(x),
        )

    def finished(self, state: Tally) -> bool:
        return state.forwards >= state.outcomes

    def read(self, state: Tally) -> Estimate:
        info: dict[str, Any] = {
            "outcomes": state.outcomes, "seen": state.forwards, "hits": state.hits,
        }  # fmt: skip
        log_p, log_err, interval = state.log_hit, math.inf, None
        if self.finished(state):
            # Over what was seen in all, so that a sure event has log P = 0 without rounding.
            log_p = min(0.0, log_p - log_plus(log_p, torch.tensor([state.log_miss]).double()))
            log_err = _ROUNDING
        else:
            info["warning"] = f"only {state.forwards:,} of {state.outcomes:,} outcomes were seen: "
            if state.normalised:
                log_p = min(0.0, log_p)
                interval = (log_p, max(log_p, _rest(state.log_miss)))
                info["warning"] += "this is a lower bound"
            else:
                log_p, interval = -math.inf, (-math.inf, 0.0)
                info["warning"] += "the weight of the others is not known, and so nothing of P"
        value = torch.tensor(log_p, dtype=torch.float64)
        return Estimate(value, log_err, self.kind, Cost(forwards=state.forwards), interval, info)


def _margin(problem: Problem, x: torch.Tensor) -> torch.Tensor:
    """s of outcomes in their order, of which neighbours begin alike."""
    if isinstance(problem.model, Transformer):
        return problem.judge(x, logits_sharing_prefixes(problem.model, x))
    return problem.margin(x)


def _rest(log_mass: float) -> float:
    """log(1 - exp(log_mass))."""
    return float(log1mexp(torch.tensor(min(log_mass, -1e-15), dtype=torch.float64)))
