"""A model with a task to do and a catastrophe to avoid."""

import copy
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from workbench.adversaries.families.base import join
from workbench.device import on
from workbench.errors import BadInput
from workbench.problem import Problem
from workbench.training.task import Task


@dataclass(frozen=True, eq=False)
class Duty:
    """The model of `problem` should do well at `task` while C stays unlikely.

    The model is copied: training changes the copy, never what was passed; what is known of P is
    forgotten, being of the model as it was. Parameters that ask for no gradient stay as they are
    (a frozen head, say).

    Args:
        problem: (D0, M, C).
        task: what M is for.
        watched: inputs `(k, d)` around which the referee looks too, and nobody else does: where a
            failure is known to be planted, say. None where nothing is known.

    Raises:
        BadInput: where M has nothing to train, or does not fit the task.
    """

    problem: Problem
    task: Task
    watched: Tensor | None = None

    def __post_init__(self) -> None:
        with on(self.problem):
            own = replace(self.problem, model=copy.deepcopy(self.problem.model), truth=None)
        object.__setattr__(self, "problem", own)
        if not self.parameters:
            raise BadInput("the model has no parameter that asks for a gradient: nothing to train")
        try:
            with on(own), torch.no_grad():
                error = self.task.error(own.model, torch.arange(min(2, self.task.size)))
        except Exception as failure:  # any failure of the user's own forward
            raise BadInput(f"the model does not fit the task ({failure})") from failure
        if not bool(torch.isfinite(error)):
            raise BadInput("the task's loss is not finite on the model as it stands")
        d = self.problem.distribution.dim
        if self.watched is not None and self.watched.shape != (len(self.watched), d):
            raise BadInput(f"watched inputs have shape (k, {d}), got {tuple(self.watched.shape)}")

    def fresh(self) -> "Duty":
        """The same with a model of its own, as it stands."""
        return Duty(self.problem, self.task, self.watched)

    @property
    def device(self) -> torch.device:
        """Where its numbers are."""
        return self.problem.device

    def to(self, device: str | torch.device) -> "Duty":
        """The same on another device, model and examples, as `Problem.to`.

        Raises:
            BadInput: where torch knows no such device, or it is not there.
        """
        problem = self.problem.to(device=device)
        watched = None if self.watched is None else self.watched.to(problem.device)
        return Duty(problem, self.task.to(problem.device), watched)

    @property
    def parameters(self) -> list[Tensor]:
        """Those that are trained."""
        return [p for p in self.problem.model.parameters() if p.requires_grad]

    @property
    def theta(self) -> Tensor:
        """All of them in one vector `(p,)`, detached."""
        return join(self.parameters)

    def put(self, theta: Tensor) -> None:
        """Write a vector `(p,)` into the model."""
        start = 0
        with torch.no_grad():
            for p in self.parameters:
                p.copy_(theta[start : start + p.numel()].reshape(p.shape))
                start += p.numel()

    def trained(self, theta: Tensor) -> Problem:
        """The problem with a model of its own that has the parameters `(p,)`.

        >>> from workbench.training.toys import plane
        >>> duty = plane()
        >>> duty.trained(duty.theta + 0.1).truth is None
        True
        """
        one = self.fresh()
        one.put(theta)
        return one.problem
