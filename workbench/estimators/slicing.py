"""Propagation of thin slices of D: nodes of one to three directions, of narrow spread along them.

With orthonormal directions U `(q, d)` base noise is z = U^T t + x, and N(0, I) is the mixture of
N(U^T t, I - (1 - w^2) U^T U) over t ~ N(0, (1 - w^2) I): slices that keep the standard deviation w
along U and all of D across it. So, exactly,

    P = integral of N(t; 0, 1 - w^2) P(C | slice t) dt,

and only P(C | slice) is presumed by propagation. w > 0 keeps the integrand smooth where M is linear
along U, which trapezoidal sums then integrate with few nodes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from workbench.distributions import Gaussian, Piece
from workbench.estimators.summits import Frozen, Landscape
from workbench.math.divisor import divisor
from workbench.math.gaussian import LOG_SQRT_2PI, log_cdf
from workbench.math.logspace import log_sum
from workbench.math.orthant import log_orthant
from workbench.problem import Problem
from workbench.propagation import Covariance, Propagator
from workbench.specs import Polyhedral
from workbench.tails import Gaussian as GaussianTail
from workbench.tails import Tail

SCAN = 24
"""Slices that look where along a direction the mass of C lies."""
COARSE = {1: 32, 2: 16, 3: 9}
"""Nodes a direction of the grid that looks how far the sum has to reach, by directions."""
_DOWN, _UP = 6.0, 5.0  # how far below and above a summit
SEARCH = 50
"""Propagations, or about that, of a search for a further direction where it is costly."""
_CLIMBS, _TRUST, _DAMPING, _SLOWER, _STILL = 16, 1.0, 0.5, 0.6, 0.05
_NOWHERE = 1e-6
_DEEPEST = 34.0  # nats below the highest node: 1e-15 of it
_CHUNK = 64


@dataclass(frozen=True, eq=False)
class Slicing:
    """Slices of D along some directions, and which failures are counted in them.

    Args:
        problem: with a Gaussian D and polyhedral C.
        basis: `(q, d)`, orthonormal, in base noise.
        width: w.
        summits: all that are known, for sharing out a clause that several of them lead to.
        mine: which of them this is.
        shared: `(k, clauses)`: which summits count which clauses.
        propagator: of every slice.
        tail: that reads its law.
    """

    problem: Problem
    basis: Tensor
    width: float
    summits: Tensor
    mine: int
    shared: Tensor
    propagator: Propagator = field(default_factory=Covariance)
    tail: Tail = field(default_factory=GaussianTail)

    def log_u(self, t: Tensor) -> tuple[Tensor, float]:
        """log P(C | slice), rivals added, at t `(m, q)`; and the operations it took."""
        d, c = self.problem.distribution, self.problem.spec
        assert isinstance(d, Gaussian) and isinstance(c, Polyhedral)
        z = t @ self.basis
        event = c.halfspaces(self.problem.outputs, d.mean)
        piece = Piece(z.new_zeros(len(z)), d.push(z), d.covariance_of(self.narrowed))
        law, flops = self.propagator.law(self.problem.graph, piece, event.a, event.b)
        kept = torch.nonzero(self.shared[self.mine]).squeeze(1)
        clauses = [event.clauses[i] for i in kept.tolist()]
        found = log_clauses(self.tail.index(law), law.corr, clauses)
        heights = z @ self.summits.T - 0.5 * self.summits.square().sum(1)
        others = torch.where(self.shared.T[kept], heights[:, None, :], -math.inf)
        return log_sum(found + others.log_softmax(-1)[..., self.mine], -1), flops

    @property
    def narrowed(self) -> Tensor:
        """Covariance of a slice in base noise, `(d, d)`."""
        return narrowed(self.basis, self.width)

    def log_density(self, t: Tensor) -> tuple[Tensor, float]:
        """log of the integrand at t `(m, q)`."""
        log_u, flops = self.log_u(t)
        var = 1.0 - self.width**2
        prior = -0.5 * t.square() / var - LOG_SQRT_2PI - 0.5 * math.log(var)
        return log_u + prior.sum(-1), flops

    def values(self, t: Tensor) -> tuple[Tensor, float]:
        """`log_density` in small batches, made again batch by batch on the way back."""
        values, flops = [], 0.0
        for part in t.split(_CHUNK):
            if torch.is_grad_enabled() and len(t) > _CHUNK:
                value, spent = checkpoint(self.log_density, part, use_reentrant=False)  # type: ignore[misc]
            else:
                value, spent = self.log_density(part)
            values.append(value)
            flops += spent
        return torch.cat(values), flops


def narrowed(basis: Tensor, width: float) -> Tensor:
    """I - (1 - w^2) U^T U, `(d, d)`."""
    eye = torch.eye(basis.shape[1], dtype=basis.dtype, device=basis.device)
    return eye - (1.0 - width**2) * basis.T @ basis


def log_clauses(beta: Tensor, corr: Tensor, clauses: Sequence[Sequence[int]]) -> Tensor:
    """log P(all literals of a clause), of every clause, `(m, clauses)`.

    Args:
        beta: reliability indices `(m, r)`; corr: correlations of the literals, `(m, r, r)`.
    """
    return torch.stack([_clause(beta, corr, list(rows)) for rows in clauses], -1)


def _clause(beta: Tensor, corr: Tensor, rows: list[int]) -> Tensor:
    if len(rows) == 1:
        return log_cdf(beta[:, rows[0]])
    each = zip(beta[:, rows], corr[:, rows][:, :, rows], strict=True)
    return torch.stack([log_orthant(b, r) for b, r in each])


def shared_out(land: Landscape, theta: Tensor, clause: Tensor) -> Tensor:
    """Which summits count which clauses, `(k, clauses)`.

    Those that were found for a clause count it; one that has none is counted by the summit at which
    it stands highest.
    """
    event = land.event
    law, flops = Covariance().law(land.problem.graph, land.piece(theta), event.a, event.b)
    land.spend(flops)
    beta = GaussianTail().index(law)
    log_u = torch.stack([log_cdf(beta[:, list(c)].amin(-1)) for c in event.clauses], -1)
    best = (log_u - 0.5 * theta.square().sum(1)[:, None]).argmax(0)
    k, clauses = len(theta), len(event.clauses)
    own = clause[:, None] == torch.arange(clauses)
    highest = torch.arange(k)[:, None] == best
    return torch.where(own.any(0), own, highest)


@torch.no_grad()
def scan(slicing: Slicing, at: Tensor) -> tuple[float, float]:
    """Mean of the last coordinate under the integrand, the others held at `at` `(q,)`.

    Returns:
        the mean, and the operations it took.
    """
    nodes = at.repeat(SCAN, 1)
    nodes[:, -1] = float(at[-1]) + torch.linspace(-_DOWN, _UP, SCAN, dtype=at.dtype)
    values, flops = slicing.log_density(nodes)
    share = torch.softmax(values, 0)
    if not bool(torch.isfinite(share).all()):
        return float(at[-1]), flops
    return float((share * nodes[:, -1]).sum()), flops


@torch.no_grad()
def reach(slicing: Slicing, at: Tensor, drop: float) -> tuple[list[tuple[float, float]], float]:
    """Where along every direction the integrand comes within `drop` nats of its highest value.

    On a coarse grid about `at` `(q,)`, by the highest value at every place of a direction.

    Returns:
        both ends for every direction, and the operations it took.
    """
    q = len(at)
    count = COARSE[q]
    around = [(float(x) - _DOWN, float(x) + _DOWN) for x in at]
    values, flops = slicing.values(grid(around, count, at.dtype))
    values = values.reshape([count] * q)
    ends = []
    for axis, (low, high) in enumerate(around):
        t = torch.linspace(low, high, count, dtype=at.dtype)
        profile = values.movedim(axis, 0).reshape(count, -1).amax(1)
        ends.append(_ends(t, profile, min(drop, _DEEPEST)))
    return ends, flops


def _ends(t: Tensor, profile: Tensor, drop: float) -> tuple[float, float]:
    """Where the profile falls by `drop` on both sides of all that is higher, linear between."""
    floor = float(profile.max()) - drop
    high = torch.nonzero(profile >= floor).squeeze(1)
    if len(high) == 0:  # nothing fails anywhere here
        return float(t[0]), float(t[-1])
    first, last = int(high[0]), int(high[-1])
    return _edge(t, profile, first, -1, floor), _edge(t, profile, last, 1, floor)


def _edge(t: Tensor, profile: Tensor, i: int, step: int, floor: float) -> float:
    j = i + step
    if not 0 <= j < len(t):
        return float(t[i])
    a, b = float(profile[i]), float(profile[j])
    share = 1.0 if b == -math.inf else (a - floor) / (a - b)
    return float(t[i] + share * (t[j] - t[i]))


def grid(ranges: Sequence[tuple[float, float]], nodes: int, dtype: torch.dtype) -> Tensor:
    """All combinations of so many equally spaced nodes a direction, `(nodes^q, q)`."""
    if not ranges:
        return torch.zeros(1, 0, dtype=dtype)
    axes = [torch.linspace(low, high, nodes, dtype=dtype) for low, high in ranges]
    return torch.cartesian_prod(*axes).reshape(-1, len(axes))


def log_cell(ranges: Sequence[tuple[float, float]], nodes: int) -> float:
    """log of the volume that each node of a `grid` stands for."""
    return sum(math.log((high - low) / (nodes - 1)) for low, high in ranges)


def next_direction(land: Landscape, basis: Tensor, width: float, at: Tensor, clause: int) -> Tensor:
    """Another direction `(d,)`, orthogonal to the `basis`, at the dominant place `at` `(d,)`.

    The one along which log u of the smoothed network is curved the most: where the spread of the
    failures differs most from that of D. Where the smoothed network is blind, the way that the
    mean of D has to go across the basis.
    """
    there = Landscape(land.problem, narrowed=narrowed(basis, width))
    across = narrowed(basis, 0.0)
    frozen = there.freeze(at)
    if frozen.blind(at, clause):
        way = _climb(there, across, at, clause)
    else:
        way = _most_curved(frozen, across, at, clause)
    land.forwards += there.forwards
    way = across @ (way / divisor(way.norm()))
    if float(way.norm()) < _NOWHERE:  # no way is better than another
        way = across[int(across.diagonal().argmax())]
    return way / way.norm()


def _most_curved(frozen: Frozen, across: Tensor, at: Tensor, clause: int) -> Tensor:
    curvature = across @ frozen.hessian(at, clause) @ across
    values, vectors = torch.linalg.eigh(curvature)
    return vectors[:, int(values.abs().argmax())]


def _climb(land: Landscape, across: Tensor, at: Tensor, clause: int) -> Tensor:
    """theta <- the gradient of log u(at + theta) in the complement, damped."""
    theta, last, damping = torch.zeros_like(at), torch.zeros_like(at), _DAMPING
    for _ in range(_CLIMBS):
        _, slope = land.full(at + theta, clause)
        move = damping * (across @ slope - theta)
        move = move * min(1.0, _TRUST / max(1e-12, float(move.norm())))
        if float(move @ last) < 0:
            damping *= _SLOWER
        theta, last = theta + move, move
        if float(move.norm()) < _STILL * max(1e-3, float(theta.norm())):
            break
    return theta
