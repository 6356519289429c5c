"""Half-spaces under a normal law: exact where M is affine."""

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from workbench.distributions import Factor, Factored, Gaussian
from workbench.errors import BadInput, NotConverged, Unsupported
from workbench.estimators.base import Estimate, Estimator, Needs, check_positive
from workbench.estimators.cubature import Cubature
from workbench.iteration import Budget, State, run
from workbench.math import tilted
from workbench.math.cost import Cost
from workbench.math.disjoint import disjoint
from workbench.math.gaussian import log_cdf
from workbench.math.logspace import log_sum
from workbench.math.nodes import sobol_nodes
from workbench.models import dense
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.specs import Polyhedral, Polytope
from workbench.types import Grad, Kind, Pace

_LEAST = 8
_POLYGON = 1_000_000
_ROUNDING = 1e-12
_FLOPS = 60.0  # of a point, coordinate and constraint, or so: a quantile and two tails


@dataclass(frozen=True, kw_only=True)
class Cells(State):
    """Answers of the cells that have a closed form, and of every scramble of the others."""

    closed: Tensor
    """`(c,)` log probabilities of the cells with a closed form."""
    closed_err: Tensor
    """`(c,)` their relative errors."""
    draws: Tensor
    """`(o, scrambles)` log estimates of the others."""
    flops: float = 0.0
    started: bool = False


@dataclass(frozen=True, eq=False)
class Cell:
    """A polytope a z + b > 0, unit normals, in standard noise; a share of D."""

    log_weight: float
    a: Tensor
    b: Tensor

    @property
    def rank(self) -> int:
        return int(torch.linalg.matrix_rank(self.a, tol=1e-9)) if len(self.a) else 0


@dataclass(frozen=True)
class Orthant(Estimator):
    """P of a union of polytopes in y = A x + c under a normal law of x, to a stated tiny error.

    The union is cut into disjoint polytopes, so that nothing is subtracted. One half-space is
    log Phi(beta); normals of rank two are integrated as a plane polygon by `cubature`; the others
    by separated variables with Botev's tilt on scrambled Sobol points (see `math.tilted`), whose
    error is the spread of independent scrambles: usually 1e-5 to 1e-7 of P, also at 1e-30. A
    mixture is summed over its components.

    Args:
        points: Sobol points a scramble, a power of two.
        replicates: scrambles at most.
        tolerance: relative error of P at which to stop.

    >>> import torch, workbench as wb
    >>> D = wb.Gaussian(torch.zeros(3).double(), torch.ones(3).double())
    >>> C = wb.Polytope(torch.eye(3).double(), torch.full((3,), -3.0).double())
    >>> round(Orthant()(wb.Problem(D, torch.nn.Flatten(), C)).log10_p, 4)  # Phi(-3)^3
    -8.6091
    """

    points: int = 4096
    replicates: int = 32
    tolerance: float = 1e-6
    name: ClassVar[str] = "orthant"
    kind: ClassVar[Kind] = Kind.UNBIASED
    grad: ClassVar[Grad] = Grad.NONE
    needs: ClassVar[Needs] = Needs((Factored,), (Polyhedral,), readable=True, affine=True)
    pace: ClassVar[Pace] = Pace.AT_REST

    def __post_init__(self) -> None:
        check_positive(self.name, points=self.points, replicates=self.replicates)
        if self.points & (self.points - 1):
            raise BadInput(f"orthant: points must be a power of two, got {self.points}")
        if not (isinstance(self.tolerance, float) and 0.0 < self.tolerance < 1.0):
            raise BadInput(f"orthant: tolerance must lie between 0 and 1, got {self.tolerance!r}")

    def init(self, problem: Problem, rng: Rng) -> Cells:
        empty = torch.empty(0, dtype=torch.float64)
        return Cells(rng=rng, closed=empty, closed_err=empty, draws=empty.reshape(0, 0))

    @torch.no_grad()
    def step(self, problem: Problem, state: Cells) -> Cells:
        cells = _cells(problem)
        if not state.started:
            found = [_closed(cell) for cell in cells if cell.rank <= 2]
            return replace(
                state,
                closed=torch.tensor([f[0] for f in found], dtype=torch.float64),
                closed_err=torch.tensor([f[1] for f in found], dtype=torch.float64),
                draws=torch.empty(len(cells) - len(found), 0, dtype=torch.float64),
                flops=sum(f[2] for f in found) + len(cells) * problem.flops_per_forward,
                started=True,
            )
        seeds = state.rng.child("scramble", state.draws.shape[1]).generator()
        logs, flops = [], state.flops
        for cell in (c for c in cells if c.rank > 2):
            separated = tilted.separate(cell.a, cell.b)
            seed = int(torch.randint(2**31 - 1, (1,), generator=seeds))
            u = sobol_nodes(self.points, separated.rank - 1, seed)
            logs.append(cell.log_weight + float(tilted.log_estimate(separated, u)))
            flops += _FLOPS * self.points * separated.low.numel()
        new = torch.tensor(logs, dtype=torch.float64)[:, None]
        return replace(state, draws=torch.cat([state.draws, new], dim=1), flops=flops)

    def finished(self, state: Cells) -> bool:
        if not state.started:
            return False
        if not len(state.draws):
            return True
        n = state.draws.shape[1]
        return n >= self.replicates or (n >= _LEAST and _error(state) < self.tolerance)

    def read(self, state: Cells) -> Estimate:
        log_p, log_err = _log_p(state), _error(state)
        info: dict[str, Any] = {
            "cells": len(state.closed) + len(state.draws), "scrambles": state.draws.shape[1],
        }  # fmt: skip
        return Estimate(log_p, log_err, self.kind, Cost(flops=state.flops), None, info)


