"""A search for D from its first step to what was found, checked."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, final

from workbench.adversaries import checking
from workbench.adversaries.result import Attack
from workbench.device import on
from workbench.iteration import UNLIMITED, Budget, Progress, run
from workbench.problem import Problem
from workbench.rng import Rng, as_rng
from workbench.settings import Settings


class Seeking(Settings, ABC):
    """An adversary that is called: subclasses give `init`, `step`, `read`, `finished`, `report`."""

    @abstractmethod
    def init(self, problem: Problem, rng: Rng) -> Any:
        """The state before the first step."""

    @abstractmethod
    def step(self, problem: Problem, state: Any) -> Any:
        """One step of the search."""

    @abstractmethod
    def read(self, state: Any) -> Any:
        """Where the search stands."""

    @abstractmethod
    def finished(self, state: Any) -> bool:
        """Whether another step would change nothing."""

    @abstractmethod
    def report(self, problem: Problem, state: Any, seconds: float) -> Attack:
        """The best D so far, not yet checked."""

    @final
    def __call__(
        self,
        problem: Problem,
        budget: Budget | int | None = None,
        rng: Rng | int = 0,
        progress: Callable[[Progress], None] | None = None,
        check: int = checking.BUDGET,
    ) -> Attack:
        """Search to the end, then check what was found.

        Args:
            problem: (D0, M, C).
            budget: of the search: a `Budget`, or forward passes; as much as it takes by default.
            rng: a random stream, or a seed.
            progress: called after every step.
            check: forward passes of the check; 0 leaves it out.
        """
        rng = as_rng(rng)
        with on(problem):
            state = self.init(problem, rng)
            state, seconds = run(self, problem, state, Budget.of(budget, UNLIMITED), progress)
            found = self.report(problem, state, seconds)
            return found.check(rng.child("check"), check) if check else found
