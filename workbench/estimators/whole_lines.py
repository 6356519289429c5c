"""Lines that enter C more than once, or leave it again: found by a few probes, counted on a grid.

One crossing a line says all where C lies beyond it. A bounded C, an output that saturates or turns
back, is entered and left again, and a search for one crossing may step over it. Then all of a line
that lies in C is counted (see `along`), at the cost of a margin at every place of the grid.
"""

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

from workbench.estimators import along
from workbench.math.gaussian import log_cdf_inverse, log_cdf_value, log_pdf
from workbench.problem import Problem
from workbench.specs import Polyhedral

_BEYOND = (0.6, 0.2)  # shares of what lies beyond a crossing, at which it is probed
_BEFORE = (0.5, 1.3)  # distances before a crossing, likewise
_FEW, _MANY = 6, 16  # lines that are probed, over all directions
_HALF, _STEP = 2.2, 0.4  # of the places where a line that enters nowhere is probed
_FINE, _COARSE = 0.15, 0.4
_LAST = 4.0  # how far the last places lie beyond the others
_ONLY = 0.02  # where D has a single dimension, and all lines are one
_ROUNDS, _BISECTED = 3, 6
_BELOW, _ABOVE = 2.0, 3.0  # about the usual crossing, and its mirror image, where the grid is fine
MISSED = 0.3
"""Share of P that probes may find miscounted before all of every line is counted."""


def probed(
    margin: Callable[[Tensor], Tensor],
    across: Tensor,
    unit: Tensor,
    t: Tensor,
    start: float,
    lines: int,
) -> tuple[float, float, int]:
    """What the crossings of some lines count, what probes say is counted wrongly, and their cost.

    Args:
        margin: of points `(m, d)`.
        across: w of the lines, `(n, d)`.
        unit: u, `(d,)`.
        t: where they enter C, `(n,)`; see `lines.Crossings`.
        start: where lines along u usually enter.
        lines: the most that are probed.
    """
    across, t = across[:lines], t[:lines]
    said = torch.exp(log_cdf_value(-t))
    wrong, spent = 0.0, 0
    some = said > 0
    if bool(some.any()):
        own, w, enters = said[some], across[some], t[some]
        share = torch.log(said.new_tensor(_BEYOND))
        beyond = -log_cdf_inverse(log_cdf_value(-enters)[:, None] + share)
        inside = _inside(margin, w, unit, beyond)
        wrong += float((own * (1.0 - inside.to(own).mean(1))).sum())
        from_outside = torch.isfinite(enters)
        w, enters = w[from_outside], enters[from_outside]
        before = enters[:, None] - said.new_tensor(_BEFORE)
        wrong += _mass(before, _inside(margin, w, unit, before), _BEFORE[1] - _BEFORE[0])
        spent += beyond.numel() + before.numel()
    never = across[~some]
    if len(never):
        places = torch.arange(start - _HALF, start + _HALF, _STEP).to(said).expand(len(never), -1)
        wrong += _mass(places, _inside(margin, never, unit, places), _STEP)
        spent += places.numel()
    return float(said.sum()), wrong, spent


def probes(problem: Problem, directions: int) -> int:
    """How many lines of each direction to probe: more where several half-spaces bound C."""
    c, d = problem.spec, problem.distribution
    plain = False
    if isinstance(c, Polyhedral):
        event = c.halfspaces(problem.outputs, torch.zeros(1, dtype=d.dtype))
        plain = all(len(clause) == 1 for clause in event.clauses)
    return max(2, (_FEW if plain else _MANY) // directions)


def _inside(margin: Callable[[Tensor], Tensor], across: Tensor, unit: Tensor, t: Tensor) -> Tensor:
    """Which places t `(n, g)` of lines lie in C, `(n, g)`."""
    return margin(along.places(across, unit, t)).reshape(t.shape) > 0


def _mass(t: Tensor, inside: Tensor, width: float) -> float:
    """Roughly, what lies in C about places t, each for its width."""
    return width * float(torch.where(inside, torch.exp(log_pdf(t)), 0.0).sum())


def scanned(
    margin: Callable[[Tensor], Tensor], across: Tensor, unit: Tensor, start: float
) -> tuple[Tensor, Tensor]:
    """Places t `(n, g)` along lines, increasing, and the margins there, `(n, g)`.

    A grid, close where C is usually entered and on the other side of the mean of D, bisected again
    and again where the margin changes its sign or turns near 0.

    Args:
        start: where lines along u usually enter.
    """
    t = grid(start, across.dtype, across.shape[1]).expand(len(across), -1)
    s = margin(along.places(across, unit, t)).reshape(t.shape)
    for _ in range(_ROUNDS):
        weight = _doubtful(s) * torch.exp(log_pdf(0.5 * (t[:, 1:] + t[:, :-1]))) * t.diff(dim=1)
        cell = weight.topk(_BISECTED, 1).indices
        middle = 0.5 * (t.gather(1, cell) + t.gather(1, cell + 1))
        value = margin(along.places(across, unit, middle)).reshape(middle.shape)
        t, order = torch.cat([t, middle], 1).sort(1)
        s = torch.cat([s, value], 1).gather(1, order)
    return t, s


def _doubtful(s: Tensor) -> Tensor:
    """1 at cells `(n, g - 1)` of which it is not sure how much lies in C, else next to nothing.

    At those where the margin changes its sign, and about places where it is nearer to 0 than at
    both neighbours.
    """
    crossed = (s[:, 1:] > 0) != (s[:, :-1] > 0)
    size = s.abs()
    turns = (size[:, 1:-1] <= size[:, :-2]) & (size[:, 1:-1] <= size[:, 2:])
    turns = torch.nn.functional.pad(turns, (1, 1))
    return (crossed | turns[:, 1:] | turns[:, :-1]).to(s.dtype) + 1e-9


def grid(start: float, dtype: torch.dtype, dim: int) -> Tensor:
    """Places `(g,)` along a line: close where C is usually entered, and on the other side."""
    edges = [start - _BELOW, start + _ABOVE]
    ends = sorted({-edges[1], -edges[0], *edges})
    found = [ends[0] - _LAST, ends[0]]
    for low, high in pairwise(ends):
        near = edges[0] <= 0.5 * abs(low + high) <= edges[1]
        step = _ONLY if dim == 1 else _FINE if near else _COARSE
        count = max(1, math.ceil((high - low) / step))
        found += [low + (high - low) * (i + 1) / count for i in range(count)]
    return torch.tensor([*found, ends[-1] + _LAST], dtype=dtype)


def cost(start: float, dim: int) -> int:
    """Evaluations of the margin that a whole line costs."""
    return len(grid(start, torch.float64, dim)) + _ROUNDS * _BISECTED
