"""log P of a rare token from a transformer's weights: tilted main effects of the tokens."""

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from workbench.distributions import IndependentTokens
from workbench.errors import BadInput, NotConverged
from workbench.estimators import seen
from workbench.estimators.base import Estimate, Estimator, Needs, check_positive
from workbench.estimators.tilts import (
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
from workbench.math.logspace import log_sum
from workbench.models import Transformer
from workbench.problem import Problem
from workbench.propagation.attention import last_logits, operations
from workbench.propagation.extremes import margin
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
_BACKWARD = 3  # forward passes of the weights that one with its gradient counts as


@dataclass(frozen=True)
class MainEffects(Estimator):
    """P = sum_t p_T(t) P(C | x_T = t), each from the main effects of the other tokens on the
    margin, propagated through the transformer under a tilt at which C is usual.

    No sequence is drawn, found or evaluated. (1) The last token is conditioned on, which is exact:
    then attention is a ratio of sums over independent positions, and its mean, also given any one
    token, is exact (`propagation.attention`). What it feeds is propagated as a mean and the main
    effect of every token (`propagation.effects`), up to the logits; the greatest rival is taken by
    Clark's moments. That gives f_i(v) = E_q[s | x_i = v] - E_q[s] for all i, v at once. (2) The
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

    The gradient in the weights of M and in D's log probabilities holds the tilts fixed: the latter
    is then the tilted law itself. It serves models of one layer.

    Args:
        starts: how many starts; at most four differ.
        passes: the most a start.
        missed: standard deviation of what the main effects miss, over theirs, under the tilt.

    >>> import workbench as wb
    >>> problem = wb.load("T_char1_letter_1e-10")
    >>> abs(MainEffects(starts=1)(problem).log10_p - problem.truth.log10_p) < 0.3
    True
    """

    starts: int = 2
    passes: int = 60
    missed: float = 0.45
    name: ClassVar[str] = "main_effects"
    kind: ClassVar[Kind] = Kind.HEURISTIC
    grad: ClassVar[Grad] = Grad.PATHWISE
    needs: ClassVar[Needs] = Needs(
        (IndependentTokens,), (Polyhedral,), model=Transformer, most_layers=1
    )
    pace: ClassVar[Pace] = Pace.AT_REST

    def __post_init__(self) -> None:
        check_positive(self.name, starts=self.starts, passes=self.passes)
        if not isinstance(self.missed, float) or not 0.0 <= self.missed <= 10.0:
            raise BadInput(f"main_effects: missed must be from 0 to 10, got {self.missed!r}")

    def init(self, problem: Problem, rng: Rng) -> Tilts:
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
        cost = self._forwards(problem, b, n * size) * _BACKWARD if _wanted(problem) else 0.0
        return Tilts(
            rng=rng, ids=ids, last=last, shift=none, rate=zero, mean=zero, effect=none,
            noise=zero, wide=zero, status=flat, log_tail=zero, known=zero - math.inf,
            known_shift=none, loose=zero + math.inf, coarse=zero - math.inf,
            log_last=log_p[-1][last], reserve=cost, drift=zero.sum(),
            floor=float(sum(row[a].min() for row, a in zip(log_p, alive, strict=True))),
        )  # fmt: skip

    def _forwards(self, problem: Problem, cells: int, given: int) -> int:
        """A pass in forward passes of M."""
        flops = operations(_model(problem).shape, cells, given)
        return forward_equivalents(flops, problem.flops_per_forward)

    def step(self, problem: Problem, state: Tilts) -> Tilts:
        rows = torch.nonzero(state.status == OPEN).squeeze(1)
        price = self._forwards(problem, len(rows), state.ids.numel())
        spent = price + state.reserve > state.left
        if len(rows) and not spent and state.passes < self.passes:
            with torch.no_grad():
                return self._move(problem, state, rows, price)
        if state.passes and len(rows):
            with torch.no_grad():
                state = close(problem, state, rows, torch.full_like(rows, UNSETTLED))
        if not spent and state.passes and state.start + 1 < min(self.starts, len(_STARTS)):
            return again(state)
        return self._end(problem, state)

    def finished(self, state: Tilts) -> bool:
        return state.ended

    def _move(self, problem: Problem, state: Tilts, rows: Tensor, price: int) -> Tilts:
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

    def _end(self, problem: Problem, state: Tilts) -> Tilts:
        """The answer's gradient: one more pass of the cells that carry P."""
        if not state.passes or not _wanted(problem):
            return replace(state, ended=True)
        cells = state.cells()
        if bool(torch.isneginf(cells).all()):
            return replace(state, ended=True)
        chosen = torch.nonzero(cells > cells.max() + math.log(_MATTERS)).squeeze(1)
        price = _BACKWARD * self._forwards(problem, len(chosen), state.ids.numel())
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

    def read(self, state: Tilts) -> Estimate:
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
        answer = torch.tensor(min(0.0, max(log_p, least)), dtype=torch.float64)
        return Estimate(answer + state.drift, None, self.kind, cost, None, info)


def _model(problem: Problem) -> Transformer:
    assert isinstance(problem.model, Transformer)
    return problem.model


def _wanted(problem: Problem) -> bool:
    """Whether something has a gradient to be followed."""
    d = problem.distribution
    assert isinstance(d, IndependentTokens)
    learns = any(p.requires_grad for p in problem.model.parameters())
    return learns or d.log_probs().requires_grad


def _margin(problem: Problem, ids: Tensor, last: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
    """The margin's mean `(B,)` and main effects `(B, n, S)` under q."""
    logits = last_logits(_model(problem), ids, last, q)
    spec = problem.spec
    assert isinstance(spec, Polyhedral)
    return margin(logits, spec.halfspaces(problem.outputs, logits.mean), _RIVALS)


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
