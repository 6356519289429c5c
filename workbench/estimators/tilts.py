"""Tilted product laws, one for every token at the last position, and how far each has come."""

import math
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor

from workbench.estimators import seen
from workbench.iteration import State
from workbench.math.contour import log_tail, saddle
from workbench.math.gaussian import log_cdf_value
from workbench.math.logspace import log_sum
from workbench.problem import Problem

_SETTLED = 0.03  # nats that the next move would gain
_QUIET = 0.3  # the same, where it is enough to give a cell up
_COARSE = 0.03
_GONE = 9.2  # nats below the others
OPEN, SETTLED, NEGLIGIBLE, UNSETTLED = range(4)


@dataclass(frozen=True, kw_only=True)
class Tilts(State):
    """A tilted product law in every cell; cells are the tokens of the last position."""

    ids: Tensor
    """`(n, S)`: tokens of the positions before the last, padded."""
    last: Tensor
    """`(B,)`: tokens of the last position."""
    shift: Tensor
    """`(B, n, S)`: log q - log p up to a constant."""
    rate: Tensor
    """`(B,)`: of the tilt that the shift moves towards."""
    mean: Tensor
    """`(B,)`: of the margin, under q."""
    effect: Tensor
    """`(B, n, S)`: main effects of the margin, under q."""
    noise: Tensor
    """`(B,)`: the variance that is added to the additive margin's."""
    wide: Tensor
    """`(B,)`: the variance of the main effects under D."""
    status: Tensor
    """`(B,)`: open, settled, negligible or unsettled."""
    log_tail: Tensor
    """`(B,)`: log P(C | cell) of this start."""
    known: Tensor
    """`(B,)`: the greatest of the starts before, where they settled; else -inf."""
    known_shift: Tensor
    """`(B, n, S)`: the shift that it came from."""
    loose: Tensor
    """`(B,)`: log tails of the starts before that did not settle; else inf."""
    coarse: Tensor
    """`(B,)`: the greatest of the log tails with 3% of the spread under D for noise."""
    log_last: Tensor
    """`(B,)`: log probabilities of the cells."""
    floor: float
    """log of the probability of the least likely sequence."""
    start: int = 0
    passes: int = 0
    ended: bool = False
    drift: Tensor
    """0-d: 0, with the gradient of log P."""

    @property
    def exact(self) -> bool:
        """Whether the last token alone varies: then every cell is one sequence."""
        return self.ids.numel() == len(self.ids)

    def cells(self) -> Tensor:
        """log P(C and cell), `(B,)`, by the best of what is known."""
        fresh = torch.where(self.status == NEGLIGIBLE, -math.inf, self.log_tail)
        once = torch.isneginf(self.known)
        settled = torch.where(self.status == SETTLED, fresh, -math.inf)
        return self.log_last + torch.where(once, fresh, torch.maximum(self.known, settled))


T = TypeVar("T", bound=Tilts)


def padded(problem: Problem, state: Tilts) -> Tensor:
    """log p of the listed tokens `(n, S)`; -inf where the list is padded."""
    log_p = seen.log_probs(problem)
    count = (log_p > -math.inf).sum(1)[:-1, None]
    real = torch.arange(state.ids.shape[1]) < count
    return torch.where(real, log_p[:-1].gather(1, state.ids), -math.inf)


def rough(mean: Tensor, log_p: Tensor, effect: Tensor, noise: Tensor, rate: Tensor) -> Tensor:
    """The saddlepoint's exp(K + l^2 K'' / 2) Phi(-l sqrt K''), by its logarithm (Robinson 1982)."""
    tilted = log_p + rate[:, None, None] * effect
    total = log_sum(tilted)
    q = torch.exp(tilted - total[..., None])
    first = (q * effect).sum(-1)
    curve = ((q * effect.square()).sum(-1) - first.square()).sum(1) + noise
    value = total.sum(1) + rate * mean + 0.5 * rate.square() * noise
    root = rate * torch.sqrt(curve)
    return value + 0.5 * root.square() + log_cdf_value(-root)


def verdict(state: Tilts, rows: Tensor, log_p: Tensor, want: Tensor) -> Tensor:
    """Which of the open cells are settled, or cannot matter; `(m,)`."""
    shift, effect = state.shift[rows], state.effect[rows]
    mean, rate = state.mean[rows], state.rate[rows]
    log_q = torch.log_softmax(log_p + shift, -1)
    q = torch.exp(log_q)
    spent = (q * torch.where(q > 0, log_q - log_p, 0.0)).sum((1, 2))

    def gain(rate: Tensor) -> Tensor:
        """Of rate E[s] - KL(q || p) by moving all positions to the tilt of that rate at once."""
        tilt = rate[:, None, None] * effect
        return log_sum(log_p + tilt).sum(1) - (q * tilt).sum((1, 2)) + spent

    settled = gain(want) < _SETTLED
    reach = state.log_last[rows] - spent + (rate * mean).clamp(max=0.0)  # of P(C and cell)
    best = log_sum(torch.where(state.status == SETTLED, state.cells(), -math.inf))
    best = torch.maximum(best, log_sum(state.log_last + state.known))
    gone = (gain(rate) < _QUIET) & (mean < 0) & (reach < best - _GONE)
    verdict = torch.where(gone, NEGLIGIBLE, torch.full_like(rows, OPEN))
    return torch.where(settled, SETTLED, verdict)


def close(problem: Problem, state: T, rows: Tensor, verdict: Tensor) -> T:
    """The state with the tails of these cells; one that has not settled is not believed beyond
    exp(l E_q[s] - KL(q || p)), which no E[exp(l s)] under p is below."""
    log_p = padded(problem, state)
    mean, effect, noise = state.mean[rows], state.effect[rows], state.noise[rows]
    if state.exact:
        tails = torch.where(mean > 0, 0.0, -math.inf)
        status = torch.full_like(rows, SETTLED)
        return replace(
            state, log_tail=state.log_tail.index_copy(0, rows, tails),
            status=state.status.index_copy(0, rows, status),
        )  # fmt: skip
    tails = log_tail(mean, log_p, effect, noise)
    log_q = torch.log_softmax(log_p + state.shift[rows], -1)
    ratio = torch.where(log_q > -math.inf, log_q - log_p, 0.0)
    want = saddle(mean, log_p, effect, noise)
    reach = (want * mean).clamp(max=0.0) - (torch.exp(log_q) * ratio).sum((1, 2))
    wide = torch.maximum(noise, _COARSE**2 * state.wide[rows])
    coarse = torch.where(verdict == UNSETTLED, -math.inf, log_tail(mean, log_p, effect, wide))
    coarse = torch.maximum(state.coarse[rows], coarse)
    reach = torch.minimum(reach, state.loose[rows])
    tails = torch.where(verdict == UNSETTLED, torch.minimum(tails, reach), tails)
    return replace(
        state, log_tail=state.log_tail.index_copy(0, rows, tails),
        status=state.status.index_copy(0, rows, verdict),
        coarse=state.coarse.index_copy(0, rows, coarse),
    )  # fmt: skip


def again(state: T) -> T:
    """The next start, which keeps the best of the one that is over."""
    settled = (state.status == SETTLED) & (state.log_tail > state.known)
    return replace(
        state, start=state.start + 1, passes=0, status=torch.zeros_like(state.status),
        known=torch.where(settled, state.log_tail, state.known),
        known_shift=torch.where(settled[:, None, None], state.shift, state.known_shift),
        shift=torch.zeros_like(state.shift),
        loose=torch.where(state.status == UNSETTLED, state.log_tail, state.loose),
    )  # fmt: skip
