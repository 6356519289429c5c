"""An iteration under way: what a run, a job of a screen and a bar on the terminal step through."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from workbench.device import on
from workbench.iteration import UNLIMITED, Budget, Iteration, State, steps
from workbench.rng import Rng


class Subject(Protocol):
    """What a run steps through: an estimate, a search or a training under way.

    `walk` yields the share of the work that is done after every step, with `state` and `seconds`
    brought up to date; a subject whose `state` was set goes on from there.
    """

    problem: Any
    state: State
    seconds: float

    def walk(self) -> Iterator[float]: ...


class Course:
    """Any iteration on its problem, with gradients, to its own end or that of a budget.

    Args:
        problem: what `iteration` is about.
        iteration: with `init`, `step`, `read` and `finished`.
        seed: of all its random numbers.
        budget: when to stop, if before `finished`.
        share: of the work that is done at a state, for whoever watches; that of the budget if None.
    """

    def __init__(
        self, problem: Any, iteration: Iteration[Any, Any], seed: int,
        budget: Budget | None = None, share: Callable[[Any], float] | None = None,
    ):  # fmt: skip
        self.problem, self.iteration, self.seed, self.budget = problem, iteration, seed, budget
        with on(problem):
            self.state: Any = iteration.init(problem, Rng(seed))
        self.seconds = 0.0
        self._share = share

    def walk(self) -> Iterator[float]:
        """Step to the end; the share of the work done after every step, 1.0 after the last."""
        budget = UNLIMITED if self.budget is None else self.budget
        for spent in advance(self, self.iteration, budget):
            share = spent if self._share is None else max(spent, self._share(self.state))
            over = self.iteration.finished(self.state) or spent >= 1.0
            yield 1.0 if over else min(share, 1.0 - sys.float_info.epsilon)


def advance(
    subject: Subject, iteration: Iteration[Any, Any], budget: Budget,
    around: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> Iterator[float]:  # fmt: skip
    """Step a subject in place; the share of its budget after every step.

    Its `seconds` are those of its own steps: between two of them others may have their turns. Of a
    budget in seconds it has spent them already when it goes on.

    Args:
        around: what every step is made within, such as `torch.no_grad`; it does not reach the
            consumer.
    """
    seconds = budget.seconds
    if seconds is not None:
        seconds = max(seconds - subject.seconds, sys.float_info.min)
    left = Budget(budget.forwards, seconds)
    walk = steps(iteration, subject.problem, subject.state, left)
    while True:
        begun = time.perf_counter()
        with around():
            taken = next(walk, None)
        if taken is None:
            return
        subject.state, look = taken
        subject.seconds += time.perf_counter() - begun
        yield look.fraction
