"""All ways to fail, each as a Gaussian: what a proposal is made of.

Three searches that see different things. Design points follow the margin's gradient from near the
middle, clause by clause. Scouts climb from N(0, I) by splitting, without gradients, and show where
failures lie in proportion to their probability; they are sent where no design point was found and
where the budget is ample. Each start then becomes a Gaussian of the tilted law.
"""

import math
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from workbench.distributions import Reparameterised
from workbench.estimators import design_points, levels, subspace, tilt
from workbench.estimators.design_points import margin_and_gradient
from workbench.estimators.tilt import Tilted
from workbench.iteration import State
from workbench.kernels import PCN
from workbench.problem import Problem
from workbench.rng import Rng

NEVER = 1 << 20
"""A counter at this: the phase is not to be."""
COMMON = 1.0
"""A design point nearer than this: P is above 0.1, and plain draws do best."""
_FIT_SHARE, _FEWEST, _MOST = 0.3, 16, 256
_SCOUT_SHARE, _ALONE_SHARE, _SCOUT_FROM, _FEW_SCOUTS, _MANY_SCOUTS = 0.2, 0.6, 4_000, 300, 600
_KEEP, _TARGET, _LEVELS = 0.2, 0.35, 60
_COSTLY = 12  # levels to 1e-8
_SCOUTS_A_CLUSTER, _SWEEPS = 60, 15
_SPARE = 0.2  # of what is left, that a second climb leaves


@dataclass(frozen=True, kw_only=True)
class Finding(State):
    """Design points, scouts, and the Gaussians that are fitted to both."""

    at: Tensor
    clause: Tensor
    best: Tensor
    norm: Tensor
    searched: int = 0
    noise: Tensor
    """`(n, d)`: the scouts."""
    margin: Tensor
    threshold: float = -math.inf
    log_level: float = 0.0
    """log P(margin > threshold) by the scouts' levels."""
    step_size: float = PCN.start
    scouted: int = 0
    """Levels that the scouts have climbed."""
    frame: Tensor
    """`(d, r)`: the subspace that Gaussians are fitted in, in whose coordinates they then are;
    `(d, 0)` where it is the whole."""
    means: Tensor
    """`(k, d)`, or `(k, r)`."""
    covs: Tensor
    slopes: Tensor
    tilt: Tensor
    clauses: Tensor
    """`(k,)`: the clause that each Gaussian is fitted to, -1 for the whole of C."""
    fitted: int = 0

    @property
    def points(self) -> design_points.Points:
        """The search for design points."""
        return design_points.Points(self.at, self.clause, self.best, self.norm)

    @property
    def fit(self) -> Tilted:
        """The Gaussians so far."""
        return Tilted(self.means, self.covs, self.slopes, self.tilt, self.clauses)

    @property
    def common(self) -> bool:
        """Whether the event is so common that nothing need be searched."""
        return len(self.norm) > 0 and float(self.norm.min()) < COMMON

    @property
    def pointed(self) -> bool:
        """Whether a design point was found."""
        return len(self.norm) > 0 and bool(torch.isfinite(self.norm).any())

    @property
    def reached(self) -> bool:
        """Whether the scouts stand in the event."""
        return 0 < self.scouted < NEVER and self.threshold >= 0.0

    @property
    def found(self) -> bool:
        """Whether the Gaussians are ready."""
        return self.searched >= design_points.STEPS and not _scouting(self) and (
            self.fitted >= tilt.ROUNDS
        )  # fmt: skip


def start(problem: Problem, rng: Rng) -> Finding:
    """Before the first step."""
    p = design_points.start(problem, rng)
    empty = p.at.new_empty(0)
    d = p.at.shape[1]
    return Finding(
        rng=rng, at=p.at, clause=p.clause, best=p.best, norm=p.norm, noise=p.at.new_empty(0, d),
        margin=empty, frame=p.at.new_empty(d, 0), means=p.at.new_empty(0, d),
        covs=p.at.new_empty(0, d, d), slopes=p.at.new_empty(0, d, d), tilt=empty,
        clauses=p.clause[:0],
    )  # fmt: skip


