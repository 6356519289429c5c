"""Summits: where the mean of D has to go for each clause of C to become likely, by propagation.

With base noise z ~ N(0, I) and u(theta) = P(clause | z ~ N(theta, I)) as propagation has it, a
summit is a maximum of

    log u(theta) - |theta|^2 / 2,

so that theta = grad log u(theta). The exact u obeys E[z | clause] = theta + grad log u(theta) and
Cov[z | clause] = I + Hess log u(theta) under N(theta, I): the summit lies in the direction of the
failures' mean, and the curvature there says how they spread. Both see what widens the law of the
margin as well as what moves its mean, and so a trigger that no gradient of the margin shows.
"""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from workbench.distributions import Gaussian, Piece
from workbench.errors import NotConverged, Unsupported
from workbench.estimators import design_points, far_search
from workbench.math.cost import forward_equivalents
from workbench.math.divisor import divisor
from workbench.math.gaussian import log_cdf
from workbench.math.nodes import normal_nodes
from workbench.math.orthant import log_union
from workbench.math.slope import slope_of
from workbench.problem import Problem, before_softmax
from workbench.propagation import Covariance, room
from workbench.propagation.smoothed import Smoothed
from workbench.specs import Halfspaces, Polyhedral
from workbench.tails import Gaussian as GaussianTail

_CLIMBS = 24
_TRUST, _DAMPING, _SLOWER = 1.0, 0.5, 0.6
_STILL = 0.05
_STEPS, _FOLLOW = 6, 0.4
_NEGLIGIBLE = 9.0  # nats below the highest summit: a ten-thousandth of it
_SAME = 0.8  # cosine of two directions that one set of lines serves
_ALIKE = 0.5  # cosine of the gradients with and without the spread's part
_PROBE = 1.5
_FLATTER = 0.75  # power of the covariance: failures have heavier tails than their covariance tells
_LEAST, _MOST = 0.08, 6.0
_TINY = 1e-150
_INSIDE = 512
"""Values inside an operation, beyond which summits are looked for by gradients."""
_PARTS = 200
"""Of operations that are made of several, likewise."""
_SEARCH, _PASSES, _EVALUATIONS, _LEAST_SEARCH = 0.6, 40, 25, 300


_HESSIAN = 6  # forward passes a column of the smoothed network's Hessian
SPREAD_COST = _HESSIAN + 2
"""Forward-equivalents a dimension that `spread` takes, its propagation included, or about that."""


@dataclass(frozen=True, eq=False)
class Summits:
    """Summits, the highest first.

    Args:
        theta: `(k, d)`, in base noise.
        clause: `(k,)`: the clause that each belongs to.
        height: `(k,)`: log u - |theta|^2 / 2 in nats.
        propagated: whether propagation found them, not the margin's own gradient.
        forwards: what the search cost, in forward-equivalents.
        spread: `(k, d, d)`: roots of how failures spread about each, where the search tells.
    """

    theta: Tensor
    clause: Tensor
    height: Tensor
    propagated: bool
    forwards: int
    spread: Tensor | None = None


