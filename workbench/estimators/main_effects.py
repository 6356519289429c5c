"""log P of a rare token from a transformer's weights: tilted main effects of the tokens."""

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from workbench.distributions import IndependentTokens
from workbench.errors import BadInput, NotConverged
from workbench.estimators import grounded, leaf_gradient, seen, weighed
from workbench.estimators.base import Estimate, Estimator, Needs, check_positive
from workbench.estimators.grounded import Grounded
from workbench.estimators.tilts import (
    NEGLIGIBLE,
    OPEN,
    SETTLED,
    UNSETTLED,
    Tilts,
    again,
    close,
    padded,
    rough,
    verdict,
)
from workbench.math.contour import log_tail, saddle
from workbench.math.cost import Cost, forward_equivalents
from workbench.math.logspace import LN10, effective, log_sum
from workbench.problem import Problem
from workbench.propagation.extremes import margin
from workbench.propagation.streams import KINDS
from workbench.propagation.transformer import last_logits, operations
from workbench.rng import Rng
from workbench.specs import Polyhedral
from workbench.types import Grad, Kind, Pace

_STARTS = (
    (0.1, 1.2, 0.3),
    (0.3, 1.5, 0.5),
    (1.0, 1.5, 0.3),
    (0.03, 1.1, 0.2),
)  # first rate, its growth, the share of a move
_FINE = 0.003  # of the spread of the main effects under D: the least noise
_LEAST = 1e-18
_RIVALS = 8
_MATTERS = 1e-3
_DOUBTFUL = 0.1
_OPENING = 0.6  # of the budget, the most for the first pass
_FEW, _APART = 5.0, 1.0  # sequences; digits between two accounts
_BACKWARD = 3  # forward passes of the weights that one with its gradient counts as


