"""Exact mass of the failing sequences that a search finds, and importance sampling of the rest."""

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from workbench.distributions import IndependentTokens
from workbench.errors import BadInput
from workbench.estimators import leaf_gradient, seen, token_proposal, weighed
from workbench.estimators.base import Estimate, Estimator, Needs, check_positive
from workbench.estimators.token_proposal import Proposal
from workbench.estimators.token_walk import promise, walk
from workbench.estimators.weighed import Weighed
from workbench.estimators.witness import Failures, Witness
from workbench.math.cost import Cost
from workbench.math.logspace import LN10, log_sum
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.types import Grad, Kind, Pace

_USUAL = 65_536  # forward passes that are planned for where the budget gives none
_FIRST, _DRAWN, _WALKED = 0.08, 0.05, 0.05  # of the budget: first draws, draws and walks a round
_SEARCHED, _STILL = 0.65, 0.85  # of the budget for the search, and where it has found nothing
_ROUNDS = 60  # the most, where it has found nothing
_WALKS = 24  # a round, the most
_DRAWS = 8  # the most draws, as a multiple of the budget: those of known sequences are free
_WALKED_AT = 4.0, 16.0  # the scales of the walk, in turn, as parts of the spread
_NEAR = 16.0  # the same of what stands for failures that were not found
_SHOWN = 4096
_ROUNDING = 1e-12


@dataclass(frozen=True, kw_only=True)
class Found(Weighed):
    """The search, then the proposal that the rest is drawn from."""

    rounds: int = 0
    log_tail: float = 0.0
    """log P by the additive margin alone."""
    position: int = -1
    """The one whose tokens are the cells."""
    followed: bool = False

    @property
    def planned(self) -> int:
        """Forward passes to share out."""
        limit = _USUAL if self.limit is None else self.limit
        return limit - self.reserve if limit > 4 * self.reserve else limit

    @property
    def room(self) -> int:
        """Forward passes left for sequences."""
        return max(0, self.planned - self.forwards)

    @property
    def whole(self) -> bool:
        """Whether every outcome is to be evaluated."""
        return self.outcomes <= self.planned

    @property
    def over(self) -> bool:
        """Whether all is evaluated and drawn that will be."""
        if self.whole:
            return self.forwards >= self.outcomes
        return self.room == 0 or self.draws >= _DRAWS * self.planned