class Landscape:
    """log u(theta) and its smoothed stand-in for one problem whose D is Gaussian.

    Args:
        problem: one that `propagates`.
        allowed: forward-equivalents after which climbs end where they are.
        narrowed: `(d, d)`: a covariance of noise in the place of I.
    """

    def __init__(self, problem: Problem, allowed: float = math.inf, narrowed: Tensor | None = None):
        d, c = problem.distribution, problem.spec
        assert isinstance(d, Gaussian) and isinstance(c, Polyhedral)
        self.problem, self.distribution = before_softmax(problem), d
        self.event: Halfspaces = c.halfspaces(problem.outputs, d.mean)
        cov = d.pieces()[0].cov if narrowed is None else d.covariance_of(narrowed)
        self.cov = cov.detach()
        self.allowed, self.forwards = allowed, 0

    def piece(self, theta: Tensor) -> Piece:
        """N(theta, I) in noise, `(*B, d)`, as a piece of x."""
        mean = self.distribution.push(theta.reshape(-1, theta.shape[-1])).reshape(theta.shape)
        return Piece(mean.new_zeros(theta.shape[:-1]), mean, self.cov)

    def spend(self, flops: float) -> None:
        """Count operations as forward passes."""
        self.forwards += forward_equivalents(flops, self.problem.flops_per_forward)

    @torch.no_grad()
    def propagation(self, theta: Tensor) -> int:
        """Forward-equivalents of one propagation."""
        event = self.event
        _, flops = Covariance().law(self.problem.graph, self.piece(theta), event.a, event.b)
        return forward_equivalents(flops, self.problem.flops_per_forward)

    def full(self, theta: Tensor, clause: int) -> tuple[float, Tensor]:
        """log u(theta) of one clause and its gradient `(d,)`."""
        rows = list(self.event.clauses[clause])
        with torch.enable_grad():
            at = theta.detach().requires_grad_()
            law, flops = Covariance().law(
                self.problem.graph, self.piece(at), self.event.a[rows], self.event.b[rows]
            )
            log_u = log_union(GaussianTail().index(law), law.corr, [range(len(rows))])
            slope = torch.zeros_like(at)
            if log_u.requires_grad:  # of a clause that excludes itself log u = -inf everywhere
                (slope,) = torch.autograd.grad(log_u, at)
        self.spend(3.0 * flops)
        return float(log_u.detach()), slope.detach()

    @torch.no_grad()
    def freeze(self, theta: Tensor) -> "Frozen":
        """The smoothed network at the scales of N(theta, I); theta `(d,)` or `(k, d)`."""
        law, scales, flops = Covariance().law_and_scales(
            self.problem.graph, self.piece(theta), self.event.a, self.event.b
        )
        self.spend(flops)
        return Frozen(self, Smoothed(self.problem.graph, scales), law.std.clamp(min=_TINY))


@dataclass(frozen=True, eq=False)
class Frozen:
    """log u(theta) with every spread as it is at one place: as cheap as M."""

    of: Landscape
    network: Smoothed
    std: Tensor
    """Of the half-space margins, `(r,)` or `(k, r)`."""

    def log_u(self, theta: Tensor, clause: Tensor) -> Tensor:
        """log Phi of the clause's worst reliability index, `(k,)`, for theta `(k, d)`."""
        event = self.of.event
        y = self.network(self.of.distribution.push(theta))
        index = (y @ event.a.T + event.b) / self.std
        by_clause = torch.stack([index[:, list(c)].amin(-1) for c in event.clauses], dim=-1)
        return log_cdf(by_clause.gather(1, clause[:, None]).squeeze(1))

    def gradient(self, theta: Tensor, clause: Tensor) -> tuple[Tensor, Tensor]:
        """log u `(k,)` and its gradient `(k, d)`."""
        with torch.enable_grad():
            at = theta.detach().requires_grad_()
            log_u = self.log_u(at, clause)
            (slope,) = torch.autograd.grad(log_u.sum(), at)
        self.of.forwards += 3 * len(theta)
        return log_u.detach(), slope.detach()

    def blind(self, theta: Tensor, clause: int) -> bool:
        """Whether log u does not rise towards theta `(d,)` there, where the law of the margin does:
        what its spread alone makes likely the smoothed network does not see."""
        _, slope = self.gradient(theta[None], torch.zeros(1, dtype=torch.long) + clause)
        return _cosine(slope[0], theta) < _ALIKE

    def hessian(self, theta: Tensor, clause: int) -> Tensor:
        """Of log u at theta `(d,)`, `(d, d)`."""
        which = torch.tensor([clause])
        found = torch.autograd.functional.hessian(
            lambda t: self.log_u(t[None], which)[0], theta.detach(), vectorize=True
        )
        self.of.forwards += _HESSIAN * len(theta)
        assert isinstance(found, Tensor)
        return torch.nan_to_num(found)

    def climb(self, theta: Tensor, clause: Tensor) -> tuple[Tensor, Tensor]:
        """theta and height after some damped steps theta <- grad log u(theta)."""
        for _ in range(_STEPS):
            _, slope = self.gradient(theta, clause)
            theta = theta + _limited(_FOLLOW * (slope - theta))
        log_u, _ = self.gradient(theta, clause)
        return theta, log_u - 0.5 * theta.square().sum(1)


