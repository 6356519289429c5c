"""Design points that lie far out, or behind a margin that points the wrong way near the mean of D.

Continuation in the radius: on a sphere around the mean of D every start climbs the margin; the
sphere then grows and carries the starts along, until some of them are in C. What is likeliest on
one sphere is a good start on the next, also where the margin's gradient near the mean leads astray
(narrow deep networks).
"""

import torch
from torch import Tensor

from workbench.estimators.design_points import (
    STARTS,
    STEPS,
    Points,
    advance,
    chosen,
    clause_margins,
    margin_and_gradient,
    start,
)
from workbench.math.divisor import divisor
from workbench.problem import Problem
from workbench.rng import Rng

_LONGER = 40
_FOLLOW, _RESTORE = 6, 18  # numbers of a damped step and of a step back to the boundary
_FIRST, _GROWTH, _LAST = 1.0, 0.5, 24.0
_CLIMBS, _STEP = 3, 0.35
_AFTER = 1.0  # how much further the sphere grows once C was reached
_POLISH, _BACK = 8, 4


def find(
    problem: Problem, most: int, allowed: float, least: int = STARTS, far: bool = True
) -> tuple[Points, int]:
    """The nearest failing points, at most `most`, in different directions, and the search's cost.

    By the usual iteration from `least` starts or more; where all of them end outside C, and if it
    is to look `far`, it goes on for longer, and then climbs on spheres. None where `allowed`
    forward passes are too few.
    """
    points = start(problem, Rng(0), least)  # a search, not a sample: the same starts always
    spent = 2 * len(points.at) * STEPS
    if spent > allowed:
        return points.some([]), 0
    for k in range(STEPS):
        points = advance(problem, points, k)
    for search in (longer, on_spheres) if far else ():
        if not bool(torch.isfinite(points.norm).any()):
            points, cost = search(problem, points, allowed - spent)
            spent += cost
    return points.some(chosen(points, most)), spent


def longer(problem: Problem, points: Points, allowed: float) -> tuple[Points, int]:
    """More steps of the usual iteration, for points beyond its reach; and what they cost."""
    price = 2 * len(points.at)
    count = int(min(_LONGER, allowed // price)) if price else 0
    for k in range(count):
        points = advance(problem, points, _RESTORE if k % 5 == 4 else _FOLLOW)
    return points, price * count


def on_spheres(problem: Problem, points: Points, allowed: float) -> tuple[Points, int]:
    """The same starts on growing spheres, and what it cost.

    The points that were met first are then drawn towards the mean of D along the boundary.
    """
    unit = points.at / points.at.norm(dim=1, keepdim=True).clamp(min=1e-12)
    found, norm = points.best.clone(), points.norm.clone()
    radius, spent, price = _FIRST, 0, 3 * len(unit) * _CLIMBS
    while radius < min(_LAST, float(norm.min()) + _AFTER) and spent + price <= allowed:
        for _ in range(_CLIMBS):
            unit, s = _climb(problem, unit, radius, points.clause)
            first = (s > 0) & ~torch.isfinite(norm)
            found = torch.where(first[:, None], radius * unit, found)
            norm = torch.where(first, radius, norm)
        spent += price
        radius += _GROWTH
    met = torch.isfinite(norm)
    ended = Points(found[met], points.clause[met], found[met], norm[met])
    price = 2 * len(ended.at)
    if not len(ended.at) or spent + price * (_POLISH + _BACK) > allowed:
        return ended, spent
    for k in [_FOLLOW] * _POLISH + [_RESTORE] * _BACK:
        ended = advance(problem, ended, k)
    return ended, spent + price * (_POLISH + _BACK)


def _climb(problem: Problem, unit: Tensor, radius: float, clause: Tensor) -> tuple[Tensor, Tensor]:
    """A step up the margin on the sphere where it does rise, and the margins there."""
    s, slope = margin_and_gradient(problem, radius * unit, clause)
    along = slope - (slope * unit).sum(1, keepdim=True) * unit
    along = along / divisor(along.norm(dim=1, keepdim=True))
    moved = unit + _STEP * along
    moved = moved / moved.norm(dim=1, keepdim=True)
    with torch.no_grad():
        there = clause_margins(problem, radius * moved).gather(1, clause[:, None]).squeeze(1)
    up = there > s
    return torch.where(up[:, None], moved, unit), torch.where(up, there, s)