@dataclass(frozen=True)
class Leaves(Witness, Estimator):
    """P-hat = sum over the failing sequences x that were evaluated of D(x) / P(x was evaluated):
    deterministic, and exact where the budget holds all sequences.

    (Horvitz & Thompson 1952.) What a search evaluated counts with 1, a certain lower bound of P;
    what N independent draws of a proposal q, held fixed after the search, added counts with
    1 - (1 - q(x))^N, as exp(-N q) has it: given the search the sum is unbiased.

    Rounds of search keep every sequence evaluated, with its margin. (1) The position whose tokens'
    mean margins differ most is conditioned on, a cell a token, which is exact by total
    probability. (2) In every cell the margin is fitted as a sum over positions; its saddlepoint
    gives the exponential tilt of all positions under which failure is usual, the analogue for
    tokens of a Gaussian moved to its design point. (3) A second product a cell has the token
    frequencies of D(x) exp(min(s(x), 0) / tau) over what was seen, tau halved every round: the
    cross-entropy method (Rubinstein 1999), annealed. (4) Both and D itself, mixed, are drawn from;
    (5) a walk evaluates those substitutions of one token, around the likeliest failures and the
    best margins, that promise most by the fitted sums. What was seen before costs nothing.

    Where nothing fails, rounds go on with new starts, and if that does not help the answer is an
    extrapolation, and says so: the lesser of the saddlepoint's mass and of what lies halfway, in
    digits, between sum D(x) exp(s(x) / tau) over what was seen, which takes near failures for
    failures, and the line through the mass seen within a and 2 a of failure, which takes those
    sequences for the likeliest; 0 only where it is proved.

    The gradient in D's log probabilities is that of the sum. P changes with M in jumps only; the
    gradient in M is that of sum D(x) Phi(s(x) / tau) over the likeliest sequences near failure.

    Args:
        rounds: of search.
        cells: the most tokens of the conditioned position that are told apart.
        net: numbers the streams of pseudo-random draws; each gives an answer as good.

    >>> import workbench as wb
    >>> problem = wb.load("T_char1_line_1e-3")
    >>> abs(Leaves()(problem, 20_000).log10_p - problem.truth.log10_p) < 0.1
    True
    """

    rounds: int = 6
    cells: int = 48
    net: int = 0
    name: ClassVar[str] = "leaves"
    kind: ClassVar[Kind] = Kind.CONSISTENT
    grad: ClassVar[Grad] = Grad.PATHWISE
    needs: ClassVar[Needs] = Needs((IndependentTokens,))
    pace: ClassVar[Pace] = Pace.AT_REST

    def __post_init__(self) -> None:
        check_positive(self.name, rounds=self.rounds, cells=self.cells)
        if isinstance(self.net, bool) or not isinstance(self.net, int) or self.net < 0:
            raise BadInput(f"{self.name}: net must be a whole number from 0, got {self.net!r}")

    def init(self, problem: Problem, rng: Rng) -> Found:
        log_probs = seen.log_probs(problem)
        none = torch.zeros(0, dtype=torch.float64)
        places = torch.zeros(0, dtype=torch.int64)
        sizes = (log_probs > -math.inf).sum(1).tolist()
        return Found(
            rng=rng, x=places.reshape(0, len(sizes)), s=none, log_p=none, key=places,
            opened=places, outcomes=min(math.prod(sizes), 2**62), log_share=none,
            log_q=none.reshape(0, 0, 0), drift=none.sum(), reserve=leaf_gradient.cost(problem),
        )  # fmt: skip

    def step(self, problem: Problem, state: Found) -> Found:
        if state.over:
            return replace(leaf_gradient.in_model(problem, state), followed=True)
        with torch.no_grad():
            state = self._further(problem, state)
        return leaf_gradient.in_distribution(problem, state)

    def finished(self, state: Found) -> bool:
        return state.over and (state.followed or not state.reserve)

    def _further(self, problem: Problem, state: Found) -> Found:
        log_probs = seen.log_probs(problem)
        if state.whole:
            x = seen.outcomes(log_probs, state.forwards, weighed.BATCH)
            return seen.evaluate(problem, state, x, state.room)
        if not len(state.s):
            x = token_proposal.first(log_probs).draw(*self._drawing(state, _FIRST))
            state = seen.evaluate(problem, state, x, state.room)
            return replace(state, spread=float(state.s.std(unbiased=False)) + 1e-9)
        found = bool((state.s > 0).any())
        most, share = (2 * self.rounds, _SEARCHED) if found else (_ROUNDS, _STILL)
        if state.rounds < most and state.forwards < share * state.planned:
            return self._search(problem, state, log_probs)
        if state.frozen < 0:
            state = _holding(state, self._proposal(state, log_probs, self.rounds + 4))
            state = replace(state, frozen=len(state.s))
        generator = self._drawing(replace(state, limit=weighed.BATCH, reserve=0), 1.0)[1]
        return weighed.draw(problem, state, generator, state.room)

    def _drawing(self, state: Found, share: float) -> tuple[int, torch.Generator]:
        """How many draws, and their stream."""
        n = max(1, int(share * state.planned))
        return n, Rng(self.net).child("leaves", state.rounds, state.draws).generator()

    def _proposal(self, state: Found, log_probs: Tensor, halvings: float) -> Proposal:
        scale = state.spread / 2**halvings
        return token_proposal.build(
            state.x, state.s, state.log_p, log_probs, state.spread, scale, self.cells
        )

    def _search(self, problem: Problem, state: Found, log_probs: Tensor) -> Found:
        """One round: fit, draw, walk."""
        proposal = self._proposal(state, log_probs, 0.5 + state.rounds % (2 * self.rounds))
        state = _holding(state, proposal)
        n, generator = self._drawing(state, _DRAWN)
        since = len(state.s)
        if state.rounds >= self.rounds and not bool((state.s > 0).any()):
            x = token_proposal.alike(log_probs).draw(n, generator)  # new starts, from anywhere
            state = seen.evaluate(problem, state, x, min(n // 2, state.room))
            n = max(1, n // 2)
        x = proposal.mixture.draw(2 * n, generator)
        state = seen.evaluate(problem, state, x, min(n, state.room))
        budget = max(1, int(_WALKED * state.planned))
        stop = min(state.forwards + budget, state.planned)
        for k in range(_WALKS):
            most = min(max(1, budget // 4), stop - state.forwards)
            if most > 0:
                scale = state.spread / _WALKED_AT[k % 2 - 1]
                state = walk(problem, state, proposal.margin, log_probs, scale, most, since)
        return replace(state, rounds=state.rounds + 1)

    def read(self, state: Found) -> Estimate:
        cost = Cost(forwards=state.forwards)
        fails = state.s > 0
        info: dict[str, Any] = {
            "seen": len(state.s), "failing": int(fails.sum()), "outcomes": state.outcomes,
        }  # fmt: skip
        if not bool(fails.any()):
            return self._nothing(state, cost, info)
        log_w = state.log_weights()
        log_p, known = float(log_sum(log_w)), float(log_sum(state.log_p[fails]))
        log_err: float | None = None
        if state.whole and state.over:
            log_p, log_err = log_p - float(log_sum(state.log_p)), _ROUNDING
        else:
            info["position"] = state.position
            if state.draws:
                late = torch.arange(len(fails)) >= state.frozen
                missed = -torch.expm1(torch.where(late, state.log_p - log_w, 0.0))
                variance = torch.exp(2.0 * (log_w - log_p)) * missed
                log_err = math.sqrt(max(0.0, float(variance[fails].sum())))
            else:
                info["warning"] = "the budget ended within the search: this is a lower bound"
            info["share_searched"] = state.searched(log_w)
            info["indicator_digits"] = max(log_p - known, log_err or 0.0) / LN10
            info |= weighed.doubt(state, log_w, info["share_searched"])
        answer = torch.tensor(min(0.0, log_p), dtype=torch.float64)
        return Estimate(answer + state.drift, log_err, self.kind, cost, None, info)

    def _nothing(self, state: Found, cost: Cost, info: dict[str, Any]) -> Estimate:
        """The answer where nothing failed."""
        if state.whole and state.over:
            never = torch.tensor(-math.inf, dtype=torch.float64)
            return Estimate(never, 0.0, self.kind, cost, None, info)
        log_p = 0.0
        if len(state.s):
            near = float(log_sum(promise(state.log_p, state.s, state.spread / _NEAR)))
            log_p = min(0.0, state.log_tail, 0.5 * (near + _line(state)))
        info["warning"] = (
            f"none of {len(state.s):,} sequences fails: this extrapolates their margins"
        )
        answer = torch.tensor(log_p, dtype=torch.float64)
        return Estimate(answer + state.drift, None, self.kind, cost, None, info)

    @torch.no_grad()
    def failures(self, problem: Problem, state: Found) -> Failures:
        """The likeliest 4,096 of the sequences seen, as far as they fail; evaluated anew."""
        log_w = replace(state, s=torch.ones_like(state.s)).log_weights()
        value = promise(log_w, state.s, state.spread / _NEAR)
        chosen = torch.argsort(value, descending=True)[:_SHOWN]
        x = state.x[chosen]
        fails = problem.margin(x) > 0
        return Failures(x[fails], log_w[chosen][fails], len(x))


def _line(state: Found) -> float:
    """2 L(a) - L(2 a), where L(a) is log of the mass seen with s > -a and a the least with any:
    the line through both at 0."""
    a = -float(state.s.max()) * (1.0 + 1e-9) + 1e-12
    near, far = (float(log_sum(state.log_p[state.s > -b])) for b in (a, 2.0 * a))
    return 2.0 * near - far


def _holding(state: Found, proposal: Proposal) -> Found:
    mixture = proposal.mixture
    return replace(
        state, log_share=mixture.log_w, log_q=mixture.log_q, log_tail=proposal.log_tail,
        position=proposal.margin.cells.position,
    )  # fmt: skip
