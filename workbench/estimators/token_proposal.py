"""Where to draw token sequences from, by those whose margins are known."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from workbench.estimators import additive
from workbench.estimators.additive import Additive, Cells, sums
from workbench.estimators.token_mixture import TokenMixture, normalised
from workbench.estimators.token_walk import promise
from workbench.math.divisor import divisor
from workbench.math.logspace import log_sum

_BACKED = 5.0  # sequences that the frequencies of all cells count as in each
_OPEN = 0.1  # of every position, half for D and half for all its tokens alike
_PLAIN = 0.2  # of the mixture, half for D itself and half for all cells alike
_PLAINLY = 0.2  # of D in the frequencies of all cells
_FAR = 1e-3  # weight in the fit of margins far from 0


@dataclass(frozen=True, eq=False)
class Proposal:
    """What to draw from, with the fitted margin behind it and log P by that alone, in nats."""

    mixture: TokenMixture
    margin: Additive
    log_tail: float


def first(log_probs: Tensor) -> TokenMixture:
    """D, its square root, and all tokens alike, in equal parts: to learn the margin from."""
    p = torch.exp(log_probs)
    third = torch.full((3,), -math.log(3.0), dtype=torch.float64)
    return TokenMixture(third, normalised(torch.stack([p, p.sqrt(), (p > 0).double()])))


def alike(log_probs: Tensor) -> TokenMixture:
    """All sequences of positive probability alike."""
    one = torch.zeros(1, dtype=torch.float64)
    return TokenMixture(one, normalised((log_probs > -math.inf).double())[None])


def build(
    x: Tensor, s: Tensor, log_p: Tensor, log_probs: Tensor, spread: float, scale: float, most: int
) -> Proposal:
    """Two products a cell and D itself; see `Leaves`.

    Cells weigh as the root of the mass that either way of fitting gives them: errors of a mass are
    then paid for on both sides alike.

    Args:
        x, s, log_p: sequences `(n, T)`, their margins and log probabilities `(n,)`.
        log_probs: `(T, V)` of D.
        spread: the margin's standard deviation.
        scale: tau of D(x) exp(min(s, 0) / tau).
        most: cells.
    """
    cells = additive.cells(x, s, log_probs, most)
    weight = torch.exp(-s.abs() / spread) + _FAR
    margin = additive.fit(cells, x, s, weight, log_probs.shape[1])
    tilted, log_mass = additive.tilt(margin, log_probs)
    counted, log_count = _frequencies(cells, x, promise(log_p, s, scale), log_probs)
    fitted = 0.5 * (1.0 - _PLAIN)
    alike = torch.full((cells.count,), 0.5 * _PLAIN / cells.count, dtype=torch.float64)
    shares = [
        fitted * torch.softmax(0.5 * log_count, 0),
        fitted * torch.softmax(0.5 * log_mass, 0) + alike,
        torch.full((1,), 0.5 * _PLAIN, dtype=torch.float64),
    ]
    opened = [_opened(torch.exp(q), log_probs, cells) for q in (counted, tilted)]
    log_q = torch.cat([*opened, log_probs[None]])
    mixture = TokenMixture(torch.log(torch.cat(shares)), log_q)
    return Proposal(mixture, margin, float(log_sum(log_mass)))


def _frequencies(
    cells: Cells, x: Tensor, log_weight: Tensor, log_probs: Tensor
) -> tuple[Tensor, Tensor]:
    """Log of the weighed token frequencies of every cell `(K, T, V)`, backed by those of all cells
    where few sequences carry them, and log of the cells' weights `(K,)`."""
    (t, v), k = log_probs.shape, cells.count
    weight = torch.exp(log_weight - log_weight.max())
    c, p = cells.of(x), torch.exp(log_probs)
    total = sums(c, weight, k)
    effective = total.square() / divisor(sums(c, weight.square(), k))
    found = torch.empty(k, t, v, dtype=torch.float64)
    for i in range(t):
        every = sums(x[:, i], weight, v) / weight.sum()
        every = (1.0 - _PLAINLY) * every + _PLAINLY * p[i]
        own = sums(c * v + x[:, i], weight, k * v).reshape(k, v) / divisor(total)[:, None]
        found[:, i] = effective[:, None] * own + _BACKED * every
    found[:, cells.position] = torch.where(cells.members(), found[:, cells.position], 0.0)
    return normalised(found), torch.log(total.clamp(min=1e-300))


def _opened(q: Tensor, log_probs: Tensor, cells: Cells) -> Tensor:
    """Log of the products q `(K, T, V)` with a little of D and of all tokens alike mixed in, so
    that nothing within a cell is excluded."""
    p = torch.exp(log_probs)
    alike = (p > 0).double()
    alike = alike / alike.sum(1, keepdim=True)
    q = (1.0 - _OPEN) * q + 0.5 * _OPEN * (p + alike)
    q[:, cells.position] = torch.where(cells.members(), q[:, cells.position], 0.0)
    return normalised(q)
