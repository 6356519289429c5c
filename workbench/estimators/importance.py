"""Importance sampling from a Gaussian mixture around all design points."""

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from workbench.distributions import Reparameterised
from workbench.estimators import design_points
from workbench.estimators.base import Estimate, Estimator, Needs, check_positive
from workbench.estimators.monte_carlo import clopper_pearson
from workbench.estimators.witness import Failures, Witness
from workbench.iteration import State
from workbench.math.cost import Cost
from workbench.math.logspace import log_sum
from workbench.math.pareto import tail_index
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.types import Grad, Kind

_DEFENSIVE, _FIRST_FLOOR, _FLOOR = 0.05, 0.1, 0.03
_PILOT_SHARE = 0.2
_CAUTION = 1.5  # a mean of n draws is off by sqrt(d / n): below n of about d keep the old one
_LARGEST = 256
_HEAVY, _FEW = 0.7, 50.0
_COMMON = 1.0  # a design point nearer than this: P is above 0.1, and plain draws do best
_UNAFFORDABLE = design_points.STEPS + 1
_NORMAL_95 = 1.959963984540054


@dataclass(frozen=True, kw_only=True)
class Weighing(State):
    """The search, then the mixture, then running sums of weights."""

    at: Tensor
    clause: Tensor
    best: Tensor
    norm: Tensor
    searched: int = 0
    means: Tensor
    """`(k, d)`: centres of the mixture."""
    var: Tensor
    """`(k,)`: variance along each centre's direction; 1 across it."""
    share: Tensor
    """`(k,)`: weights of the mixture, the defensive N(0, I) not counted."""
    rounds: int = 0
    draws: int = 0
    hits: int = 0
    log_sum: float = -math.inf
    log_squares: float = -math.inf
    by_mode: Tensor
    """`(k,)`: log of the sum of weights of the draws nearest to each centre."""
    largest: Tensor
    """The largest log weights, for the index of their tail."""


