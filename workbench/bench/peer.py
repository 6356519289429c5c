"""A method of another package as an estimator: one step, whose failures are sentences."""

import math
import warnings
from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar

import torch

from workbench.bench.limit_state import LimitState
from workbench.distributions import Reparameterised
from workbench.errors import NotConverged, Unsupported
from workbench.estimators.base import Estimate, Estimator, Needs
from workbench.iteration import State
from workbench.math.cost import Cost
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.types import Grad, Kind

_DEFAULT_BUDGET = 100_000
_PATIENCE = 60.0
_OVERRUN = 20  # a run that spends so many budgets is not going to answer


@dataclass(frozen=True)
class Answer:
    """P, its claimed relative error and its claimed 95% interval, where the package states them."""

    p: float
    relative: float | None = None
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, kw_only=True)
class Outcome(State):
    """What the one step of a peer found; logs in nats."""

    log_p: float = -math.inf
    log_err: float | None = None
    interval: tuple[float, float] | None = None
    gradients: int = 0


@dataclass(frozen=True)
class Peer(Estimator):
    """One run of a package's method is one step; subclasses give `solve`, `name` and `package`."""

    package: ClassVar[str]
    kind: ClassVar[Kind] = Kind.CONSISTENT
    grad: ClassVar[Grad] = Grad.NONE
    needs: ClassVar[Needs] = Needs((Reparameterised,))

    @abstractmethod
    def solve(self, limit: LimitState, budget: int, seed: int) -> Answer:
        """P(g < 0), spending about `budget` forward-equivalents."""

    def init(self, problem: Problem, rng: Rng) -> Outcome:
        return Outcome(rng=rng)

    def step(self, problem: Problem, state: Outcome) -> Outcome:
        """The whole run.

        Raises:
            NotConverged: where the package fails, in whatever way, or does not end.
        """
        budget = state.limit or _DEFAULT_BUDGET
        limit = LimitState(problem, _OVERRUN * budget, _PATIENCE)
        seed = int(torch.randint(2**31 - 1, (1,), generator=state.rng.generator()))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of a package that is not ours to mend
                answer = self.solve(limit, budget, seed)
        except Unsupported:
            raise
        except Exception as error:  # packages raise whatever they like
            said = limit.stopped or _first_line(error)
            raise NotConverged(f"{self.name}: {said}") from error
        if limit.forwards == 0:
            raise NotConverged(f"{self.name}: answered {answer.p:.3g} without one forward")
        if not 0.0 <= answer.p <= 1.0:
            raise NotConverged(f"{self.name}: answered P = {answer.p:.3g}")
        return replace(
            state,
            log_p=_log(answer.p),
            log_err=answer.relative,
            interval=answer.interval and (_log(answer.interval[0]), _log(answer.interval[1])),
            gradients=limit.gradients,
            forwards=limit.forwards,
        )

    def finished(self, state: Outcome) -> bool:
        return state.steps > 0

    def read(self, state: Outcome) -> Estimate:
        log_p = torch.tensor(state.log_p, dtype=torch.float64)
        cost = Cost(forwards=state.forwards)
        info = {"gradients": state.gradients}
        return Estimate(log_p, state.log_err, self.kind, cost, state.interval, info)


def _log(p: float) -> float:
    return math.log(p) if p > 0 else -math.inf


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else repr(error))[:120]
