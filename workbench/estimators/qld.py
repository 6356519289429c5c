"""Quadratic logit decomposition: extrapolation along the direction that the event needs."""

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from workbench.distributions import Sampleable
from workbench.errors import NotConverged
from workbench.estimators.base import Estimate, Estimator, Needs, check_positive
from workbench.iteration import State
from workbench.math.cost import Cost
from workbench.math.least_distance import shortest
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.specs import Polyhedral
from workbench.types import Grad, Kind

_RIDGE = 1e-5
_AT_ONCE = 4096


@dataclass(frozen=True, kw_only=True)
class Activations(State):
    """Half-spaces in the last activations v, G v + h > 0 in every row, and the v seen so far."""

    normals: Tensor
    """G, `(r, d)`."""
    offsets: Tensor
    """h, `(r,)`."""
    seen: Tensor
    """`(n, d)`."""


@dataclass(frozen=True)
class QLD(Estimator):
    """Activations before the last linear map are split into a d + b, a and b presumed independent.

    (Wu & Hilton, arXiv 2410.13211, section 3.2.) With u = A^-1 (v - mean), Cov + 1e-5 I = A A^T,
    the event is a polytope of u: for "t wins", (W_t - W_j) v + c_t - c_j > 0 for all j. d is the
    direction of its shortest vector, a = u . d and b = u - a d. For every b the event is an
    interval of a, so that

        P-hat = mean over b of F(high(b)) - F(low(b)),

    F the empirical distribution of a: n^2 pairs out of n draws, down to 1 / n^2. Independence is
    a presumption, right for Gaussian v. Where M ends in no linear map, v is its output.

    Args:
        batch: draws a step.
    """

    batch: int = 2048
    name: ClassVar[str] = "qld"
    kind: ClassVar[Kind] = Kind.HEURISTIC
    grad: ClassVar[Grad] = Grad.NONE
    needs: ClassVar[Needs] = Needs((Sampleable,), (Polyhedral,), polytope=True)

    def __post_init__(self) -> None:
        check_positive(self.name, batch=self.batch)

    def init(self, problem: Problem, rng: Rng) -> Activations:
        spec = problem.spec
        assert isinstance(spec, Polyhedral)
        like = torch.zeros(1, dtype=problem.dtype)
        event = spec.halfspaces(problem.outputs, like)
        rows = list(event.clauses[0])
        g, h = event.a[rows].double(), event.b[rows].double()
        last = _last_linear(problem)
        if last is not None:
            if last.bias is not None:
                h = h + g @ last.bias.detach().double()
            g = g @ last.weight.detach().double()
        return Activations(
            rng=rng, normals=g, offsets=h, seen=torch.zeros(0, g.shape[1], dtype=torch.float64)
        )

    @torch.no_grad()
    def step(self, problem: Problem, state: Activations) -> Activations:
        n = int(min(self.batch, state.left))
        d = problem.distribution
        assert isinstance(d, Sampleable)
        x = d.sample(n, state.rng.child("batch", state.steps).generator())
        caught: list[Tensor] = []
        last = _last_linear(problem)
        if last is None:
            y = problem.model(x)
            caught.append(y)
        else:
            hook = last.register_forward_pre_hook(lambda module, args: caught.append(args[0]))
            try:
                y = problem.model(x)
            finally:
                hook.remove()
        problem.judge(x, y)  # NaN is an error
        seen = torch.cat([state.seen, caught[-1].detach().double()])
        return replace(state, seen=seen, forwards=state.forwards + n)

    def read(self, state: Activations) -> Estimate:
        n = len(state.seen)
        log_p = _log_p(state) if n > 1 else math.nan
        if n == 1:
            inside = bool((state.seen @ state.normals.T + state.offsets > 0).all())
            log_p = 0.0 if inside else -math.inf
        value = torch.tensor(log_p if n else -math.inf, dtype=torch.float64)
        return Estimate(value, None, self.kind, Cost(forwards=state.forwards), info={"draws": n})


def _last_linear(problem: Problem) -> nn.Linear | None:
    """The module whose output is M's, where it is an `nn.Linear`."""
    if not isinstance(problem.model, nn.Module):
        return None
    found = [m for m in problem.model.modules() if isinstance(m, nn.Linear)]
    if not found:
        return None
    given: list[Tensor] = []

    def catch(module: nn.Module, args: Any, out: Any) -> None:
        given.append(out)

    hook = found[-1].register_forward_hook(catch)
    d = problem.distribution
    try:
        with torch.no_grad():
            y = problem.model(torch.zeros(2, d.dim, dtype=d.dtype))
    finally:
        hook.remove()
    return found[-1] if given and given[-1] is y else None


@torch.no_grad()
def _log_p(state: Activations) -> float:
    """log of the mean over b of F(high) - F(low)."""
    v = state.seen
    n, width = v.shape
    mean = v.mean(0)
    cov = (v - mean).T @ (v - mean) / (n - 1)
    scale, failed = torch.linalg.cholesky_ex(cov + _RIDGE * torch.eye(width, dtype=v.dtype))
    if failed or not scale.isfinite().all():
        raise NotConverged(
            "qld: the last activations are too large, or too unlike one another, for a covariance"
        )
    g = state.normals @ scale
    h = state.offsets + state.normals @ mean
    u = torch.linalg.solve_triangular(scale, (v - mean).T, upper=False).T
    direction = shortest(g, h)
    if direction is None:
        return -math.inf
    a = u @ direction
    slope = g @ direction
    sorted_a = torch.sort(a).values
    total = 0.0
    for rest, own in zip(u.split(_AT_ONCE), a.split(_AT_ONCE), strict=True):
        level = h + (rest - own[:, None] * direction) @ g.T
        crossing = -level / torch.where(slope == 0, 1.0, slope)
        low = torch.where(slope > 0, crossing, -math.inf).amax(1)
        high = torch.where(slope < 0, crossing, math.inf).amin(1)
        alive = (torch.where(slope == 0, level, 1.0) > 0).all(1)
        below = torch.searchsorted(sorted_a, low, right=True)
        above = torch.searchsorted(sorted_a, high, right=False)
        total += float(torch.where(alive, (above - below).clamp(min=0), 0).sum())
    return math.log(total) - 2.0 * math.log(n) if total else -math.inf
