"""How toys begin: plain training, and a bar that is exceeded as seldom as is wanted."""

import torch
from torch import Tensor, nn

from workbench.training.task import Task


def learn(model: nn.Module, task: Task, steps: int, rate: float) -> None:
    """Adam on the task's loss, all examples at once.

    Args:
        steps: of the optimiser.
        rate: learning rate.
    """
    adam = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=rate)
    for _ in range(steps):
        adam.zero_grad()
        task.error(model).backward()
        adam.step()


def exceeded(values: Tensor, once_in: float) -> float:
    """The empirical quantile of `(n,)` values that this share of them exceeds."""
    return float(values.sort().values[-max(1, round(once_in * len(values)))])
