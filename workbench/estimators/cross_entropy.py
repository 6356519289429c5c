"""The cross-entropy method over independent tokens: no gradients, only what failed."""

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from workbench.distributions import IndependentTokens, Sequences
from workbench.errors import BadInput
from workbench.estimators.base import Estimate, Estimator, Needs, check_positive
from workbench.estimators.levels import quantile
from workbench.estimators.weighing import Weighed, estimate_of, weighed
from workbench.math import simplex
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.types import Grad, Kind

_SMALLEST, _ROUNDS_IN_MIND = 100, 32


@dataclass(frozen=True, kw_only=True)
class Proposing(Weighed):
    """The proposal, and whether it is settled: only then are draws weighed."""

    log_q: Tensor
    """`(T, V)`."""
    rounds: int = 0
    at_zero: int = 0
    """Rounds whose threshold had reached the event itself."""
    settled: bool = False


@dataclass(frozen=True)
class CrossEntropy(Estimator):
    """P-hat = mean of 1_C p(x) / q(x) over draws of a product q fitted to failures.

    (Rubinstein 1999; de Boer et al. 2005.) Each round draws from q, takes as elite the best share
    of margins, or all failures once they are as many, and moves q to the elite's token
    frequencies weighed by p / q: the product nearest in relative entropy to p given the level. Some
    of p stays mixed in, so that no token of D is lost. Rounds end two after the level has reached
    the event; what is left of the budget is weighed, and only that: unbiased.

    Args:
        batch: sequences a round; fewer where the budget would not hold many rounds.
        elite: share of a round that moves q.
        kept: share of p in q.
        rounds: the most, and at most half of what the budget holds.
    """

    batch: int = 2048
    elite: float = 0.1
    kept: float = 0.1
    rounds: int = 40
    name: ClassVar[str] = "cross_entropy"
    kind: ClassVar[Kind] = Kind.UNBIASED
    grad: ClassVar[Grad] = Grad.NONE
    needs: ClassVar[Needs] = Needs((IndependentTokens,))

    def __post_init__(self) -> None:
        check_positive(self.name, batch=self.batch, rounds=self.rounds)
        for key in ("elite", "kept"):
            share = getattr(self, key)
            if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share < 1:
                raise BadInput(f"{self.name}: {key} must lie between 0 and 1, got {share!r}")

    def init(self, problem: Problem, rng: Rng) -> Proposing:
        d = problem.distribution
        assert isinstance(d, Sequences)
        return Proposing(rng=rng, log_q=torch.zeros(d.dim, d.alphabet, dtype=torch.float64))

    @torch.no_grad()
    def step(self, problem: Problem, state: Proposing) -> Proposing:
        d = problem.distribution
        assert isinstance(d, IndependentTokens)
        log_p = d.log_probs().detach().double()
        if state.steps == 0:
            state = replace(state, log_q=log_p)
        n = int(min(self._size(state), state.left))
        generator = state.rng.child("batch", state.steps).generator()
        q = torch.exp(state.log_q)
        x = simplex.draw(q, n, generator)
        s = problem.margin(x)
        log_w = simplex.log_prob((log_p - state.log_q).nan_to_num(nan=-math.inf), x)
        if state.settled:
            return weighed(state, log_w[s > 0], n, n)
        level = min(0.0, quantile(s, self.elite))
        chosen = s > level
        at_zero = state.at_zero + (level == 0.0)
        rounds = state.rounds + 1
        half = state.limit is not None and state.forwards + 2 * n > state.limit // 2
        state = replace(
            state,
            forwards=state.forwards + n,
            rounds=rounds,
            at_zero=at_zero,
            settled=at_zero > 2 or rounds >= self.rounds or half,
        )
        if not bool(chosen.any()):
            return state
        share = torch.softmax(log_w[chosen], 0)
        found = torch.zeros_like(q)
        for i in range(d.dim):
            found[i].index_add_(0, x[chosen, i], share)
        mixed = self.kept * torch.exp(log_p) + (1.0 - self.kept) * found
        return replace(state, log_q=torch.log(mixed))

    def _size(self, state: Proposing) -> int:
        """Sequences of a round; fewer where the budget would not hold many rounds."""
        if state.limit is None:
            return self.batch
        return min(self.batch, max(_SMALLEST, state.limit // _ROUNDS_IN_MIND))

    def read(self, state: Proposing) -> Estimate:
        estimate = estimate_of(state, self.kind)
        return replace(estimate, info={**estimate.info, "rounds": state.rounds})
