"""Token sequences that were evaluated, none of them twice."""

import math
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor

from workbench.distributions import IndependentTokens
from workbench.iteration import State
from workbench.math.simplex import log_prob
from workbench.problem import Problem

_ODD = (-0x61C8864680B583EB, -0x4B47D0C5A2B5C3A5, 0x2545F4914F6CDD1D)  # of splitmix64 and others


@dataclass(frozen=True, kw_only=True)
class Seen(State):
    """All sequences evaluated so far, in the order of their evaluation."""

    x: Tensor
    """`(n, T)`."""
    s: Tensor
    """`(n,)`: margins."""
    log_p: Tensor
    """`(n,)`: their log probabilities under D, in float64; none is -inf."""
    key: Tensor
    """`(n,)`: a 64-bit hash of each."""


S = TypeVar("S", bound=Seen)


def keys(x: Tensor) -> Tensor:
    """A 64-bit hash of every sequence `(n, T)`: `(n,)`, int64.

    A polynomial in odd numbers modulo 2^64, mixed between the positions; two of 10^5 sequences
    share one with probability 3e-10.
    """
    h = torch.full((len(x),), len(x[0]) if len(x) else 0, dtype=torch.int64, device=x.device)
    for i in range(x.shape[1]):
        h = (h ^ (x[:, i] + 1)) * _ODD[0]
        h = (h ^ (h >> 29)) * _ODD[1]
        h = h ^ (h >> 32)
    return h * _ODD[2]


def unseen(state: Seen, x: Tensor) -> Tensor:
    """`(m,)` rows of x that have not been evaluated, each sequence once, in their order."""
    key = keys(x)
    order = torch.argsort(key, stable=True)
    ranked = key[order]
    first = torch.ones_like(ranked, dtype=torch.bool)
    first[1:] = ranked[1:] != ranked[:-1]
    rows = torch.sort(order[first]).values
    return rows[~torch.isin(key[rows], state.key)]


@torch.no_grad()
def evaluate(problem: Problem, state: S, x: Tensor, most: float = math.inf) -> S:
    """The state with the first `most` of x that are new, as far as the budget goes; those of
    probability 0 are left out."""
    x = x[unseen(state, x)]
    log_p = log_prob(log_probs(problem), x)
    alive = torch.nonzero(log_p > -math.inf).squeeze(1)[: int(min(len(x), most, state.left))]
    if not len(alive):
        return state
    x = x[alive]
    return replace(
        state,
        x=torch.cat([state.x, x]),
        s=torch.cat([state.s, problem.margin(x).double()]),
        log_p=torch.cat([state.log_p, log_p[alive]]),
        key=torch.cat([state.key, keys(x)]),
        forwards=state.forwards + len(x),
    )


def log_probs(problem: Problem) -> Tensor:
    """D's log probabilities `(T, V)` in float64, without their graph."""
    d = problem.distribution
    assert isinstance(d, IndependentTokens)
    return d.log_probs().detach().double()


def outcomes(log_probs: Tensor, start: int, n: int) -> Tensor:
    """Sequences number start, ..., start + n - 1 of positive probability, as far as there are any,
    in mixed radix with the last position the fastest."""
    alive = [torch.nonzero(row > -math.inf).squeeze(1) for row in log_probs]
    total = math.prod(len(tokens) for tokens in alive)
    number = torch.arange(start, min(start + n, total))
    found = []
    for tokens in reversed(alive):
        found.append(tokens[number % len(tokens)])
        number = number // len(tokens)
    return torch.stack(found[::-1], 1)
