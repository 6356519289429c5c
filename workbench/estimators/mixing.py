"""The mixture that `importance` draws from: begun around all ways to fail, filled where it leaves
failures out, laid anew where they are small islands."""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from workbench.errors import Unsupported
from workbench.estimators import islands, lookout, modes
from workbench.estimators.proposal import LEAST_VAR, Proposal, floored, joined, of_gaussians, units
from workbench.estimators.tilt import narrowed
from workbench.math.gaussian import log_cdf_value
from workbench.problem import Problem

_PLAIN, _FIRST_FLOOR, FLOOR = 0.05, 0.05, 0.02
COVERED, _HEAVIER = 0.9, 30.0
_SCOUTS_ADDED, _MOST_ADDED = 20, 8  # scouts a cluster, and clusters, at most that many
_WIDE = 0.2  # share of the copies that are nowhere narrower than N(0, I)
_PAIRS = 6  # opposite pairs of climbs from all sides
_SIDES = 0.05  # share of what is left that they may cost
_SIDES_COST = 2 * _PAIRS * lookout.CLIMB
_ADDED = 0.7  # share of the draws that Gaussians added for what was left out have, at most
_ROUNDS = 4  # pilot rounds of thin Gaussians around islands
_SPARE = 0.4  # of a budget, that a climb into islands leaves for draws


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


def mixed(state: Weighing) -> Weighing:
    """The first mixture of the Gaussians that were found."""
    if len(state.means) == 0:
        return state
    fit = state.fit
    square = fit.means.square().sum(1)
    guess = 0.5 * (torch.logdet(fit.covs) - square)
    share = floored(torch.softmax(guess, 0), _FIRST_FLOOR)
    covs = narrowed(fit) if state.fitted < modes.NEVER else fit.covs
    mixture = of_gaussians(fit.means, covs, share, _PLAIN)
    if state.frame.shape[1]:
        mixture = mixture.lifted(state.frame)
    nothing = torch.full_like(share, -math.inf)
    dropped = {name: getattr(state, name)[:0] for name in ("covs", "slopes", "tilt", "clauses")}
    return with_mixture(replace(state, by_mode=nothing, **dropped), mixture)


def filled(problem: Problem, state: Weighing, log_p: float) -> Weighing:
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
    q = state.proposal
    share = torch.cat([(1.0 - part.sum().clamp(max=_ADDED)) * q.share, part])
    added = units(centres, part, _PLAIN, q.var.shape[1])
    mixture = joined(q, added, floored(share, _FIRST_FLOOR))
    nothing = torch.full_like(share, -math.inf)
    return with_mixture(replace(state, filled=1, by_mode=nothing), mixture)


def with_islands(problem: Problem, state: Weighing, log_p: float) -> Weighing:
    """With Gaussians as thin as the scouts stand that are left out even so, where these are many;
    more pilot rounds then refit it. log P by the last one is `log_p`."""
    out = left_out(state, log_p)
    if out is None or float(out.double().mean()) <= 1.0 - COVERED or state.left < islands.COST:
        return state
    generator = state.rng.child("islands").generator()
    thin, spent = islands.thin(problem, state.noise[out], _PLAIN, generator)
    state = replace(state, forwards=state.forwards + spent)
    if thin is None:
        return state
    q, added = state.proposal, _ADDED * float(out.double().mean())
    share = torch.cat([(1.0 - added) * q.share, added * thin.share])
    mixture = joined(q, thin, floored(share, FLOOR))
    state = replace(
        state, filled=state.filled + _ROUNDS, least=thin.least, islands=state.islands + 1,
        by_mode=torch.full_like(share, -math.inf),
    )  # fmt: skip
    return with_mixture(state, mixture)


def confirmed(problem: Problem, state: Weighing, log_p: float) -> Weighing:
    """With what a second climb says of the mixture around the scouts of the first, and with
    Gaussians around those of its scouts that it leaves out, where these are many."""
    again = modes.climbed_again(problem, state)
    assert isinstance(again, Weighing)
    out = left_out(again, log_p)
    second = 1.0 if out is None else float(out.double().mean())
    if out is not None and second > 1.0 - COVERED:
        again = with_islands(problem, again, log_p)
    own = ("noise", "margin", "threshold", "log_level", "step_size", "scouted")
    kept = {name: getattr(state, name) for name in own}
    return replace(again, **kept, islands=2, second=second)


def _by_scouts(state: Weighing, log_p: float) -> tuple[Tensor, Tensor]:
    """Centres `(k, d)` of the scouts that are left out, where they are many, and their parts."""
    none = state.means[:0]
    out = left_out(state, log_p)
    if out is None or float(out.double().mean()) <= 1.0 - COVERED:
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


def with_mixture(state: Weighing, q: Proposal) -> Weighing:
    """The state that draws from q."""
    return replace(state, means=q.means, basis=q.basis, var=q.var, share=q.share)


def left_out(state: Weighing, log_p: float) -> Tensor | None:
    """Which scouts stand where a draw would weigh more than 30 times the mean, `(n,)`.

    The weight of a draw over the mean of all is phi / (q P). P is what draws say, `log_p`, or the
    scouts' own levels where that is more: draws may lack a part of C, and levels are rough.
    """
    if not state.reached or not len(state.share):
        return None
    z = state.noise
    log_w = -0.5 * z.square().sum(1) - state.drawn_from.log_density(z)
    return log_w - max(state.log_level, log_p) > math.log(_HEAVIER)


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
    own, mixture = state.proposal, of_gaussians(means, covs, floored(share, FLOOR), _PLAIN)
    if len(own.share):
        mixture = joined(own, mixture, floored(torch.cat([own.share, share]), FLOOR))
    nothing = torch.full_like(mixture.share, -math.inf)
    return with_mixture(replace(state, by_mode=nothing), mixture)


def from_islands(problem: Problem, state: Weighing, n: int) -> Weighing:
    """A state that starts from Gaussians around n scouts that climb into C, without another search.

    Without any where they do not reach it.

    Args:
        state: of `Importance.init`, with a limit.
    """
    own = state.rng.child("islands").generator()
    climbed = modes.climbed(problem, state, n, "first", _SPARE * state.left)
    assert isinstance(climbed, Weighing)
    if not climbed.reached:
        return climbed
    thin, spent = islands.thin(problem, climbed.noise, _PLAIN, own)
    climbed = replace(climbed, forwards=climbed.forwards + spent)
    if thin is None:
        return climbed
    begun = replace(
        climbed, searched=modes.NEVER, fitted=modes.NEVER, islands=1, filled=1, least=thin.least,
        by_mode=torch.full_like(thin.share, -math.inf),
    )  # fmt: skip
    return with_mixture(begun, replace(thin, share=floored(thin.share, FLOOR)))


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
    return with_mixture(given, mixture)
