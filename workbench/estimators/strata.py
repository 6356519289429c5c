"""Every piece of D a stratum of its own, sampled around its own tangents: unbiased."""

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from workbench.distributions import Reparameterised
from workbench.estimators.base import Estimate, Estimator, Needs, check_positive
from workbench.estimators.pieces import Field, event_of, pieces_of
from workbench.iteration import State
from workbench.math.cost import Cost
from workbench.math.gaussian import TWO_SIDED_95, log_cdf_value
from workbench.math.logspace import log_sum
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.specs import Polyhedral
from workbench.types import Grad, Kind

_PLAIN = 0.2
_EVEN = 0.1
_FITTED = 0.4
_HEAVY = 0.2


@dataclass(frozen=True, kw_only=True)
class Sampled(State):
    """The proposals of all pieces, and the sums of the weights of their failures."""

    log_weight: Tensor
    centre: Tensor
    """`(n, 1 + r, d)`: the means of a piece's proposals, the origin first."""
    share: Tensor
    """`(n, 1 + r)`."""
    total: Tensor
    """`(n,)`: sum of the weights of failures."""
    squares: Tensor
    heaviest: float = 0.0
    """The largest part of P that one draw stands for, times the draws of a piece."""
    draws: int = 0
    hits: int = 0
    searched: bool = False
    piloted: int = 0


