"""Walking from token sequence to token sequence by substitutions, the likeliest failures first."""

import math
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor

from workbench.estimators.additive import Additive
from workbench.estimators.seen import Seen, evaluate
from workbench.math.logspace import log_sum
from workbench.math.simplex import log_prob
from workbench.problem import Problem

_PROMISING, _NEAREST, _SPREAD = 6, 4, 6  # sequences a batch whose neighbours are looked at
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


def neighbours(x: Tensor, log_probs: Tensor) -> tuple[Tensor, Tensor]:
    """All sequences that differ from one of x `(n, T)` in one token, x themselves among them, and
    the rows of x that they come from."""
    found, origin = [], []
    rows = torch.arange(len(x))
    for i, row in enumerate(log_probs):
        tokens = torch.nonzero(row > -math.inf).squeeze(1)
        if len(tokens) > 1:
            changed = x.repeat_interleave(len(tokens), 0)
            changed[:, i] = tokens.repeat(len(x))
            found.append(changed)
            origin.append(rows.repeat_interleave(len(tokens)))
    return (torch.cat(found), torch.cat(origin)) if found else (x, rows)


def walk(
    problem: Problem,
    state: W,
    model: Additive,
    log_probs: Tensor,
    scale: float,
    most: int,
    since: int = 0,
    anchored: bool = False,
) -> W:
    """Look at the neighbours of the most promising sequences, and evaluate the `most` of them that
    the additive margin finds the most promising.

    The sequences are those of the greatest promise, of the greatest margin, and of the greatest
    margin in the cells that have been looked at least, among those seen from number `since` on:
    failures may lie behind a better margin than any that is near. Where `anchored`, the additive
    margin tells only what a substitution changes, and the margin before it is the true one.
    """
    chosen = _chosen(state, model.cells.of(state.x), scale, since)
    base = state.x[chosen]
    x, origin = neighbours(base, log_probs)
    log_p, s = log_prob(log_probs, x), model.margin(x)
    if anchored:
        s = s + (state.s[chosen] - model.margin(base))[origin]
    fails = state.s > 0
    if bool(fails.any()):
        kept = log_p > log_sum(state.log_p[fails]) + _FAINT
        x, log_p, s = x[kept], log_p[kept], s[kept]
    order = torch.argsort(promise(log_p, s, scale), descending=True)
    state = replace(state, opened=torch.cat([state.opened, chosen]))
    return evaluate(problem, state, x[order], most)


def _chosen(state: Walk, cell: Tensor, scale: float, since: int) -> Tensor:
    """Places of the sequences to look at, none of them opened before."""
    value = promise(state.log_p, state.s, scale)
    order = torch.argsort(value, descending=True, stable=True)
    opened = torch.zeros(len(value), dtype=torch.int64)
    opened[state.opened] = 1
    looked = torch.zeros(int(cell.max()) + 1, dtype=torch.int64).index_add_(0, cell, opened)
    order = order[opened[order] == 0]
    nearest = order[torch.argsort(state.s[order].clamp(max=0.0), descending=True, stable=True)]
    # The place of each in its own cell, counted on from what was opened there.
    late = nearest[nearest >= since]
    near = cell[late]
    by_cell = torch.argsort(near, stable=True)
    sizes = torch.bincount(near, minlength=len(looked))
    first = sizes.cumsum(0) - sizes
    place = torch.empty_like(near)
    place[by_cell] = torch.arange(len(near)) - first[near[by_cell]]
    turn = late[torch.argsort(place + looked[near], stable=True)]
    return torch.unique(torch.cat([order[:_PROMISING], nearest[:_NEAREST], turn[:_SPREAD]]))