@dataclass(frozen=True)
class Importance(Witness, Estimator):
    """Draws from a mixture around every design point, weighted by the ratio of densities.

    The margin's gradient finds the design points of all clauses from several starts; a unit
    Gaussian at each, and N(0, I) with share 0.05, make the first proposal. Pilot rounds refit
    centres, spread along the centre and shares by cross-entropy; they are not used in the answer,
    so that P-hat = mean of phi(z) / q(z) over the failing draws is unbiased whatever was fitted.

    It knows when not to be believed: `info["warning"]` speaks up where the weights' tail index
    (Pareto k) exceeds 0.7, where fewer than 50 effective draws carry the answer, or where no
    design point was found and all that is left is plain Monte Carlo. A region that has no gradient
    towards it is not excluded by any of these. Good on trained networks in small noise; on random
    networks, whose failures lie in many narrow cones, believe the warning and take `subset`.

    Args:
        modes: design points to keep at most.
        pilots: rounds of refitting.
        pilot: draws a round, at most a fifth of what is left.
        batch: draws a step.
    """

    modes: int = 8
    pilots: int = 2
    pilot: int = 2048
    batch: int = 2048
    name: ClassVar[str] = "importance"
    kind: ClassVar[Kind] = Kind.UNBIASED
    grad: ClassVar[Grad] = Grad.NONE
    needs: ClassVar[Needs] = Needs((Reparameterised,))

    def __post_init__(self) -> None:
        check_positive(
            self.name, modes=self.modes, pilots=self.pilots, pilot=self.pilot, batch=self.batch
        )

    def init(self, problem: Problem, rng: Rng) -> Weighing:
        p = design_points.start(problem, rng)
        empty = p.at.new_empty(0)
        return Weighing(
            rng=rng, at=p.at, clause=p.clause, best=p.best, norm=p.norm,
            means=p.at.new_empty(0, p.at.shape[1]), var=empty, share=empty, by_mode=empty,
            largest=empty,
        )  # fmt: skip

    @torch.no_grad()
    def step(self, problem: Problem, state: Weighing) -> Weighing:
        if state.searched < design_points.STEPS:
            if state.left < 2.0 * (design_points.STEPS - state.searched) * len(state.at):
                return replace(state, searched=_UNAFFORDABLE)
            return self._search(problem, state)
        if state.rounds < self.pilots and len(state.means):
            n = int(max(1, min(self.pilot, _PILOT_SHARE * state.left)))
            z, log_w = self._draw(problem, state, n)
            fitted = _refit(state, z[torch.isfinite(log_w)], log_w[torch.isfinite(log_w)])
            return replace(fitted, rounds=state.rounds + 1, forwards=state.forwards + n)
        return self._weigh(problem, state)

    def _search(self, problem: Problem, state: Weighing) -> Weighing:
        points = design_points.Points(state.at, state.clause, state.best, state.norm)
        points = design_points.advance(problem, points, state.searched)
        state = replace(
            state, at=points.at, best=points.best, norm=points.norm, searched=state.searched + 1,
            forwards=state.forwards + 2 * len(points.at),
        )  # fmt: skip
        if state.searched < design_points.STEPS:
            return state
        found, beta = design_points.distinct(points, self.modes)
        if not len(beta) or float(beta[0]) < _COMMON:
            return state
        # Given failure a Gaussian margin lies about 1 / beta beyond the boundary.
        means = found * (1.0 + 0.5 / beta.clamp(min=1.0).square())[:, None]
        share = torch.exp(0.5 * (beta.min() ** 2 - beta**2))
        return replace(
            state, means=means, var=torch.ones_like(beta), share=_floored(share, _FIRST_FLOOR),
            by_mode=torch.full_like(beta, -math.inf),
        )  # fmt: skip

    def _draw(self, problem: Problem, state: Weighing, n: int) -> tuple[Tensor, Tensor]:
        """`n` draws of noise and their log weights, -inf where C does not hold."""
        d = problem.distribution
        assert isinstance(d, Reparameterised)
        generator = state.rng.child("draws", state.rounds, state.draws).generator()
        z = d.noise(n, generator)
        plain = _defensive(state)
        shares = torch.cat([(1.0 - plain) * state.share, state.share.new_tensor([plain])])
        pick = torch.multinomial(shares, n, replacement=True, generator=generator)
        unit = _directions(state.means)
        for k, mean in enumerate(state.means):
            along = (z @ unit[k])[:, None] * unit[k]
            moved = mean + z + along * (torch.sqrt(state.var[k]) - 1.0)
            z = torch.where((pick == k)[:, None], moved, z)
        log_w = -0.5 * z.square().sum(1) - _log_proposal(state, z)
        fails = problem.margin_of_noise(z) > 0
        return z, torch.where(fails, log_w, -math.inf)

    def _weigh(self, problem: Problem, state: Weighing) -> Weighing:
        n = int(min(self.batch, state.left))
        z, log_w = self._draw(problem, state, n)
        alive = torch.isfinite(log_w)
        z, log_w = z[alive], log_w[alive]
        by_mode = state.by_mode
        if len(z) and len(by_mode):
            near = torch.argmax(_log_components(state, z), dim=1)
            mine = near[:, None] == torch.arange(len(by_mode))
            sums = log_sum(torch.where(mine, log_w[:, None], -math.inf), dim=0)
            by_mode = torch.logaddexp(by_mode, sums)
        both = torch.cat([state.largest, log_w])
        return replace(
            state, draws=state.draws + n, hits=state.hits + len(z), forwards=state.forwards + n,
            log_sum=_add(state.log_sum, log_w), log_squares=_add(state.log_squares, 2.0 * log_w),
            by_mode=by_mode, largest=torch.topk(both, min(_LARGEST, len(both))).values,
        )  # fmt: skip

    @torch.no_grad()
    def failures(self, problem: Problem, state: Weighing) -> Failures:
        """The failures of one more batch from the fitted mixture."""
        z, log_w = self._draw(problem, state, self.batch)
        alive = torch.isfinite(log_w)
        return Failures(z[alive], log_w[alive], self.batch)

    def read(self, state: Weighing) -> Estimate:
        cost = Cost(forwards=state.forwards)
        info: dict[str, Any] = {
            "modes": _modes(state), "draws": state.draws, "hits": state.hits,
        }  # fmt: skip
        if not state.hits:
            info["warning"] = _doubt(state) or "no draw around the design points failed"
            nothing = torch.tensor(-math.inf, dtype=torch.float64)
            bound = (-math.inf, 0.0) if len(state.means) else clopper_pearson(0, state.draws)
            return Estimate(nothing, math.inf, self.kind, cost, bound, info)
        n = state.draws
        log_p = min(0.0, state.log_sum - math.log(n))
        share = math.exp(min(0.0, state.log_squares - 2.0 * state.log_sum))  # 1 / effective draws
        log_err = math.sqrt(max(share - 1.0 / n, 0.0))
        info["effective_draws"] = 1.0 / share
        info["pareto_k"] = k = tail_index(state.largest, n)
        if k > _HEAVY or 1.0 / share < _FEW:
            info["warning"] = (
                f"a few weights carry the answer ({1.0 / share:.0f} effective draws, Pareto k "
                f"{k:.2f}): it may be too low, and its error bar too short"
            )
        if _doubt(state):
            info["warning"] = _doubt(state)
        reach = _NORMAL_95 * log_err
        return Estimate(
            torch.tensor(log_p, dtype=torch.float64), log_err, self.kind, cost,
            (log_p - reach, min(0.0, log_p + reach)), info,
        )  # fmt: skip


