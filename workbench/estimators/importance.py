"""Importance sampling from a mixture of Gaussians around all ways to fail."""

import math
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from workbench.distributions import Reparameterised
from workbench.errors import BadInput, Unsupported
from workbench.estimators import islands, lookout, modes
from workbench.estimators.base import Estimate, Estimator, Needs, check_positive
from workbench.estimators.monte_carlo import clopper_pearson
from workbench.estimators.proposal import LEAST_VAR, Proposal, floored, of_gaussians
from workbench.estimators.tilt import narrowed
from workbench.estimators.witness import Failures, Witness
from workbench.math.cost import Cost
from workbench.math.gaussian import ONE_SIDED_95, TWO_SIDED_95, log_cdf_value
from workbench.math.logspace import LN10, log_plus, log_sum
from workbench.math.pareto import standard_error, tail_index
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.types import Grad, Kind

_PLAIN, _FIRST_FLOOR, _FLOOR = 0.05, 0.05, 0.02
_PILOT_SHARE = 0.1
_LARGEST = 256
_HEAVY, _FEW = 0.7, 50.0
_COVERED, _HEAVIER = 0.9, 30.0
_SCOUTS_ADDED, _MOST_ADDED = 20, 8  # scouts a cluster, and clusters, at most that many
_WIDE = 0.2  # share of the copies that are nowhere narrower than N(0, I)
_TINY = -15.0 * LN10
_PAIRS = 6  # opposite pairs of climbs from all sides
_SIDES = 0.05  # share of what is left that they may cost
_SIDES_COST = 2 * _PAIRS * lookout.CLIMB
_ADDED = 0.7  # share of the draws that Gaussians added for what was left out have, at most
_ROUNDS = 4  # pilot rounds of thin Gaussians around islands
_SELDOM = 0.1  # share of the draws that fail, below which C is islands that these Gaussians miss


@dataclass(frozen=True, kw_only=True)
class Weighing(modes.Finding):
    """The Gaussians, then the mixture of them, then running sums of weights."""

    basis: Tensor
    """`(k, d, r)` and `(k, r)`, `(k,)`: the mixture around `means`, see `Proposal`."""
    var: Tensor
    share: Tensor
    rounds: int = 0
    filled: int = 0
    """Pilot rounds more, for Gaussians that were added where failures were left out."""
    least: float = LEAST_VAR
    """Of any variance of the mixture: smaller once there are Gaussians around islands."""
    islands: int = 0
    """1 once there are, 2 once a second climb was asked about them."""
    second: float = 0.0
    """Share of a second climb's scouts that the mixture around those of the first leaves out; 1
    where there was no room for one."""
    draws: int = 0
    hits: int = 0
    plain: int = 0
    """Draws from N(0, I) itself, and how many of them failed."""
    plain_hits: int = 0
    log_sum: float = -math.inf
    log_squares: float = -math.inf
    by_mode: Tensor
    """`(k,)`: log of the sum of weights of the draws nearest to each centre."""
    largest: Tensor
    """The largest log weights, for the index of their tail."""

    @property
    def proposal(self) -> Proposal:
        """N(0, I) alone where there is no way to fail to go to."""
        plain = _PLAIN if len(self.share) else 1.0
        means = self.means[: len(self.share)]
        return Proposal(means, self.basis, self.var, self.share, plain, self.least)

    @property
    def drawn_from(self) -> Proposal:
        """That mixture with its copies."""
        return self.proposal.widened(_WIDE)


