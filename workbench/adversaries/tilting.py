"""What a nat buys along one slope: P under every tilt of a law of tokens, from shared draws."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from workbench.distributions import IndependentTokens
from workbench.errors import BadInput, Unsupported
from workbench.iteration import State
from workbench.math.simplex import draw, log_prob, tilted_by
from workbench.problem import Problem
from workbench.rng import Rng

_DRAWS = 128  # of every tilt, in a step


@dataclass(frozen=True, kw_only=True)
class Tilted(State):
    """Draws so far, and what their weights sum to."""

    log_q: Tensor
    """`(K, T, V)`: the tilts."""
    first: Tensor
    """`(K,)`: sums of the weights of failures."""
    second: Tensor
    """`(K,)`: of their squares."""


@dataclass(frozen=True)
class Prices:
    """P under D tilted by so many nats.

    Args:
        nats: KL(q_k || D).
        log_p: log P_{q_k}[C], natural; -inf where no draw that counts has failed.
        log_err: its standard error, inf there; never too small in expectation, as the draws are
            spread evenly over the tilts, which can only help.
    """

    nats: tuple[float, ...]
    log_p: tuple[float, ...]
    log_err: tuple[float, ...]

    def at(self, nats: float) -> tuple[float, float]:
        """(log P, standard error) of one of the tilts."""
        k = self.nats.index(nats)
        return self.log_p[k], self.log_err[k]


@dataclass(frozen=True)
class Tilting:
    """Multiple importance sampling from the tilts q_k(v) ~ p(v) exp(b_k slope[v]) of one law.

    With as many draws x from each of the K tilts, P_{q_j}[C] is the mean over all of them of
    1[C] q_j(x) / mean_k q_k(x): the balance heuristic, whose weights are at most K (Veach & Guibas
    1995, section 3). The failures that strong tilts find count for the weak ones too.

    Args:
        slope: `(T, V)`, finite.
        nats: what the tilts spend; 0 is D itself.

    Raises:
        BadInput: for no tilt, or nats below 0.
        Unsupported: by `init`, where the positions of D are not independent.
    """

    slope: Tensor
    nats: Sequence[float]

    def __post_init__(self) -> None:
        if not self.nats or not all(0.0 <= n < math.inf for n in self.nats):
            raise BadInput(f"tilts need numbers of nats, each at least 0; got {list(self.nats)}")

    def init(self, problem: Problem, rng: Rng) -> Tilted:
        d = problem.distribution
        if not isinstance(d, IndependentTokens):
            raise Unsupported("tilting D along a slope", "a D of independent tokens is needed")
        log_p = d.log_probs().detach().double()
        log_q = torch.stack([tilted_by(log_p, self.slope, n) if n else log_p for n in self.nats])
        zero = torch.zeros(len(self.nats), dtype=torch.float64)
        return Tilted(rng=rng, log_q=log_q, first=zero, second=zero)

    @torch.no_grad()
    def step(self, problem: Problem, state: Tilted) -> Tilted:
        generator = state.rng.child(state.steps).generator()
        x = torch.cat([draw(q.exp(), _DRAWS, generator) for q in state.log_q])
        each = torch.stack([log_prob(q, x) for q in state.log_q])
        weight = (each - (each.logsumexp(0) - math.log(len(each)))).exp()
        failed = weight * (problem.margin(x) > 0).double()
        return Tilted(
            rng=state.rng, steps=state.steps, limit=state.limit, log_q=state.log_q,
            forwards=state.forwards + len(x), first=state.first + failed.sum(1),
            second=state.second + failed.square().sum(1),
        )  # fmt: skip

    def finished(self, state: Tilted) -> bool:
        return state.left < len(state.log_q) * _DRAWS

    def read(self, state: Tilted) -> Prices:
        n = max(state.forwards, 1)
        mean = state.first / n
        error = ((state.second / n - mean.square()).clamp(min=0.0) / n).sqrt()
        relative = torch.where(mean > 0, error / mean, math.inf)
        return Prices(tuple(self.nats), tuple(mean.log().tolist()), tuple(relative.tolist()))
