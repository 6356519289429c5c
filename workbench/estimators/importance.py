"""Importance sampling from a mixture of Gaussians around all ways to fail."""

import math
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from workbench.distributions import Reparameterised
from workbench.errors import BadInput
from workbench.estimators import mixing, modes
from workbench.estimators.base import Estimate, Estimator, Needs, check_positive
from workbench.estimators.mixing import Weighing
from workbench.estimators.monte_carlo import clopper_pearson
from workbench.estimators.witness import Failures, Witness
from workbench.math.cost import Cost
from workbench.math.gaussian import ONE_SIDED_95, TWO_SIDED_95
from workbench.math.logspace import LN10, log_plus, log_sum
from workbench.math.pareto import standard_error, tail_index
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.types import Grad, Kind

_PILOT_SHARE = 0.1
_LARGEST = 256
_HEAVY, _FEW = 0.7, 50.0
_TINY = -15.0 * LN10
_SELDOM = 0.1  # share of the draws that fail, below which C is islands that the mixture misses


@dataclass(frozen=True)
class Importance(Witness, Estimator):
    """Draws from a mixture around every way to fail, weighted by the ratio of densities.

    The margin's gradient finds the design points of all clauses from several starts; with budgets
    from 4,000, and where there is no design point, scouts climb by splitting as well. Around
    each, gradients fit the Gaussian nearest to the tilted law phi(z) exp(lambda s(z)); those, and
    N(0, I) with share 0.05, are the proposal; a fifth of each is a copy that is nowhere narrower
    than N(0, I), lest failures that a Gaussian is too narrow for be rare and heavy. Pilot
    rounds refit it by cross-entropy; scouts that it leaves out then, where a draw would weigh 30
    times the mean, get Gaussians of their own, as thin as they stand where no wider one meets C: on
    islands, of which a second climb then has to know the same. None of this is used in the answer,
    so that P-hat = mean of phi(z) / q(z) over the failing draws is unbiased whatever was fitted.

    The stated error grows by n^(k - 1/2) where the weights' tail index (Pareto k) is above 1/2, n
    the effective draws: such sums settle as n^(k - 1), and their own spread does not show it. The
    upper end of the interval takes k at its own upper end (95%): a mean that lacks the rare large
    weights is too low, and its spread and its k are too small at once.

    It knows when not to be believed: `info["warning"]` speaks up where Pareto k exceeds
    0.7, where fewer than 50 effective draws carry the answer, where scouts stand outside the
    mixture, where an answer below 1e-15 is confirmed by none, or where nothing was found and all
    that is left is plain Monte Carlo. A region that has no gradient towards it and that scouts
    miss is not excluded: `info["not_excluded"]` gives the bound that the plain draws put on it.

    Args:
        modes: design points to keep at most.
        scouts: whether scouts are sent at all.
        pilots: rounds of refitting.
        pilot: draws a round, at most a tenth of what is left.
        batch: draws a step.
    """

    modes: int = 8
    scouts: bool = True
    pilots: int = 3
    pilot: int = 2048
    batch: int = 2048
    name: ClassVar[str] = "importance"
    kind: ClassVar[Kind] = Kind.UNBIASED
    grad: ClassVar[Grad] = Grad.NONE
    needs: ClassVar[Needs] = Needs((Reparameterised,))

    def __post_init__(self) -> None:
        if not isinstance(self.scouts, bool):
            raise BadInput(f"importance: scouts must be true or false, got {self.scouts!r}")
        check_positive(
            self.name, modes=self.modes, pilots=self.pilots, pilot=self.pilot, batch=self.batch
        )

    def init(self, problem: Problem, rng: Rng) -> Weighing:
        begun = modes.start(problem, rng)
        known = {f.name: getattr(begun, f.name) for f in fields(begun)}
        known["scouted"] = 0 if self.scouts else modes.NEVER
        empty = begun.margin
        return Weighing(
            **known, basis=begun.covs, var=begun.means, share=empty, by_mode=empty, largest=empty
        )

    @torch.no_grad()
    def step(self, problem: Problem, state: Weighing) -> Weighing:
        if not state.found:
            found = modes.advance(problem, state, self.modes)
            assert isinstance(found, Weighing)
            return mixing.mixed(found) if found.found else found
        if state.rounds < self.pilots + state.filled and len(state.share):
            n = int(max(1, min(self.pilot, _PILOT_SHARE * state.left)))
            z, log_w, _ = _draw(problem, state, n)
            alive = torch.isfinite(log_w)
            refitted = state.proposal.refit(z[alive], log_w[alive], mixing.FLOOR)
            state = replace(state, rounds=state.rounds + 1, forwards=state.forwards + n)
            state = mixing.with_mixture(state, refitted)
            told = float(log_sum(log_w)) - math.log(n)
            if state.rounds == self.pilots:
                state = mixing.filled(problem, state, told)
            if state.rounds == self.pilots + state.filled:
                if state.islands == 1:
                    return mixing.confirmed(problem, state, told)
                if not state.islands and float(alive.double().mean()) < _SELDOM:
                    return mixing.with_islands(problem, state, told)
            return state
        return _weigh(problem, state, int(min(self.batch, state.left)))

    def read(self, state: Weighing) -> Estimate:
        cost = Cost(forwards=state.forwards)
        low, high = clopper_pearson(state.plain_hits, state.plain)
        info: dict[str, Any] = {
            "modes": _modes(state), "draws": state.draws, "hits": state.hits,
            "not_excluded": (
                "a region without a gradient towards it is not excluded; the "
                f"{state.plain:,} plain draws bound P by 10^{high / LN10:.2g}"
            ),
        }  # fmt: skip
        covered = _covered(state)
        if covered is not None:
            info["covered"] = covered
        n = state.draws
        if not state.hits:
            doubt = _doubt(state) or "no draw around the design points failed"
            info["warning"] = f"{doubt}; {info['not_excluded']}"
            nothing = torch.tensor(-math.inf, dtype=torch.float64)
            return Estimate(nothing, math.inf, self.kind, cost, (-math.inf, high), info)
        log_p = min(0.0, state.log_sum - math.log(n))
        share = math.exp(min(0.0, state.log_squares - 2.0 * state.log_sum))  # 1 / effective draws
        spread = math.sqrt(max(share - 1.0 / n, 0.0))
        info["effective_draws"] = 1.0 / share
        info["pareto_k"] = k = tail_index(state.largest, n)
        most = k + ONE_SIDED_95 * standard_error(k, len(state.largest), n)
        log_err, above = (
            spread * share ** (0.5 - index) if 0.5 < index < math.inf else spread
            for index in (k, most)
        )
        doubt = _doubt(state, log_p)
        if k > _HEAVY or 1.0 / share < _FEW:
            doubt = doubt or (
                f"a few weights carry the answer ({1.0 / share:.0f} effective draws, Pareto k "
                f"{k:.2f}): it may be too low, and its error bar too short"
            )
        lost = 0 if state.reached else modes.left_out(state, self.modes)
        if lost and not doubt:
            doubt = f"modes={self.modes} leaves out the design points of {lost} more ways to fail"
        if doubt:
            info["warning"] = f"{doubt}; {info['not_excluded']}"
        interval = (log_p - TWO_SIDED_95 * log_err, min(0.0, log_p + TWO_SIDED_95 * above))
        if state.plain == n:
            interval = (low, high)
        answer = torch.tensor(log_p, dtype=torch.float64)
        return Estimate(answer, log_err, self.kind, cost, interval, info)

    @torch.no_grad()
    def failures(self, problem: Problem, state: Weighing) -> Failures:
        """The failures of one more batch from the fitted mixture."""
        z, log_w, _ = _draw(problem, state, self.batch)
        alive = torch.isfinite(log_w)
        return Failures(z[alive], log_w[alive], self.batch)


