"""FORM and SORM around all design points."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from workbench.distributions import Reparameterised
from workbench.errors import BadInput
from workbench.estimators import design_points
from workbench.estimators.base import Estimate, Estimator, Needs, check_positive
from workbench.iteration import State
from workbench.math.cost import Cost
from workbench.math.gaussian import hazard_value, log_cdf_inverse, log_cdf_value
from workbench.math.orthant import log_union
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.types import Grad, Kind

_REACH = 1.0
_FLATTEST = 0.05


@dataclass(frozen=True, kw_only=True)
class Planes(State):
    """The search, then a half-space a design point and how its boundary bends."""

    at: Tensor
    clause: Tensor
    best: Tensor
    norm: Tensor
    searched: int = 0
    found: Tensor
    """`(k,)`: which starts ended in a design point of their own."""
    normal: Tensor
    """`(k, d)`: unit normals of the half-spaces."""
    beta: Tensor
    """`(k,)`: their distances from the origin."""
    log_factor: Tensor
    """`(k,)`: log of what curvature multiplies each probability by; 0 for FORM."""
    bent: int = 0
    """Design points whose curvature is worked out."""
    strained: bool = False
    placed: bool = False


@dataclass(frozen=True)
class DesignPoint(Estimator):
    """P from half-spaces (FORM) or paraboloids (SORM) at the likeliest failures.

    The design points of all clauses are searched from several starts (see `design_points`). FORM
    puts a half-space at each, across the margin's gradient, and takes the probability of their
    union (Hunter's bound; exact for two). SORM bends every boundary, P_k = Phi(-beta_k) times
    prod_i (1 + h(beta_k) kappa_i)^(-1/2) with h the hazard (Breitung 1984; Hohenbichler & Rackwitz
    1988). A ReLU network has no curvature where it has a gradient: kappa comes from differences of
    the gradient over one unit of noise to either side, 4 forward passes an axis.

    The classic of structural reliability, and no more than a floor here: deep networks bend on all
    scales, so that FORM is digits too high or too low, without an error bar. Sampling around the
    same points is `importance` with `scouts=False`; `conditioned` integrates along lines.

    Args:
        method: "sorm" or "form".
        modes: design points to keep at most.
    """

    method: str = "sorm"
    modes: int = 8
    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {"method": ("sorm", "form")}
    name: ClassVar[str] = "design_point"
    kind: ClassVar[Kind] = Kind.HEURISTIC
    grad: ClassVar[Grad] = Grad.NONE
    needs: ClassVar[Needs] = Needs((Reparameterised,))

    def __post_init__(self) -> None:
        check_positive(self.name, modes=self.modes)
        if self.method not in self.choices["method"]:
            raise BadInput(f"unknown method {self.method!r}: use one of sorm, form")

    def init(self, problem: Problem, rng: Rng) -> Planes:
        p = design_points.start(problem, Rng(0))  # a search, not a sample: the same starts always
        none = p.norm[:0]
        return Planes(
            rng=rng, at=p.at, clause=p.clause, best=p.best, norm=p.norm, found=p.clause[:0],
            normal=p.at[:0], beta=none, log_factor=none,
        )  # fmt: skip

    @torch.no_grad()
    def step(self, problem: Problem, state: Planes) -> Planes:
        points = design_points.Points(state.at, state.clause, state.best, state.norm)
        if state.searched < design_points.STEPS:
            points = design_points.advance(problem, points, state.searched)
            return replace(
                state, at=points.at, best=points.best, norm=points.norm,
                searched=state.searched + 1, forwards=state.forwards + 2 * len(points.at),
            )  # fmt: skip
        if not state.placed:
            return self._place(problem, state, points)
        return self._bend(problem, state)

    def _place(self, problem: Problem, state: Planes, points: design_points.Points) -> Planes:
        """The half-space of every design point."""
        kept = torch.tensor(design_points.chosen(points, self.modes), dtype=torch.long)
        if not len(kept):
            return replace(state, placed=True)
        z = points.best[kept]
        s, g = design_points.margin_and_gradient(problem, z, points.clause[kept])
        state = replace(state, placed=True, forwards=state.forwards + 2 * len(kept))
        length = g.norm(dim=1)
        steep = length > torch.finfo(g.dtype).tiny  # where the margin is flat no plane bounds C
        if not bool(steep.any()):
            return state
        kept, z, s, g, length = (part[steep] for part in (kept, z, s, g, length))
        return replace(
            state, found=kept, normal=g / length[:, None],
            beta=((g * z).sum(1) - s) / length, log_factor=torch.zeros_like(s),
        )  # fmt: skip

    def _bend(self, problem: Problem, state: Planes) -> Planes:
        """The curvature factor of the next design point."""
        k, d = state.bent, state.at.shape[1]
        start, normal = state.found[k], state.normal[k]
        eye = torch.eye(d, dtype=normal.dtype)
        z = state.best[start] + _REACH * torch.cat([eye, -eye])
        which = state.clause[start].expand(2 * d)
        _, g = design_points.margin_and_gradient(problem, z, which)
        hessian = (g[:d] - g[d:]) / (2.0 * _REACH)
        here = design_points.margin_and_gradient(problem, state.best[start][None], which[:1])[1][0]
        across = eye - torch.outer(normal, normal)
        bend = -across @ (0.5 * (hessian + hessian.T)) @ across / here.norm()
        kappa = torch.linalg.eigvalsh(bend)
        terms = 1.0 + hazard_value(-state.beta[k]) * kappa
        strained = bool((terms < _FLATTEST).any())
        log_factor = -0.5 * torch.log(terms.clamp(min=_FLATTEST)).sum()
        return replace(
            state, bent=k + 1, strained=state.strained or strained,
            log_factor=state.log_factor.index_put((torch.tensor([k]),), log_factor[None]),
            forwards=state.forwards + 4 * d + 2,
        )  # fmt: skip

    def finished(self, state: Planes) -> bool:
        if state.searched < design_points.STEPS:
            return state.left < 2 * len(state.at)
        if not state.placed:
            return state.left < 2 * self.modes
        bends = self.method == "sorm" and state.bent < len(state.found)
        return not bends or state.left < 4 * state.at.shape[1] + 2

    def read(self, state: Planes) -> Estimate:
        cost = Cost(forwards=state.forwards)
        info: dict[str, Any] = {"reliability_index": state.beta.tolist()}
        if not len(state.found):
            info["warning"] = (
                "no design point was found: the margin has no gradient that leads to the event, "
                "or the budget ended before the search"
            )
            nothing = torch.tensor(-math.inf, dtype=torch.float64)
            return Estimate(nothing, None, self.kind, cost, info=info)
        log_p = torch.clamp(log_cdf_value(-state.beta) + state.log_factor, max=0.0)
        info["log10_p_of_each"] = (log_p / math.log(10.0)).tolist()
        if self.method == "sorm" and state.bent < len(state.found):
            info["warning"] = "the budget did not hold all curvatures: part of this is FORM"
        elif state.strained:
            info["warning"] = (
                "a boundary bends towards the origin faster than a sphere about it: the paraboloid "
                "is no approximation, and its factor was cut"
            )
        corr = torch.clamp(state.normal @ state.normal.T, -1.0, 1.0)
        clauses = [(k,) for k in range(len(log_p))]
        total = log_union(log_cdf_inverse(log_p), corr, clauses)
        return Estimate(torch.clamp(total, max=0.0), None, self.kind, cost, info=info)