@dataclass(frozen=True)
class Importance(Witness, Estimator):
    """Draws from a mixture around every way to fail, weighted by the ratio of densities.

    The margin's gradient finds the design points of all clauses from several starts; with budgets
    from 4,000, and where there is no design point, scouts climb by splitting as well. Around
    each, gradients fit the Gaussian nearest to the tilted law phi(z) exp(lambda s(z)); those, and
    N(0, I) with share 0.05, are the proposal; a fifth of each is a copy that is nowhere narrower
    than N(0, I), lest failures that a Gaussian is too narrow for be rare and heavy. Pilot
    rounds refit it by cross-entropy; scouts that it leaves out then, where a draw would weigh 30
    times the mean, get Gaussians of their own. Neither is used in the answer, so that P-hat = mean
    of phi(z) / q(z) over the failing draws is unbiased whatever was fitted.

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
            return _mixed(found) if found.found else found
        if state.rounds < self.pilots + state.filled and len(state.share):
            n = int(max(1, min(self.pilot, _PILOT_SHARE * state.left)))
            z, log_w, _ = _draw(problem, state, n)
            alive = torch.isfinite(log_w)
            refitted = state.proposal.refit(z[alive], log_w[alive], _FLOOR)
            state = replace(state, rounds=state.rounds + 1, forwards=state.forwards + n)
            state = _with(state, refitted)
            told = float(log_sum(log_w)) - math.log(n)
            if state.rounds == self.pilots:
                state = _filled(problem, state, told)
            if state.rounds == self.pilots + state.filled:
                if state.islands == 1:
                    return _confirmed(problem, state, told)
                if not state.islands and float(alive.double().mean()) < _SELDOM:
                    return _on_islands(problem, state, told)
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


def _mixed(state: Weighing) -> Weighing:
    """The first mixture of the Gaussians that were found."""
    if len(state.means) == 0:
        return state
    fit = state.fit
    square = fit.means.square().sum(1)
    guess = 0.5 * (torch.logdet(fit.covs) - square)
    share = floored(torch.softmax(guess, 0), _FIRST_FLOOR)
    covs = narrowed(fit) if state.fitted < modes.NEVER else fit.covs
    mixture = of_gaussians(fit.means, covs, share, _PLAIN)
    nothing = torch.full_like(share, -math.inf)
    dropped = {name: getattr(state, name)[:0] for name in ("covs", "slopes", "tilt", "clauses")}
    return _with(replace(state, by_mode=nothing, **dropped), mixture)


def _filled(problem: Problem, state: Weighing, log_p: float) -> Weighing:
    """With unit Gaussians where the mixture leaves failures out: at clusters of the scouts there,
    where these are many, and where climbs from all sides enter C. Another pilot round then refits
    it. log P by the last one is `log_p`.
    """
    centres, part = _by_scouts(state, log_p)
    sides, share, spent = _by_sides(problem, state, log_p)
    state = replace(state, forwards=state.forwards + spent)
    centres, part = torch.cat([centres, sides]), torch.cat([part, share])
    if not len(centres):
        return state
    q, eye = state.proposal, torch.eye(centres.shape[1], dtype=centres.dtype)
    share = torch.cat([(1.0 - part.sum().clamp(max=_ADDED)) * q.share, part])
    mixture = of_gaussians(
        torch.cat([q.means, centres]), torch.cat([q.covariances, eye.expand(len(centres), -1, -1)]),
        floored(share, _FIRST_FLOOR), _PLAIN,
    )  # fmt: skip
    nothing = torch.full_like(share, -math.inf)
    return _with(replace(state, filled=1, by_mode=nothing), mixture)


def _on_islands(problem: Problem, state: Weighing, log_p: float) -> Weighing:
    """With Gaussians as thin as the scouts stand that are left out even so, where these are many;
    more pilot rounds then refit it. log P by the last one is `log_p`."""
    out = _left_out(state, log_p)
    if out is None or float(out.double().mean()) <= 1.0 - _COVERED or state.left < islands.COST:
        return state
    generator = state.rng.child("islands").generator()
    means, covs, part, spent = islands.gaussians(problem, state.noise[out], generator)
    q, added = state.proposal, _ADDED * float(out.double().mean())
    share = torch.cat([(1.0 - added) * q.share, added * part])
    mixture = of_gaussians(
        torch.cat([q.means, means]), torch.cat([q.covariances, covs]), floored(share, _FLOOR),
        _PLAIN, islands.LEAST_VAR,
    )  # fmt: skip
    state = replace(
        state, filled=state.filled + _ROUNDS, least=islands.LEAST_VAR, islands=state.islands + 1,
        by_mode=torch.full_like(share, -math.inf), forwards=state.forwards + spent,
    )  # fmt: skip
    return _with(state, mixture)


def _confirmed(problem: Problem, state: Weighing, log_p: float) -> Weighing:
    """With what a second climb says of the mixture around the scouts of the first, and with
    Gaussians around those of its scouts that it leaves out, where these are many."""
    again = modes.climbed_again(problem, state)
    assert isinstance(again, Weighing)
    out = _left_out(again, log_p)
    second = 1.0 if out is None else float(out.double().mean())
    if out is not None and second > 1.0 - _COVERED:
        again = _on_islands(problem, again, log_p)
    own = ("noise", "margin", "threshold", "log_level", "step_size", "scouted")
    kept = {name: getattr(state, name) for name in own}
    return replace(again, **kept, islands=2, second=second)


def _by_scouts(state: Weighing, log_p: float) -> tuple[Tensor, Tensor]:
    """Centres `(k, d)` of the scouts that are left out, where they are many, and their parts."""
    none = state.means[:0]
    out = _left_out(state, log_p)
    if out is None or float(out.double().mean()) <= 1.0 - _COVERED:
        return none, none.sum(1)
    scouts = state.noise[out]
    k = max(1, min(_MOST_ADDED, len(scouts) // _SCOUTS_ADDED))
    centres = modes.clusters(scouts, k, state.rng.child("left out").generator())
    count = torch.bincount(torch.cdist(scouts, centres).argmin(1), minlength=len(centres))
    return centres, (count / len(out)).to(centres.dtype)


def _by_sides(problem: Problem, state: Weighing, log_p: float) -> tuple[Tensor, Tensor, int]:
    """Where climbs from all sides of D enter parts of C that are left out `(k, d)`, the parts that
    half-spaces as far away have of P, `(k,)`, and the cost; see `lookout`."""
    none = state.means[:0]
    radius = lookout.radius_of(log_p)
    if not math.isfinite(log_p) or radius < lookout.NEAREST or _SIDES * state.left < _SIDES_COST:
        return none, none.sum(1), 0
    try:
        u, t, spent = lookout.met(problem, _PAIRS, radius, 0)
    except Unsupported:
        return none, none.sum(1), 2 * 2 * _PAIRS
    at = t[:, None] * u
    log_w = -0.5 * t.square() - state.drawn_from.log_density(at)
    at = lookout.apart(at[log_w - log_p > math.log(_HEAVIER)])[:_MOST_ADDED]
    mass = log_cdf_value(-at.norm(dim=1))
    total = torch.logsumexp(torch.cat([mass, mass.new_tensor([log_p])]), 0)
    return at, torch.exp(mass - total), spent


def _with(state: Weighing, q: Proposal) -> Weighing:
    return replace(state, means=q.means, basis=q.basis, var=q.var, share=q.share)


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


def _left_out(state: Weighing, log_p: float) -> Tensor | None:
    """Which scouts stand where a draw would weigh more than 30 times the mean, `(n,)`.

    The weight of a draw over the mean of all is phi / (q P). P is what draws say, `log_p`, or the
    scouts' own levels where that is more: draws may lack a part of C, and levels are rough.
    """
    if not state.reached or not len(state.share):
        return None
    z = state.noise
    log_w = -0.5 * z.square().sum(1) - state.drawn_from.log_density(z)
    return log_w - max(state.log_level, log_p) > math.log(_HEAVIER)


def _covered(state: Weighing) -> float | None:
    """Share of the scouts that draws of the mixture stand for."""
    out = _left_out(state, state.log_sum - math.log(max(1, state.draws)))
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
    if state.islands and state.second > 1.0 - _COVERED:
        return (
            "C is small islands, and scouts of a second climb stood on others than those of the "
            "first, or none did: there may be more"
        )
    if answer < _TINY and not state.reached:
        return (
            f"no scout has confirmed an answer below 10^{_TINY / LN10:.0f}: likelier failures may "
            "have been missed"
        )
    if covered is not None and covered < _COVERED:
        return f"{1.0 - covered:.0%} of the scouts stand in failures that the mixture leaves out"
    return ""


def beside(state: Weighing, means: Tensor, covs: Tensor, share: Tensor) -> Weighing:
    """These Gaussians beside those that the search for ways to fail has found, half the mass each.

    Args:
        state: one whose search has just ended.
        means: `(k, d)` in base noise.
        covs: `(k, d, d)`.
        share: `(k,)`, sums to 1.
    """
    if state.common:
        return state
    own = state.proposal
    if len(own.share):
        means, covs = torch.cat([own.means, means]), torch.cat([own.covariances, covs])
        share = torch.cat([own.share, share])
    mixture = of_gaussians(means, covs, floored(share, _FLOOR), _PLAIN)
    return _with(replace(state, by_mode=torch.full_like(share, -math.inf)), mixture)


def around(state: Weighing, means: Tensor, covs: Tensor, share: Tensor) -> Weighing:
    """A state that starts from these Gaussians instead of a search for ways to fail.

    Args:
        state: of `Importance.init`.
        means: `(k, d)` in base noise.
        covs: `(k, d, d)`.
        share: `(k,)`, sums to 1.
    """
    mixture = of_gaussians(means, covs, floored(share, _FIRST_FLOOR), _PLAIN)
    given = replace(
        state, searched=modes.NEVER, scouted=modes.NEVER, fitted=modes.NEVER,
        by_mode=torch.full_like(share, -math.inf),
    )  # fmt: skip
    return _with(given, mixture)
