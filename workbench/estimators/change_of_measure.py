"""A lower bound on P from any D that fails often and lies near D0."""

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from workbench.distributions import Reparameterised
from workbench.estimators import design_points
from workbench.estimators.base import Estimate, Estimator, Needs, check_positive
from workbench.estimators.monte_carlo import clopper_pearson
from workbench.iteration import State
from workbench.math.cost import Cost
from workbench.math.gaussian import cdf, log_cdf_value
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.types import Grad, Kind

_BEYOND = (-0.25, 0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.5)  # shifts tried past the design point
_SCALES = (0.25, 0.5, 1.0)
_HALFSPACE = 0.0  # stands for the scale of D0 given that u . z exceeds the shift
_SEARCH, _PILOT = 0.4, 0.3  # shares of the budget that the choice of D may take


@dataclass(frozen=True, kw_only=True)
class Tilted(State):
    """The chosen D, and the hits among draws from it."""

    direction: Tensor
    shift: float = 0.0
    scale: float = 1.0
    hits: int = 0
    draws: int = 0


@dataclass(frozen=True)
class ChangeOfMeasure(Estimator):
    """log P >= -(KL(D || D0) + h(p)) / p with p = P_D(C), h the binary entropy.

    Data processing: KL(D || D0) >= p log(p / P) + (1 - p) log((1 - p) / (1 - P)), whatever D; an
    equality where D is D0 given C. In base noise D0 = N(0, I), and D differs from it along one
    direction u alone, that of the nearest design point: there it is N(t, s^2), or N(0, 1) given
    that it exceeds t. A pilot chooses among them; p is then counted on fresh draws, and the lower
    end of its Clopper-Pearson interval makes the bound, which therefore holds with 97.5%
    confidence. (The right side rises with p.)

    Args:
        batch: draws a step.
        pilot: draws for each D that the pilot compares.

    >>> import workbench as wb
    >>> low = ChangeOfMeasure()(wb.load("A_d10_1e-12"), budget=20_000)
    >>> -12.1 < low.log10_p < -12
    True
    """

    batch: int = 2048
    pilot: int = 64
    name: ClassVar[str] = "change_of_measure"
    kind: ClassVar[Kind] = Kind.LOWER
    grad: ClassVar[Grad] = Grad.NONE
    needs: ClassVar[Needs] = Needs((Reparameterised,))

    def __post_init__(self) -> None:
        check_positive(self.name, batch=self.batch, pilot=self.pilot)

    def init(self, problem: Problem, rng: Rng) -> Tilted:
        d = problem.distribution
        assert isinstance(d, Reparameterised)
        return Tilted(rng=rng, direction=torch.zeros(d.noise_dim, dtype=d.dtype))

    @torch.no_grad()
    def step(self, problem: Problem, state: Tilted) -> Tilted:
        if state.steps == 0:
            state = self._choose(problem, state)
        n = int(min(self.batch, state.left))
        if n == 0:
            return state
        generator = state.rng.child("batch", state.steps).generator()
        z = _draw(problem, state, n, generator)
        hits = int((problem.margin_of_noise(z) > 0).sum())
        return replace(
            state, hits=state.hits + hits, draws=state.draws + n, forwards=state.forwards + n
        )

    def _choose(self, problem: Problem, state: Tilted) -> Tilted:
        """The D with the best bound on a pilot; D0 itself is among them."""
        point, spent = design_points.nearest(
            problem, state.rng.child("search"), _SEARCH * state.left
        )
        state = replace(state, forwards=state.forwards + spent)
        beta = 0.0 if point is None else float(point.norm())
        if point is None or beta == 0.0:
            return state
        unit = point / beta
        tried = [replace(state, direction=unit)]
        for beyond in _BEYOND:
            for scale in (*_SCALES, _HALFSPACE):
                tried.append(replace(state, direction=unit, shift=beta + beyond, scale=scale))
        if len(tried) * self.pilot > _PILOT * state.left:
            return replace(state, direction=unit, shift=beta, scale=_HALFSPACE)
        bounds = []
        for k, one in enumerate(tried):
            z = _draw(problem, one, self.pilot, state.rng.child("pilot", k).generator())
            hits = int((problem.margin_of_noise(z) > 0).sum())
            low = math.exp(clopper_pearson(hits, self.pilot)[0])
            bounds.append(bound(_relative_entropy(one), low))
        best = tried[bounds.index(max(bounds))]
        return replace(best, forwards=state.forwards + len(tried) * self.pilot)

    def read(self, state: Tilted) -> Estimate:
        entropy = _relative_entropy(state)
        low = math.exp(clopper_pearson(state.hits, state.draws)[0])
        log_p = bound(entropy, low)
        seen = state.hits / state.draws if state.draws else 0.0
        info = {
            "relative_entropy": entropy,
            "shift": state.shift,
            "scale": state.scale if state.scale != _HALFSPACE else "beyond the shift",
            "p": seen,
            "p_low": low,
            "log10_at_p": bound(entropy, seen) / math.log(10.0),
            "confidence": 0.975,
        }
        if log_p == -math.inf:
            info["warning"] = "vacuous: no draw from the shifted D failed, so it proves nothing"
        answer = torch.tensor(log_p, dtype=torch.float64)
        cost = Cost(forwards=state.forwards)
        return Estimate(answer, None, self.kind, cost, (log_p, 0.0), info)


def _draw(problem: Problem, state: Tilted, n: int, generator: torch.Generator) -> Tensor:
    """Noise under the chosen D, `(n, noise_dim)`."""
    d = problem.distribution
    assert isinstance(d, Reparameterised)
    z = d.noise(n, generator)
    along = z @ state.direction
    if state.scale == _HALFSPACE:
        tail = cdf(torch.tensor(-state.shift, dtype=torch.float64))
        share = cdf(-along.double())  # uniform
        moved = -torch.special.ndtri((share * tail).clamp(min=1e-300)).to(z.dtype)
    else:
        moved = state.shift + state.scale * along
    return z + (moved - along)[:, None] * state.direction


def _relative_entropy(state: Tilted) -> float:
    """KL(D || D0) in nats."""
    t, s = state.shift, state.scale
    if s == _HALFSPACE:
        return -float(log_cdf_value(torch.tensor(-t, dtype=torch.float64)))
    return 0.5 * (t * t + s * s - 1.0) - math.log(s)


def bound(entropy: float, p: float) -> float:
    """log P >= -(KL + h(p)) / p in nats, from KL(D || D0) and p = P_D(C); -inf at p = 0.

    >>> bound(2.0, 1.0), bound(0.0, 0.0)
    (-2.0, -inf)
    """
    if p <= 0.0:
        return -math.inf
    rest = 0.0 if p >= 1.0 else -(1.0 - p) * math.log1p(-p)
    return min(0.0, -(entropy + rest - p * math.log(p)) / p)
