"""Design points of intersections: the likeliest noise where several margins are positive at once.

For a clause with margins s_1, ..., s_r the design point minimises |z| subject to s_i(z) >= 0 for
all i. The lesser of the margins has one gradient at a time, and a search that follows it zigzags
between the boundaries; here every step takes all of them,

    z <- argmin |z'|   subject to   s_i(z) + g_i . (z' - z) >= 0 for all i,   g_i = grad s_i(z),

sequential quadratic programming, of which the HLRF iteration of `design_points` is the case of one
margin (Liu & Der Kiureghian 1991). All starts move together; a step costs a forward pass and one
backward pass a margin.
"""

import torch
from torch import Tensor

from workbench.distributions import Reparameterised
from workbench.estimators import design_points
from workbench.estimators.design_points import Points
from workbench.math.divisor import divisor
from workbench.math.least_distance import nearest
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.specs import Halfspaces, Polyhedral

_APPROACH, _RESTORE = 24, 6
_TRUST, _DAMP_AFTER, _DAMPING = 1.5, 6, 0.7
_OVERSHOOT = 1e-3
_SWEEPS = 60


def joint(problem: Problem) -> bool:
    """Whether some clause of C is an intersection."""
    return isinstance(problem.spec, Polyhedral) and any(len(c) > 1 for c in _event(problem).clauses)


def find(
    problem: Problem, most: int, allowed: float, least: int = design_points.STARTS
) -> tuple[Points, int]:
    """The nearest failing points, at most `most`, in different directions, and the search's cost.

    None where `allowed` forward passes do not hold the search, from `least` starts or more.
    """
    event = _event(problem)
    points = design_points.start(problem, Rng(0), least)
    widest = max(len(c) for c in event.clauses)
    steps = _APPROACH + _RESTORE
    cost = len(points.at) * (1 + widest) * steps
    if cost > allowed:
        return points.some([]), 0
    rows = torch.tensor([(*c, *(c[-1:] * (widest - len(c)))) for c in event.clauses])
    for k in range(steps):
        points = _advance(problem, event, rows, points, k)
    return points.some(design_points.chosen(points, most)), cost


def _event(problem: Problem) -> Halfspaces:
    d, c = problem.distribution, problem.spec
    assert isinstance(c, Polyhedral)
    return c.halfspaces(problem.outputs, torch.zeros(1, dtype=d.dtype))


def _advance(problem: Problem, event: Halfspaces, rows: Tensor, points: Points, k: int) -> Points:
    z = points.at
    s, g = _margins(problem, event, z, rows[points.clause])
    least = s.amin(1)
    norm = z.norm(dim=1)
    better = (least >= 0) & (norm < points.norm)
    best = torch.where(better[:, None], z, points.best)
    length = divisor(g.norm(dim=2))
    if k < _APPROACH:  # the point nearest to the origin, then there
        bar = torch.einsum("mrd,md->mr", g, z) - s
        move = nearest(g / length[..., None], -bar / length, _SWEEPS) - z
        damping = _DAMPING if k >= _DAMP_AFTER else 1.0
    else:  # the point nearest to this one, just inside
        move = nearest(g / length[..., None], s / length - _OVERSHOOT, _SWEEPS)
        damping = 1.0
    move = torch.nan_to_num(move, posinf=0.0, neginf=0.0)
    size = move.norm(dim=1, keepdim=True).clamp(min=1e-12)
    step = move * torch.clamp(_TRUST / size, max=1.0) * damping
    return Points(z + step, points.clause, best, torch.where(better, norm, points.norm))


def _margins(problem: Problem, event: Halfspaces, z: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """The margins `(m, r)` of each start's own clause, and their gradients `(m, r, d)`."""
    d = problem.distribution
    assert isinstance(d, Reparameterised)
    with torch.enable_grad():
        z = z.detach().requires_grad_()
        s = (problem.answers(d.push(z)) @ event.a.T + event.b).gather(1, rows)
        g = [design_points.gradient(problem, s[:, i], z, keep=True) for i in range(s.shape[1])]
    return s.detach(), torch.stack(g, 1)
