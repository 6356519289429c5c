"""Walking from token sequence to token sequence by substitutions, the likeliest failures first."""

import math
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor

from workbench.estimators.additive import Additive
from workbench.estimators.seen import Seen, evaluate, log_prob
from workbench.math.logspace import log_sum
from workbench.problem import Problem

_EXPANDED = 16  # sequences a batch whose neighbours are looked at
_FAINT = math.log(1e-5)  # what is less likely than this share of the failures is passed over


@dataclass(frozen=True, kw_only=True)
class Walk(Seen):
    """Also which sequences' neighbours have been looked at."""

    opened: Tensor
    """`(m,)`: their places among the sequences seen."""


W = TypeVar("W", bound=Walk)


def promise(log_p: Tensor, s: Tensor, scale: float) -> Tensor:
    """log p + min(s, 0) / scale: how likely a sequence is, and how far from failing."""
    return log_p + s.clamp(max=0.0) / scale


def neighbours(x: Tensor, log_probs: Tensor) -> Tensor:
    """All sequences that differ from one of x `(n, T)` in one token, x themselves among them."""
    found = []
    for i, row in enumerate(log_probs):
        tokens = torch.nonzero(row > -math.inf).squeeze(1)
        if len(tokens) > 1:
            changed = x.repeat_interleave(len(tokens), 0)
            changed[:, i] = tokens.repeat(len(x))
            found.append(changed)
    return torch.cat(found) if found else x


def walk(
    problem: Problem, state: W, model: Additive, log_probs: Tensor, scale: float, most: int
) -> W:
    """Look at the neighbours of the most promising sequences, and evaluate the `most` of them that
    the additive margin finds the most promising.

    The sequences are half those of the greatest promise, half those of the greatest margin.
    """
    fresh = torch.ones(len(state.s), dtype=torch.bool)
    fresh[state.opened] = False
    fresh = torch.nonzero(fresh).squeeze(1)
    value = promise(state.log_p[fresh], state.s[fresh], scale)
    nearness = state.s[fresh].clamp(max=0.0) + 1e-9 * value  # the likeliest of those that fail
    best = [
        fresh[torch.argsort(by, descending=True, stable=True)[: _EXPANDED // 2]]
        for by in (value, nearness)
    ]
    chosen = torch.unique(torch.cat(best))
    base = state.x[chosen]
    x = neighbours(base, log_probs)
    log_p = log_prob(log_probs, x)
    fails = state.s > 0
    if bool(fails.any()):
        kept = log_p > log_sum(state.log_p[fails]) + _FAINT
        x, log_p = x[kept], log_p[kept]
    order = torch.argsort(promise(log_p, model.margin(x), scale), descending=True)
    state = replace(state, opened=torch.cat([state.opened, chosen]))
    return evaluate(problem, state, x[order], most)