def _log_p(state: Cells) -> Tensor:
    each = state.closed
    if state.draws.numel():
        each = torch.cat([each, log_sum(state.draws, dim=1) - math.log(state.draws.shape[1])])
    if not len(each):
        return torch.tensor(-math.inf, dtype=torch.float64)
    return torch.clamp(log_sum(each), max=0.0)


def _error(state: Cells) -> float:
    """Relative standard error of P; inf while it is not known, 0 where no cell can hold."""
    n, log_p = state.draws.shape[1], _log_p(state)
    if not state.started or (len(state.draws) and n < 2):
        return math.inf
    if not bool(torch.isfinite(log_p)):
        return 0.0
    square = float((torch.exp(state.closed - log_p) * state.closed_err).square().sum())
    if n:
        square += float(torch.exp(state.draws - log_p).var(dim=1).sum()) / n
    return math.sqrt(square) + _ROUNDING * (1.0 + 1e-3 * abs(float(log_p)))


def _cells(problem: Problem) -> list[Cell]:
    """The disjoint polytopes, in standard noise, of every component of D; impossible ones left
    out."""
    d, spec = problem.distribution, problem.spec
    assert isinstance(d, Factored) and isinstance(spec, Polyhedral)
    factors = d.factors()
    if not all(f.normal for f in factors):
        raise Unsupported(f"the distribution {d.name!r}", "a normal law, or a mixture, is needed")
    event = spec.halfspaces(problem.outputs, torch.zeros(1, dtype=d.dtype))
    event_a, event_b = event.a.double(), event.b.double()
    parts = disjoint(event.clauses)
    cells = []
    for factor in factors:
        slope, value = _affine(problem, factor)
        normals, offsets = event_a @ slope, event_a @ value + event_b
        for part in parts:
            index = list(part)
            sign = torch.tensor([1.0 if part[i] else -1.0 for i in index], dtype=torch.float64)
            found = tilted.standardised(sign[:, None] * normals[index], sign * offsets[index])
            if found is not None:
                cells.append(Cell(float(factor.log_weight), *found))
    return cells


def _affine(problem: Problem, factor: Factor) -> tuple[Tensor, Tensor]:
    """y = slope w + value for the noise w of a factor, by evaluating M."""
    offset, matrix = factor.offset, factor.matrix
    matrix = torch.diag(matrix) if matrix.ndim == 1 else matrix
    y = problem.answers(torch.cat([offset[None], torch.zeros_like(offset)[None]])).double()
    slope = (problem.answers(matrix.T.contiguous()).double() - y[1]).T
    if not bool(torch.isfinite(slope).all() and torch.isfinite(y).all()):
        raise NotConverged(
            "orthant: the margin is NaN on some inputs: the model has weights that are not finite"
        )
    return slope, y[0]


def _closed(cell: Cell) -> tuple[float, float, float]:
    """log of the weighted probability of a cell of rank at most 2, its error, and operations."""
    if not len(cell.a):
        return cell.log_weight, 0.0, 0.0
    if len(cell.a) == 1:
        return cell.log_weight + float(log_cdf(cell.b[0])), 0.0, _FLOPS
    # Coordinates of the plane, or the line, that the normals span.
    _, _, basis = torch.linalg.svd(cell.a)
    basis = basis[: cell.rank]
    d = len(basis)
    plane = Gaussian(torch.zeros(d, dtype=torch.float64), torch.ones(d, dtype=torch.float64))
    polygon = Polytope(torch.eye(len(cell.a), dtype=torch.float64), cell.b)
    flat = Problem(plane, dense(cell.a @ basis.T), polygon)
    cubature = Cubature(tolerance=1e-10)
    found = cubature(flat, Budget(_POLYGON))
    flops = found.cost.flops
    if not math.isfinite(found.log10_p) and d == 2:
        found = _narrow(cubature, flat, cell.a @ basis.T, cell.b)
        flops += found.cost.flops
    if found.log_err is None or not math.isfinite(found.log10_p):
        return -math.inf, 0.0, flops
    return cell.log_weight + float(found.log_p), found.log_err, flops


def _narrow(cubature: Cubature, flat: Problem, a: Tensor, b: Tensor) -> Estimate:
    """The polygon a w + b > 0, `a` `(r, 2)`, by sectors that end at its corners and go along its
    edges: of a polygon that seen from the origin is narrow the usual rays may meet nothing."""
    start = cubature.init(flat, Rng(0))
    along = torch.stack([-a[:, 1], a[:, 0]], 1)  # where edges without an end lead
    i, j = torch.combinations(torch.arange(len(a))).T
    inverse, singular = torch.linalg.inv_ex(torch.stack([a[i], a[j]], 1))
    corners = -(inverse @ torch.stack([b[i], b[j]], 1)[..., None]).squeeze(2)
    rays = torch.cat([corners[(singular == 0) & corners.isfinite().all(1)], along, -along])
    edges = torch.atan2(rays[:, 1], rays[:, 0]).remainder(2.0 * math.pi)
    edges = torch.unique(torch.cat([edges, start.low, start.high[-1:]]))
    nothing = torch.full((len(edges) - 1,), -math.inf, dtype=torch.float64)
    start = replace(
        start, factor=torch.zeros(len(nothing), dtype=torch.long), low=edges[:-1], high=edges[1:],
        log_value=nothing, log_error=nothing,
    )  # fmt: skip
    state, seconds = run(cubature, flat, start, Budget(_POLYGON))
    return cubature.report(flat, state, seconds)