@dataclass(frozen=True)
class MainEffects(Estimator):
    """P = sum_t p_T(t) P(C | x_T = t), each from the main effects of the other tokens on the
    margin, propagated through the transformer under a tilt at which C is usual; then grounded in
    the sequences that the tilted laws point to.

    The account of the weights draws and evaluates no sequence. (1) The last token is conditioned
    on, which is exact: then attention is a ratio of sums over independent positions, and its mean,
    also given any one token, is exact (`propagation.attention`). What it feeds is propagated as a
    mean and the main effect of every token (`propagation.effects`), up to the logits; in later
    layers the stream of every position is carried given its own token, and what the others add to
    scores and values is taken to second order (`propagation.mixing`). The greatest rival is taken
    by Clark's moments. That gives f_i(v) = E_q[s | x_i = v] - E_q[s] for all i, v at once. (2) The
    product law q_i(v) ~ p_i(v) exp(l f_i(v)) is moved, with f, towards the rate l at which
    E_q[s] = 0: the mean field of D given C, the analogue for tokens of a Gaussian moved to its
    design point. (3) There P(s > 0) is the exact tail of m + sum_i f_i(x_i) + noise under p
    (`math.contour`). The noise stands for what tokens do together; its standard deviation is
    presumed to be 0.45 of that of the main effects under the tilt.

    Several starts look for several tilts; the one of greatest mass counts, and of a cell where none
    settles the one of least. Where no tilt reaches failure, the noise is 3% of the spread under D,
    so that near failures count, and a warning says so. The answer is never below the probability of
    the least likely sequence, which every positive P reaches; 0 only where the last token alone
    varies, and so P is known.

    Then sequences are evaluated (`grounded.further`), no random number in them: drawn from the
    tilted laws by a fixed stream, and by walks along the main effects. The answer is the sum over
    those that fail of D(x) / P(x was evaluated), as in `Leaves`; where none fails it is the
    account's. It warns where none fails, where few weights carry what was drawn, where few
    sequences carry an answer that is more than a digit from the account, and where an account
    without a warning of its own is more than a digit above what was found.

    The gradient in D's log probabilities and in M is that of `Leaves`; of an account it is that of
    the propagation, with the tilts held fixed.

    Args:
        starts: how many starts; at most four differ.
        passes: the most a start.
        missed: standard deviation of what the main effects miss, over theirs, under the tilt.
        forwards: sequences to evaluate, at most half the budget; 0 for the account alone.

    >>> import workbench as wb
    >>> problem = wb.load("T_char1_letter_1e-10")
    >>> abs(MainEffects(starts=1)(problem).log10_p - problem.truth.log10_p) < 0.3
    True
    """

    starts: int = 1
    passes: int = 60
    missed: float = 0.45
    forwards: int = 32_768
    name: ClassVar[str] = "main_effects"
    kind: ClassVar[Kind] = Kind.HEURISTIC
    grad: ClassVar[Grad] = Grad.PATHWISE
    needs: ClassVar[Needs] = Needs((IndependentTokens,), (Polyhedral,), model=KINDS)
    pace: ClassVar[Pace] = Pace.AT_REST

    def __post_init__(self) -> None:
        check_positive(self.name, starts=self.starts, passes=self.passes)
        if not isinstance(self.missed, float) or not 0.0 <= self.missed <= 10.0:
            raise BadInput(f"main_effects: missed must be from 0 to 10, got {self.missed!r}")
        n = self.forwards
        if isinstance(n, bool) or not isinstance(n, int) or n < 0:
            raise BadInput(f"main_effects: forwards must be a whole number from 0, got {n!r}")

    def init(self, problem: Problem, rng: Rng) -> Grounded:
        log_p = seen.log_probs(problem)
        alive = [torch.nonzero(row > -math.inf).squeeze(1) for row in log_p]
        n, size = len(alive) - 1, max((len(a) for a in alive[:-1]), default=1)
        ids = torch.zeros(n, size, dtype=torch.int64)
        for i, tokens in enumerate(alive[:-1]):
            ids[i] = tokens[0]
            ids[i, : len(tokens)] = tokens
        last = alive[-1]
        b = len(last)
        none, flat = torch.zeros(b, n, size, dtype=torch.float64), last.new_zeros(b)
        zero = torch.zeros(b, dtype=torch.float64)
        outcomes = min(math.prod(len(a) for a in alive), 2**62)
        return Grounded(
            rng=rng, ids=ids, last=last, shift=none, rate=zero, mean=zero, effect=none,
            noise=zero, wide=zero, status=flat, log_tail=zero, known=zero - math.inf,
            known_shift=none, loose=zero + math.inf, coarse=zero - math.inf,
            log_last=log_p[-1][last], drift=zero.sum(), reserve=leaf_gradient.cost(problem),
            x=flat.new_zeros(0, len(alive)), s=zero[:0], log_p=zero[:0], key=flat[:0],
            opened=flat[:0], outcomes=outcomes, log_share=zero[:0], log_q=none[:0],
            floor=float(sum(row[a].min() for row, a in zip(log_p, alive, strict=True))),
        )  # fmt: skip

    def _forwards(self, problem: Problem, state: Grounded, cells: int) -> int:
        """A pass in forward passes of M."""
        flops = operations(problem.model, cells, *state.ids.shape)
        return forward_equivalents(flops, problem.flops_per_forward)

    def step(self, problem: Problem, state: Grounded) -> Grounded:
        if not state.closed:
            return self._tilt(problem, state)
        planned = self._planned(state)
        if state.passes and planned and not state.grounded:
            return grounded.further(problem, state, planned)
        return self._end(problem, state)

    def _planned(self, state: Grounded) -> int:
        """Sequences to evaluate: at most half the budget."""
        half = self.forwards if state.limit is None else state.limit // 2
        return max(0, min(self.forwards, half - state.reserve))

    def _tilt(self, problem: Problem, state: Grounded) -> Grounded:
        """One pass of all cells that are still open, as far as the budget goes; where it does not
        hold a first one, of the likeliest cells alone."""
        rows = torch.nonzero(state.status == OPEN).squeeze(1)
        price = self._forwards(problem, state, len(rows))
        room = state.left - self._planned(state) - state.reserve
        if _wanted(problem):
            dear = _BACKWARD * self._forwards(problem, state, len(state.last))
            room = min(room, state.left - dear)
        if not state.passes and not state.start and price > room:
            room = max(room, _OPENING * state.left)
            few = int(len(rows) * min(1.0, room / price))
            order = torch.argsort(state.log_last, descending=True, stable=True)
            state = replace(state, status=state.status.index_fill(0, order[few:], NEGLIGIBLE))
            rows = torch.sort(order[:few]).values
            price = self._forwards(problem, state, few)
        spent = price > room
        if len(rows) and not spent and state.passes < self.passes:
            with torch.no_grad():
                return self._move(problem, state, rows, price)
        if state.passes and len(rows):
            with torch.no_grad():
                state = close(problem, state, rows, torch.full_like(rows, UNSETTLED))
        if not spent and state.passes and state.start + 1 < min(self.starts, len(_STARTS)):
            return again(state)
        return replace(state, closed=True)

    def finished(self, state: Grounded) -> bool:
        return state.ended

    def _move(self, problem: Problem, state: Grounded, rows: Tensor, price: int) -> Grounded:
        """One pass through M of all open cells, and the tilt's next move."""
        log_p = padded(problem, state)
        first, growth, share = _STARTS[state.start]
        shift, rate = state.shift[rows], state.rate[rows]
        if state.passes:
            goal = rate[:, None, None] * state.effect[rows]
            shift = shift + (share if state.passes > 1 else 1.0) * (goal - shift)
        q = torch.softmax(log_p + shift, -1)
        mean, effect = _margin(problem, state.ids, state.last[rows], q)
        if not bool(torch.isfinite(mean).all() and torch.isfinite(effect).all()):
            raise NotConverged(
                f"the margin is NaN on {int((~torch.isfinite(mean)).sum())} of {len(mean)} inputs "
                "of mixed tokens: the model overflows"
            )
        spread = (q * effect.square()).sum((1, 2))
        wide = state.wide
        if not state.passes:
            wide = wide.index_copy(0, rows, spread + _LEAST)
        noise = self.missed**2 * spread + _FINE**2 * wide[rows]
        want = saddle(mean, log_p, effect, noise)
        rate = torch.minimum(want, rate * growth if state.passes else want * first)
        state = replace(
            state, shift=state.shift.index_copy(0, rows, shift),
            rate=state.rate.index_copy(0, rows, rate), mean=state.mean.index_copy(0, rows, mean),
            effect=state.effect.index_copy(0, rows, effect),
            noise=state.noise.index_copy(0, rows, noise), wide=wide,
            passes=state.passes + 1, forwards=state.forwards + price,
        )  # fmt: skip
        guess = rough(mean, log_p, effect, noise, want)
        state = replace(state, log_tail=state.log_tail.index_copy(0, rows, guess))
        if state.passes < 2:
            return state
        found = verdict(state, rows, log_p, want)
        done = torch.nonzero(found != OPEN).squeeze(1)
        return close(problem, state, rows[done], found[done]) if len(done) else state

    def _end(self, problem: Problem, state: Grounded) -> Grounded:
        """The answer's gradient: that of the failures seen, or else one more pass of the cells that
        carry P."""
        if not state.passes or not _wanted(problem):
            return replace(state, ended=True)
        if state.failing:
            state = leaf_gradient.in_distribution(problem, state)
            state = leaf_gradient.in_model(problem, state) if state.reserve else state
            return replace(state, ended=True)
        cells = state.cells()
        if bool(torch.isneginf(cells).all()):
            return replace(state, ended=True)
        chosen = torch.nonzero(cells > cells.max() + math.log(_MATTERS)).squeeze(1)
        price = _BACKWARD * self._forwards(problem, state, len(chosen))
        best = torch.isneginf(state.known) | (state.log_tail > state.known)
        shift = torch.where(best[:, None, None], state.shift, state.known_shift)[chosen]
        with torch.enable_grad():
            q = torch.softmax(padded(problem, state) + shift, -1)
            mean, effect = _margin(problem, state.ids, state.last[chosen], q)
            d = problem.distribution
            assert isinstance(d, IndependentTokens)
            live = d.log_probs().double()
            listed = padded(problem, state)
            log_p = torch.where(listed > -math.inf, live[:-1].gather(1, state.ids), -math.inf)
            tails = log_tail(mean, log_p, effect, state.noise[chosen])
            log_p = log_sum(live[-1][state.last[chosen]] + tails)
        return replace(
            state, ended=True, drift=log_p - log_p.detach(), forwards=state.forwards + price
        )

    def read(self, state: Grounded) -> Estimate:
        cost = Cost(forwards=state.forwards)
        if not state.passes and not state.start:
            info = {"warning": "the budget does not hold one pass: nothing is known"}
            nothing = torch.zeros((), dtype=torch.float64) + state.drift
            return Estimate(nothing, None, self.kind, cost, None, info)
        cells = state.cells()
        log_p = float(log_sum(cells) - log_sum(state.log_last))
        info = _told(state, cells, log_p)
        least = -math.inf if state.exact else state.floor
        if log_p < least:
            log_p = float(log_sum(state.log_last + state.coarse))
        log_p = min(0.0, max(log_p, least))
        if len(state.s):
            log_p, told = _grounded(state, log_p, info.pop("warning", ""))
            info |= told
        answer = torch.tensor(log_p, dtype=torch.float64)
        return Estimate(answer + state.drift, None, self.kind, cost, None, info)