def advance(problem: Problem, state: Finding, most: int) -> Finding:
    """One step of the search, of the scouts or of the fit; at most `most` design points."""
    if state.searched < design_points.STEPS:
        if state.left < 2.0 * (design_points.STEPS - state.searched) * len(state.at):
            return replace(state, searched=NEVER)
        points = design_points.advance(problem, state.points, state.searched)
        return replace(
            state, at=points.at, best=points.best, norm=points.norm, searched=state.searched + 1,
            forwards=state.forwards + 2 * len(points.at),
        )  # fmt: skip
    if _scouting(state):
        return _scout(problem, state)
    return _fit(problem, state, most)


def _scouting(state: Finding) -> bool:
    ample = state.limit is None or state.limit >= _SCOUT_FROM
    wanted = state.searched < NEVER and not state.common and (ample or not state.pointed)
    return wanted and state.scouted < NEVER and not state.reached


def _scout(problem: Problem, state: Finding, unbidden: bool = False) -> Finding:
    """One level more; `unbidden` by the share of the budget that scouts have."""
    rng = state.rng.child("scouts", state.scouted)
    if state.scouted == 0:
        n = _scouts(state)
        if state.left < n / _scout_share(state):
            return replace(state, scouted=NEVER)
        return _first_scouts(problem, state, n)
    threshold = min(0.0, levels.quantile(state.margin, _KEEP))
    lost = not bool((state.margin > threshold).any()) or threshold <= state.threshold
    if lost or state.scouted > _LEVELS or (not unbidden and _overspent(state)):
        return replace(state, scouted=NEVER)
    share = float((state.margin > threshold).double().mean())
    refilled = levels.refill(
        problem, PCN(), state.noise, state.margin, threshold, rng,
        step_size=state.step_size, target=_TARGET, left=state.left,
    )  # fmt: skip
    if refilled is None:
        return replace(state, scouted=NEVER)
    return replace(
        state, noise=refilled.noise, margin=refilled.margin, threshold=threshold,
        log_level=state.log_level + math.log(share), step_size=refilled.step_size,
        scouted=state.scouted + 1,
        forwards=state.forwards + refilled.spent,
    )  # fmt: skip


def climbed_again(problem: Problem, state: Finding) -> Finding:
    """The state with half as many scouts, of another climb, in the place of its own; with none in C
    where that fails, or where the budget leaves no more than a fifth above what it usually takes.
    """
    n, spare = len(state.noise) // 2, _SPARE * state.left if state.limit is not None else 0.0
    if not n or state.left - spare < n * (1.0 + (1.0 - _KEEP) * state.scouted):
        return replace(state, scouted=NEVER)
    return climbed(problem, state, n, "again", spare)


def climbed(problem: Problem, state: Finding, n: int, key: str, spare: float) -> Finding:
    """The state with n scouts of a climb from N(0, I) in the place of its own; with none in C where
    that fails.

    Args:
        key: of the climb's random numbers.
        spare: forward passes that it leaves.
    """
    found = replace(
        state, noise=state.noise[:0], margin=state.margin[:0], threshold=-math.inf, log_level=0.0,
        step_size=PCN.start, scouted=0, rng=state.rng.child(key),
    )  # fmt: skip
    found = _first_scouts(problem, found, n)
    while found.scouted < NEVER and not found.reached:
        enough = found.left > spare + n
        found = _scout(problem, found, unbidden=True) if enough else replace(found, scouted=NEVER)
    return replace(found, rng=state.rng)


def _first_scouts(problem: Problem, state: Finding, n: int) -> Finding:
    d = problem.distribution
    assert isinstance(d, Reparameterised)
    z = d.noise(n, state.rng.child("scouts", 0).generator())
    s = problem.margin_of_noise(z)
    return replace(state, noise=z, margin=s, scouted=1, forwards=state.forwards + n)


def _scouts(state: Finding) -> int:
    """How many: where there are design points too, as many as their share lets climb."""
    if state.limit is None:
        return _MANY_SCOUTS
    climb = int(_SCOUT_SHARE * state.limit / _COSTLY)
    if climb >= _MANY_SCOUTS:
        return _MANY_SCOUTS
    return min(_FEW_SCOUTS, climb) if state.pointed else _FEW_SCOUTS


