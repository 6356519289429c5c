"""Integration over a D of one or two dimensions, exactly along rays and adaptively across them."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from workbench.distributions import Factor, Factored
from workbench.errors import BadInput
from workbench.estimators import rays
from workbench.estimators.base import Estimate, Estimator, Needs, check_positive
from workbench.iteration import State
from workbench.math.cost import Cost
from workbench.math.gaussian import log_cdf_value
from workbench.math.logspace import log_sub, log_sum
from workbench.math.quadrature import kronrod
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.types import Grad, Kind, Pace

_END, _GRID_END = 40.0, 14.0  # standard deviations: beyond lie 1e-348 and 1e-43 of D
_ROUNDING = 64.0
_SAFETY = 10.0


@dataclass(frozen=True, kw_only=True)
class Panels(State):
    """Sectors of directions, all factors of D together; logs of their integrals and errors."""

    factor: Tensor
    low: Tensor
    high: Tensor
    log_value: Tensor
    log_error: Tensor
    started: bool = False
    ended: bool = False
    """Whether the budget did not hold the next step."""


@dataclass(frozen=True)
class Cubature(Estimator):
    """P as an integral in polar coordinates about the centre of D, for D of 1 or 2 dimensions.

    Along every ray the intervals in C are found and integrated in closed form: for D = N(m, S) a
    ray is in C with probability sum_i exp(-a_i^2 / 2) - exp(-b_i^2 / 2); for a box the r dr of its
    area. Where M is made of affine maps and ReLUs and C of half-spaces the intervals are exact
    (Montufar et al. 2014: M is linear between finitely many cuts); otherwise their ends are found
    by bisection from a grid of `points`, and what fits between two of its points is not seen. Over
    directions the 7-15 point rule of Gauss and Kronrod is halved where its two orders differ
    (Piessens et al. 1983). A mixture is summed over its components.

    The error stated is ten times the sum of those differences, which covers corners of C that fall
    between the nodes, plus rounding: a share of P whatever P is, for all is done in logs. (Ends of
    runs are known to 1e-15 or so: of a sliver thinner than 1e-9 less is known than that says.) A
    failure region that no ray of the first `panels` sectors meets, one that seen from the centre
    of D is narrower than about pi / (8 `panels`), is not seen.

    Args:
        tolerance: relative error of P at which to stop.
        panels: sectors to begin with, of 15 rays each.
        points: of the grid on a ray, where M is not piecewise linear.

    >>> import workbench as wb
    >>> D = wb.Gaussian(torch.zeros(2).double(), torch.ones(2).double())
    >>> both = wb.Polytope(torch.eye(2).double(), torch.tensor([-3.0, -4.0]).double())
    >>> P = Cubature()(wb.Problem(D, torch.nn.Flatten(), both))  # Phi(-3) Phi(-4)
    >>> round(P.log10_p, 6)
    -7.369034
    """

    tolerance: float = 1e-8
    panels: int = 32
    points: int = 400
    name: ClassVar[str] = "cubature"
    kind: ClassVar[Kind] = Kind.UNBIASED
    grad: ClassVar[Grad] = Grad.NONE
    needs: ClassVar[Needs] = Needs((Factored,), most_dim=2)
    pace: ClassVar[Pace] = Pace.AT_REST

    def __post_init__(self) -> None:
        check_positive(self.name, panels=self.panels, points=self.points)
        if not (isinstance(self.tolerance, float) and 0.0 < self.tolerance < 1.0):
            raise BadInput(f"cubature: tolerance must lie between 0 and 1, got {self.tolerance!r}")
        if self.points < 2:
            raise BadInput(f"cubature: points must be at least 2, got {self.points}")

    def init(self, problem: Problem, rng: Rng) -> Panels:
        d = problem.distribution
        assert isinstance(d, Factored)
        factors = d.factors()
        if d.dim == 1:  # two rays, each a sector that is a point
            edges = torch.tensor([0.0, math.pi], dtype=torch.float64)
            low = high = edges
        else:
            edges = torch.linspace(0.0, 2.0 * math.pi, self.panels + 1, dtype=torch.float64)
            low, high = edges[:-1], edges[1:]
        n, m = len(low), len(factors)
        nothing = torch.full((n * m,), -math.inf, dtype=torch.float64)
        return Panels(
            rng=rng, factor=torch.arange(m).repeat_interleave(n), low=low.repeat(m),
            high=high.repeat(m), log_value=nothing, log_error=nothing,
        )  # fmt: skip

    @torch.no_grad()
    def step(self, problem: Problem, state: Panels) -> Panels:
        meter = rays.Meter(state.left)
        worst = (
            self._worst(state) if state.started else torch.ones_like(state.low, dtype=torch.bool)
        )
        factor, low, high = state.factor[worst], state.low[worst], state.high[worst]
        if state.started:
            middle = 0.5 * (low + high)
            factor = factor.repeat(2)
            low, high = torch.cat([low, middle]), torch.cat([middle, high])
        value, error = torch.empty_like(low), torch.empty_like(low)
        try:
            for k in torch.unique(factor).tolist():
                mine = factor == k
                value[mine], error[mine] = self._integrate(
                    problem, int(k), low[mine], high[mine], meter
                )
        except rays.OutOfForwards:
            return replace(state, ended=True, forwards=state.forwards + meter.spent)
        keep = ~worst
        return replace(
            state,
            factor=torch.cat([state.factor[keep], factor]),
            low=torch.cat([state.low[keep], low]),
            high=torch.cat([state.high[keep], high]),
            log_value=torch.cat([state.log_value[keep], value]),
            log_error=torch.cat([state.log_error[keep], error]),
            started=True,
            forwards=state.forwards + meter.spent,
        )

    def _integrate(
        self, problem: Problem, k: int, low: Tensor, high: Tensor, meter: rays.Meter
    ) -> tuple[Tensor, Tensor]:
        """log of the integral over each sector, and of its error, `(n,)`."""
        d = problem.distribution
        assert isinstance(d, Factored)
        factor = d.factors()[k]
        if d.dim == 1:
            unit = torch.cos(low)[:, None].round()
            log_f = self._along(problem, factor, unit, meter)
            return factor.log_weight + log_f, torch.full_like(log_f, -math.inf)
        x, coarse, fine = kronrod(low.dtype, low.device)
        half = 0.5 * (high - low)
        angle = (low + half)[:, None] + half[:, None] * x
        unit = torch.stack([torch.cos(angle), torch.sin(angle)], dim=-1).flatten(0, 1)
        log_f = self._along(problem, factor, unit, meter).unflatten(0, angle.shape)
        top = log_f.amax(1).clamp(min=-1e300)
        f = torch.exp(log_f - top[:, None])
        scale = factor.log_weight + top + torch.log(half)
        one, other = f @ fine, f @ coarse
        return scale + torch.log(one), scale + torch.log((one - other).abs())

    def _along(self, problem: Problem, factor: Factor, unit: Tensor, meter: rays.Meter) -> Tensor:
        """log of what each ray along `unit` `(l, k)` holds of P, per angle (for k = 2)."""
        push = _push(factor, problem.distribution.dtype)
        linear = rays.piecewise_linear(problem)
        if factor.normal:
            end = torch.full((len(unit),), _END if linear else _GRID_END, dtype=torch.float64)
        else:  # the boundary of the cube, from its centre
            end = 0.5 / unit.abs().amax(1)
        parts = []
        for u, e in zip(unit.split(_RAYS), end.split(_RAYS), strict=True):
            if linear:
                runs = rays.exact(problem, push, u, e, meter)
            else:
                runs = rays.on_grid(problem, push, u, e, self.points, meter)
            parts.append(log_sum(_log_mass(runs, factor.normal, unit.shape[1])))
        return torch.cat(parts)

    def _worst(self, state: Panels) -> Tensor:
        """The sectors whose error is more than their share of what may remain."""
        share = self.tolerance / (_SAFETY * len(state.low))
        limit = float(log_sum(state.log_value)) + math.log(share)
        return state.log_error > limit

    def finished(self, state: Panels) -> bool:
        return state.ended or (state.started and not bool(self._worst(state).any()))

    def read(self, state: Panels) -> Estimate:
        cost = Cost(forwards=state.forwards)
        if not state.started:
            info = {"warning": "the budget does not hold the first rays: there is no answer yet"}
            nothing = torch.tensor(-math.inf, dtype=torch.float64)
            return Estimate(nothing, math.inf, self.kind, cost, None, info)
        log_p = torch.clamp(log_sum(state.log_value), max=0.0)
        error, info = math.inf, dict[str, Any](sectors=len(state.low), unfinished=state.ended)
        if bool(torch.isfinite(log_p)):
            error = _SAFETY * float(torch.exp(log_sum(state.log_error) - log_p))
            error += _ROUNDING * 2.2e-16 * (1.0 + abs(float(log_p)))
        else:
            info["warning"] = "no ray met C: it may lie between them"
        return Estimate(log_p, error, self.kind, cost, None, info)


_RAYS = 256  # at a time


def _push(factor: Factor, dtype: torch.dtype) -> Callable[[Tensor], Tensor]:
    """x from places in standard noise, or from the centre of the unit cube."""
    centre = 0.0 if factor.normal else 0.5

    def push(w: Tensor) -> Tensor:
        w = w + centre
        matrix = factor.matrix.to(w)
        moved = w * matrix if matrix.ndim == 1 else w @ matrix.T
        return (factor.offset.to(w) + moved).to(dtype)

    return push


def _log_mass(runs: rays.Runs, normal: bool, dim: int) -> Tensor:
    """log of the mass of each run of a ray, per angle where there are two dimensions."""
    a, b = runs.low, runs.high
    empty = b <= a
    if normal and dim == 2:
        return torch.where(
            empty, -math.inf, log_sub(-0.5 * a * a, -0.5 * b * b) - math.log(2.0 * math.pi)
        )
    if normal:
        return torch.where(empty, -math.inf, log_sub(log_cdf_value(-a), log_cdf_value(-b)))
    size = b - a if dim == 1 else 0.5 * (b - a) * (b + a)
    return torch.where(empty, -math.inf, torch.log(torch.where(empty, 1.0, size)))