def _draw(problem: Problem, state: Weighing, n: int) -> tuple[Tensor, Tensor, Tensor]:
    """`n` draws of noise, their log weights (-inf where C does not hold), which are plain."""
    d = problem.distribution
    assert isinstance(d, Reparameterised)
    generator = state.rng.child("draws", state.rounds, state.draws).generator()
    q = state.drawn_from
    z, plain = q.draw(d.noise(n, generator), generator)
    log_w = -0.5 * z.square().sum(1) - q.log_density(z)
    fails = problem.margin_of_noise(z) > 0
    return z, torch.where(fails, log_w, -math.inf), plain


def _weigh(problem: Problem, state: Weighing, n: int) -> Weighing:
    z, log_w, plain = _draw(problem, state, n)
    alive = torch.isfinite(log_w)
    plain_hits = int((alive & plain).sum())
    z, log_w = z[alive], log_w[alive]
    by_mode = state.by_mode
    if len(z) and len(by_mode):
        near = torch.argmax(state.proposal.log_components(z), dim=1)
        mine = near[:, None] == torch.arange(len(by_mode))
        sums = log_sum(torch.where(mine, log_w[:, None], -math.inf), dim=0)
        by_mode = torch.logaddexp(by_mode, sums)
    both = torch.cat([state.largest, log_w])
    return replace(
        state, draws=state.draws + n, hits=state.hits + len(z), forwards=state.forwards + n,
        plain=state.plain + int(plain.sum()), plain_hits=state.plain_hits + plain_hits,
        log_sum=log_plus(state.log_sum, log_w),
        log_squares=log_plus(state.log_squares, 2.0 * log_w),
        by_mode=by_mode, largest=torch.topk(both, min(_LARGEST, len(both))).values,
    )  # fmt: skip


def _modes(state: Weighing) -> list[dict[str, float]]:
    """Distance of every centre, and its part of the answer."""
    k = len(state.share)
    parts = torch.exp(state.by_mode - state.log_sum) if state.hits else torch.zeros(k)
    norms = state.means[:k].norm(dim=1)
    return [{"norm": float(b), "part": float(p)} for b, p in zip(norms, parts, strict=True)]


def _covered(state: Weighing) -> float | None:
    """Share of the scouts that draws of the mixture stand for."""
    out = mixing.left_out(state, state.log_sum - math.log(max(1, state.draws)))
    return None if out is None else 1.0 - float(out.double().mean())


def _doubt(state: Weighing, answer: float = 0.0) -> str:
    """What is wrong with the mixture, in a clause; else nothing."""
    if state.common:
        return ""
    if not len(state.share):
        why = "no design point was found: the margin has no gradient that leads to the event"
        if state.searched == modes.NEVER:
            why = "the budget does not hold a search for design points"
        return f"{why}, so this is plain Monte Carlo"
    covered = _covered(state)
    if state.islands and state.second > 1.0 - mixing.COVERED:
        return (
            "C is small islands, and scouts of a second climb stood on others than those of the "
            "first, or none did: there may be more"
        )
    if answer < _TINY and not state.reached:
        return (
            f"no scout has confirmed an answer below 10^{_TINY / LN10:.0f}: likelier failures may "
            "have been missed"
        )
    if covered is not None and covered < mixing.COVERED:
        return f"{1.0 - covered:.0%} of the scouts stand in failures that the mixture leaves out"
    return ""