def propagates(problem: Problem) -> bool:
    """Whether summits can be found by propagation: D Gaussian, C polyhedral, M readable and not
    too wide, and no attention or long recurrence of which one propagation costs as much as a
    search."""
    if not isinstance(problem.distribution, Gaussian) or not isinstance(problem.spec, Polyhedral):
        return False
    try:
        room.for_covariances(problem.graph, problem.distribution.dim, problem.dtype)
        wide, _ = room.inside(problem.graph, problem.distribution.dim)
        return wide <= _INSIDE and sum(n.part is not None for n in problem.graph.nodes) <= _PARTS
    except Unsupported:
        return False


def find(problem: Problem, most: int, allowed: float = math.inf) -> Summits:
    """At most `most` summits of the clauses of C, no two in one direction.

    By propagation where it can be; else design points by the gradient of the margin, which see
    neither triggers nor what a network does on average. None are found where `allowed`
    forward-equivalents are too few for a search.
    """
    if not propagates(problem):
        return by_margin(problem, most, allowed)
    land = Landscape(problem, _SEARCH * allowed)
    try:
        return _by_propagation(land, most, allowed)
    except NotConverged:  # what propagates overflows, though M does not
        points = by_margin(problem, most, allowed - land.forwards)
        return replace(points, forwards=points.forwards + land.forwards)


def _by_propagation(land: Landscape, most: int, allowed: float) -> Summits:
    zero = land.distribution.mean.new_zeros(land.distribution.dim)
    least = _PASSES * land.propagation(zero) + _EVALUATIONS * len(land.event.clauses)
    if allowed < max(least, _LEAST_SEARCH):
        return Summits(zero[None][:0], torch.zeros(1, dtype=torch.long)[:0], zero[:0], True, 0)
    if len(land.event.clauses) == 1:
        return _of_one_clause(land, most)
    return _of_many_clauses(land, most)


def _of_one_clause(land: Landscape, most: int) -> Summits:
    d = land.distribution.dim
    zero = land.distribution.mean.new_zeros(d)
    best = [_climb(land, zero, 0)]
    # Two probes from opposite sides, for a second summit that symmetry hides from the first.
    side = normal_nodes(1, d, dtype=zero.dtype)
    side = _PROBE * torch.cat([side, -side]) / side.norm()
    ends, heights = land.freeze(side).climb(side, torch.zeros(2, dtype=torch.long))
    for end, height in zip(ends, heights, strict=True):
        far = all(_cosine(end, theta) < _ALIKE for theta, _ in best)
        if far and float(height) > best[0][1] - _NEGLIGIBLE:
            best.append(_climb(land, end, 0))
    theta = torch.stack([theta for theta, _ in best])
    height = torch.tensor([height for _, height in best], dtype=theta.dtype)
    return _distinct(land, theta, torch.zeros(len(best), dtype=torch.long), height, most)


def _of_many_clauses(land: Landscape, most: int) -> Summits:
    """All clauses at once on the smoothed network; the slow way where that one is blind."""
    zero = land.distribution.mean.new_zeros(land.distribution.dim)
    clause = torch.arange(len(land.event.clauses))
    theta = zero.repeat(len(clause), 1)
    first = land.freeze(zero)
    theta, height = first.climb(theta, clause)
    top = int(torch.argmax(height))
    _, frozen_slope = first.gradient(zero[None], clause[top : top + 1])
    _, slope = land.full(zero, top)
    order = torch.argsort(height, descending=True)[:most]
    order = order[height[order] > height[order[0]] - _NEGLIGIBLE]
    theta, clause, height = theta[order], clause[order], height[order]
    if _cosine(frozen_slope[0], slope) < _ALIKE:
        found = [_climb(land, zero, int(c)) for c in clause]
        theta = torch.stack([t for t, _ in found])
        height = torch.tensor([h for _, h in found], dtype=theta.dtype)
    return _distinct(land, theta, clause, height, most)


