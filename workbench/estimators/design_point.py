"""FORM and SORM around all design points."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from workbench.distributions import Reparameterised
from workbench.errors import BadInput
from workbench.estimators import design_points, far_search, joint_points
from workbench.estimators.base import Estimate, Estimator, Needs, check_positive
from workbench.estimators.by_part import piece_of, pieces_of
from workbench.estimators.design_points import Points
from workbench.estimators.judged import judged
from workbench.iteration import State
from workbench.math.cost import Cost
from workbench.math.gaussian import hazard_value, log_cdf_inverse, log_cdf_value
from workbench.math.logspace import LN10, log_sum
from workbench.math.orthant import log_orthant, log_union
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.types import Grad, Kind

_FEWEST = 4  # starts on each of many parts of D
_ACTIVE = 0.1  # units of noise from a literal's boundary within which that bounds C
_REACH = 1.0
_FLATTEST = 0.05
_CHECK, _LEAST_CHECK = 512, 64  # draws that judge
_APART, _SURE = 0.25 * LN10, 2.5  # nats, and standard errors
_CLOSE = 0.12 * LN10  # nats, error included, within which draws overrule another doubt


@dataclass(frozen=True, kw_only=True)
class Planes(State):
    """Design points part by part of D, a half-space a literal there, how its boundary bends; then
    what draws around them say."""

    parts: int = 1
    searched: int = 0
    """Parts of D whose search has been made or had no budget; where none of them had a design
    point, once more, further out."""
    skipped: int = 0
    """Those that had no budget."""
    at: Tensor
    """`(m, d)`: design points."""
    part: Tensor
    """`(m,)`: of D."""
    log_weight: Tensor
    """`(m,)`: of that part."""
    owner: Tensor
    """`(k,)`: the design point of each half-space."""
    literal: Tensor
    """`(k,)`: of which literal of C it is."""
    normal: Tensor
    """`(k, d)`: unit normals of the half-spaces."""
    beta: Tensor
    """`(k,)`: their distances from the origin."""
    active: Tensor
    """`(k,)`: which of them bound C at their design point."""
    log_factor: Tensor
    """`(k,)`: log of what curvature multiplies each probability by; 0 for FORM."""
    bent: int = 0
    """Half-spaces whose curvature has been worked out or is not needed."""
    strained: bool = False
    draws: int = 0
    """That judged."""
    log_drawn: float = -math.inf
    """What they say of log P."""
    error: float = math.inf
    """Relative standard error of that."""


@dataclass(frozen=True)
class DesignPoint(Estimator):
    """P from half-spaces (FORM) or paraboloids (SORM) at the likeliest failures.

    The design points of all clauses are searched from several starts, on every part of a D that is
    a mixture (see `design_points`, and `joint_points` for intersections). FORM puts a half-space at
    each, across the margin's gradient, for every literal of its clause, and takes the probability
    of the union of these intersections (Hunter's bound; exact for two half-spaces). SORM bends the
    boundaries that meet there, P_k = Phi(-beta_k) times prod_i (1 + h(beta_k) kappa_i)^(-1/2) with
    h the hazard (Breitung 1984; Hohenbichler & Rackwitz 1988). A ReLU network has no curvature
    where it has a gradient: kappa comes from differences of the gradient over one unit of noise to
    either side, 4 forward passes an axis.

    The classic of structural reliability, and no more than a floor here: deep networks bend on all
    scales, so that FORM is digits too high or too low, without an error bar. So 512 draws from unit
    Gaussians around the design points and from D itself, always the same ones and weighted by the
    ratio of densities, judge the answer: it warns where they differ by more than 0.25 digits and
    2.5 of their standard errors (`info["drawn_log10_p"]`, `info["drawn_digits"]`). Failures that
    neither the search nor they come upon are not seen. More such draws are `importance` with
    `scouts=False`; `conditioned` integrates along lines.

    Args:
        method: "sorm" or "form".
        modes: design points to keep at most, of each part of D.
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
        pieces = pieces_of(problem)
        d = pieces[0][1].distribution
        assert isinstance(d, Reparameterised)
        none, index = torch.zeros(0, dtype=d.dtype), torch.zeros(0, dtype=torch.long)
        points = none.reshape(0, d.noise_dim)
        return Planes(
            rng=rng, parts=len(pieces), at=points, part=index, log_weight=none, owner=index,
            literal=index, normal=points, beta=none, active=index.bool(), log_factor=none,
        )  # fmt: skip

    @torch.no_grad()
    def step(self, problem: Problem, state: Planes) -> Planes:
        if _searches(state):
            return self._search(problem, state)
        if self._bends(state):
            return self._bend(problem, state)
        return self._judge(problem, state)

    def _search(self, problem: Problem, state: Planes) -> Planes:
        """The half-spaces at the design points of the next part of D."""
        part, again = state.searched % state.parts, state.searched >= state.parts
        log_weight, problem = piece_of(problem, part)
        points, spent = _found(problem, self.modes, state, again)
        state = replace(
            state, searched=state.searched + 1, forwards=state.forwards + spent,
            skipped=state.skipped + (spent == 0 and not again),
        )  # fmt: skip
        for z, clause in zip(points.at, points.clause.tolist(), strict=True):
            literals = design_points.literals(problem, z[None])[1][clause]
            spent = 1 + 2 * len(literals)
            if spent > state.left:
                return state
            state = replace(state, forwards=state.forwards + spent)
            planes = _planes(problem, z, list(dict.fromkeys(literals)))
            if planes is not None:
                state = _with(state, z, part, log_weight.detach(), planes)
        return state

    def _bend(self, problem: Problem, state: Planes) -> Planes:
        """The curvature factor of the next half-space."""
        k, d = state.bent, state.at.shape[1]
        if not state.active[k]:
            return replace(state, bent=k + 1)
        at, normal, literal = state.at[state.owner[k]], state.normal[k], int(state.literal[k])
        _, problem = piece_of(problem, int(state.part[state.owner[k]]))
        eye = torch.eye(d, dtype=normal.dtype)
        z = at + torch.cat([_REACH * eye, -_REACH * eye, torch.zeros_like(eye[:1])])
        _, g = design_points.literal_and_gradient(problem, z, literal)
        hessian = (g[:d] - g[d : 2 * d]) / (2.0 * _REACH)
        across = eye - torch.outer(normal, normal)
        bend = -across @ (0.5 * (hessian + hessian.T)) @ across / g[-1].norm()
        kappa = torch.linalg.eigvalsh(bend)
        terms = 1.0 + hazard_value(-state.beta[k]) * kappa
        log_factor = -0.5 * torch.log(terms.clamp(min=_FLATTEST)).sum()
        return replace(
            state, bent=k + 1, strained=state.strained or bool((terms < _FLATTEST).any()),
            log_factor=state.log_factor.index_put((torch.tensor([k]),), log_factor[None]),
            forwards=state.forwards + _price(state),
        )  # fmt: skip

    def _judge(self, problem: Problem, state: Planes) -> Planes:
        """What draws around the design points say."""
        pieces = pieces_of(problem)
        around = [state.at[state.part == k] for k in range(len(pieces))]
        most = int(min(_CHECK, state.left - len(pieces)))
        told = judged(pieces, around, _log_parts(state), most)
        return replace(
            state, draws=told.draws, log_drawn=told.log_p, error=told.error,
            forwards=state.forwards + told.draws,
        )  # fmt: skip

    def _bends(self, state: Planes) -> bool:
        """Whether there is a curvature left to work out, and the budget for it."""
        left = self.method == "sorm" and state.bent < len(state.beta)
        return left and (not state.active[state.bent] or state.left >= _price(state))

    def finished(self, state: Planes) -> bool:
        if _searches(state) or self._bends(state):
            return False
        return state.draws > 0 or not len(state.at) or state.left < _LEAST_CHECK + state.parts

    def read(self, state: Planes) -> Estimate:
        cost = Cost(forwards=state.forwards)
        each = torch.clamp(log_cdf_value(-state.beta) + state.log_factor, max=0.0)
        log_p = torch.clamp(log_sum(_log_parts(state)), max=0.0)
        info: dict[str, Any] = {"reliability_index": state.beta[state.active].tolist()}
        if len(each):
            info["log10_p_of_each"] = (each[state.active] / LN10).tolist()
        if state.draws:
            info["drawn_log10_p"] = state.log_drawn / LN10
            info["drawn_digits"] = state.error / LN10
        if warning := self._doubt(state, float(log_p)):
            info["warning"] = warning
        return Estimate(log_p, None, self.kind, cost, info=info)

    def _doubt(self, state: Planes, log_p: float) -> str:
        """Why the answer may be wrong, in one sentence; else empty."""
        if not len(state.beta):
            return (
                "no design point was found: the margin has no gradient that leads to the event, "
                "or the budget ended before the search"
            )
        if state.skipped:
            return (
                f"the budget held no search on {state.skipped} of the {state.parts} parts of D, "
                "which are left out"
            )
        if self.method == "sorm" and state.bent < len(state.beta):
            return "the budget did not hold all curvatures: part of this is FORM"
        apart = abs(state.log_drawn - log_p)
        if state.draws and apart > max(_APART, _SURE * state.error):
            shape = "paraboloids" if self.method == "sorm" else "half-spaces"
            return (
                f"{state.draws} weighted draws around the design points say 10^"
                f"{state.log_drawn / LN10:.2f}, not 10^{log_p / LN10:.2f}: the {shape} do not "
                "follow the boundary of C"
            )
        if state.strained and not apart + state.error < _CLOSE:
            return (
                "a boundary bends towards the origin faster than a sphere about it: the paraboloid "
                "is no approximation, and its factor was cut"
            )
        if not state.draws:
            return "the budget held no draws that judge this: it may be digits off either way"
        return ""


def _searches(state: Planes) -> bool:
    """Whether there is a part of D left to search."""
    again = state.parts > 1 and not len(state.at)
    return state.searched < state.parts * (2 if again else 1)


def _found(problem: Problem, most: int, state: Planes, again: bool) -> tuple[Points, int]:
    """Design points of one of D's parts, and what the search cost.

    It goes far where D is one part, and where it is made again since no part had any.
    """
    least, spent = max(_FEWEST, design_points.STARTS // state.parts), 0
    if joint_points.joint(problem) and not again:
        points, spent = joint_points.find(problem, most, state.left, least)
        if len(points.at):
            return points, spent
    far = again or state.parts == 1
    points, more = far_search.find(problem, most, state.left - spent, least, far)
    return points, spent + more


@dataclass(frozen=True, eq=False)
class _Bounds:
    """Half-spaces that bound C at one design point; see `Planes`."""

    literal: Tensor
    normal: Tensor
    beta: Tensor
    active: Tensor


def _planes(problem: Problem, z: Tensor, literals: list[int]) -> _Bounds | None:
    """Those of these literals at z `(d,)`; None where the margins are flat there, or where the
    half-spaces exclude one another."""
    found = [design_points.literal_and_gradient(problem, z[None], i) for i in literals]
    s, g = (torch.cat(each) for each in zip(*found, strict=True))
    length = g.norm(dim=1)
    steep = length > torch.finfo(g.dtype).tiny  # where a margin is flat no plane bounds C
    if not bool(steep.any()):
        return None
    literal = torch.tensor(literals)[steep]
    s, g, length = s[steep], g[steep], length[steep]
    normal, beta = g / length[:, None], (g @ z - s) / length
    if bool(torch.isneginf(log_orthant(-beta, _cosines(normal)))):
        return None
    active = (s < _ACTIVE * length) | (len(literals) == 1)
    return _Bounds(literal, normal, beta, active)


def _with(state: Planes, z: Tensor, part: int, log_weight: Tensor, planes: _Bounds) -> Planes:
    """With another design point z `(d,)`."""
    owner = torch.full_like(planes.literal, len(state.at))
    return replace(
        state,
        at=torch.cat([state.at, z[None]]),
        part=torch.cat([state.part, state.part.new_tensor([part])]),
        log_weight=torch.cat([state.log_weight, log_weight[None]]),
        owner=torch.cat([state.owner, owner]),
        literal=torch.cat([state.literal, planes.literal]),
        normal=torch.cat([state.normal, planes.normal]),
        beta=torch.cat([state.beta, planes.beta]),
        active=torch.cat([state.active, planes.active]),
        log_factor=torch.cat([state.log_factor, torch.zeros_like(planes.beta)]),
    )


def _price(state: Planes) -> int:
    """Forward passes of one curvature."""
    return 4 * state.at.shape[1] + 2


def _cosines(normal: Tensor) -> Tensor:
    return torch.clamp(normal @ normal.T, -1.0, 1.0)


def _log_parts(state: Planes) -> Tensor:
    """log P(C, part) for every part of D, in float64."""
    each = torch.clamp(log_cdf_value(-state.beta) + state.log_factor, max=0.0)
    index, total = log_cdf_inverse(each), [-math.inf] * state.parts
    for part in state.part.unique().tolist():
        points = torch.nonzero(state.part == part).squeeze(1)
        rows = torch.isin(state.owner, points)
        owner = state.owner[rows]
        clauses = [torch.nonzero(owner == m).squeeze(1).tolist() for m in points.tolist()]
        union = log_union(index[rows], _cosines(state.normal[rows]), clauses)
        total[part] = min(0.0, float(union)) + float(state.log_weight[points[0]])
    return torch.tensor(total, dtype=torch.float64)