def _wanted(problem: Problem) -> bool:
    """Whether something has a gradient to be followed."""
    d = problem.distribution
    assert isinstance(d, IndependentTokens)
    learns = any(p.requires_grad for p in problem.model.parameters())
    return learns or d.log_probs().requires_grad


def _margin(problem: Problem, ids: Tensor, last: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
    """The margin's mean `(B,)` and main effects `(B, n, S)` under q."""
    logits = last_logits(problem.model, ids, last, q)
    spec = problem.spec
    assert isinstance(spec, Polyhedral)
    return margin(logits, spec.halfspaces(problem.outputs, logits.mean), _RIVALS)


def _grounded(state: Grounded, account: float, warning: str) -> tuple[float, dict[str, Any]]:
    """log P by the sequences that were evaluated, with what it says of the weights' account."""
    fails = state.s > 0
    info: dict[str, Any] = {
        "account_log10": account / LN10, "seen": len(state.s), "failing": int(fails.sum()),
    }  # fmt: skip
    if state.outcomes == len(state.s):
        return float(log_sum(torch.where(fails, state.log_p, -math.inf))), info
    if not state.failing:
        told = warning or f"none of the {len(state.s):,} sequences of greatest promise fails"
        return account, info | {"warning": told}
    log_w = state.log_weights()
    log_p = min(0.0, float(log_sum(log_w)))
    info["share_searched"] = state.searched(log_w)
    info |= weighed.doubt(state, log_w, info["share_searched"])
    apart = (account - log_p) / LN10
    few = effective(log_w)
    if (few < _FEW and abs(apart) > _APART) or (not warning and apart > _APART):
        info["warning"] = (
            f"{int(fails.sum())} failing sequences, in effect {few:.0f}, carry the answer, which "
            f"is {abs(apart):.1f} digits {'below' if apart > 0 else 'above'} the account of the "
            "weights: others may have been missed"
        )
    return log_p, info


def _told(state: Tilts, cells: Tensor, log_p: float) -> dict[str, Any]:
    """Diagnostics and warnings."""
    share = torch.softmax(cells, 0)
    loose = (state.status != SETTLED) & torch.isneginf(state.known)
    unsettled = float(share[loose].sum())
    info: dict[str, Any] = {
        "cells": len(cells), "carry": int((share > _MATTERS).sum()), "unsettled": unsettled,
        "starts": state.start + 1,
    }  # fmt: skip
    if log_p < state.floor and not state.exact:
        info["warning"] = (
            "no tilt makes failures usual: this takes near failures for failures, and is at least "
            "the probability of the least likely sequence, below which P is 0"
        )
    elif unsettled > _DOUBTFUL:
        info["warning"] = f"the tilts of cells that carry {unsettled:.0%} of P have not settled"
    return info
