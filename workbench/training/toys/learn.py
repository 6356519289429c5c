"""How toys begin: plain training, and a bar that is exceeded as seldom as is wanted."""

from torch import Tensor, nn

from workbench.math.descent import descend
from workbench.training.task import Task


def learn(model: nn.Module, task: Task, steps: int, rate: float) -> None:
    """Adam on the task's loss, all examples at once.

    Args:
        steps: of the optimiser.
        rate: learning rate.
    """
    free = [p for p in model.parameters() if p.requires_grad]
    descend(lambda: task.error(model), free, rate, steps)


def exceeded(values: Tensor, once_in: float) -> float:
    """The empirical quantile of `(n,)` values that this share of them exceeds."""
    return float(values.sort().values[-max(1, round(once_in * len(values)))])