def _overspent(state: Finding) -> bool:
    if state.limit is None:
        return False
    search = 2 * len(state.at) * design_points.STEPS
    return state.forwards + len(state.noise) - search > _scout_share(state) * state.limit


def _scout_share(state: Finding) -> float:
    """Of the budget: more where nothing but scouts leads to the event."""
    return _SCOUT_SHARE if state.pointed else _ALONE_SHARE


def _fit(problem: Problem, state: Finding, most: int) -> Finding:
    d = problem.distribution
    assert isinstance(d, Reparameterised)
    if state.fitted == 0:
        state = _with_starts(problem, state, most)
        # phi(z) exp(lambda s(z)) has no integral where s outgrows every multiple of |z|.
        if len(state.means) == 0 or d.stretched:
            return replace(state, fitted=NEVER)
    rounds = tilt.ROUNDS - state.fitted
    cost = 2 * rounds * len(state.means)
    n = _MOST if math.isinf(state.left) else min(_MOST, int(_FIT_SHARE * state.left / cost))
    if n < _FEWEST:  # the design points themselves, then, and unit Gaussians around them
        return replace(state, fitted=NEVER)
    generator = state.rng.child("tilt", state.fitted).generator()
    look = partial(margin_and_gradient, problem)
    if state.frame.shape[1]:
        look = subspace.look_within(problem, state.frame, generator)
    fit, spent = tilt.advance(look, state.fit, state.fitted, n, generator)
    state = _with(state, fit)
    return replace(state, fitted=state.fitted + 1, forwards=state.forwards + spent)


def _with(state: Finding, fit: Tilted) -> Finding:
    return replace(
        state, means=fit.means, covs=fit.covs, slopes=fit.slopes, tilt=fit.tilt,
        clauses=fit.clause,
    )  # fmt: skip


def _with_starts(problem: Problem, state: Finding, most: int) -> Finding:
    """Unit Gaussians at the design points and at the centres of the scouts' clusters."""
    if state.common:
        return state
    kept = design_points.chosen(state.points, most)
    means, clauses = state.best[kept], state.clause[kept]
    if state.reached:
        n = max(1, len(state.noise) // _SCOUTS_A_CLUSTER)
        centres = clusters(state.noise, n, state.rng.child("clusters").generator())
        means = torch.cat([means, centres])
        clauses = torch.cat([clauses, torch.full((len(centres),), -1)])
    if means.shape[1] > subspace.WIDE and len(means):
        generator = state.rng.child("subspace").generator()
        frame, spent = subspace.basis_around(problem, means, clauses, generator)
        state = replace(state, frame=frame, forwards=state.forwards + spent)
        means = means @ frame
    return _with(state, tilt.start(means, clauses))


def left_out(state: Finding, most: int) -> int:
    """Clauses of C with a design point that none of the `most` kept ones stands for."""
    if state.common or not bool(torch.isfinite(state.norm).any()):
        return 0
    every = design_points.chosen(state.points, len(state.at))
    kept = set(state.clause[every[:most]].tolist())
    return len(set(state.clause[every].tolist()) - kept)


def clusters(z: Tensor, k: int, generator: torch.Generator) -> Tensor:
    """Centres of k clusters of z `(n, d)`: Lloyd's iteration from k-means++ starts."""
    centres = z[torch.randint(len(z), (1,), generator=generator)]
    for _ in range(k - 1):
        square = torch.cdist(z, centres).square().amin(1)
        if float(square.max()) == 0.0:
            break
        centres = torch.cat([centres, z[torch.multinomial(square, 1, generator=generator)]])
    for _ in range(_SWEEPS):
        owner = torch.cdist(z, centres).argmin(1)
        mine = torch.nn.functional.one_hot(owner, len(centres)).to(z.dtype)
        count = mine.sum(0)[:, None]
        centres = torch.where(count > 0, mine.T @ z / count.clamp(min=1.0), centres)
    return centres
