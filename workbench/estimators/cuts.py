"""What of lines lies in C: beyond the one crossing of each, or wherever they are in C."""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from workbench.distributions import Reparameterised
from workbench.estimators import along, drawn, lines, whole_lines
from workbench.estimators.drawn import Lines
from workbench.math.gaussian import log_cdf_value
from workbench.math.logspace import log_sum
from workbench.problem import Problem

_BEYOND, _BEFORE = 9.0, 12.0
_SLIGHT = 0.1  # share of P below which what probes say is noise
_FOLLOWED = 4  # passes that following a place costs: it is found, and gone through both ways


@dataclass(frozen=True, eq=False)
class Cut:
    """Lines and what of them lies in C.

    Args:
        across: w, `(n, d)`.
        t: `(n,)`: where they enter C; 0 where all of each line is counted.
        log_mass: `(n,)`: log P(C | w).
        slope: how fast the margin usually rises where they enter.
        evaluations: of the margin.
        grid: `(n, g)`: places along the lines, where all of each is counted; else None.
        s: `(n, g)`: the margins there.
        turns, top: `(n, 2)` and `(n,)`: where lines that do not enter may do so, see `Crossings`.
    """

    across: Tensor
    t: Tensor
    log_mass: Tensor
    slope: float
    evaluations: int
    grid: Tensor | None = None
    s: Tensor | None = None
    turns: Tensor | None = None
    top: Tensor | None = None


def cut(problem: Problem, state: Lines, k: int, across: Tensor) -> Cut:
    """The lines w `(n, d)` of summit k, a summit of this piece of D."""
    if state.whole:
        return _all_of(problem, state, k, across)
    assert isinstance(problem.distribution, Reparameterised)
    unit, start = drawn.unit_of(state, k), drawn.start_of(state, k)
    hit = lines.crossings(
        problem.margin_of_noise, across, unit, across.new_full((len(across),), start),
        float(state.slope[k]), (-_BEFORE, start + _BEYOND),
        bent=problem.distribution.stretched,
    )  # fmt: skip
    return Cut(
        across, hit.t, log_cdf_value(-hit.t), hit.slope, hit.evaluations, turns=hit.turns,
        top=hit.top,
    )  # fmt: skip


def _all_of(problem: Problem, state: Lines, k: int, across: Tensor) -> Cut:
    """With a graph where one is wanted."""
    assert isinstance(problem.distribution, Reparameterised)
    unit = drawn.unit_of(state, k)
    with torch.no_grad():
        t, s = whole_lines.scanned(problem.margin_of_noise, across, unit, drawn.start_of(state, k))
    if torch.is_grad_enabled():
        s = problem.margin_of_noise(along.places(across, unit, t)).reshape(t.shape)
    log_mass = along.integrated(torch.zeros_like(s), s, t)
    none = across.new_zeros(len(across))
    return Cut(across, none, log_mass, float(state.slope[k]), s.numel(), t, s)


def price(state: Lines) -> int:
    """Forward passes that a line can cost; where all of it is counted, with its gradient."""
    if not state.whole or not len(state.theta):
        return lines.MOST
    return _places(state) * (1 + _FOLLOWED * torch.is_grad_enabled())


def _places(state: Lines) -> int:
    """Places of a whole line at which the margin is seen."""
    dim = state.theta.shape[1]
    return max(whole_lines.cost(drawn.start_of(state, k), dim) for k in range(len(state.theta)))


def shared(state: Lines, k: int, cut: Cut) -> Tensor:
    """log of what lines of summit k have of P, beside those of the others, `(n,)`."""
    units, index, mine, _ = drawn.mates(state, k)
    if cut.s is None or cut.grid is None:
        return lines.log_beyond(cut.t, cut.across, units, index, mine)
    if len(units) == 1:
        return cut.log_mass
    z = along.places(cut.across, units[mine], cut.grid)
    v = -lines.log_share(z, units, index, mine).reshape(cut.s.shape)
    return along.integrated(v, cut.s, cut.grid)


def counted(state: Lines, k: int, cut: Cut) -> Lines:
    """The state with these lines of summit k beside the others."""
    at = cut.across + torch.where(torch.isfinite(cut.t), cut.t, 0.0)[:, None] * drawn.unit_of(
        state, k
    )
    taken = state.taken.clone()
    taken[k, -1:] += len(cut.t)
    return drawn.weighed(replace(
        state,
        taken=taken,
        owner=torch.cat([state.owner, torch.full((len(cut.t),), k)]),
        at=torch.cat([state.at, at]),
        t=torch.cat([state.t, cut.t]),
        log_f=torch.cat([state.log_f, shared(state, k, cut)]),
    ))  # fmt: skip


