"""Token sequences that a search found or a proposal drew, each weighed by how likely it was to be
evaluated."""

import math
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from workbench.estimators import seen
from workbench.estimators.token_mixture import TokenMixture
from workbench.estimators.token_walk import Walk
from workbench.math.logspace import effective, log1mexp, log_sum
from workbench.math.pareto import tail_index
from workbench.problem import Problem

BATCH = 4096
_HEAVY, _FEW, _MATTERS = 0.7, 30.0, 0.1


@dataclass(frozen=True, kw_only=True)
class Weighed(Walk):
    """A search, then the proposal that the rest is drawn from."""

    outcomes: int
    """Sequences of positive probability, at most 2^62."""
    reserve: int = 0
    """Forward passes kept for the gradient in M."""
    spread: float = 0.0
    """Standard deviation of the margin over the first draws."""
    frozen: int = -1
    """How many sequences had been seen when drawing began; -1 before."""
    draws: int = 0
    drift: Tensor
    """0-d: 0, with the gradient of log P."""
    log_share: Tensor
    log_q: Tensor
    """The proposal, see `TokenMixture`."""

    @property
    def proposal(self) -> TokenMixture:
        return TokenMixture(self.log_share, self.log_q)

    def log_weights(self) -> Tensor:
        """`(n,)`: log of D(x) over the probability that x was evaluated; -inf for no failure."""
        log_w = self.log_p
        if self.frozen >= 0 and self.draws:
            late = self.x[self.frozen :]
            log_missed = -self.draws * torch.exp(self.proposal.log_prob(late)).clamp(min=1e-300)
            log_w = torch.cat([log_w[: self.frozen], log_w[self.frozen :] - log1mexp(log_missed)])
        return torch.where(self.s > 0, log_w, -math.inf)

    def searched(self, log_w: Tensor) -> float:
        """The share of the answer that the search itself found."""
        early = log_w if self.frozen < 0 else log_w[: self.frozen]
        return min(1.0, math.exp(float(log_sum(early) - log_sum(log_w)))) if len(early) else 0.0


S = TypeVar("S", bound=Weighed)


def draw(problem: Problem, state: S, generator: torch.Generator, room: int) -> S:
    """A batch of independent draws; those after the one that the `room` no longer holds are left
    out. What was seen before costs nothing."""
    x = state.proposal.draw(BATCH, generator)
    state = seen.evaluate(problem, state, x, room)
    beyond = torch.nonzero(~torch.isin(seen.keys(x), state.key)).squeeze(1)
    n = int(beyond[0]) if len(beyond) else len(x)
    return replace(state, draws=state.draws + n)


def doubt(state: Weighed, log_w: Tensor, searched: float) -> dict[str, Any]:
    """Diagnostics of the drawn part, and a warning where a few weights carry much of P."""
    late = log_w[state.frozen :] if state.frozen >= 0 else log_w[:0]
    late = late[late > -math.inf]
    if not len(late):
        return {}
    carrying = effective(late)
    k = tail_index(late, state.draws)
    told: dict[str, Any] = {"effective_draws": carrying}
    if math.isfinite(k):
        told["pareto_k"] = k
    if 1.0 - searched > _MATTERS and (carrying < _FEW or k > _HEAVY):
        told["warning"] = (
            f"a few weights carry {1.0 - searched:.0%} of the answer ({carrying:.0f} effective "
            f"draws, Pareto k {k:.2f}): its error is a guess"
        )
    return told
