"""Minibatch training by a rule, from the first weights on, with a referee beside it."""

import math
from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch

from workbench.adversaries import optimisers
from workbench.adversaries.families.base import join
from workbench.errors import BadInput
from workbench.estimators import Estimator, Tangent
from workbench.estimators.base import check_positive
from workbench.iteration import UNLIMITED, State
from workbench.rng import Rng
from workbench.settings import Settings
from workbench.training.duty import Duty
from workbench.training.pointwise import Pointwise
from workbench.training.record import ROW, VERDICT, Trained
from workbench.training.referee import Referee
from workbench.training.rule import Batch, Rule


@dataclass(frozen=True, kw_only=True)
class Drilled(State):
    """What the next step needs: parameters `(p,)`, Adam's moments `(2, p)`, the tables so far."""

    theta: torch.Tensor
    moments: torch.Tensor
    rows: torch.Tensor
    verdicts: torch.Tensor
    ticks: int = 0
    rung: int = 0
    exploited: bool = False


@dataclass(frozen=True)
class Trainer(Settings):
    """AdamW on the loss of a rule, minibatches in epochs, a cosine schedule of the rate.

    All rules are trained so, the baselines as well as `Pointwise`. Every `referee.every` steps and
    at the end the estimate under D0 and the referee's samplers are set side by side;
    where they part the training is marked `exploited`, and the rule goes on stricter, if it can.

    Args:
        rule: what makes the loss.
        steps: minibatches; every example is seen once in an epoch of them.
        batch: examples a step.
        rate: at first; it falls to 0.
        decay: of weights, a step times the rate (Loshchilov & Hutter 2019).
        estimator: of P under D0 that the referee judges.
        referee: None for none.
    """

    rule: Rule = field(default_factory=Pointwise)
    steps: int = 1380
    batch: int = 64
    rate: float = 2e-3
    decay: float = 0.05
    estimator: Estimator = field(default_factory=Tangent)
    referee: Referee | None = field(default_factory=lambda: Referee(every=460, budget=200_000))
    name: ClassVar[str] = "trainer"

    def __post_init__(self) -> None:
        check_positive(self.name, steps=self.steps, batch=self.batch)
        if not (self.rate > 0 and self.decay >= 0 and math.isfinite(self.rate + self.decay)):
            raise BadInput(
                f"trainer: rate must be above 0 and decay at least 0, got {self.rate!r} and "
                f"{self.decay!r}"
            )

    @property
    def target(self) -> float | None:
        """log10 P of a point that the rule aims at, if it does."""
        return self.rule.target if isinstance(self.rule, Pointwise) else None

    def init(self, problem: Duty, rng: Rng) -> Drilled:
        """The state before the first step: the model as it stands."""
        theta = problem.theta
        return Drilled(
            rng=rng, theta=theta, moments=optimisers.none_yet("adam", theta),
            rows=torch.zeros(0, len(ROW), dtype=torch.float64),
            verdicts=torch.zeros(0, len(VERDICT), dtype=torch.float64),
        )  # fmt: skip

    def step(self, problem: Duty, state: Drilled) -> Drilled:
        """One minibatch; the referee's turn where it is due."""
        problem.put(state.theta)
        batch, first = self._batch(problem, state)
        loss, seen = self.rule_of(state).loss(batch)
        slope = join(torch.autograd.grad(loss, problem.parameters))
        rate = 0.5 * self.rate * (1.0 + math.cos(math.pi * batch.share))
        theta, moments = optimisers.ascend(
            "adam",
            state.theta * (1.0 - rate * self.decay),
            -slope,
            state.moments,
            state.ticks,
            rate,
        )
        rows = self._rows(state, batch, seen, first)
        state = replace(state, theta=theta, moments=moments, ticks=state.ticks + 1, rows=rows)
        over = self.finished(state)
        if self.referee is not None and (state.ticks % self.referee.every == 0 or over):
            state = self._judge(problem, state, self.referee)
        return self.closed(problem, state) if over else state

    def closed(self, problem: Duty, state: Drilled) -> Drilled:
        """With a row of M as it stands, where there is none yet; another step writes its own."""
        if len(state.rows) > state.ticks:
            return state
        problem.put(state.theta)
        batch, _ = self._batch(problem, state)
        _, seen = self.rule_of(state).loss(batch)
        return replace(state, rows=self._rows(state, batch, seen, True))

    def _batch(self, problem: Duty, state: Drilled) -> tuple[Batch, bool]:
        """The next minibatch, and whether an epoch begins with it."""
        task = problem.task
        epoch, place = divmod(state.ticks, math.ceil(task.size / self.batch))
        order = torch.randperm(task.size, generator=state.rng.child("order", epoch).generator())
        rows = order[place * self.batch : (place + 1) * self.batch]
        rng, share = state.rng.child("rule", state.ticks), state.ticks / self.steps
        return Batch(problem, task.inputs[rows], task.targets[rows], rng, share), place == 0

    @staticmethod
    def _rows(state: Drilled, batch: Batch, seen: float, afresh: bool) -> torch.Tensor:
        """All rows, that of the present M the last; of the task it says what the one before says,
        unless it is looked at afresh, which costs passes through M."""
        if afresh:
            with torch.no_grad():
                told = [float(batch.error()), batch.duty.task.score(batch.model)]
        else:
            told = state.rows[state.ticks - 1, 1:3].tolist()
        row = [state.ticks, *told, seen, math.nan, 0.0]
        return torch.cat([state.rows[: state.ticks], torch.tensor([row], dtype=torch.float64)])

    def rule_of(self, state: Drilled) -> Rule:
        """The rule as strict as the referee has made it."""
        rule = self.rule
        for _ in range(state.rung):
            rule = rule.stricter() or rule
        return rule

    def _judge(self, problem: Duty, state: Drilled, referee: Referee) -> Drilled:
        problem.put(state.theta)
        new, parted = referee.turn(
            problem, [problem.problem.distribution], self.estimator, UNLIMITED, state.rung,
            state.ticks, state.rng,
        )  # fmt: skip
        return replace(
            state, verdicts=torch.cat([state.verdicts, new]),
            exploited=state.exploited or parted, rung=state.rung + int(parted),
        )  # fmt: skip

    def finished(self, state: Drilled) -> bool:
        """Whether all steps are done."""
        return state.ticks >= self.steps

    def read(self, state: Drilled) -> Trained:
        """How the training stands."""
        met = torch.zeros(0, 1, dtype=state.theta.dtype)
        return Trained(
            state.theta, state.rows, state.verdicts, met, state.exploited, state.forwards
        )