def probed(
    pieces: list[tuple[Tensor, Problem]], state: Lines, found: list[Cut], fewest: int
) -> Lines:
    """The state after a look at whether one crossing tells what of the first lines lies in C.

    If not it is `whole`, without a line, where the budget holds as many as `fewest` of every
    summit so; else `missed` tells what is wrong with them.

    Args:
        found: of every summit.
    """
    said, wrong, spent = 0.0, 0.0, 0
    for k, cut in enumerate(found):
        log_weight, problem = pieces[int(state.piece[k])]
        assert isinstance(problem.distribution, Reparameterised)
        with torch.no_grad():
            own, missed, evaluations = whole_lines.probed(
                problem.margin_of_noise, cut.across, drawn.unit_of(state, k), cut.t,
                drawn.start_of(state, k), whole_lines.probes(problem, len(found)),
            )  # fmt: skip
        weight = math.exp(float(log_weight.detach()))
        said, wrong, spent = said + weight * own, wrong + weight * missed, spent + evaluations
    state = replace(
        state, forwards=state.forwards + spent, probing=state.probing + spent, missed=0.0
    )
    mass = [cut.log_mass.exp() * state.log_weight[k].detach().exp() for k, cut in enumerate(found)]
    mean = float(sum(m.mean() for m in mass))
    deviation = sum(float(m.std(unbiased=False)) for m in mass) / max(mean, 1e-300)
    return _judged(state, wrong / max(said, wrong, 1e-300), deviation, fewest)


@torch.no_grad()
def watched(
    pieces: list[tuple[Tensor, Problem]], state: Lines, k: int, cut: Cut, fewest: int
) -> Lines:
    """The state after a look at lines of summit k, counted already, that may enter C unseen.

    It is `whole` where much of P is missed so, and more than whole lines would be unsure of.
    """
    if cut.turns is None or cut.top is None or bool(cut.turns.isnan().all()):
        return state
    if state.left < whole_lines.LOOK:
        return state
    problem = pieces[int(state.piece[k])][1]
    assert isinstance(problem.distribution, Reparameterised)
    over, spent = whole_lines.stepped_over(
        problem.margin_of_noise, cut.across, drawn.unit_of(state, k), cut.turns, cut.top
    )
    state = replace(state, forwards=state.forwards + spent, probing=state.probing + spent)
    each, total = drawn.log_parts(state, state.log_weight.detach())
    part = float(torch.exp(each[k] - total)) if bool(torch.isfinite(total)) else 1.0
    share = part * over / max(float(cut.log_mass.exp().sum()) + over, 1e-300)
    if share <= state.missed:
        return state
    deviation = float(torch.sqrt(drawn.relative_variance(state)).sum())
    if share <= whole_lines.OVER:
        return replace(state, missed=share)
    return _judged(state, share, deviation, fewest)


def _judged(state: Lines, share: float, deviation: float, fewest: int) -> Lines:
    """The state that knows that such a share of P is miscounted; `whole`, without a line, where
    that is more than whole lines would be unsure of.

    Args:
        deviation: of a line from the others, over P, summed over all summits.
    """
    whole = replace(drawn.afresh(state), whole=True, missed=0.0)
    holds = state.left / price(whole)
    unsure = deviation / math.sqrt(holds) if holds >= fewest * len(state.theta) else math.inf
    return whole if share > max(whole_lines.MISSED, unsure) else replace(state, missed=share)


def followed(pieces: list[tuple[Tensor, Problem]], state: Lines, fewest: int) -> tuple[Tensor, int]:
    """0 with the gradient of log P through all crossings of whole lines, and its cost.

    Of as many of the first lines of every summit as the budget holds; of none, without a gradient,
    where that is not `fewest`.
    """
    if not len(state.t):
        return state.drift, 0
    each, total = drawn.log_parts(state, state.log_weight.detach())
    holds = state.left / (_FOLLOWED * _places(state))
    if holds < min(fewest, len(state.t)):
        return state.drift, 0
    share, drift, spent = min(1.0, holds / len(state.t)), state.drift, 0
    for k in range(len(each)):
        own = (state.owner == k).nonzero().squeeze(1)
        own = own[: max(1, int(share * len(own)))]
        log_p = state.log_p[own]
        if not bool(torch.isfinite(log_p).any()):
            continue
        problem, across = pieces[int(state.piece[k])][1], drawn.across(state, k)[: len(own)]
        with torch.enable_grad():
            cut = _all_of(problem, state, k, across)
            log_f = shared(state, k, cut)
        spent += _FOLLOWED * cut.evaluations
        part = torch.exp(log_p - log_sum(log_p) + each[k] - total)
        alive = torch.isfinite(log_f)
        drift = drift + (part[alive] * (log_f[alive] - log_f[alive].detach())).sum()
    return drift, spent


def miscounted(state: Lines) -> float:
    """Digits that what one crossing a line does not tell may be of P, roughly."""
    return -math.log10(max(1e-3, 1.0 - state.missed)) if state.missed > _SLIGHT else 0.0


def doubt(state: Lines) -> str:
    """What is wrong with lines of which one crossing does not tell all; else empty."""
    if state.missed <= whole_lines.MISSED:
        return ""
    return (
        f"lines leave C again or enter it twice, which may be {miscounted(state):.1g} digits: a "
        "larger budget holds counting all of each line"
    )
