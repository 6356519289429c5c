"""Metropolis-Hastings importance sampling: chains over tokens, drawn to high margins."""

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from workbench.distributions import IndependentTokens
from workbench.errors import BadInput
from workbench.estimators import soft_tokens
from workbench.estimators.base import Estimate, Estimator, Needs, check_positive
from workbench.estimators.itgis import check_temperature
from workbench.iteration import State
from workbench.math.cost import Cost
from workbench.math.logspace import effective, log_sum
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.types import Grad, Kind

_FEW = 0.25
"""Share of the chains that have to carry each of the two sums."""


@dataclass(frozen=True, kw_only=True)
class Walk(State):
    """Where the chains stand, and logs of the sums that each has gathered since its burn-in."""

    x: Tensor
    """`(m, T)`."""
    margin: Tensor
    gradient: Tensor
    """`(m, T, V)`."""
    log_all: Tensor
    """`(m,)`: log of the sum of e^(-s / temperature)."""
    log_hit: Tensor
    """`(m,)`: the same over failures."""
    hits: int = 0
    proposed: int = 0
    accepted: int = 0
    kept: int = 0


@dataclass(frozen=True)
class MHIS(Estimator):
    """P-hat = sum 1_C e^(-s/T) / sum e^(-s/T) over chains with stationary law q proportional to
    p e^(s/T).

    (Wu & Hilton, arXiv 2410.13211, section 3.1.) A proposal takes a random position i and a token
    v with probability proportional to p_i(v) exp(d s / d onehot_i[v] / T), and is taken or not by
    Metropolis and Hastings' rule, which needs the gradient at both ends. P is a ratio of two means
    under q, so its estimate is consistent and not unbiased; where q hardly overlaps p, the
    denominator is carried by a few visits to it. The interval is Student's with one degree of
    freedom less than there are chains that carry either sum; it warns where less than a quarter do.

    Args:
        chains: side by side; their spread is the error.
        burn_in: moves of every chain before any counts; at most half of what the budget holds.
        temperature: T, in logits.
    """

    chains: int = 32
    burn_in: int = 1024
    temperature: float = 1.0
    name: ClassVar[str] = "mhis"
    kind: ClassVar[Kind] = Kind.CONSISTENT
    grad: ClassVar[Grad] = Grad.NONE
    needs: ClassVar[Needs] = Needs((IndependentTokens,))

    def __post_init__(self) -> None:
        check_positive(self.name, chains=self.chains, burn_in=self.burn_in)
        check_temperature(self.name, self.temperature)
        if self.chains < 2:
            raise BadInput(f"mhis: chains must be at least 2 for their spread, got {self.chains}")

    def init(self, problem: Problem, rng: Rng) -> Walk:
        none = torch.zeros(0, dtype=torch.float64)
        return Walk(
            rng=rng, x=torch.zeros(0, problem.distribution.dim, dtype=torch.int64), margin=none,
            gradient=none, log_all=none, log_hit=none,
        )  # fmt: skip

    def _price(self) -> int:
        return self.chains * soft_tokens.COST

    @torch.no_grad()
    def step(self, problem: Problem, state: Walk) -> Walk:
        d = problem.distribution
        assert isinstance(d, IndependentTokens)
        if state.left < self._price():
            return replace(state, forwards=state.forwards + int(state.left))
        log_p = d.log_probs().detach().double()
        generator = state.rng.child("move", state.steps).generator()
        if len(state.x) == 0:
            drawn = torch.multinomial(
                torch.exp(log_p), self.chains, replacement=True, generator=generator
            )
            return self._started(problem, state, drawn.T.contiguous())
        m, t = state.x.shape
        rows = torch.arange(m)
        at = torch.randint(t, (m,), generator=generator)
        there = torch.log_softmax(
            log_p[at] + state.gradient[rows, at].double() / self.temperature, 1
        )
        token = torch.multinomial(torch.exp(there), 1, generator=generator).squeeze(1)
        x = state.x.clone()
        x[rows, at] = token
        s, gradient = soft_tokens.margin_and_gradient(problem, x)
        back = torch.log_softmax(log_p[at] + gradient[rows, at].double() / self.temperature, 1)
        old = state.x[rows, at]
        log_ratio = (
            (s - state.margin).double() / self.temperature
            + log_p[at, token] - log_p[at, old]
            + back[rows, old] - there[rows, token]
        )  # fmt: skip
        coin = torch.rand(m, generator=generator, dtype=torch.float64)
        take = torch.log(coin) < log_ratio
        moved = replace(
            state,
            x=torch.where(take[:, None], x, state.x),
            margin=torch.where(take, s, state.margin),
            gradient=torch.where(take[:, None, None], gradient, state.gradient),
            forwards=state.forwards + self._price(),
            proposed=state.proposed + m,
            accepted=state.accepted + int(take.sum()),
        )
        return moved if state.steps <= self._burnt(state) else self._counted(moved)

    def _started(self, problem: Problem, state: Walk, x: Tensor) -> Walk:
        s, gradient = soft_tokens.margin_and_gradient(problem, x)
        nothing = torch.full((len(x),), -math.inf, dtype=torch.float64)
        return replace(
            state, x=x, margin=s, gradient=gradient, log_all=nothing, log_hit=nothing,
            forwards=state.forwards + self._price(),
        )  # fmt: skip

    def _burnt(self, state: Walk) -> int:
        """Moves before any counts."""
        if state.limit is None:
            return self.burn_in
        return min(self.burn_in, state.limit // self._price() // 2)

    def _counted(self, state: Walk) -> Walk:
        log_w = -state.margin.double() / self.temperature
        hit = torch.where(state.margin > 0, log_w, -math.inf)
        return replace(
            state,
            log_all=torch.logaddexp(state.log_all, log_w),
            log_hit=torch.logaddexp(state.log_hit, hit),
            hits=state.hits + int((state.margin > 0).sum()),
            kept=state.kept + len(log_w),
        )

    def read(self, state: Walk) -> Estimate:
        cost = Cost(forwards=state.forwards)
        share = state.accepted / state.proposed if state.proposed else 0.0
        info: dict[str, Any] = {"visits": state.kept, "hits": state.hits, "acceptance": share}
        if state.hits == 0:
            none = torch.tensor(-math.inf, dtype=torch.float64)
            return Estimate(none, math.inf, self.kind, cost, (-math.inf, 0.0), info)
        log_all, log_hit = log_sum(state.log_all), log_sum(state.log_hit)
        log_p = float(log_hit - log_all)
        # Delta method on a ratio of means, a chain being one observation.
        off = torch.exp(state.log_hit - log_hit) - torch.exp(state.log_all - log_all)
        m = len(off)
        log_err = float(torch.sqrt(off.square().sum() * m / (m - 1)))
        from scipy.special import stdtrit

        fewest = float(m)
        for what, own in (("failures", state.log_hit), ("visits", state.log_all)):
            carrying = effective(own)
            fewest = min(fewest, carrying)
            if carrying < _FEW * m:
                info["warning"] = (
                    f"{carrying:.1f} of {m} chains carry the sum over {what}: its error is a guess"
                )
        reach = float(stdtrit(max(1.0, fewest - 1.0), 0.975)) * log_err
        interval = (log_p - reach, min(0.0, log_p + reach))
        value = torch.tensor(min(0.0, log_p), dtype=torch.float64)
        return Estimate(value, log_err, self.kind, cost, interval, info)
