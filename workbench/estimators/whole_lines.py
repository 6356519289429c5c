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
_TURNED, _LOOKS, _NEARER = 6, 8, 3  # lines that turn back looked at together, places, and rounds
_SEEN = 3  # places in C that are enough
LOOK = 2 * _TURNED * _LOOKS * _NEARER
PROBES = _MANY * (len(_BEYOND) + len(_BEFORE) + math.ceil(2 * _HALF / _STEP))
"""Evaluations of the margin that a look at lines that turn back can cost, and all other probes."""
_FINE, _COARSE = 0.15, 0.4
_LAST = 4.0  # how far the last places lie beyond the others
_ONLY = 0.02  # where D has a single dimension, and all lines are one
_ROUNDS, _BISECTED = 3, 6
_ROUNDS_ONLY = 12
_BELOW, _ABOVE = 2.0, 3.0  # about the usual crossing, and its mirror image, where the grid is fine
MISSED, OVER = 0.3, 0.5
"""Shares of P that the first probes may find miscounted, and later looks, before all of every line
is counted."""


def probed(
    margin: Callable[[Tensor], Tensor],
    across: Tensor,
    unit: Tensor,
    t: Tensor,
    start: float,
    lines: int,
) -> tuple[float, float, int]:
    """What the crossings of lines count, roughly what of it is wrong or lacks, and the look's cost.

    Lines that enter are probed in proportion to what they count; of those that do not, the first
    ones.

    Args:
        margin: of points `(m, d)`.
        across: w of the lines, `(n, d)`.
        unit: u, `(d,)`.
        t: where they enter C, `(n,)`; see `lines.Crossings`.
        start: where lines along u usually enter.
        lines: the most that are probed.
    """
    said = torch.exp(log_cdf_value(-t))
    total, wrong, spent = float(said.sum()), 0.0, 0
    if total:
        some = _in_proportion(said, lines)
        own, w, enters = said[some], across[some], t[some]
        stands_for = total / (len(some) * own)
        share = torch.log(said.new_tensor(_BEYOND))
        beyond = -log_cdf_inverse(log_cdf_value(-enters)[:, None] + share)
        outside = ~_inside(margin, w, unit, beyond)
        wrong += float((stands_for * own * outside.to(own).mean(1)).sum())
        crosses = torch.isfinite(enters)
        before = enters[crosses, None] - said.new_tensor(_BEFORE)
        inside = _inside(margin, w[crosses], unit, before)
        lacks = _mass(before, inside, _BEFORE[1] - _BEFORE[0])
        wrong += float((stands_for[crosses] * lacks).sum())
        spent += beyond.numel() + before.numel()
    first = across[:lines][said[:lines] == 0]
    places = torch.arange(start - _HALF, start + _HALF, _STEP).to(said).expand(len(first), -1)
    lacks = _mass(places, _inside(margin, first, unit, places), _STEP)
    spent += places.numel()
    return total, wrong + len(t) / len(t[:lines]) * float(lacks.sum()), spent


def _in_proportion(weight: Tensor, count: int) -> Tensor:
    """Which `count` of the weights `(n,)` lie under equal steps of their running sum."""
    steps = (torch.arange(count, dtype=weight.dtype) + 0.5) / count
    running = weight.cumsum(0)
    return torch.searchsorted(running, steps * running[-1]).clamp(max=len(weight) - 1)


def stepped_over(
    margin: Callable[[Tensor], Tensor], across: Tensor, unit: Tensor, turns: Tensor, top: Tensor
) -> tuple[float, int]:
    """Roughly, what lies in C on lines that are said not to enter it; and the look's cost.

    Those that turn back nearest to it are looked at, twelve at most; where the last of these enter
    it so do the others, roughly.
    """
    turned = torch.nonzero(~turns[:, 0].isnan()).squeeze(1)
    nearest = turned[top[turned].argsort(descending=True)[: 2 * _TURNED]]
    over, others, spent = 0.0, 0.0, 0
    for some in nearest.split(_TURNED):
        mass, looks = _highest(margin, across[some], unit, turns[some])
        over, spent = over + float(mass.sum()), spent + looks
        if 2 * int((mass > 0).sum()) < len(some):
            return over, spent
        others = float(mass.mean()) * (len(turned) - len(nearest))
    return over + others, spent


def _highest(
    margin: Callable[[Tensor], Tensor], across: Tensor, unit: Tensor, between: Tensor
) -> tuple[Tensor, int]:
    """Roughly, what lies in C between places `(n, 2)` of lines, `(n,)`; and the look's cost.

    Where little is seen the next look is nearer, about what is or else the highest margin.
    """
    mass, spent, todo = torch.zeros_like(between[:, 0]), 0, torch.arange(len(between))
    share = (torch.arange(_LOOKS, dtype=between.dtype) + 0.5) / _LOOKS
    for _ in range(_NEARER):
        low, step = between[todo, :1], between[todo].diff(dim=1) / _LOOKS
        places = low + _LOOKS * step * share
        s = margin(along.places(across[todo], unit, places)).reshape(places.shape)
        spent += places.numel()
        inside = s > 0
        mass[todo] = _mass(places, inside, step)
        kept = inside | (s == s.amax(1, keepdim=True))
        ends = [torch.where(kept, places, far).sort(1).values for far in (torch.inf, -torch.inf)]
        between[todo] = torch.cat([ends[0][:, :1] - step, ends[1][:, -1:] + step], 1)
        todo = todo[inside.sum(1) < _SEEN]
        if not len(todo):
            break
    return mass, spent


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


def _mass(t: Tensor, inside: Tensor, width: float | Tensor) -> Tensor:
    """Roughly, what lies in C about places t `(n, g)` of lines, each for its width, `(n,)`."""
    return (width * torch.where(inside, torch.exp(log_pdf(t)), 0.0)).sum(1)


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
    for _ in range(_rounds(across.shape[1])):
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
    return len(grid(start, torch.float64, dim)) + _rounds(dim) * _BISECTED


def _rounds(dim: int) -> int:
    return _ROUNDS_ONLY if dim == 1 else _ROUNDS
