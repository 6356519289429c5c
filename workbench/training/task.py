"""What a model is for: data, and a loss that says how well it serves."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

from workbench.errors import BadInput

MEASURES = {
    "cross_entropy": "accuracy", "mse": "variance explained", "cost": "share of the best cost",
}  # fmt: skip
"""{loss: what the score of a task with it is}: the last is the known model's cost over M's."""


@dataclass(frozen=True, eq=False)
class Task:
    """Examples to learn from and examples to be judged by.

    Args:
        inputs: `(n, d)`.
        targets: classes `(n,)` for "cross_entropy"; values `(n, k)` for "mse"; for "cost" the
            outputs `(n, k)` of a model that is known to be good, to be compared with.
        held_out: inputs and targets that no step learns from.
        loss: "cross_entropy"; "mse"; or "cost", the mean of |y|^2: a quadratic cost whose root
            M puts out, an entry a term.

    Raises:
        BadInput: where inputs and targets do not fit together, or values do not vary, of which a
            share explained would be nothing over nothing.
    """

    inputs: Tensor
    targets: Tensor
    held_out: tuple[Tensor, Tensor]
    loss: Literal["cross_entropy", "mse", "cost"] = "cross_entropy"

    def __post_init__(self) -> None:
        if self.loss not in MEASURES:
            raise BadInput(f"the loss of a task is one of {', '.join(MEASURES)}, got {self.loss!r}")
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
            if self.loss == "mse" and not bool((y != y[0]).any()):
                raise BadInput(f"the {what}targets of a task are all the same: nothing to explain")

    @staticmethod
    def split(inputs: Tensor, targets: Tensor, share: float = 0.2) -> "Task":
        """A task out of examples, some of them held out: the same ones of as many examples.

        Args:
            inputs: `(n, d)`.
            targets: classes `(n,)`, for "cross_entropy", or values `(n, k)`, for "mse".
            share: of the examples that is held out, one at least, of values two.

        Raises:
            BadInput: where inputs and targets do not fit together, or fewer than two came, of
                values four.

        >>> task = Task.split(torch.randn(10, 3), torch.arange(10) % 2)
        >>> task.size, len(task.held_out[0]), task.loss
        (8, 2, 'cross_entropy')
        """
        if not 0.0 < share < 1.0:
            raise BadInput(f"the share of held-out examples lies between 0 and 1, got {share!r}")
        loss = "mse" if targets.is_floating_point() else "cross_entropy"
        least = 2 if loss == "mse" else 1  # of one value there is no variance
        n = len(inputs)
        if n != len(targets) or n < 2 * least:
            raise BadInput(
                f"to split a task needs {2 * least} examples or more, and a target for each, got "
                f"{n} and {len(targets)}"
            )
        order = torch.randperm(n, generator=torch.Generator().manual_seed(n), device="cpu")
        out = min(n - least, max(least, round(share * n)))
        away, kept = order[:out], order[out:]
        return Task(inputs[kept], targets[kept], (inputs[away], targets[away]), loss)

    def to(self, device: torch.device) -> "Task":
        """The same examples on another device."""
        x, y = self.held_out
        there = x.to(device), y.to(device)
        return Task(self.inputs.to(device), self.targets.to(device), there, self.loss)

    @property
    def size(self) -> int:
        """How many training examples there are."""
        return len(self.inputs)

    @property
    def measure(self) -> str:
        """What `score` is: 1 is perfect."""
        return MEASURES[self.loss]

    def error(self, model: nn.Module, rows: Tensor | None = None) -> Tensor:
        """Mean loss over training examples, of some rows or of all."""
        x, y = self.inputs, self.targets
        if rows is not None:
            x, y = x[rows], y[rows]
        match self.loss:
            case "cross_entropy":
                return cross_entropy(model(x), y)
            case "mse":
                return mse_loss(model(x), y)
        return model(x).square().sum(1).mean()

    @torch.no_grad()
    def score(self, model: nn.Module, held_out: bool = True) -> float:
        """How well M serves, 1 at best, on held-out or on training examples: see `MEASURES`."""
        x, y = self.held_out if held_out else (self.inputs, self.targets)
        found = model(x)
        match self.loss:
            case "cross_entropy":
                return float((found.argmax(1) == y).double().mean())
            case "mse":
                left = (found - y).square().sum()
                return float(1.0 - left / (y - y.mean(0)).square().sum())
        return float(y.square().sum() / found.square().sum())

    def lost(self, before: float, now: float) -> float:
        """How much worse the task is done: points of a score, or for "cost" the share by which
        that has grown.

        Args:
            before: score before.
            now: score now.
        """
        return before / now - 1.0 if self.loss == "cost" else before - now
