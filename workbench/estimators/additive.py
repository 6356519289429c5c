"""The margin of token sequences as a sum over positions, given the token of the position that
matters most."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from workbench.math.gaussian import log_cdf_value
from workbench.math.logspace import log_sum

_SWEEPS = 6
_POOLED, _OWN = 1.0, 4.0  # sequences that the shrinkage of an effect to 0 stands for
_DOUBLINGS, _HALVINGS = 12, 40


@dataclass(frozen=True, eq=False)
class Cells:
    """The tokens of one position, each a cell of its own as far as there are not too many.

    Args:
        position: the position.
        owner: `(V,)`: the cell of every token; the last cell may hold many.
        count: K.
    """

    position: int
    owner: Tensor
    count: int

    def of(self, x: Tensor) -> Tensor:
        """The cell of every sequence, `(n,)`."""
        return self.owner[x[:, self.position]]

    def members(self) -> Tensor:
        """`(K, V)`: which tokens every cell holds."""
        return self.owner[None, :] == torch.arange(self.count)[:, None]


def cells(x: Tensor, s: Tensor, log_probs: Tensor, most: int) -> Cells:
    """At most `most` cells at the position whose tokens' mean margins differ most, over sequences
    x `(n, T)` of margins s `(n,)`."""
    t, v = log_probs.shape
    apart = torch.full((t,), -1.0, dtype=torch.float64)
    for i in range(t):
        n = torch.bincount(x[:, i], minlength=v).double()
        if int((n > 0).sum()) > 1:
            mean = sums(x[:, i], s - s.mean(), v) / n.clamp(min=1.0)
            # A token seen once differs by chance: the spread of a mean of n is taken off.
            apart[i] = (n * mean.square()).sum() - s.var(unbiased=False) * (n > 0).sum()
    position = int(torch.argmax(apart))
    row = log_probs[position]
    order = torch.argsort(row, descending=True, stable=True)[: int((row > -math.inf).sum())]
    count = min(len(order), most)
    owner = torch.full((v,), count - 1)
    owner[order[:count]] = torch.arange(count)
    return Cells(position, owner, count)


@dataclass(frozen=True, eq=False)
class Additive:
    """s(x) = mean[c] + sum_i effect[c, i, x_i] + N(0, spread[c]^2) in cell c of x.

    Args:
        cells: at the position that matters most.
        mean: `(K,)`.
        effect: `(K, T, V)`.
        spread: `(K,)`: what the sum misses.
    """

    cells: Cells
    mean: Tensor
    effect: Tensor
    spread: Tensor

    def margin(self, x: Tensor) -> Tensor:
        """The predicted margin `(n,)`."""
        c = self.cells.of(x)
        parts = [self.effect[c, i, x[:, i]] for i in range(x.shape[1])]
        return self.mean[c] + torch.stack(parts).sum(0)


def fit(cells: Cells, x: Tensor, s: Tensor, weight: Tensor, alphabet: int) -> Additive:
    """Weighted least squares by backfitting (Hastie & Tibshirani 1990): first one sum for all
    sequences, then in every cell what that one misses; effects of few sequences shrink to 0.

    Args:
        cells: of the most important position.
        x: `(n, T)`, s: `(n,)` their margins, weight: `(n,)`.
        alphabet: V.
    """
    t, k, v = x.shape[1], cells.count, alphabet
    c = cells.of(x)
    weight = weight / weight.mean()
    rest = s - (weight * s).sum() / weight.sum()
    pooled = torch.zeros(t, v, dtype=torch.float64)
    own = torch.zeros(t, k * v, dtype=torch.float64)
    mean = torch.full((k,), float((s - rest).mean()), dtype=torch.float64)
    for _ in range(_SWEEPS):
        for i in range(t):
            rest = rest + pooled[i][x[:, i]]
            pooled[i] = sums(x[:, i], weight * rest, v)
            pooled[i] /= sums(x[:, i], weight, v) + _POOLED
            rest = rest - pooled[i][x[:, i]]
    heavy = sums(c, weight, k)
    for _ in range(_SWEEPS):
        shift = sums(c, weight * rest, k) / (heavy + _OWN)
        mean, rest = mean + shift, rest - shift[c]
        for i in range(t):
            at = c * v + x[:, i]
            rest = rest + own[i][at]
            own[i] = sums(at, weight * rest, k * v) / (sums(at, weight, k * v) + _OWN)
            rest = rest - own[i][at]
    usual = (weight * rest.square()).sum() / weight.sum()
    spread = (sums(c, weight * rest.square(), k) + _OWN * usual) / (heavy + _OWN)
    effect = pooled[None] + own.reshape(t, k, v).transpose(0, 1)
    return Additive(cells, mean, effect, torch.sqrt(spread.clamp(min=1e-12)))


def tilt(model: Additive, log_probs: Tensor) -> tuple[Tensor, Tensor]:
    """The product law that the failures of every cell come nearest to, and log of their mass.

    With K(l) = log E[exp(l s)] of a cell's additive margin with independent positions, a sum of
    one term a position, l* solves K'(l) = 0 (0 where the mean is above), the law of position i is
    p_i(v) exp(l* effect_i(v)) / its sum, and the mass is p(cell) times the saddlepoint tail
    (Lugannani & Rice 1980, in the form of Robinson 1982)

        exp(K + l^2 K'' / 2) Phi(-l sqrt(K'')).

    Args:
        model: the margin.
        log_probs: `(T, V)` of D.

    Returns:
        log q `(K, T, V)`, every row summing to 1, and the log masses `(K,)`.
    """
    inside = model.cells.members()
    log_p = log_probs[None].repeat(model.cells.count, 1, 1)
    at = model.cells.position
    log_p[:, at] = torch.where(inside, log_p[:, at], -math.inf)
    mass = log_sum(log_p[:, at])
    log_p[:, at] = log_p[:, at] - mass[:, None]

    def cumulants(rate: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        tilted = log_p + rate[:, None, None] * model.effect
        total = log_sum(tilted)
        q = torch.exp(tilted - total[..., None])
        first = (q * model.effect).sum(-1)
        second = (q * model.effect.square()).sum(-1) - first.square()
        noise = model.spread.square()
        value = total.sum(1) + rate * model.mean + 0.5 * rate.square() * noise
        slope = first.sum(1) + model.mean + rate * noise
        return value, slope, second.sum(1) + noise, tilted - total[..., None]

    low = torch.zeros_like(model.mean)
    high = 1.0 / model.spread
    for _ in range(_DOUBLINGS):
        high = torch.where(cumulants(high)[1] < 0, 2.0 * high, high)
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        below = cumulants(middle)[1] < 0
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    value, _, curve, log_q = cumulants(low)
    root = low * torch.sqrt(curve)
    return log_q, mass + value + 0.5 * root.square() + log_cdf_value(-root)


def sums(at: Tensor, value: Tensor, n: int) -> Tensor:
    """Sums of the values `(m,)` with the same number `at` in 0, ..., n - 1: `(n,)`."""
    return torch.zeros(n, dtype=torch.float64).index_add_(0, at, value)