def _defensive(state: Weighing) -> float:
    """Share of N(0, I) in the proposal: all of it where there is no design point to go to."""
    return _DEFENSIVE if len(state.means) else 1.0


def _directions(means: Tensor) -> Tensor:
    return means / means.norm(dim=1, keepdim=True).clamp(min=1e-12)


def _log_components(state: Weighing, z: Tensor) -> Tensor:
    """log(share_k N(z; mean_k, cov_k)) up to the constant of N(0, I), `(n, k)`."""
    gap = z[:, None, :] - state.means
    along = torch.einsum("nkd,kd->nk", gap, _directions(state.means))
    square = gap.square().sum(-1) + along.square() * (1.0 / state.var - 1.0)
    return torch.log((1.0 - _defensive(state)) * state.share) - 0.5 * (
        square + torch.log(state.var)
    )


def _log_proposal(state: Weighing, z: Tensor) -> Tensor:
    """log density of the mixture, N(0, I) included, up to the same constant, `(n,)`."""
    defensive = math.log(_defensive(state)) - 0.5 * z.square().sum(1, keepdim=True)
    return torch.logsumexp(torch.cat([_log_components(state, z), defensive], dim=1), dim=1)


def _refit(state: Weighing, z: Tensor, log_w: Tensor) -> Weighing:
    """Centres, spreads and shares by cross-entropy, shrunk to what they were by the evidence."""
    if len(z) < 2:
        return state
    # The largest weight is cut at sqrt(n) means, lest one draw decide.
    cap = log_sum(log_w) - 0.5 * math.log(len(log_w))
    weight = torch.exp(torch.minimum(log_w, cap) - log_w.max())
    owner = torch.softmax(_log_components(state, z), dim=1)
    part = weight[:, None] * owner
    total = part.sum(0)
    part = part / total.clamp(min=1e-300)
    effective = torch.where(total > 0, 1.0 / part.square().sum(0).clamp(min=1e-300), 0.0)
    trust = (effective / (effective + _CAUTION * z.shape[1]))[:, None]
    means = (1.0 - trust) * state.means + trust * (part.T @ z)
    along = torch.einsum("nkd,kd->nk", z[:, None, :] - means, _directions(means))
    var = (part * along.square()).sum(0)
    trust = effective / (effective + 0.3 * z.shape[1])
    var = torch.clamp(1.0 + trust * (var - 1.0), 0.25, 3.0)
    return replace(state, means=means, var=var, share=_floored(total, _FLOOR))


def _floored(share: Tensor, floor: float) -> Tensor:
    """Shares that sum to 1, none below about `floor`."""
    share = torch.clamp(share / share.sum(), min=floor)
    return share / share.sum()


def _add(log_total: float, logs: Tensor) -> float:
    return (
        float(torch.logaddexp(logs.new_tensor(log_total), log_sum(logs)))
        if len(logs)
        else log_total
    )


def _modes(state: Weighing) -> list[dict[str, float]]:
    """Distance of every centre, and its part of the answer."""
    parts = torch.exp(state.by_mode - state.log_sum) if state.hits else torch.zeros(len(state.var))
    norms = state.means.norm(dim=1)
    return [{"norm": float(b), "part": float(p)} for b, p in zip(norms, parts, strict=True)]


def _doubt(state: Weighing) -> str:
    """What is wrong where there is no mixture and there should be one; else nothing."""
    if len(state.means) or (len(state.norm) and float(state.norm.min()) < _COMMON):
        return ""
    why = "no design point was found: the margin has no gradient that leads to the event"
    if state.searched == _UNAFFORDABLE:
        why = "the budget does not hold a search for design points"
    return f"{why}, so this is plain Monte Carlo"
