"""The adversary: D searched by gradient to raise log P, held near D0 by a trust region."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
from torch import Tensor

from workbench.adversaries import optimisers, ride
from workbench.adversaries.climb import FIRST, Climb, Slopes
from workbench.adversaries.divergence import Nats, relative_entropy
from workbench.adversaries.families import Family, Parameters, Shifted, at, flat, no_points
from workbench.adversaries.pose import pose
from workbench.adversaries.region import KL, Region
from workbench.adversaries.result import Attack, attacked
from workbench.adversaries.score import log_p_and_score
from workbench.adversaries.search import Found, Search
from workbench.adversaries.seeking import Seeking
from workbench.distributions import Distribution
from workbench.errors import BadInput, NotConverged, Unsupported
from workbench.estimators import Conditioned, Estimator, summits
from workbench.estimators.base import check_positive
from workbench.estimators.witness import Witness
from workbench.iteration import FOREVER, Budget
from workbench.objective import log_p_and_grad
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.types import Grad

_RAMP = 0.4  # share of the steps over which the limit grows to its full size
_FEASIBLE = 1e-6
_BETTER, _COARSE = 1e-4, 0.1  # nats of log P that count as better; to a scout
_SCOUTED = 10  # steps of a scout at most
_EDGE, _SWING = 1e-3, 0.25  # of the limit; nats of log P that are a swing where a step loses them
_POINTS, _FINAL_DRAWS, _PULLS = 8, 8192, 6


@dataclass(frozen=True)
class Adversary(Seeking):
    """max log P_D[C] over a family of D, subject to a trust region around D0.

    Every step estimates log P_D[C] and its gradient g deterministically (no failure need ever have
    been seen), and the gradient k of what D spends. With a limit, lambda = (g . k / |k|^2)+ is the
    price of a nat; the optimiser moves along g - lambda k, and D is put back on the edge of the
    region, along k. What it comes to rest on has g = lambda k: nothing more is to be had at that
    price. The limit grows from near nothing to its full size, so that the path is a frontier. With
    a fixed price instead, the optimiser moves along g - price k.

    Settings:
        family: how D may differ from D0.
        region: how far it may go.
        estimator: of log P; it brings its kind of gradient: pathwise (`moments`, `slices`),
            implicit through its search (`conditioned`), or from samples by the score function
            (`importance`, `subset`).
        optimiser: "natural" steps by rate / lambda: with rate 1 and a shifted D the fixed point
            theta = g / lambda; "adam", "rmsprop", "momentum" are torch's; "auto" is natural steps
            for families whose parameters have the scale of nats, and adam for networks. A region
            with a step of its own (`Cube`) takes that.
        rate: of the optimiser; none for 0.7 of natural steps, 0.03 of others. A step at the full
            limit that loses a quarter of a nat or more halves the natural ones that follow.
        steps: at most, a restart.
        restarts: starts: the first at D0, each further one at the edge towards another failure.
        patience: steps at the full limit without gain that end a restart.
        draws: forward passes a step, where the gradient is from failures that were seen.
        scout: an estimator with a cheaper gradient, such as `Moments("mean")`, that climbs first,
            at the full limit, until a step gains less than a tenth of a nat, or ten are done. It
            saves most of the forward passes, and the frontier on the way.

    >>> import workbench as wb
    >>> problem = wb.load("A_d10_1e-6")
    >>> attack = Adversary(region=KL(2.0), estimator=wb.Moments(), steps=10)(problem)
    >>> round(attack.nats, 6), round(attack.log10_p, 3)  # log10 Phi(2 - 4.753)
    (2.0, -2.53)
    """

    family: Family = field(default_factory=Shifted)
    region: Region = field(default_factory=KL)
    estimator: Estimator = field(default_factory=Conditioned)
    optimiser: str = "auto"
    rate: float | None = None
    steps: int = 40
    restarts: int = 1
    patience: int = 8
    draws: int = 5000
    scout: Estimator | None = field(default=None, metadata={"nested": True})
    name: ClassVar[str] = "adversary"
    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {"optimiser": ("auto", *optimisers.NAMES)}

    def __post_init__(self) -> None:
        check_positive(
            self.name, steps=self.steps, restarts=self.restarts, patience=self.patience,
            draws=self.draws,
        )  # fmt: skip
        if self.optimiser not in self.choices["optimiser"]:
            known = ", ".join(self.choices["optimiser"])
            raise BadInput(f"unknown optimiser {self.optimiser!r}: use one of {known}")
        rate = self.rate
        if rate is not None and not (isinstance(rate, int | float) and 0 < rate < math.inf):
            raise BadInput(f"adversary: rate must be a number above 0, got {rate!r}")

    def _estimator(self, state: Search) -> Estimator:
        """Whose gradient is climbed now."""
        return self.scout if state.scouting and self.scout is not None else self.estimator

    def _budget(self, state: Search) -> Budget:
        left = None if state.limit is None else max(1, int(state.left))
        if isinstance(self._estimator(state), Witness):
            left = self.draws if left is None else min(self.draws, left)
        return Budget(left, FOREVER)

    @property
    def _uphill(self) -> str:
        """The optimiser, made out."""
        if self.optimiser != "auto":
            return self.optimiser
        return "natural" if self.family.member.natural else "adam"

    def check(self, problem: Problem) -> None:
        """Raises `Unsupported`, with what to use instead, unless the search can run here."""
        self.family.check(problem.distribution)
        held = self.region.holds
        if held and self.family.name not in held:
            raise Unsupported(
                f"the trust region {self.region.name!r} around the family {self.family.name!r}",
                "a family that moves the mean alone is needed", list(held),
            )  # fmt: skip
        for one in (self.estimator, self.scout):
            if one and not _sampled(one) and one.grad not in (Grad.PATHWISE, Grad.IMPLICIT):
                raise Unsupported(
                    f"an adversary by the gradient of {one.name!r}",
                    "an estimate that carries one is needed",
                    ["conditioned", "moments", "importance"],
                )

    def init(self, problem: Problem, rng: Rng) -> Search:
        """The state before the first step."""
        self.check(problem)
        d = problem.distribution
        none = no_points(d)
        theta = flat(self.family.module(d, rng.child("start", 0), none))
        return Search(
            rng=rng, theta=theta, moments=optimisers.none_yet(self._uphill, theta), points=none,
            best=theta, path=torch.zeros(0, 4, dtype=torch.float64),
            scouting=self.scout is not None,
        )  # fmt: skip

    def step(self, problem: Problem, state: Search) -> Search:
        """One gradient step; the first also estimates log P under D0."""
        _ = problem.readable  # read once, here, for all that follow
        if state.steps == 0:
            return self._begin(problem, state)
        module = self._module(problem, state)
        rng, before = state.rng.child("kl", state.steps), state.forwards
        budget, estimate_rng = self._budget(state), state.rng.child("estimate")
        estimator = self._estimator(state)
        theta = state.theta.detach().requires_grad_()
        try:
            d = at(module, theta)
            posed = pose(problem, d)
            if _sampled(estimator):
                fresh = estimate_rng.child(state.steps)
                estimate, gain = log_p_and_score(posed, d, estimator, theta, budget, fresh)
            else:
                estimate, (gain,) = log_p_and_grad(posed, estimator, [theta], budget, estimate_rng)
            spent = self._spent(module, problem, rng)
            value, cost = ride.with_slope(spent, state.theta)
        except (Unsupported, NotConverged):  # log P is -inf or NaN, or D has left its family
            if state.scouting:
                return self._after_scout(state)
            if state.ticks == 0 and state.restart == 0:
                raise
            return self._restart(problem, state)
        state = replace(state, forwards=before + estimate.cost.forwards,
                        last=estimate.cost.forwards)  # fmt: skip
        state = self._keep(state, float(estimate.log_p.detach()), value, ride.price(gain, cost))
        climb = Climb(self.family, self.region, self._uphill, self.rate, self._swings(state))
        slopes = Slopes(gain, cost, value)
        after = climb.moved(state, spent, slopes, self._ramp(state), self._turn(state))
        if after is not None and not self._over(after):
            return after
        return self._after_scout(state) if state.scouting else self._restart(problem, state)

    def _begin(self, problem: Problem, state: Search) -> Search:
        """log P under D0; where failures are nearest."""
        budget = self._budget(replace(state, scouting=False))
        with torch.no_grad():
            estimate = self.estimator(problem, budget, state.rng.child("estimate"))
        forwards, points = estimate.cost.forwards, state.points
        theta, full = state.theta, state.full
        if self.restarts > 1 or self.family.member.spreads:
            try:
                found = summits.find(problem, _POINTS, state.left - forwards)
            except Unsupported:
                pass
            else:
                points, forwards = found.theta, forwards + found.forwards
        if self.family.member.spreads and len(points):
            theta, full = self._start(problem, state, 0, points), True
        return replace(
            state, reference=float(estimate.log_p), points=points, last=estimate.cost.forwards,
            forwards=state.forwards + forwards, theta=theta, full=full,
        )  # fmt: skip

    def _start(self, problem: Problem, state: Search, k: int, points: Tensor) -> Tensor:
        """Parameters of restart k, towards these failures, at the edge of the region."""
        module = self.family.module(problem.distribution, state.rng.child("start", k), points)
        spent = self._spent(module, problem, state.rng.child("kl", state.steps))
        return self.region.pull(spent, flat(module))

    def _module(self, problem: Problem, state: Search) -> Parameters:
        start = state.rng.child("start", state.restart)
        return self.family.module(problem.distribution, start, state.points[:0])

    def _spent(self, module: Parameters, problem: Problem, rng: Rng) -> Callable[[Tensor], Nats]:
        return lambda theta: self.region.spent(at(module, theta), problem.distribution, rng)

    def _keep(self, state: Search, log_p: float, spent: float, price: float) -> Search:
        """The best so far, and one more row of the path."""
        value = log_p - self.region.price * spent
        row = torch.tensor([[state.restart, spent, log_p, price]], dtype=torch.float64)
        state = replace(state, path=torch.cat([state.path, row]), price=price)
        feasible = spent <= self.region.limit * (1.0 + _FEASIBLE)
        enough = _COARSE if state.scouting else _BETTER
        gained = feasible and value > state.best_value + enough
        stale = 0 if gained or self._ramp(state) < 1.0 else state.stale + 1
        if not (feasible and value > state.best_value):
            return replace(state, stale=stale)
        return replace(
            state, best=state.theta, best_restart=state.restart, best_value=value,
            best_log_p=log_p, best_spent=spent, stale=stale,
        )  # fmt: skip

    def _ramp(self, state: Search) -> float:
        """Share of the limit that the next step may spend."""
        if self._at_once(state):
            return 1.0
        ticks = max(1.0, _RAMP * self.steps)
        return min(1.0, FIRST + (1.0 - FIRST) * state.ticks / ticks)

    def _at_once(self, state: Search) -> bool:
        """Whether the region has its full size from the first step on."""
        return not self.region.grows or state.full or state.scouting or state.restart > 0

    def _turn(self, state: Search) -> int:
        """Steps since the region has its full size."""
        return max(0, state.ticks - (0 if self._at_once(state) else math.ceil(_RAMP * self.steps)))

    def _swings(self, state: Search) -> int:
        """How often a step of this restart lost log P at the full limit, as where two ways to fail
        pull D from one side to the other and back: each halves the natural steps that follow."""
        log_p = state.path[
            (state.path[:, 0] == state.restart)
            & (state.path[:, 1] >= (1.0 - _EDGE) * self.region.limit)
        ][:, 2]
        return int((log_p[1:] < log_p[:-1] - _SWING).sum())

    def _over(self, state: Search) -> bool:
        if state.scouting:
            return state.ticks >= _SCOUTED or state.stale >= 1
        return state.ticks >= self.steps or state.stale >= self.patience

    def _after_scout(self, state: Search) -> Search:
        """The search itself, from the best that its scout came to."""
        return replace(self.carried(state), scouting=False)

    def _restart(self, problem: Problem, state: Search) -> Search:
        """From the edge of the region, towards another failure."""
        k = state.restart + 1
        state = replace(state, restart=k, ticks=0, stale=0)
        if k >= self.restarts or k > len(state.points):
            return replace(state, restart=self.restarts)
        towards = torch.roll(state.points, -k, 0)
        try:
            theta = self._start(problem, state, k, towards)
        except NotConverged:  # the edge of the region is no D of the family
            return self._restart(problem, state)
        return replace(state, theta=theta, moments=optimisers.none_yet(self._uphill, theta))

    def carried(self, state: Search) -> Search:
        """A search that goes on from where this one found its best, under another limit."""
        return replace(
            state, theta=state.best, moments=optimisers.none_yet(self._uphill, state.best),
            ticks=0, restart=0, full=True, stale=0, best_restart=0, best_value=-math.inf,
            best_log_p=-math.inf, path=state.path[:0],
        )  # fmt: skip

    def finished(self, state: Search) -> bool:
        """Whether all restarts are done, or the budget holds no further step."""
        return state.restart >= self.restarts or (state.steps > 0 and state.left < state.last)

    def share(self, state: Search) -> float:
        """Of the steps that are allowed at most, in [0, 1]."""
        return min(1.0, (state.restart * self.steps + state.ticks) / (self.restarts * self.steps))

    def read(self, state: Search) -> Found:
        """Where the search stands."""
        info = {
            "restarts": min(state.restart + 1, self.restarts), "best_restart": state.best_restart,
            "stale": state.stale, "failures_near": len(state.points),
        }  # fmt: skip
        return Found(
            state.best, state.best_log_p, state.best_spent, state.reference, state.price,
            state.path, state.forwards, info,
        )  # fmt: skip

    def distribution(self, problem: Problem, state: Search, theta: Tensor) -> Distribution:
        """D at parameters theta `(p,)` such as the state holds: `theta`, or `best`."""
        return at(self._module(problem, replace(state, restart=0)), theta.detach())

    def report(self, problem: Problem, state: Search, seconds: float) -> Attack:
        """The best D so far, not yet checked; its nats from fresh draws where they are estimated.

        Raises:
            NotConverged: before the first step along a gradient is done.
        """
        found = self.read(state)
        if not len(found.path):
            raise NotConverged("the adversary has made no step yet: there is no D to show")
        found, nats = self._within(problem, state, found)
        d = self.distribution(problem, state, found.theta)
        spent = float(nats.value), nats.err
        return attacked(problem, d, self.family.name, spent, found, seconds)

    @torch.no_grad()
    def _within(self, problem: Problem, state: Search, found: Found) -> tuple[Found, Nats]:
        """What was found, pulled back towards D0 where fresh draws say that it spends too much."""
        rng, d0 = state.rng.child("nats"), problem.distribution
        first = flat(self._module(problem, replace(state, restart=0)))
        theta, d = found.theta, self.distribution(problem, state, found.theta)
        nats = relative_entropy(d, d0, rng, _FINAL_DRAWS)
        for _ in range(_PULLS):
            excess = float(nats.value) / self.region.limit
            if not isinstance(self.region, KL) or nats.err == 0.0 or excess <= 1.0:
                break
            theta = first + (theta - first) / math.sqrt(1.02 * excess)
            d = self.distribution(problem, state, theta)
            nats = relative_entropy(d, d0, rng, _FINAL_DRAWS)
        if theta is found.theta:
            return found, nats
        budget = self._budget(replace(state, limit=None, scouting=False))
        again = self.estimator(pose(problem, d), budget, state.rng.child("again"))
        return replace(
            found, theta=theta, log_p=float(again.log_p), spent=float(nats.value),
            forwards=found.forwards + again.cost.forwards,
        ), nats  # fmt: skip


def _sampled(estimator: Estimator) -> bool:
    """Whether its gradient is the score function's, over the failures that it saw."""
    return isinstance(estimator, Witness) and estimator.grad is Grad.NONE