@dataclass(frozen=True)
class Strata(Estimator):
    """P = sum_i w_i P_i, each piece i of D by importance sampling around its own tangents.

    The proposal of a piece mixes unit normals around the design points of its nearest clauses,
    around the mean of the failures of pilot draws (cross-entropy: Rubinstein 1997), and, as a
    fifth, the piece itself, so that no weight exceeds 5 (defensive sampling: Hesterberg 1995).
    Every piece gets as many draws, none of them from the pilots. Unbiased whatever the search
    missed; failures that it missed are found at the rate at which plain draws would find them.

    Args:
        batch: draws a piece and step.
        pilots: rounds of draws that move the proposals, and are then forgotten.
        rivals: clauses a piece has proposals for.
        moves: of the search for a tangent.

    >>> import workbench as wb
    >>> low, high = Strata()(wb.load("A_d10_1e-6"), budget=4_000).log10_interval
    >>> low < -6 < high
    True
    """

    batch: int = 64
    pilots: int = 4
    rivals: int = 4
    moves: int = 8
    name: ClassVar[str] = "strata"
    kind: ClassVar[Kind] = Kind.UNBIASED
    grad: ClassVar[Grad] = Grad.NONE
    needs: ClassVar[Needs] = Needs((Reparameterised,), (Polyhedral,))

    def __post_init__(self) -> None:
        check_positive(
            self.name, batch=self.batch, pilots=self.pilots, rivals=self.rivals, moves=self.moves
        )

    def init(self, problem: Problem, rng: Rng) -> Sampled:
        assert isinstance(problem.distribution, Reparameterised)
        p = pieces_of(problem.distribution)
        n, d = p.mean.shape
        zero = p.mean.new_zeros(n)
        return Sampled(
            rng=rng, log_weight=p.log_weight, centre=p.mean.new_zeros(n, 1, d),
            share=p.mean.new_ones(n, 1), total=zero, squares=zero,
        )  # fmt: skip

    @torch.no_grad()
    def step(self, problem: Problem, state: Sampled) -> Sampled:
        d, c = problem.distribution, problem.spec
        assert isinstance(d, Reparameterised) and isinstance(c, Polyhedral)
        pieces = pieces_of(d)
        field = Field(problem.model, pieces, event_of(c, problem.outputs, pieces.mean))
        if not state.searched:
            return self._search(field, state)
        n, d = pieces.mean.shape
        m = int(min(self.batch, state.left // n))
        if m < 1:
            return replace(state, forwards=state.forwards + int(min(state.left, n)))
        pilot = state.piloted < self.pilots and state.left >= 4 * n * m * self.pilots
        generator = state.rng.child("draws", state.draws, state.piloted).generator()
        picked = torch.multinomial(state.share, m, replacement=True, generator=generator)
        z = torch.randn(n, m, d, generator=generator, dtype=pieces.mean.dtype)
        z = z + state.centre.gather(1, picked[..., None].expand(n, m, d))
        half = 0.5 * state.centre.square().sum(-1)
        log_ratio = torch.einsum("nmd,nkd->nmk", z, state.centre) - half[:, None]
        log_q = log_sum(log_ratio + state.share.log()[:, None])
        who = torch.arange(n).repeat_interleave(m)
        fails = problem.margin(pieces.push(z.reshape(-1, d), who)).reshape(n, m) > 0
        weight = torch.where(fails, torch.exp(-log_q), 0.0)
        if pilot:
            spent = replace(state, piloted=state.piloted + 1, forwards=state.forwards + n * m)
            return _moved(spent, z, weight)
        by_piece = torch.exp(state.log_weight)[:, None] * weight
        return replace(
            state, total=state.total + weight.sum(1),
            squares=state.squares + weight.square().sum(1),
            heaviest=max(state.heaviest, float(by_piece.max())), draws=state.draws + m,
            hits=state.hits + int(fails.sum()), forwards=state.forwards + n * m,
        )  # fmt: skip

    def _search(self, field: Field, state: Sampled) -> Sampled:
        """The proposals; none where the budget does not hold the search and a draw a piece."""
        n, c = len(state.log_weight), len(field.event.clauses)
        r = min(self.rivals, c)
        cost = 3 * n * field.members.shape[1] * (c + r * self.moves)
        if cost + 2 * n > state.left:
            return replace(state, searched=True)
        found = field.tangents(r, self.moves)
        beta = found.beta.clamp(min=0.0)
        likely = torch.softmax(log_cdf_value(-beta), 1)
        share = (1.0 - _PLAIN) * ((1.0 - _EVEN) * likely + _EVEN / r)
        plain = share.new_full((n, 1), _PLAIN)
        centre = torch.cat([state.centre, beta[..., None] * found.unit], 1)
        return replace(
            state, searched=True, centre=centre, share=torch.cat([plain, share], 1),
            forwards=state.forwards + found.rows,
        )  # fmt: skip

    def read(self, state: Sampled) -> Estimate:
        cost, w = Cost(forwards=state.forwards), torch.exp(state.log_weight)
        info: dict[str, Any] = {"draws_a_piece": state.draws, "hits": state.hits}
        if state.draws < 2 or not state.hits:
            nothing = torch.tensor(-math.inf, dtype=torch.float64)
            top = math.log(3.7 * float(w.max()) / max(1, state.draws) / _PLAIN)
            return Estimate(nothing, math.inf, self.kind, cost, (-math.inf, min(0.0, top)), info)
        n = state.draws
        p = state.total / n
        var = (state.squares / n - p.square()).clamp(min=0.0) / (n - 1)
        mean = float((w * p).sum())
        err = math.sqrt(float((w.square() * var).sum())) / mean
        info["heaviest"] = state.heaviest / n / mean
        if info["heaviest"] > _HEAVY:
            info["warning"] = (
                f"One draw stands for {info['heaviest']:.0%} of P: the error is not to be believed."
            )
        log_p = math.log(mean)
        interval = (log_p - TWO_SIDED_95 * err, min(0.0, log_p + TWO_SIDED_95 * err))
        answer = torch.tensor(min(0.0, log_p), dtype=torch.float64)
        return Estimate(answer, err, self.kind, cost, interval, info)

    def finished(self, state: Sampled) -> bool:
        return state.searched and state.left < len(state.log_weight)


def _moved(state: Sampled, z: Tensor, weight: Tensor) -> Sampled:
    """The last centre of every piece, at the weighted mean of its failures so far `(n, m)`.

    A piece without failures keeps what it has.
    """
    n, k = state.share.shape
    total = weight.sum(1)
    seen = total > 0
    mean = torch.einsum("nm,nmd->nd", weight, z) / torch.where(seen, total, 1.0)[:, None]
    if state.piloted == 1:  # a place for it, at first on the likeliest design point
        best = state.share[:, 1:].argmax(1) + 1 if k > 1 else state.share.argmax(1)
        old = state.centre[torch.arange(n), best]
        share = torch.cat([(1.0 - _FITTED) * state.share, state.share.new_full((n, 1), _FITTED)], 1)
        centre = torch.where(seen[:, None], mean, old)
        share[:, 0] = _PLAIN if k > 1 else 1.0 - _FITTED
        share = share / share.sum(1, keepdim=True)
        return replace(state, centre=torch.cat([state.centre, centre[:, None]], 1), share=share)
    pull = torch.where(seen, 0.5, 0.0)[:, None]
    centre = state.centre.clone()
    centre[:, -1] = (1.0 - pull) * centre[:, -1] + pull * mean
    return replace(state, centre=centre)
