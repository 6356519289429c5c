"""Adversarial training on log P: search for D, estimate log P_D[C], step M against it, repeat."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from workbench.adversaries import Adversary, optimisers
from workbench.adversaries.families import at, no_points
from workbench.adversaries.families.base import join
from workbench.distributions import Distribution
from workbench.errors import BadInput, Unsupported
from workbench.estimators import Conditioned, Estimator
from workbench.estimators.base import check_positive
from workbench.estimators.witness import Witness
from workbench.iteration import FOREVER, UNLIMITED, Budget, run
from workbench.math.logspace import LN10
from workbench.objective import log_p_and_grad
from workbench.rng import Rng
from workbench.settings import Settings
from workbench.training import sampled, weight
from workbench.training.duty import Duty
from workbench.training.record import ROW, VERDICT, Trained, Training
from workbench.training.referee import Referee
from workbench.types import Grad

_ENDS = 0.02  # share of the rate that is left at the last step


def _sharp() -> Estimator:
    return Conditioned(lines=96, tolerance=0.2, search="margin")


def _sharper() -> Estimator:
    return Conditioned(search="margin")


@dataclass(frozen=True)
class Defender(Settings):
    """min over M of task loss + price * mean log10 P over a set of distributions.

    The set is D0, and with an adversary the D that it finds every `renew` steps, and its last
    `replay` ones. log P and its gradient come from a deterministic estimate, so that no failure
    need ever be seen. The price is as given; or

    - with a target what counts is the excess max(0, log10 P - target), and the price is a
      multiplier: it rises by `price` for every digit that the worst log10 P of the set lies above
      the target, falls so while it lies below, and is never negative (dual ascent);
    - with an allowance it starts as given and rises while the task, on the training examples, is
      done at most so much worse than before, and falls while it is done worse than that; a target
      then only says where to stop pushing.

    By samples instead: an estimator that shows failures (`importance`), and `gradient` "score" or
    "importance": see `sampled`.

    Every `referee.every` steps independent samplers judge log P under D0 and under the adversary's
    D. Where estimate and referee part, the training is marked `exploited`, and goes on with the
    next estimator of `ladder`, or, at its end, stops or goes on as `then` says.

    Args:
        estimator: of log P, with a gradient; or a sampler.
        adversary: None to defend against D0 alone.
        steps: of the optimiser (Adam; the rate falls along a cosine).
        rate: learning rate.
        batch: training examples a step.
        price: of a digit of P, in units of the task loss; with a target, the multiplier's rate.
        target: log10 P to be reached, or None.
        allowance: how much of the task may be lost (`Task.lost`: 0.01 is a point of accuracy, or 1%
            of a cost), or None.
        gradient: "pathwise", through the estimate; "score" or "importance", from a sampler's draws.
        draws: forward passes of a sampler, each law and step.
        renew: steps between two searches of the adversary.
        replay: how many of its earlier distributions are kept in the set.
        referee: who judges.
        ladder: stricter estimators, in order.
        then: "stop" or "go on", when the last of the ladder is exploited too.
    """

    estimator: Estimator = field(default_factory=_sharp)
    adversary: Adversary | None = None
    steps: int = 60
    rate: float = 2e-3
    batch: int = 128
    price: float = 0.001
    target: float | None = -10.0
    allowance: float | None = None
    gradient: str = "pathwise"
    draws: int = 4000
    renew: int = 25
    replay: int = 2
    referee: Referee = field(default_factory=Referee)
    ladder: tuple[Estimator, ...] = field(default_factory=lambda: (_sharper(),))
    then: str = "stop"
    name: ClassVar[str] = "defender"
    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "then": ("stop", "go on"), "gradient": ("pathwise", *sampled.WAYS),
    }  # fmt: skip

    def __post_init__(self) -> None:
        check_positive(
            self.name, steps=self.steps, batch=self.batch, renew=self.renew, draws=self.draws
        )
        if not isinstance(self.replay, int) or self.replay < 0:
            raise BadInput(f"defender: replay must be a whole number from 0, got {self.replay!r}")
        if not (self.rate > 0 and self.price >= 0 and math.isfinite(self.rate + self.price)):
            raise BadInput(
                f"defender: rate must be above 0 and price at least 0, got {self.rate!r} and "
                f"{self.price!r}"
            )
        if self.target is not None and not (math.isfinite(self.target) and self.target < 0):
            raise BadInput(f"defender: target is a log10 P below 0, got {self.target!r}")
        if self.allowance is not None and not (0 < self.allowance < math.inf and self.price > 0):
            raise BadInput(
                "defender: an allowance is above 0, and so is the price that it begins with, got "
                f"{self.allowance!r} and {self.price!r}"
            )
        for key, allowed in self.choices.items():
            if getattr(self, key) not in allowed:
                raise BadInput(
                    f"defender: {key} must be one of {', '.join(allowed)}, "
                    f"got {getattr(self, key)!r}"
                )
        for estimator in (self.estimator, *self.ladder):
            if not _differentiable(estimator) and (
                self.gradient == "pathwise" or not isinstance(estimator, Witness)
            ):
                raise Unsupported(
                    f"training against {estimator.name!r}, gradient {self.gradient!r}",
                    "an estimate with a gradient is needed, or a sampler that shows failures with "
                    "another gradient", ["moments", "conditioned"],
                )  # fmt: skip

    def init(self, problem: Duty, rng: Rng) -> Training:
        """The state before the first step: the model as it stands."""
        theta = problem.theta
        d = problem.problem.distribution
        width = 0
        if self.adversary is not None:
            self.adversary.check(problem.problem)
            width = sum(p.numel() for p in self._module(problem, rng).parameters())
        return Training(
            rng=rng, theta=theta, moments=optimisers.none_yet("adam", theta),
            price=self.price if self.target is None or self.allowance is not None else 0.0,
            start=problem.task.score(problem.problem.model, held_out=False),
            met=torch.zeros(0, width + 1, dtype=d.dtype),
            rows=torch.zeros(0, len(ROW), dtype=torch.float64),
            verdicts=torch.zeros(0, len(VERDICT), dtype=torch.float64),
        )  # fmt: skip

    def step(self, problem: Duty, state: Training) -> Training:
        """One step of the optimiser; the adversary's and the referee's turns where they are due."""
        problem.put(state.theta)
        if self.adversary is not None and state.ticks % self.renew == 0:
            state = self._search(problem, state, self.adversary)
        parameters = problem.parameters
        state, answers, against = self._failures(problem, state, parameters)
        error = self._error(problem, state)
        price, after = self._prices(problem, state, max(answers))
        slope = join(torch.autograd.grad(error, parameters)) + price / LN10 * against
        rows = self._rows(problem, state, error, answers, price)
        theta, moments = optimisers.ascend(
            "adam", state.theta, -slope, state.moments, state.ticks, self._rate(state.ticks)
        )
        state = replace(
            state, theta=theta, moments=moments, ticks=state.ticks + 1, price=after, rows=rows
        )
        if state.ticks % self.referee.every == 0 or state.ticks >= self.steps:
            state = self._judge(problem, state)
        return self.closed(problem, state) if self.finished(state) else state

    @torch.no_grad()
    def closed(self, problem: Duty, state: Training) -> Training:
        """With a row of M as it stands, where there is none yet; another step writes its own."""
        if len(state.rows) > state.ticks:
            return state
        problem.put(state.theta)
        answers = [row[2] for row in state.verdicts.tolist() if row[0] == state.ticks]
        if not answers:
            estimator = self._estimator(state)
            budget = self._budget(estimator, replace(state, limit=None))
            for k, law in enumerate(self._laws(problem, state)[:2]):
                rng = state.rng.child("p", state.ticks, k)
                posed = problem.problem.vary(distribution=law)
                try:
                    answers.append(estimator(posed, budget, rng).log10_p)
                except Unsupported:  # as in `_failures`
                    answers.append(-math.inf)
        error = self._error(problem, state)
        return replace(state, rows=self._rows(problem, state, error, answers, state.price))

    def _error(self, problem: Duty, state: Training) -> Tensor:
        """Of the task, on the batch of the next step."""
        generator = state.rng.child("batch", state.ticks).generator()
        rows = torch.randint(problem.task.size, (self.batch,), generator=generator)
        return problem.task.error(problem.problem.model, rows)

    @staticmethod
    def _rows(
        problem: Duty, state: Training, error: Tensor, answers: list[float], price: float
    ) -> Tensor:
        """All rows, that of the present M the last."""
        row = [state.ticks, float(error.detach()), problem.task.score(problem.problem.model),
               answers[0], answers[1] if len(answers) > 1 else math.nan, price]  # fmt: skip
        return torch.cat([state.rows[: state.ticks], torch.tensor([row], dtype=torch.float64)])

    def _failures(
        self, problem: Duty, state: Training, parameters: list[Tensor]
    ) -> tuple[Training, list[float], Tensor]:
        """log10 P under every distribution of the set, newest adversary second, and the gradient of
        their mean log P `(p,)`."""
        estimator, answers = self._estimator(state), []
        total, forwards = torch.zeros_like(state.theta), 0
        laws = self._laws(problem, state)
        for k, law in enumerate(laws):
            posed = problem.problem.vary(distribution=law)
            rng = state.rng.child("p", state.ticks, k)
            budget = self._budget(estimator, state)
            try:
                if _differentiable(estimator):
                    found, grads = log_p_and_grad(posed, estimator, parameters, budget, rng)
                else:
                    found, grads = sampled.log_p_and_sampled_grad(
                        posed, estimator, self.gradient, parameters, budget, rng
                    )
            except Unsupported:  # nothing fails there as far as the estimate can see: no slope
                answers.append(-math.inf)
                continue
            answers.append(found.log10_p)
            if self.target is None or found.log10_p > self.target:
                total = total + join(grads) / len(laws)
            forwards += found.cost.forwards
        return replace(state, forwards=state.forwards + forwards), answers, total

    def _laws(self, problem: Duty, state: Training) -> list[Distribution]:
        """D0, the adversary's newest D, and what is replayed."""
        laws = [problem.problem.distribution]
        if len(state.met):
            module = self._module(problem, state.rng)
            kept = state.met[-1 - self.replay :].flip(0)
            laws += [at(module, theta[1:]) for theta in kept]
        return laws

    def _module(self, problem: Duty, rng: Rng) -> Any:
        assert self.adversary is not None
        d = problem.problem.distribution
        return self.adversary.family.module(d, rng.child("start", 0), no_points(d))

    def _search(self, problem: Duty, state: Training, adversary: Adversary) -> Training:
        """One more distribution in the ledger."""
        rng = state.rng.child("adversary", state.ticks)
        posed = replace(adversary, estimator=self._estimator(state))
        begun = replace(posed.init(problem.problem, rng), limit=None)
        last, _ = run(posed, problem.problem, begun, UNLIMITED)
        if not math.isfinite(last.best_log_p):
            return replace(state, forwards=state.forwards + last.forwards)
        entry = torch.cat([last.best.new_tensor([float(state.ticks)]), last.best])[None]
        return replace(
            state, met=torch.cat([state.met, entry]), forwards=state.forwards + last.forwards
        )

    def _judge(self, problem: Duty, state: Training) -> Training:
        """The referee's turn, on the model after the last step."""
        problem.put(state.theta)
        estimator = self._estimator(state)
        new, exploited = self.referee.turn(
            problem, self._laws(problem, state)[:2], estimator,
            self._budget(estimator, replace(state, limit=None)), state.rung, state.ticks, state.rng,
        )  # fmt: skip
        state = replace(state, verdicts=torch.cat([state.verdicts, new]))
        if not exploited:
            return state
        if state.rung < len(self.ladder):
            return replace(state, exploited=True, rung=state.rung + 1)
        return replace(state, exploited=True, stopped=self.then == "stop")

    def _estimator(self, state: Training) -> Estimator:
        return (self.estimator, *self.ladder)[state.rung]

    def _rate(self, ticks: int) -> float:
        fall = 0.5 * (1.0 + math.cos(math.pi * ticks / self.steps))
        return self.rate * (_ENDS + (1.0 - _ENDS) * fall)

    def _budget(self, estimator: Estimator, state: Training) -> Budget:
        """Of one estimate: what is left, and `draws` where it would go on for ever."""
        left = math.inf if state.limit is None else max(1.0, state.left)
        most = left if _differentiable(estimator) else min(left, self.draws)
        return Budget(None if math.isinf(most) else int(most), FOREVER)

    def _prices(self, problem: Duty, state: Training, worst: float) -> tuple[float, float]:
        """Of a digit in this step and in the next; `worst` is the highest log10 P now."""
        price, task = state.price, problem.task
        if self.allowance is not None:
            now = task.score(problem.problem.model, held_out=False)
            mine, after = weight.within_allowance(
                price, task.lost(state.start, now), self.allowance
            )
            reached = self.target is not None and worst <= self.target
            return mine, min(price, after) if reached else after
        if self.target is None:
            return price, price
        return price, weight.towards_target(price, self.price, worst, self.target)

    def finished(self, state: Training) -> bool:
        """Whether all steps are done, or the estimate was exploited for good."""
        return state.ticks >= self.steps or state.stopped

    def read(self, state: Training) -> Trained:
        """How the training stands."""
        return Trained(
            state.theta, state.rows, state.verdicts, state.met, state.exploited, state.forwards
        )


def _differentiable(estimator: Estimator) -> bool:
    return estimator.grad in (Grad.PATHWISE, Grad.IMPLICIT)
