"""What a model is for: data, and a loss that says how well it serves."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

from workbench.errors import BadInput


@dataclass(frozen=True, eq=False)
class Task:
    """Examples to learn from and examples to be judged by.

    Args:
        inputs: `(n, d)`.
        targets: classes `(n,)` for "cross_entropy", or values `(n, k)` for "mse".
        held_out: inputs and targets that no step learns from.
        loss: "cross_entropy" or "mse".

    Raises:
        BadInput: where inputs and targets do not fit together.
    """

    inputs: Tensor
    targets: Tensor
    held_out: tuple[Tensor, Tensor]
    loss: Literal["cross_entropy", "mse"] = "cross_entropy"

    def __post_init__(self) -> None:
        if self.loss not in ("cross_entropy", "mse"):
            raise BadInput(f"the loss of a task is 'cross_entropy' or 'mse', got {self.loss!r}")
        for what, x, y in (("", self.inputs, self.targets), ("held-out ", *self.held_out)):
            if x.ndim != 2 or not len(x) or len(x) != len(y):
                raise BadInput(
                    f"a task needs {what}inputs (n, d) and n targets, got {tuple(x.shape)} and "
                    f"{tuple(y.shape)}"
                )
            whole = not y.is_floating_point() and y.ndim == 1
            if whole != (self.loss == "cross_entropy"):
                raise BadInput(
                    f"targets of {tuple(y.shape)} {y.dtype} do not fit the loss {self.loss!r}: "
                    "classes (n,) or values (n, k) are needed"
                )

    @property
    def size(self) -> int:
        """How many training examples there are."""
        return len(self.inputs)

    @property
    def measure(self) -> str:
        """What `score` is: 1 is perfect."""
        return "accuracy" if self.loss == "cross_entropy" else "variance explained"

    def error(self, model: nn.Module, rows: Tensor | None = None) -> Tensor:
        """Mean loss over training examples, of some rows or of all."""
        x, y = self.inputs, self.targets
        if rows is not None:
            x, y = x[rows], y[rows]
        return cross_entropy(model(x), y) if self.loss == "cross_entropy" else mse_loss(model(x), y)

    @torch.no_grad()
    def score(self, model: nn.Module) -> float:
        """On held-out examples: accuracy, or the share of variance explained (R^2)."""
        x, y = self.held_out
        found = model(x)
        if self.loss == "cross_entropy":
            return float((found.argmax(1) == y).double().mean())
        left = (found - y).square().sum()
        return float(1.0 - left / (y - y.mean(0)).square().sum())
