"""An adversary that begins as a language model, and learns from texts that it writes."""

import math
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, cast

import torch
from torch import Tensor

from workbench.adversaries import optimisers, ride
from workbench.adversaries.divergence import Nats
from workbench.adversaries.families import Family, Parameters, at, flat
from workbench.adversaries.families.fine_tuned import FineTuned
from workbench.adversaries.region import KL, Penalty, Region
from workbench.adversaries.result import Attack, attacked
from workbench.adversaries.search import Found, Search
from workbench.adversaries.seeking import Seeking
from workbench.adversaries.sources import Drawn, Elites, Score, Source, Tilted, left_out
from workbench.distributions import Density, Distribution, PromptedText, Sampleable, ShortText
from workbench.errors import BadInput, NotConverged, Unsupported
from workbench.estimators.base import check_positive
from workbench.problem import Problem
from workbench.rng import Rng

_RATE = 0.01
_TUNED_RATE, _SMALL_RATE, _MANY = 2e-4, 2e-3, 1_000_000  # below so many weights the second one
_SLACK = 1e-6
_FRESH = 48


@dataclass(frozen=True)
class LMAdversary(Seeking):
    """max log P_D[C] - lambda KL(D || D0), or within a limit on KL; D starts as the model D0.

    A step draws texts, judges them, and climbs sum_i a_i log D_theta(x_i) - lambda KL, with
    coefficients a_i from `source`; where M and D are known as transitions, `Adversary` with the
    estimator `transitions` follows the exact gradient instead, and needs no draw. KL is exact for
    `short_text`; else it is estimated from the draws: its gradient is
    E_D[(log D - log D0 - b) d log D / d theta].

    Settings:
        source: of the coefficients.
        region: `Penalty`, or `KL` where KL is exact: D is then put back onto its edge.
        family: how D may differ from D0.
        rate: of Adam.
        steps: at most.
        draws: texts a step, and so calls of M.
        fits: steps of Adam on one set of draws.
    """

    source: Source = field(default_factory=Elites)
    region: Region = field(default_factory=KL)
    family: Family = field(default_factory=FineTuned)
    rate: float = _RATE
    steps: int = 40
    draws: int = 1000
    fits: int = 1
    name: ClassVar[str] = "lm"

    def __post_init__(self) -> None:
        check_positive(self.name, steps=self.steps, draws=self.draws, fits=self.fits)
        if not (isinstance(self.rate, int | float) and 0 < self.rate < math.inf):
            raise BadInput(f"lm: rate must be a number above 0, got {self.rate!r}")

    def check(self, problem: Problem) -> None:
        """Raises `Unsupported`, with what to use instead, unless the search can run here."""
        d0 = problem.distribution
        self.family.check(d0)
        if not isinstance(d0, ShortText) and not isinstance(self.region, Penalty):
            raise Unsupported(
                f"the trust region {self.region.name!r} around a {d0.name}",
                "its relative entropy is only estimated here", ["penalty"],
            )  # fmt: skip

    def init(self, problem: Problem, rng: Rng) -> Search:
        """The state before the first step: D = D0."""
        self.check(problem)
        theta = flat(self._module(problem, rng))
        return Search(
            rng=rng, theta=theta, moments=optimisers.none_yet("adam", theta), points=theta[:0],
            best=theta, path=torch.zeros(0, 4, dtype=torch.float64),
        )  # fmt: skip

    def _module(self, problem: Problem, rng: Rng) -> Parameters:
        return self.family.module(problem.distribution, rng.child("start"), torch.zeros(0))

    def step(self, problem: Problem, state: Search) -> Search:
        """One set of draws, and `fits` steps of Adam on it."""
        module, d0 = self._module(problem, state.rng), problem.distribution
        rng, n = state.rng.child("step", state.steps), int(min(self.draws, state.left))
        with torch.no_grad():
            d = at(module, state.theta)
            drawn = self.source.draw(problem, d, n, rng)
            log_d0 = cast(Density, d0).log_prob(drawn.x)
            spent = self._spent(d, d0, drawn, log_d0, rng)
        state = self._kept(state, drawn, spent)
        theta, moments, ticks = state.theta, state.moments, state.ticks
        for _ in range(self.fits):
            slope = self._slope(problem, module, theta, drawn, log_d0, rng)
            theta, moments = optimisers.ascend("adam", theta, slope, moments, ticks, self.rate)
            ticks += 1
        theta = self._within(problem, module, theta, rng)
        return replace(
            state, theta=theta, moments=moments, ticks=ticks, last=n, forwards=state.forwards + n
        )

    def _spent(
        self, d: Distribution, d0: Distribution, drawn: Drawn, log_d0: Tensor, rng: Rng
    ) -> float:
        """KL(D || D0): exact, or the mean of log D - log D0 over the draws."""
        if isinstance(d0, ShortText):
            return float(self.region.spent(d, d0, rng).value)
        return float((cast(Density, d).log_prob(drawn.x) - log_d0).mean())

    def _slope(
        self, problem: Problem, module: Parameters, theta: Tensor, drawn: Drawn, log_d0: Tensor,
        rng: Rng,
    ) -> Tensor:  # fmt: skip
        """The gradient of the objective, `(p,)`."""
        at_theta = theta.detach().requires_grad_()
        price, exact = self.region.price, isinstance(problem.distribution, ShortText)
        with torch.enable_grad():
            d = at(module, at_theta)
            log_d = cast(Density, d).log_prob(drawn.x)
            weight = drawn.weight.to(log_d)
            if price and not exact:
                weight = weight - price * left_out(log_d.detach() - log_d0)
            value = (weight * log_d).sum()
            if price and exact:
                value = value - price * self.region.spent(d, problem.distribution, rng).value
            (slope,) = torch.autograd.grad(value, at_theta)
        if not bool(torch.isfinite(slope).all()):
            raise NotConverged("the gradient of the language-model adversary is not finite")
        return slope

    def _within(self, problem: Problem, module: Parameters, theta: Tensor, rng: Rng) -> Tensor:
        """theta, moved onto the edge of the region where it left it."""
        limit = self.region.limit
        if math.isinf(limit):
            return theta

        def spent(theta: Tensor) -> Nats:
            return self.region.spent(at(module, theta), problem.distribution, rng)

        with torch.no_grad():
            over = float(spent(theta).value) > limit
        return ride.onto_edge(spent, theta, limit) if over else theta

    def _kept(self, state: Search, drawn: Drawn, spent: float) -> Search:
        """A row of the path; the best so far by the share of the draws that fail."""
        row = torch.tensor([[0.0, spent, drawn.log_p, self.region.price]], dtype=torch.float64)
        state = replace(state, path=torch.cat([state.path, row]))
        if state.steps == 0:
            state = replace(state, reference=drawn.log_p)
        value = drawn.log_p - self.region.price * spent
        if not (value > state.best_value and spent <= self.region.limit + _SLACK):
            return state
        return replace(
            state, best=state.theta, best_value=value, best_log_p=drawn.log_p, best_spent=spent
        )

    def finished(self, state: Search) -> bool:
        """Whether all steps are done, or the budget holds no further one."""
        return state.steps >= self.steps or state.left < 2

    def share(self, state: Search) -> float:
        """Of the steps that are allowed at most, in [0, 1]."""
        return min(1.0, state.steps / self.steps)

    def read(self, state: Search) -> Found:
        """Where the search stands, by its own draws."""
        info: dict[str, Any] = {"source": self.source.name}
        if not isinstance(self.source, Tilted):  # its first draws are not D0's own
            info["first_hits"] = self._first_hits(state)
        return Found(
            state.best, state.best_log_p, state.best_spent, state.reference, self.region.price,
            state.path, state.forwards, info,
        )  # fmt: skip

    def _first_hits(self, state: Search) -> list[int]:
        """How many of the first draws failed, which were D0's own, and how many there were."""
        n = self.draws if state.limit is None else min(self.draws, state.limit)
        return [round(math.exp(state.reference) * n) if len(state.path) else 0, n]

    def distribution(self, problem: Problem, state: Search, theta: Tensor) -> Distribution:
        """D at parameters theta `(p,)` such as the state holds: `theta`, or `best`."""
        return at(self._module(problem, state.rng), theta.detach())

    def report(self, problem: Problem, state: Search, seconds: float) -> Attack:
        """The best D so far, not yet checked.

        Raises:
            NotConverged: before the first step is done.
        """
        found = self.read(state)
        if not len(found.path):
            raise NotConverged("the adversary has made no step yet: there is no D to show")
        d, d0 = self.distribution(problem, state, found.theta), problem.distribution
        nats = found.spent, 0.0
        if not isinstance(d0, ShortText):
            nats = _estimated(d, d0, state.rng.child("nats"))
        return attacked(problem, d, self.family.name, nats, found, seconds)


def for_text(d0: Distribution) -> LMAdversary:
    """The search that suits a prompted language model: few texts a step, and a price on nats.

    Adam's rate is 2e-4 for the last blocks of a network of millions of weights, 2e-3 for one of
    fewer than a million.
    """
    many = _MANY
    if isinstance(d0, PromptedText):
        many = sum(p.numel() for p in d0.parameters.values())
    rate = _SMALL_RATE if many < _MANY else _TUNED_RATE
    return LMAdversary(Score(temperature=0.5), Penalty(0.05), rate=rate, steps=30, draws=36)


@torch.no_grad()
def _estimated(d: Distribution, d0: Distribution, rng: Rng) -> tuple[float, float]:
    """KL(D || D0) by fresh draws from D, and its standard error."""
    assert isinstance(d, Sampleable)
    x = d.sample(_FRESH, rng.generator())
    gap = cast(Density, d).log_prob(x) - cast(Density, d0).log_prob(x)
    return float(gap.mean()), float(gap.std()) / math.sqrt(_FRESH)
