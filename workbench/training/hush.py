"""M is a language model: train it until it hardly ever writes a forbidden word."""

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from workbench.adversaries import optimisers
from workbench.adversaries.families import FineTuned, at, flat
from workbench.distributions import ShortText
from workbench.errors import BadInput, NotConverged
from workbench.estimators.base import check_positive
from workbench.estimators.reading import automaton_of, margins, merged
from workbench.iteration import UNLIMITED, State, run
from workbench.math.logspace import LN10, log_sum
from workbench.math.transitions import backward, occupancy
from workbench.problem import Problem
from workbench.rng import Rng, as_rng

_HALVINGS = 200
_SLACK = 1e-9


@dataclass(frozen=True, kw_only=True)
class Hushing(State):
    """Weights of M, Adam's moments, the best so far, the steps that were made, and rows."""

    theta: Tensor
    moments: Tensor
    best: Tensor
    best_log_p: float = math.inf
    ticks: int = 0
    rows: Tensor
    """`(n, 3)`, one a step, of M before it, and one of M after the last: log P under D0 and under
    the adversary, and log of the perplexity's growth."""


@dataclass(frozen=True, eq=False)
class Hushed:
    """What came of the training.

    Attributes:
        text: M with its new weights, the best within the limit.
        log10_p: of the forbidden word, over prompts from D0 and from the adversary: (first, last).
        log10_p_adversary: the same under the adversary.
        growth: of the perplexity, 1.0 for none.
    """

    text: ShortText
    log10_p: tuple[float, float]
    log10_p_adversary: tuple[float, float]
    growth: float