def _climb(land: Landscape, theta: Tensor, clause: int) -> tuple[Tensor, float]:
    """theta <- grad log u(theta), damped, each step inside a trust radius; and the height there."""
    damping, last = _DAMPING, torch.zeros_like(theta)
    height = -math.inf
    for _ in range(_CLIMBS):
        log_u, slope = land.full(theta, clause)
        height = log_u - 0.5 * float(theta.square().sum())
        move = _limited(damping * (slope - theta)[None])[0]
        if float(move @ last) < 0:
            damping *= _SLOWER
        theta, last = theta + move, move
        still = float(move.norm()) < _STILL * max(1e-3, float(theta.norm()))
        if still or land.forwards > land.allowed:
            break
    return theta, height


def _limited(move: Tensor) -> Tensor:
    length = move.norm(dim=1, keepdim=True).clamp(min=1e-12)
    return torch.nan_to_num(move) * torch.clamp(_TRUST / length, max=1.0)


def _cosine(a: Tensor, b: Tensor) -> float:
    return float(a @ b / divisor(a.norm() * b.norm()))


def _distinct(land: Landscape, theta: Tensor, clause: Tensor, height: Tensor, most: int) -> Summits:
    theta = _some_direction(land, theta, clause)
    order = torch.argsort(height, descending=True).tolist()
    kept: list[int] = []
    for i in order:
        if float(height[i]) < float(height[order[0]]) - _NEGLIGIBLE or len(kept) == most:
            break
        if all(_cosine(theta[i], theta[j]) < _SAME for j in kept):
            kept.append(i)
    return Summits(theta[kept], clause[kept], height[kept], True, land.forwards)


def _some_direction(land: Landscape, theta: Tensor, clause: Tensor) -> Tensor:
    """A summit at the origin (C is likely there) gets a little of the uphill direction."""
    near = theta.norm(dim=1) < 1e-3
    if not bool(near.any()):
        return theta
    zero = torch.zeros_like(theta)
    with torch.enable_grad():
        at = zero.requires_grad_()
        s = design_points.clause_margins(land.problem, at).gather(1, clause[:, None])
        found = slope_of(s, at)
    up = zero if found is None else found
    land.forwards += 2 * len(theta)
    length = up.norm(dim=1, keepdim=True)
    axis = torch.zeros_like(up)
    axis[:, 0] = 1.0
    up = torch.where(length > 0, up / divisor(length), axis)
    return torch.where(near[:, None], 1e-3 * up, theta)


def by_margin(problem: Problem, most: int, allowed: float = math.inf) -> Summits:
    """Design points, by the gradient of the margin alone; none where `allowed` is too little."""
    points, forwards = far_search.find(problem, most, allowed)
    return Summits(points.best, points.clause, -0.5 * points.norm.square(), False, forwards)


def spread(land: Landscape, theta: Tensor, clause: int) -> Tensor:
    """A root L `(d, d)` of how failures spread about a summit: L L^T = (I + Hess log u)^0.75.

    By the smoothed network; 1 along theta, and clipped to [0.08, 6] across it. It is the identity
    where the smoothed network is blind to the summit.
    """
    frozen, d = land.freeze(theta), len(theta)
    eye = torch.eye(d, dtype=theta.dtype)
    if frozen.blind(theta, clause):
        return eye
    return root_across(eye + frozen.hessian(theta, clause), theta / theta.norm())


def root_across(cov: Tensor, unit: Tensor) -> Tensor:
    """A root of a covariance across a direction `(d,)`, flattened and clipped; 1 along it."""
    along = torch.outer(unit, unit)
    across = torch.eye(len(unit), dtype=unit.dtype) - along
    cov = across @ cov @ across + along
    values, vectors = torch.linalg.eigh(0.5 * (cov + cov.T))
    roots = torch.clamp(values, _LEAST, _MOST) ** (0.5 * _FLATTER)
    return vectors @ torch.diag(roots) @ vectors.T
