"""Design points: the likeliest noise on the boundary of each clause of the event.

For a clause with margin s(z) in base noise z ~ N(0, I) the design point minimises |z| subject to
s(z) >= 0, and beta = |z*| is its reliability index. The search is the HLRF iteration

    z <- ((g . z - s) / |g|^2) g,   g = grad s(z)

(Hasofer & Lind 1974, Rackwitz & Fiessler 1978) from several starts a clause, each step inside a
trust radius, then a few steps along g alone that bring the point onto the boundary. All starts move
together in one batch; a gradient counts as two forward passes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from workbench.distributions import Reparameterised
from workbench.errors import Unsupported
from workbench.math.checks import known
from workbench.math.slope import slope_of
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.specs import Polyhedral

_MOST, _PER_CLAUSE = 64, 2
_APPROACH, _RESTORE = 16, 4
_TRUST, _DAMP_AFTER, _DAMPING = 1.5, 4, 0.7
_OVERSHOOT = 1e-3
_SAME = 0.8
_NEGLIGIBLE = 12.0
_RADII = tuple(0.5 * k for k in range(2, 25))  # how far rays are followed

STEPS = _APPROACH + _RESTORE
"""Iterations of a search."""
STARTS = 16
"""From how many points, unless C has many clauses."""


@dataclass(frozen=True, eq=False)
class Points:
    """Where every start stands, and the nearest point in the event that it has seen."""

    at: Tensor
    """`(m, noise_dim)`"""
    clause: Tensor
    """`(m,)`: which clause each start heads for."""
    best: Tensor
    norm: Tensor
    """`(m,)`: |best|, inf while none was seen."""

    def some(self, kept: list[int]) -> "Points":
        """The best of these starts alone."""
        best = self.best[kept]
        return Points(best, self.clause[kept], best, self.norm[kept])


def literals(problem: Problem, z: Tensor) -> tuple[Tensor, Sequence[Sequence[int]]]:
    """Margins of the half-spaces that C is made of, `(batch, literals)`, and which of them each
    clause has; of any other C its own margin."""
    d, c = problem.distribution, problem.spec
    assert isinstance(d, Reparameterised)
    if not isinstance(c, Polyhedral):
        return problem.margin_of_noise(z)[:, None], ((0,),)
    x = d.push(z)
    event = c.halfspaces(problem.outputs, x)
    return problem.answers(x) @ event.a.T + event.b, event.clauses


def clause_margins(problem: Problem, z: Tensor) -> Tensor:
    """Margins of all clauses, `(batch, clauses)`; their maximum is the margin of C."""
    s, clauses = literals(problem, z)
    return torch.stack([s[:, list(clause)].amin(-1) for clause in clauses], dim=-1)


def clause_count(problem: Problem) -> int:
    """How many margins these are."""
    c = problem.spec
    if not isinstance(c, Polyhedral):
        return 1
    return len(c.halfspaces(problem.outputs, torch.zeros(1, dtype=problem.dtype)).clauses)


def start(problem: Problem, rng: Rng, least: int = STARTS) -> Points:
    """Starts near the origin of noise, `least` or more, shared out among the clauses."""
    d = problem.distribution
    assert isinstance(d, Reparameterised)
    clauses = clause_count(problem)
    m = max(least, min(_MOST, _PER_CLAUSE * clauses))
    generator = rng.child("starts").generator()
    z = d.noise(m, generator)
    radius = torch.rand(m, 1, generator=generator, dtype=z.dtype)
    z = z / z.norm(dim=1, keepdim=True) * radius
    return Points(z, torch.arange(m) % clauses, z, torch.full((m,), torch.inf, dtype=z.dtype))


def advance(problem: Problem, points: Points, k: int) -> Points:
    """Iteration k of `STEPS`, at the cost of two forward passes a start."""
    z = points.at
    s, g = margin_and_gradient(problem, z, points.clause)
    seen = _nearest(points, s)
    square = g.square().sum(1).clamp(min=torch.finfo(z.dtype).tiny)
    if k < _APPROACH:
        move = (((g * z).sum(1) - s) / square)[:, None] * g - z
        damping = _DAMPING if k >= _DAMP_AFTER else 1.0
    else:
        lift = torch.clamp(_OVERSHOOT * square.sqrt() - s, min=0.0) / square
        move, damping = torch.where(s < 0, lift, 0.0)[:, None] * g, 1.0
    move = torch.nan_to_num(move, posinf=0.0, neginf=0.0)  # a margin without a slope leads nowhere
    length = move.norm(dim=1, keepdim=True).clamp(min=1e-12)
    step = move * torch.clamp(_TRUST / length, max=1.0) * damping
    return Points(z + step, points.clause, seen.best, seen.norm)


def distinct(points: Points, most: int) -> tuple[Tensor, Tensor]:
    """The nearest points `(k, d)` and their norms `(k,)`, nearest first, as `chosen`."""
    kept = chosen(points, most)
    return points.best[kept], points.norm[kept]


def chosen(points: Points, most: int) -> list[int]:
    """Which starts ended in the nearest points, nearest first, no two in one direction.

    Points whose density is below e^-12 of the nearest one's are left out.
    """
    order = torch.argsort(points.norm)
    kept: list[int] = []
    for i in order.tolist():
        norm = points.norm[i]
        if len(kept) == most or not bool(torch.isfinite(norm)) or not float(norm) > 0:
            continue
        if kept and float(norm**2 - points.norm[kept[0]] ** 2) > 2.0 * _NEGLIGIBLE:
            continue
        cosines = [points.best[i] @ points.best[j] / (norm * points.norm[j]) for j in kept]
        if all(float(c) < _SAME for c in cosines):
            kept.append(i)
    return kept


def nearest(problem: Problem, rng: Rng, most: float) -> tuple[Tensor | None, int]:
    """The failing point nearest to the origin that a search finds, `(noise_dim,)`, and its cost.

    Where the iteration itself ends outside the event, the rays through its last points are followed
    outward. None where nothing fails, where the margin has no gradient, or where the search would
    cost more than `most` forward passes.
    """
    try:
        points = start(problem, rng)
        cost = len(points.at) * (2 * STEPS + len(_RADII))
        if cost > most:
            return None, 0
        for k in range(STEPS):
            points = advance(problem, points, k)
    except Unsupported:
        return None, 0
    found, _ = distinct(points, 1)
    if len(found) == 0:
        radii = torch.tensor(_RADII, dtype=points.at.dtype)[:, None, None]
        unit = points.at / points.at.norm(dim=1, keepdim=True).clamp(min=1e-12)
        z = (radii * unit).flatten(0, 1)  # nearest first
        found = z[problem.margin_of_noise(z) > 0]
    return (found[0] if len(found) else None), cost


def _nearest(points: Points, s: Tensor) -> Points:
    norm = points.at.norm(dim=1)
    better = (s >= 0) & (norm < points.norm)
    best = torch.where(better[:, None], points.at, points.best)
    return Points(points.at, points.clause, best, torch.where(better, norm, points.norm))


def margin_and_gradient(problem: Problem, z: Tensor, clause: Tensor) -> tuple[Tensor, Tensor]:
    """Margins `(n,)` and gradients `(n, d)` of a clause each; clause -1 is the whole of C."""
    with torch.enable_grad():
        z = z.detach().requires_grad_()
        every = clause_margins(problem, z)
        one = every.gather(1, clause.clamp(min=0)[:, None]).squeeze(1)
        s = torch.where(clause < 0, every.amax(1), one)
        g = gradient(problem, s, z)
    return known(s.detach()), g


def literal_and_gradient(problem: Problem, z: Tensor, literal: int) -> tuple[Tensor, Tensor]:
    """Margins `(n,)` and gradients `(n, d)` of one literal."""
    with torch.enable_grad():
        z = z.detach().requires_grad_()
        s = literals(problem, z)[0][:, literal]
        g = gradient(problem, s, z)
    return known(s.detach()), g


def gradient(problem: Problem, s: Tensor, z: Tensor, keep: bool = False) -> Tensor:
    """`(n, d)` of margins s in noise z, 0 where it is no number.

    Args:
        keep: whether the graph is needed again.

    Raises:
        Unsupported: where there is none.
    """
    g = slope_of(s, z, keep)
    if g is None:
        raise Unsupported(
            f"the margin of {problem.name!r}, which has no gradient in the noise of D",
            "design points are searched along it",
        )
    return torch.nan_to_num(g, posinf=0.0, neginf=0.0)