@dataclass(frozen=True)
class Hush:
    """min log P_{c ~ D_adv}[M goes on from c to a text where C holds], the perplexity kept.

    The problem's own law of text is M here; an input is a prompt c, the k symbols that M sees, and
    D0 the share of M's own text in which each stands. With h(c) = P[C | c], exact by products of
    transitions, the worst D within `nats` of D0 is D0(c) exp(h(c) / mu) / Z (Donsker & Varadhan
    1975), found anew each step; M then descends log P under it (Danskin 1967: D_adv stays fixed in
    the gradient) plus `price` times the log of its perplexity's growth on the first M's text,
    sum_c D0(c) KL(first M | M), which is exact too.

    Args:
        nats: KL(D_adv || D0) at most.
        growth: of the perplexity, at most: 0.02 is two percent.
        price: nats of log P for a nat a symbol.
        rate: of Adam.
        steps: in all.
    """

    nats: float = 4.0
    growth: float = 0.02
    price: float = 1000.0
    rate: float = 3e-3
    steps: int = 60
    name: ClassVar[str] = "hush"

    def __post_init__(self) -> None:
        check_positive(self.name, steps=self.steps)
        for key in ("nats", "growth", "price", "rate"):
            value = getattr(self, key)
            if not (isinstance(value, int | float) and 0 < value < math.inf):
                raise BadInput(f"hush: {key} must be a number above 0, got {value!r}")

    def init(self, problem: Problem, rng: Rng) -> Hushing:
        """M as it is given."""
        FineTuned().check(problem.distribution)
        automaton_of(problem)
        theta = flat(FineTuned().module(problem.distribution, rng, torch.zeros(0)))
        return Hushing(
            rng=rng, theta=theta, moments=optimisers.none_yet("adam", theta), best=theta,
            rows=torch.zeros(0, 3, dtype=torch.float64),
        )  # fmt: skip

    def step(self, problem: Problem, state: Hushing) -> Hushing:
        """The worst prompts, then one step of Adam against them."""
        theta = state.theta.detach().requires_grad_()
        with torch.enable_grad():
            own, adverse, drift = self._values(problem, theta)
            (slope,) = torch.autograd.grad(-(adverse + self.price * drift), theta)
        state = self._noted(state, own, adverse, drift)
        moved, moments = optimisers.ascend(
            "adam", state.theta, slope, state.moments, state.ticks, self.rate
        )
        state = replace(state, theta=moved, moments=moments, ticks=state.ticks + 1)
        return self.closed(problem, state) if self.finished(state) else state

    @torch.no_grad()
    def closed(self, problem: Problem, state: Hushing) -> Hushing:
        """With a row of M as it stands, where there is none yet; another step writes its own."""
        if len(state.rows) > state.ticks:
            return state
        return self._noted(state, *self._values(problem, state.theta))

    def _noted(self, state: Hushing, own: Tensor, adverse: Tensor, drift: Tensor) -> Hushing:
        """With a row of the present M, which may be the best."""
        if len(state.rows) > state.ticks:
            return state
        row = torch.stack([own, adverse, drift]).detach().double()[None]
        state = replace(state, rows=torch.cat([state.rows, row]), forwards=state.forwards + 1)
        log_p, spent = float(row[0, 1]), float(row[0, 2])
        if spent <= math.log1p(self.growth) + _SLACK and log_p < state.best_log_p:
            return replace(state, best=state.theta, best_log_p=log_p)
        return state

    def finished(self, state: Hushing) -> bool:
        """Whether all steps are done."""
        return state.ticks >= self.steps

    def share(self, state: Hushing) -> float:
        """Of the steps, in [0, 1]."""
        return min(1.0, state.ticks / self.steps)

    def __call__(self, problem: Problem, rng: Rng | int = 0) -> Hushed:
        """All of it.

        >>> import workbench as wb
        >>> hushed = Hush(steps=5)(wb.load("L_delete_1e-7"))
        >>> hushed.log10_p[1] < hushed.log10_p[0] and hushed.growth < 1.02
        True
        """
        state, _ = run(self, problem, self.init(problem, as_rng(rng)), UNLIMITED)
        return self.report(problem, state)

    def read(self, state: Hushing) -> Tensor:
        """The rows so far."""
        return state.rows

    def report(self, problem: Problem, state: Hushing) -> Hushed:
        """The best M within the limit, before and after.

        Raises:
            NotConverged: before the first step is done.
        """
        if not len(state.rows):
            raise NotConverged("nothing is trained yet: there is no M to show")
        with torch.no_grad():
            own, adverse, drift = self._values(problem, state.best)
        first = state.rows[0]
        return Hushed(
            self.text(problem, state.best),
            (float(first[0]) / LN10, float(own) / LN10),
            (float(first[1]) / LN10, float(adverse) / LN10),
            math.exp(float(drift)),
        )

    def text(self, problem: Problem, theta: Tensor) -> ShortText:
        """M with the weights theta `(p,)`, such as the state holds."""
        d = at(FineTuned().module(problem.distribution, Rng(0), torch.zeros(0)), theta)
        assert isinstance(d, ShortText)
        return d

    def _values(self, problem: Problem, theta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """log P under D0 and under D_adv, and the drift, 0-d each."""
        first, text = problem.distribution, self.text(problem, theta)
        assert isinstance(first, ShortText)
        law = prompts(first)
        log_h = emission(problem, text)
        worst = worst_law(law, log_h.detach(), self.nats)
        gap = first.log_probs - text.log_probs
        drift = (law.exp()[:, None] * first.log_probs.exp() * gap).sum()
        return log_sum(law + log_h), log_sum(worst + log_h), drift


def prompts(text: ShortText) -> Tensor:
    """`(V^k,)`: log of the share of the law's own text in which each context stands."""
    return torch.log(occupancy(text.log_probs, text.start, text.length).detach() / text.length)


def emission(problem: Problem, text: ShortText) -> Tensor:
    """`(V^k,)`: log P[C | context] of the texts by which M goes on; carries the graph of M."""
    after, accepted = merged(automaton_of(problem).after, margins(problem) > 0)
    last = torch.where(accepted, 0.0, -math.inf).double()
    return backward(text.log_probs, after, last, text.length)[-1][:, 0]


def worst_law(law: Tensor, log_h: Tensor, nats: float) -> Tensor:
    """log of D0(c) exp(h(c) / mu) / Z with KL to D0 of `nats`, or of the worst prompts alone.

    Args:
        law: `(n,)`, log D0.
        log_h: `(n,)`, log h.
        nats: the limit.

    >>> law = torch.tensor([0.5, 0.5]).double().log()
    >>> worst = worst_law(law, torch.tensor([0.2, 0.1]).double().log(), 0.1).exp()
    >>> [round(p, 4) for p in worst.tolist()]
    [0.7198, 0.2802]
    """
    h = (log_h - log_h[torch.isfinite(law)].max()).exp()

    def tilted(beta: float) -> Tensor:
        return torch.log_softmax(law + beta * h, 0)

    def spent(found: Tensor) -> float:
        alive = torch.isfinite(found)
        return float((found[alive].exp() * (found - law)[alive]).sum())

    low, high = 0.0, 1.0
    while spent(tilted(high)) < nats and high < 1e12:
        high *= 2.0
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        if not low < middle < high:
            break
        low, high = (middle, high) if spent(tilted(middle)) < nats else (low, middle)
    return tilted(low)
