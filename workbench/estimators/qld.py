"""Quadratic logit decomposition: extrapolation along the direction that the event needs."""

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from workbench.distributions import Sampleable
from workbench.errors import NotConverged
from workbench.estimators.base import Estimate, Estimator, Needs, check_positive
from workbench.estimators.refuted import Bar, refuted
from workbench.iteration import State
from workbench.math.cost import Cost
from workbench.math.least_distance import shortest
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.specs import Polyhedral
from workbench.types import Grad, Kind

_RIDGE = 1e-5
_AT_ONCE = 4096
_BARS = 0.01, 0.1  # shares of the draws beyond bars at which the presumption is tried
_FEW = 4.0  # draws


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

    It warns where more or fewer draws lie in C, or beyond bars on the way there, than the same
    presumption has it (see `refuted`), and where the answer stands on hardly any of the draws.

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
            y = problem.answers(x)
            caught.append(y)
        else:
            hook = last.register_forward_pre_hook(lambda module, args: caught.append(args[0]))
            try:
                y = problem.answers(x)
            finally:
                hook.remove()
        problem.judge(x, y)  # NaN is an error
        latest = torch.cat(caught)[-n:].detach().double()  # M may have been tried out first
        seen = torch.cat([state.seen, latest])
        return replace(state, seen=seen, forwards=state.forwards + n)

    @torch.no_grad()
    def read(self, state: Activations) -> Estimate:
        n = len(state.seen)
        s = (state.seen @ state.normals.T + state.offsets).amin(1)
        info: dict[str, Any] = {"draws": n}
        log_p = 0.0 if n == 1 and bool(s > 0) else -math.inf
        if n > 1:
            white = _whitened(state)
            log_p, carried = _paired(white, 0.0)
            info["effective_draws"] = carried
            if warning := _doubt(white, s, log_p, carried):
                info["warning"] = warning
        value = torch.tensor(log_p, dtype=torch.float64)
        return Estimate(value, None, self.kind, Cost(forwards=state.forwards), info=info)


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


@dataclass(frozen=True, eq=False)
class _White:
    """Whitened activations u `(n, d)`, in which C is g u + h > 0, g `(r, d)`, h `(r,)`."""

    u: Tensor
    g: Tensor
    h: Tensor


def _whitened(state: Activations) -> _White:
    v = state.seen
    n, width = v.shape
    mean = v.mean(0)
    cov = (v - mean).T @ (v - mean) / (n - 1)
    scale, failed = torch.linalg.cholesky_ex(cov + _RIDGE * torch.eye(width, dtype=v.dtype))
    if failed or not scale.isfinite().all():
        raise NotConverged(
            "qld: the last activations are too large, or too unlike one another, for a covariance"
        )
    u = torch.linalg.solve_triangular(scale, (v - mean).T, upper=False).T
    return _White(u, state.normals @ scale, state.offsets + state.normals @ mean)


def _paired(white: _White, bar: float) -> tuple[float, float]:
    """log of the mean over b of F(high) - F(low), for margins above `bar`, and how many draws that
    mean stands on: as many as would know a share of C's size as well."""
    u, g, h = white.u, white.g, white.h - bar
    n = len(u)
    direction = shortest(g, h)
    if direction is None:
        return -math.inf, 0.0
    a = u @ direction
    slope = g @ direction
    sorted_a = torch.sort(a).values
    of_b: list[Tensor] = []  # for each b, how many a's lie in C with it
    ends = torch.zeros(n + 1, dtype=torch.long)  # for each a, how many b's: its differences
    for rest, own in zip(u.split(_AT_ONCE), a.split(_AT_ONCE), strict=True):
        level = h + (rest - own[:, None] * direction) @ g.T
        crossing = -level / torch.where(slope == 0, 1.0, slope)
        low = torch.where(slope > 0, crossing, -math.inf).amax(1)
        high = torch.where(slope < 0, crossing, math.inf).amin(1)
        alive = (torch.where(slope == 0, level, 1.0) > 0).all(1)
        below = torch.searchsorted(sorted_a, low, right=True)
        above = torch.searchsorted(sorted_a, high, right=False)
        alive &= above > below
        of_b.append(torch.where(alive, above - below, 0))
        one = alive.long()
        ends.index_add_(0, below, one).index_add_(0, above, -one)
    pairs = torch.cat(of_b).double()
    total = float(pairs.sum())
    if not total:
        return -math.inf, 0.0
    # A mean over pairs varies as the sum of both draws' own shares does (Hoeffding 1948).
    spread = (pairs * n / total - 1.0).square() + (ends.cumsum(0)[:n] * n / total - 1.0).square()
    return math.log(total) - 2.0 * math.log(n), n / max(1.0, float(spread.mean()))


def _doubt(white: _White, s: Tensor, log_p: float, carried: float) -> str:
    """What draws of margins s `(n,)` say against the answer, in one sentence; else empty."""
    n = len(s)
    ranked = torch.sort(s, descending=True).values
    if carried == 0.0:
        return f"no a lies in C with any b: C is too rare for {n:,} draws"
    levels = [float(ranked[int(share * n)]) for share in _BARS]
    bars = (
        Bar(_paired(white, c)[0], int((s > c).sum()), f"where margins are above {c:.3g}")
        for c in levels
        if c < 0.0
    )
    if told := refuted(log_p, n, int((s > 0).sum()), bars):
        return f"{told}: a and b are not independent"
    if carried < _FEW:
        return f"no more than about {carried:.1f} of {n:,} draws carry the answer"
    return ""
